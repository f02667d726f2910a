"""Runs from small weights, read from the outcomes of trials: one per seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.numerics.experiments.initial.judged import Span
from epsrank.numerics.experiments.robustness import Measured
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.numbers.arrays import Vector

#: Levels of the loss at which stages end.
LEVELS = ("escaped", "settled", "left")
#: Results of trials of kind ``small-weights``.
WATCHED = Measured(("step", "loss", "transport"), planned=True, passed=LEVELS)


@dataclass(frozen=True, eq=False)
class SmallRun:
    """One network of a trial of kind ``small-weights``."""

    #: Settings of its trial.
    settings: Mapping[str, Any]
    seed: int
    #: mean y²; what an affine function leaves of it; c‖g‖.
    square: float
    affine: float
    rate: float
    #: When it leaves the first plateau by the linearised flow, in time; None without such a law.
    predicted: float | None
    #: Steps at which levels were passed; None for never.
    passed: Mapping[str, int | None] = field(repr=False)
    #: Measurements: steps, losses, and W₁ of the amplitudes per unit of time since the one before.
    steps: Vector = field(repr=False)
    loss: Vector = field(repr=False)
    transport: Vector = field(repr=False)

    @property
    def pace(self) -> float:
        """Time of a step: η/(1 − μ)."""
        return float(self.settings["learning_rate"]) / (1 - float(self.settings["momentum"]))

    def time(self, name: str) -> float | None:
        """Return when a level was passed, in time."""
        step = self.passed[name]
        return None if step is None else step * self.pace

    def length(self, first: str, last: str) -> float | None:
        """Return the time between two levels, at least that of one step; None for never."""
        start, end = self.time(first), self.time(last)
        return None if start is None or end is None else max(end - start, self.pace)

    def span(self, first: str, last: str) -> Span:
        """Return what is known of the time between two levels when the training has ended."""
        start, known = self.time(first), self.length(first, last)
        if start is None:
            return 0.0, math.inf
        if known is None:
            return max(float(self.settings["steps"]) * self.pace - start, self.pace), math.inf
        return known, known


def read_runs(outcomes: Iterable[Outcome]) -> tuple[list[SmallRun], tuple[str, ...]]:
    """Return the runs of all trials that were carried out, and a note on the others."""
    given = list(outcomes)
    runs = [run for outcome in given if outcome.status == "done" for run in _runs(outcome)]
    failed = sum(outcome.status != "done" for outcome in given)
    return runs, (f"{failed} of {len(given)} trials failed",) if failed else ()


def _runs(outcome: Outcome) -> list[SmallRun]:
    result, settings = outcome.result, outcome.settings
    tables = {
        name: np.array(result[name], dtype=np.float64).reshape(-1, settings["count"])
        for name in ("loss", "transport")
    }
    return [
        SmallRun(
            settings=settings,
            seed=settings["seed"] + place,
            square=result["square"],
            affine=result["affine"],
            rate=result["rate"],
            predicted=result["predicted"][place],
            passed={name: result[name]["usual"][place] for name in LEVELS},
            steps=np.array(result["step"], dtype=np.float64),
            loss=tables["loss"][:, place],
            transport=tables["transport"][:, place],
        )
        for place in range(settings["count"])
    ]


def by_setting(runs: Iterable[SmallRun], *names: str) -> dict[tuple[Any, ...], list[SmallRun]]:
    """Return runs by the values of some settings, in the order they come."""
    found: dict[tuple[Any, ...], list[SmallRun]] = {}
    for run in runs:
        found.setdefault(tuple(run.settings[name] for name in names), []).append(run)
    return found


def by_seed(runs: Sequence[SmallRun]) -> dict[int, SmallRun]:
    """Return runs of one setting by seed."""
    return {run.seed: run for run in runs}
