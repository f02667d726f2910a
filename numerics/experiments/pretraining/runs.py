"""What a training run says about pre-training: ranks before and after, errors over time, cost."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from epsrank.numerics.experiments.histories import History, certain_difference, read_history
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.numbers.arrays import Array

#: What the result of a run is: a loss (ratios count), or the share of samples classified wrongly.
Metric = Literal["test_loss", "loss", "test_error"]

#: Kinds of trial with the history of a training.
KINDS = ("train", "pretraining")


@dataclass(frozen=True, eq=False)
class PretrainingRun:
    """One run of an arm."""

    #: Settings of the trial.
    settings: Mapping[str, Any]
    #: How it ended.
    status: str
    #: Steps of the measurements.
    steps: tuple[int, ...]
    #: The metric at them; +∞ where it is not finite.
    errors: tuple[float, ...]
    #: Interval of the ε-rank of the last hidden layer before and after training: of φ itself, also
    #: for a PINN, where the trial gives it.
    first_rank: tuple[float, float]
    last_rank: tuple[float, float]
    #: What initialising took, where the trial says it.
    seconds_first: float | None = field(default=None)
    #: What one update took: the median over updates, measurements left out.
    seconds_update: float | None = field(default=None)

    @property
    def seed(self) -> int:
        """Seed of the run."""
        return int(self.settings["seed"])

    @property
    def final_error(self) -> float:
        """Error after training; +∞ for a run that diverged."""
        return self.errors[-1] if self.status == "complete" else math.inf

    def arrival(self, target: float) -> float:
        """Return the first measured step at which the error is at most a target."""
        if self.status != "complete" or not math.isfinite(target):
            return math.inf
        pairs = zip(self.steps, self.errors, strict=True)
        return next((float(step) for step, error in pairs if error <= target), math.inf)

    def seconds(self, steps: float) -> float | None:
        """Return the seconds of so many steps and the initialisation; None if not measured."""
        if self.seconds_first is None or self.seconds_update is None:
            return None
        return self.seconds_first + steps * self.seconds_update


def read_run(outcome: Outcome, metric: Metric, eps: float) -> PretrainingRun | None:
    """Read a trial; None where it failed, has no training history, or no measurement at ε."""
    result = outcome.result
    if outcome.trial.kind not in KINDS or outcome.status != "done" or not result.get("step"):
        return None
    ranks = result.get("feature_ranks") or _last_layer(result)
    # Keys are text in JSON: 1e-06 and 0.000001 are one number.
    at = next((key for key in ranks["lower"] if float(key) == eps), None)
    if at is None:
        return None
    lower, upper = ranks["lower"][at], ranks["upper"][at]
    seconds = result.get("seconds") or {}
    return PretrainingRun(
        outcome.settings,
        str(result["status"]),
        tuple(result["step"]),
        _errors(result, metric),
        (float(lower[0]), float(upper[0])),
        (float(lower[-1]), float(upper[-1])),
        seconds.get("initialise"),
        seconds.get("update"),
    )


def read_features(outcome: Outcome) -> History:
    """Return the history of a trial with the ε-ranks of φ, where those of a PINN are of 𝓛φ."""
    ranks = outcome.result.get("feature_ranks")
    if not ranks:
        return read_history(outcome)
    ends = {
        f"rank_{end}": {eps: [[rank] for rank in values] for eps, values in ranks[end].items()}
        for end in ("lower", "upper")
    }
    return read_history(replace(outcome, result={**outcome.result, **ends, "n_layers": 1}))


def _last_layer(result: Mapping[str, Any]) -> dict[str, dict[str, list[float]]]:
    """Return the ranks of the last hidden layer by end and ε, per measurement."""
    return {
        end: {eps: [layers[-1] for layers in rows] for eps, rows in result[f"rank_{end}"].items()}
        for end in ("lower", "upper")
    }


def _errors(result: Mapping[str, Any], metric: Metric) -> tuple[float, ...]:
    """Return the metric per measurement."""
    if metric == "test_error":
        values = [None if share is None else 1 - share for share in result["test_accuracy"]]
    else:
        values = result[metric]
    return tuple(math.inf if value is None else float(value) for value in values)


def read_runs(
    outcomes: Iterable[Outcome], metric: Metric, eps: float
) -> tuple[list[PretrainingRun], list[str]]:
    """Read all trials with a training history, and make a note per kind of trouble."""
    runs, failed, diverged = [], [], []
    for outcome in outcomes:
        run = read_run(outcome, metric, eps)
        if run is None:
            if outcome.trial.kind in KINDS:
                failed.append(f"{_short(outcome.settings)}: {outcome.cause or 'no measurement'}")
            continue
        runs.append(run)
        if run.status != "complete":
            diverged.append(f"{_short(outcome.settings)}: {outcome.result.get('cause')}")
    notes = [
        f"{len(found)} trainings {what}, the first with {found[0]}"
        for what, found in (("failed and are left out", failed), ("diverged", diverged))
        if found
    ]
    return runs, notes


def _short(settings: Mapping[str, Any]) -> str:
    names = ("task", "network", "activation", "init", "seed")
    return ", ".join(f"{name} {settings[name]}" for name in names if name in settings)


def rank_gain(first: tuple[float, float], other: tuple[float, float]) -> float:
    """Return what is certain of a difference of two ranks given by intervals."""
    ends: Sequence[Array] = [_array(value) for value in (*first, *other)]
    return float(certain_difference(*ends)[0])


def _array(value: float) -> Array:
    import numpy as np

    return np.array([value], dtype=np.float64)
