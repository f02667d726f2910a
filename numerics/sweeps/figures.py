"""The figures of one run that a sweep compares, from the history that its outcome holds."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any

from epsrank.numerics.sweeps.trial import Outcome

#: Where a run arrives at a loss: the figure is called ``steps_to_0.01``.
STEPS_TO = "steps_to_"

# Per history the last entry of which is a figure, and what a run that diverged has: the worst of
# all, so that a median over seeds counts it as such.
_LAST = {
    "loss": math.inf,
    "test_loss": math.inf,
    "test_accuracy": -math.inf,
    "reachable": None,
}

#: Figures of which less is better; of all others more is.
FALLING = ("loss", "test_loss", "reachable", STEPS_TO)


def diverged(outcome: Outcome) -> bool:
    """Tell whether a run was carried out and diverged."""
    return outcome.status == "done" and outcome.result.get("status") == "diverged"


def final_figures(
    outcome: Outcome, targets: Iterable[float] = (), *, count_stairs: bool = True
) -> dict[str, float]:
    """Return the figures of a trial that a sweep compares.

    `targets` are losses; of each there is the first measured step at which the loss was there, +∞
    where it never was. What a run did not measure is left out.
    """
    if outcome.status != "done":
        return {}
    result = outcome.result
    if outcome.trial.kind != "train":
        return {name: float(value) for name, value in result.items() if _is_number(value)}
    wild = diverged(outcome)
    found: dict[str, float] = {}
    for name, worst in _LAST.items():
        history = result.get(name) or [None]
        if not wild and history[-1] is not None:
            found[name] = history[-1]
        elif wild and worst is not None and (name == "loss" or set(history) != {None}):
            found[name] = worst
    for end in () if wild else ("rank_lower", "rank_upper"):
        # At the first ε that was asked for, of the last layer at the last measurement.
        ranks = next(iter(result[end].values()))
        if ranks and ranks[-1]:
            found[end] = ranks[-1][-1]
    if "step" in result:
        found |= steps_to(result["step"], result["loss"], targets)
        if count_stairs and not wild:
            found["stairs"] = stairs(tuple(result["step"]), tuple(result["loss"]))
    return found


def steps_to(
    steps: Sequence[float], losses: Sequence[float | None], targets: Iterable[float]
) -> dict[str, float]:
    """Return per target the first measured step whose loss is no more than it, +∞ for never."""
    arrived = dict.fromkeys(targets, math.inf)
    for step, loss in zip(steps, losses, strict=True):
        for target, before in arrived.items():
            if loss is not None and loss <= target and before == math.inf:
                arrived[target] = step
    return {f"{STEPS_TO}{target:g}": step for target, step in arrived.items()}


# A table and its summary ask for the same ones, and each takes some hundredths of a second.
@lru_cache(maxsize=10_000)
def stairs(steps: tuple[float, ...], losses: tuple[float | None, ...]) -> int:
    """Return how many steps of a staircase stand out from smooth decay; 0 also if nothing can."""
    # Here, as workers that train nothing do without.
    from epsrank.numerics.staircase import detect_staircase

    values = [math.nan if loss is None else loss for loss in losses]
    return len(detect_staircase(values, times=steps).steps)


def layer_ranks(outcome: Outcome) -> dict[str, int]:
    """Return the last ranks of every layer at every ε, named as in the history of a run."""
    if outcome.status != "done" or outcome.trial.kind != "train" or diverged(outcome):
        return {}
    return {
        f"{end}_layer{layer}_{eps}": rank
        for end in ("rank_lower", "rank_upper")
        for eps, ranks in outcome.result[end].items()
        for layer, rank in enumerate(ranks[-1] if ranks else (), 1)
    }


def reading_of(outcome: Outcome) -> str | None:
    """Return the reading of the last plateau of a run, where it was read."""
    if outcome.trial.kind != "train" or outcome.status != "done" or diverged(outcome):
        return None
    readings: Sequence[str | None] = outcome.result.get("reading") or [None]
    return readings[-1]


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
