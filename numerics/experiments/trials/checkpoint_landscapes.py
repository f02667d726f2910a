"""The trial of kind ``landscape``: how the loss looks around checkpoints of two trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from epsrank.numerics.landscape import (
    filter_normalised,
    line_shape,
    losses_on_lines,
    losses_on_plane,
    path_directions,
)
from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.training.loop import train
from epsrank.numerics.training.objective import task_objective
from epsrank.numerics.training.run import Run
from epsrank.theory.numbers.arrays import Array

#: Coordinates of the lines; the smallest distance gives the curvature.
REACH, HALF = 0.25, 10
# Losses that two runs are matched at: this far above what both have reached.
_MARGIN = 1.5
_CPU = torch.device("cpu")


def landscape_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train two networks that differ in their initialisation, and look around their checkpoints.

    Of each run three checkpoints: the one of least and the one of largest last-layer ε-rank after
    the first update (of equals the later), and the first whose loss is below ℓ, ℓ being 1.5 times
    the larger of the two least losses: there both runs have the same loss and different ranks.

    `settings`: ``train`` (entries of `RunConfig`, seed included), ``arms`` (initialisations),
    ``lines``, ``grid`` (points per side of the planes; 0 for none).
    """
    runs = {arm: train(config_of({**settings["train"], "init": arm})) for arm in settings["arms"]}
    matched = _MARGIN * max(min(_losses(run)) for run in runs.values())
    found: dict[str, Any] = {
        "matched_loss": matched if math.isfinite(matched) else None,
        "arms": {},
    }
    for arm, run in runs.items():
        chosen = _checkpoints(run, matched)
        entry: dict[str, Any] = {
            name: _around(run, index, settings) for name, index in chosen.items()
        }
        if settings["grid"] and {"low", "high"} <= set(chosen):
            entry["planes"] = _planes(run, chosen, settings)
        found["arms"][arm] = entry
    return found


def _losses(run: Run) -> list[float]:
    return [record.loss if math.isfinite(record.loss) else math.inf for record in run.records]


def _checkpoints(run: Run, matched: float) -> dict[str, int]:
    """Return the indices of the checkpoints to look at."""
    losses = _losses(run)
    after = [index for index, record in enumerate(run.records) if record.step > 0]
    if not after:
        return {}
    ranks = {index: run.records[index].rank().lower for index in after}
    chosen = {
        "low": max(after, key=lambda index: (-ranks[index], index)),
        "high": max(after, key=lambda index: (ranks[index], index)),
    }
    below = [index for index in after if losses[index] <= matched]
    return chosen | ({"matched": below[0]} if below else {})


def _coordinates() -> Array:
    return REACH * np.arange(-HALF, HALF + 1) / HALF


def _around(run: Run, index: int, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return rank, loss and shape at one checkpoint."""
    record, model = run.records[index], run.network(index)
    draw = torch.Generator().manual_seed(run.config.seed)
    state = model.state_dict()
    # The same draw at every checkpoint of a run: chance differs as little as can be.
    directions = [filter_normalised(state, draw) for _ in range(settings["lines"])]
    loss = task_objective(run.config, run.task, _CPU)
    values = losses_on_lines(model, loss, directions, _coordinates().tolist())
    rank = record.rank()
    shape = line_shape(values, _coordinates())
    return {
        "step": record.step,
        "loss": record.loss,
        "rank": [rank.lower, rank.upper],
    } | shape.to_json()


def _planes(run: Run, chosen: Mapping[str, int], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return log₁₀ losses on planes, rounded: they are for the eye."""
    loss, size = task_objective(run.config, run.task, _CPU), settings["grid"]
    sides = np.linspace(-1, 1, size).tolist()
    found: dict[str, Any] = {"sides": sides}
    for name in ("low", "high"):
        model = run.network(chosen[name])
        draw = torch.Generator().manual_seed(run.config.seed)
        first, second = (filter_normalised(model.state_dict(), draw) for _ in range(2))
        found[name] = _rounded(losses_on_plane(model, loss, first, second, sides, sides))
    states = [run.network(index).state_dict() for index in _spaced(len(run.records), 40)]
    first, second, path, share = path_directions(states)
    a, b = (_span(path[:, axis].tolist(), size) for axis in range(2))
    values = losses_on_plane(run.network(-1), loss, first, second, a, b)
    found["path"] = {
        "a": a,
        "b": b,
        "values": _rounded(values),
        "points": [[round(p, 5), round(q, 5)] for p, q in path.tolist()],
        "share": share,
    }
    return found


def _spaced(count: int, most: int) -> list[int]:
    """Return at most so many indices, evenly spaced, first and last included."""
    return sorted({round(x) for x in np.linspace(0, count - 1, min(count, most))})


def _span(places: Sequence[float], size: int) -> list[float]:
    """Return coordinates that hold the path with a margin."""
    low, high = min(places), max(places)
    # A path without extent in a direction still has a plane.
    margin = 0.25 * (high - low) or 1.0
    found: list[float] = np.linspace(low - margin, high + margin, size).tolist()
    return found


def _rounded(values: Array) -> list[list[float | None]]:
    # An exact fit has the loss 0.
    logs = np.log10(np.maximum(values, np.finfo(float).tiny))
    return [[round(v, 4) if math.isfinite(v) else None for v in row] for row in logs.tolist()]
