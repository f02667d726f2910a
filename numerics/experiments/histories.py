"""Histories of training runs, read from the outcomes of trials and put side by side over seeds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.numbers.arrays import Array, Matrix, Vector


# Arrays have no one truth value, so equal fields cannot make runs equal.
@dataclass(frozen=True, eq=False)
class History:
    """One run: loss, floors and the ε-ranks of its hidden layers over training steps."""

    #: Settings of the trial.
    settings: Mapping[str, Any]
    #: How it ended.
    status: str
    #: What the data were.
    task: str
    #: Steps of the measurements.
    steps: Vector
    #: Numbers per measurement; NaN where there is none.
    loss: Vector
    test_loss: Vector
    reachable: Vector
    envelope: Vector
    coefficient_norm: Vector
    #: Ends of the ε-rank by ε: measurements × hidden layers.
    lower: Mapping[float, Matrix] = field(repr=False)
    upper: Mapping[float, Matrix] = field(repr=False)
    #: What is proved between the moments of its table (`epsrank.numerics.training.drops`).
    drops: Sequence[Mapping[str, Any]] = field(repr=False, default=())

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.settings["seed"])

    @property
    def eps(self) -> tuple[float, ...]:
        """Thresholds, as they were asked for."""
        return tuple(self.lower)

    def rank(self, layer: int = -1, eps: float | None = None) -> Vector:
        """Return the ε-rank of a layer over time: the middle of its interval."""
        at = self.eps[0] if eps is None else eps
        middle: Array = (self.lower[at][:, layer] + self.upper[at][:, layer]) / 2
        return middle


def certain_difference(lower: Array, upper: Array, other_lower: Array, other_upper: Array) -> Array:
    """Return the number next to 0 in [lower − other_upper, upper − other_lower]."""
    least, most = lower - other_upper, upper - other_lower
    # 0 where the intervals overlap: then neither is certainly larger.
    near: Array = np.where(least > 0, least, np.where(most < 0, most, 0)).astype(np.float64)
    return near


def read_history(outcome: Outcome) -> History:
    """Return the history of a trial of kind ``train``.

    Parameters
    ----------
    outcome : Outcome
        A trial that is done.

    Returns
    -------
    History
        Its numbers.
    """
    result = outcome.result
    return History(
        settings=outcome.settings,
        status=str(result["status"]),
        task=str(result["task"]),
        steps=_column(result["step"]),
        loss=_column(result["loss"]),
        test_loss=_column(result["test_loss"]),
        reachable=_column(result["reachable"]),
        envelope=_column(result["envelope"]),
        coefficient_norm=_column(result["coefficient_norm"]),
        lower=_ranks(result["rank_lower"], int(result["n_layers"]), outcome.settings),
        upper=_ranks(result["rank_upper"], int(result["n_layers"]), outcome.settings),
        drops=tuple(result.get("drops") or ()),
    )


def _column(values: Sequence[Any]) -> Array:
    return np.array([np.nan if value is None else value for value in values], dtype=np.float64)


def _ranks(
    by_eps: Mapping[str, Any], n_layers: int, settings: Mapping[str, Any]
) -> dict[float, Array]:
    """Return ranks by ε, in the order in which the thresholds were asked for."""
    asked = [float(eps) for eps in settings.get("eps", ())]
    found = {
        float(eps): np.array(ranks, dtype=np.float64).reshape(-1, n_layers)
        for eps, ranks in by_eps.items()
    }
    # The first threshold is the one that is judged, and JSON promises no order of keys.
    order = [eps for eps in asked if eps in found] or list(found)
    return {eps: found[eps] for eps in order}


def read_histories(outcomes: Iterable[Outcome]) -> tuple[list[History], list[str]]:
    """Return the histories with a measurement, diverged ones too, and a note per kind of trouble.

    Only trials of kind ``train`` are read.
    """
    histories, failed, diverged, notes = [], [], [], []
    for outcome in outcomes:
        if outcome.trial.kind != "train":
            continue
        if outcome.status == "failed":
            failed.append(f"{_short(outcome.settings)}: {outcome.cause}")
            continue
        if outcome.result.get("status") != "complete":
            diverged.append(f"{_short(outcome.settings)}: {outcome.result.get('cause')}")
        if outcome.result.get("step"):
            histories.append(read_history(outcome))
    if failed:
        notes.append(f"{len(failed)} of the trainings failed, the first with {failed[0]}")
    if diverged:
        notes.append(f"{len(diverged)} of the trainings diverged, the first with {diverged[0]}")
    return histories, notes


def _short(settings: Mapping[str, Any]) -> str:
    names = ("task", "init", "optimizer", "learning_rate", "width", "depth", "seed")
    return ", ".join(f"{name} {settings[name]}" for name in names if name in settings)


def grouped(
    histories: Iterable[History], key: Callable[[History], str]
) -> dict[str, list[History]]:
    """Return histories by the name of their arm, in the order they come."""
    arms: dict[str, list[History]] = {}
    for history in histories:
        arms.setdefault(key(history), []).append(history)
    return arms


def over_seeds(runs: Sequence[History], value: Callable[[History], Array]) -> tuple[Vector, Matrix]:
    """Return the steps of the longest run and one series per run, NaN where it has ended."""
    steps: Array = max((run.steps for run in runs), key=len)
    table = np.full((len(runs), len(steps)), np.nan)
    for row, run in zip(table, runs, strict=True):
        # A run that ended early has fewer steps, and one that diverged may have a step of its own.
        place = np.searchsorted(steps, run.steps)
        known = (place < len(steps)) & (steps[np.minimum(place, len(steps) - 1)] == run.steps)
        row[place[known]] = value(run)[known]
    return steps, table
