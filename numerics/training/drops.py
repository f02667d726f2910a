"""What the drops of a run prove (F8, R): which moments are looked at, and their last layers."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import Protocol

import numpy as np
from torch import from_numpy

from epsrank.numerics.tasks import Task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import RunFolder
from epsrank.numerics.training.measure import LastLayer
from epsrank.numerics.training.record import StepRecord
from epsrank.numerics.training.tensors import write_tensors
from epsrank.theory.errors import InputError
from epsrank.theory.floor.change.pairs import DropFigures, Moment, explain_pairs
from epsrank.theory.numbers.spaced import spaced


class Measured(Protocol):
    """What is needed of a run."""

    config: RunConfig
    records: tuple[StepRecord, ...]
    folder: RunFolder

    @property
    def task(self) -> Task:
        """Its task."""
        ...

    def last_layer(self, index: int = -1) -> LastLayer:
        """Return the last layer at a measurement."""
        ...


# Last layers of a recorded run that are kept besides, evenly spaced, the last one among them.
_EVEN = 12

# Bands of loss that pairs are made of: more are joined two by two. A pair of squares takes
# milliseconds, one of another loss a tenth of a second or more.
_MOST_BANDS, _MOST_BANDS_CONVEX = 16, 8


def loss_moments(losses: Sequence[float], factor: float) -> list[int]:
    """Return one measurement per band of the loss: the middle of the time that it stays there.

    Bands are [L₀ c^{k+1}, L₀ c^k] of the least loss so far, c the factor. A plateau is a long stay,
    and its middle lies on it; a drop passes bands quickly. No detector has a say in it. Losses that
    are not positive or not finite are left out.
    """
    values = np.asarray(losses, dtype=np.float64)
    usable = np.flatnonzero(np.isfinite(values) & (values > 0))
    if usable.size == 0:
        return []
    least = np.minimum.accumulate(values[usable])
    band = np.floor(np.log(least[0] / least) / -math.log(factor) + 1e-9).astype(int)
    stays = [usable[band == level] for level in np.unique(band)]
    return [int(stay[len(stay) // 2]) for stay in stays]


def drop_moments(run: Measured, factor: float) -> list[int]:
    """Return the measurements of a run whose pairs are looked at, few enough for its loss."""
    most = _MOST_BANDS if run.config.loss == "mse" else _MOST_BANDS_CONVEX
    losses = [record.loss for record in run.records]
    while len(found := loss_moments(losses, factor)) > most:
        factor = factor * factor
    return found


def keep_features(run: Measured) -> None:
    """Bring the folder of a run up to date with the last layers that its settings keep.

    A stay in a band that goes on has a middle that moves: what is no longer one goes.
    """
    factor, folder = run.config.keep_features, run.folder
    if factor is None or not folder.kept or run.task.operator is not None:
        return
    moments = drop_moments(run, factor)
    if run.config.recorded and run.records:
        # No code makes this network again: figures of the floor are of what is kept now.
        moments = sorted({*moments, *spaced(len(run.records), _EVEN)})
    steps = {run.records[index].step: index for index in moments}
    wanted = {folder.features(step): index for step, index in steps.items()}
    for path in folder.features(0).parent.glob("step_*.safetensors"):
        if path not in wanted:
            path.unlink()
    for path, index in wanted.items():
        if not path.is_file():
            try:
                layer = run.last_layer(index)
            except InputError as error:
                if error.argument == "run":
                    return
                raise
            parts = {"features": layer.features, "coefficients": layer.coefficients}
            tensors = {name: from_numpy(np.array(part)) for name, part in parts.items()}
            tensors["bias"] = from_numpy(np.array(layer.bias))
            write_tensors(path, tensors, manifest=folder.manifest)


def level_drops(
    run: Measured, factor: float, eps: Sequence[float] | None = None
) -> list[DropFigures]:
    """Return F8 and R between all bands of the loss of a run; [] where it has no floor."""
    found = drop_moments(run, factor)
    return explain_measurements(run, found, combinations(range(len(found)), 2), eps)


def explain_measurements(
    run: Measured,
    indices: Sequence[int],
    pairs: Iterable[tuple[int, int]],
    eps: Sequence[float] | None = None,
) -> list[DropFigures]:
    """Return F8 and R for pairs of measurements; `pairs` are places in `indices`."""
    # Of a boundary-value problem the bias is a function of its own, which R does not know yet; a
    # nonlinear one has no V.
    if not indices or run.task.operator is not None:
        return []
    try:
        layers = [run.last_layer(index) for index in indices]
    except InputError as error:
        if error.argument == "run":  # a network whose output is not φW + b
            return []
        raise
    steps = [run.records[index].step for index in indices]
    moments = [
        Moment(step, layer.features, layer.coefficients, layer.bias)
        for step, layer in zip(steps, layers, strict=True)
    ]
    return explain_pairs(
        moments,
        layers[0].target,
        list(pairs),
        eps=run.config.eps if eps is None else eps,
        loss=run.config.loss,
        measure=layers[0].measure,
    )
