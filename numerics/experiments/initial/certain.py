"""How many steps of a first plateau are proved, from the very weights that runs began with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from statistics import median
from typing import Any

from epsrank.theory.flows.plateau_bound import plateau_bound
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.strict_json import canonical

#: From settings and a seed to the layers at the start, samples and targets.
Start = Callable[[Mapping[str, Any], int], tuple[Sequence[Matrix], Array, Array]]
# Steps of the recursion. Of a longer plateau the time of the flow is enough, which costs as much as
# 100 of them, and says at most a few per cent less.
_MOST = 300


def certain_steps(settings: Mapping[str, Any], start: Start) -> float:
    """Return for how many steps the loss is certainly above 0.9 L₀ (P1), median over seeds."""
    return _certain(canonical(settings), start)


# An analysis is made again in every view, and what is certain is the same in all.
@cache
def _certain(settings: str, start: Start) -> float:
    given = json.loads(settings)
    found = []
    for seed in range(given["seed"], given["seed"] + given["count"]):
        layers, x, y = start(given, seed)
        bound = plateau_bound(layers, x, y, learning_rate=given["learning_rate"], most=_MOST)
        assert bound.steps is not None  # there is a rate
        found.append(bound.steps)
    return float(median(found))
