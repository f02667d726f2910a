"""The trial of kind ``landscape``: how the loss looks around checkpoints of two trainings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch.func import functional_call

from epsrank.numerics.landscape import (
    Direction,
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
# Lines of equal change of the function go until the outputs move by this share of the target's
# root mean square, by the linear term; and the share of a line that gives this term.
_OUTPUT_REACH, _SMALL = 0.25, 1e-4
_CPU = torch.device("cpu")


def landscape_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train two networks that differ in their initialisation, and look around their checkpoints.

    Of each run three checkpoints: the one of least and the one of largest last-layer ε-rank after
    the first update (of equals the later), and the one that is matched with the other run's: of all
    pairs of checkpoints whose losses agree within a share, those of least loss. Pairs of the same
    loss have different ranks, and other steps.

    `settings`: ``train`` (entries of `RunConfig`, seed included), ``arms`` (initialisations),
    ``lines``, ``grid`` (points per side of the planes; 0 for none), ``agree`` (share by which the
    losses of a pair may differ).
    """
    runs = {arm: train(config_of({**settings["train"], "init": arm})) for arm in settings["arms"]}
    pair = matched([_losses(run) for run in runs.values()], settings["agree"])
    found: dict[str, Any] = {"arms": {}}
    for place, (arm, run) in enumerate(runs.items()):
        chosen = _checkpoints(run)
        if pair is not None:
            chosen["matched"] = pair[place]
        entry: dict[str, Any] = {
            name: _around(run, index, settings) for name, index in chosen.items()
        }
        if settings["grid"] and {"low", "high"} <= set(chosen):
            entry["planes"] = _planes(run, chosen, settings)
        found["arms"][arm] = entry
    return found


def _losses(run: Run) -> list[float]:
    return [record.loss if math.isfinite(record.loss) else math.inf for record in run.records]


def matched(losses: Sequence[Sequence[float]], agree: float) -> tuple[int, int] | None:
    """Return the pair of measurements, after the first update, of equal and of least loss."""
    first, second = (np.asarray(values, dtype=np.float64)[1:] for values in losses)
    known = np.isfinite(first)[:, None] & np.isfinite(second) & (first > 0)[:, None] & (second > 0)
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = np.abs(np.log(first[:, None] / second))
    least = np.where(
        known & (apart <= math.log1p(agree)), np.maximum(first[:, None], second), np.inf
    )
    if not np.isfinite(least).any():
        return None
    i, j = np.unravel_index(int(np.argmin(least)), least.shape)
    # The first measurement was left out.
    return int(i) + 1, int(j) + 1


def _checkpoints(run: Run) -> dict[str, int]:
    """Return the indices of the checkpoints of least and of largest rank."""
    after = [index for index, record in enumerate(run.records) if record.step > 0]
    if not after:
        return {}
    ranks = {index: run.records[index].rank().lower for index in after}
    return {
        "low": max(after, key=lambda index: (-ranks[index], index)),
        "high": max(after, key=lambda index: (ranks[index], index)),
    }


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
    # A filter-normalised line is as long as the weights, so that its curvature is that of a
    # network with small or large weights. Of equal change of the outputs it is free of their scale.
    equal = [_by_outputs(model, run, each) for each in directions]
    free = losses_on_lines(model, loss, equal, _coordinates().tolist())
    return {
        "step": record.step,
        "loss": record.loss,
        "rank": [rank.lower, rank.upper],
        "free": line_shape(free, _coordinates()).to_json(),
    } | shape.to_json()


def _by_outputs(model: Any, run: Run, direction: Direction) -> Direction:
    """Scale a direction so that at the end of its line outputs have moved by a given share."""
    x, y = run.task.x, run.task.y
    state = {name: value.detach().clone() for name, value in model.state_dict().items()}
    moved = []
    with torch.no_grad():
        for sign in (1, -1):
            ahead = {
                name: value + sign * _SMALL * direction[name].to(value)
                if name in direction
                else value
                for name, value in state.items()
            }
            moved.append(functional_call(model, ahead, (x,)).double())
    slope = float((moved[0] - moved[1]).square().mean().sqrt()) / (2 * _SMALL)
    scale = float(y.double().square().mean().sqrt())
    # A direction in which outputs do not move at all stays as it is: its line is flat anyway.
    factor = _OUTPUT_REACH * scale / (slope * REACH) if slope > 0 else 1.0
    return {name: factor * part for name, part in direction.items()}


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
