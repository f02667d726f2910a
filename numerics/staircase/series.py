"""What callers hand in, checked once: a series, its times, ranks; what of it can be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from epsrank.numerics.staircase.outliers import first_fall, outliers
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Vector, to_float64, to_numpy

Scale = Literal["log", "linear"]
Direction = Literal["down", "up"]

# Longer series are averaged over blocks, so that cost is bounded; ours.
MOST_POINTS = 200
# Fewer measurements say nothing.
LEAST_LENGTH = 24


@dataclass(frozen=True)
class Series:
    """Values to be read downwards, at the times that can be used, and averages over blocks."""

    #: Positions in the series given of the entries that are used: finite (and positive, under log),
    #: and no outliers.
    index: NDArray[np.intp]
    #: Times, and y: log or −log, or the entries or their negatives.
    time: Vector
    values: Vector
    #: How many of these, at the start, are a first fall, and how many entries were outliers.
    transient: int
    outliers: int
    #: Points per block, from the first one that is no part of the first fall.
    block: int
    #: Averages over blocks.
    coarse_time: Vector
    coarse: Vector
    #: Entries given.
    length: int
    #: −1 where the series is to be read upwards.
    sign: int
    #: 1 for a series of whole numbers, such as ranks, on a linear scale; 0 otherwise.
    resolution: float


def as_series(series: Any, times: Any, scale: Scale, direction: Direction) -> Series:
    """Check a series.

    `series`: Real numbers; entries that are not finite, or not positive under ``scale="log"``, are
    left out.
    """
    if scale not in get_args(Scale):
        raise InputError("scale", f"is {scale!r}", "choose 'log' or 'linear'")
    if direction not in get_args(Direction):
        raise InputError("direction", f"is {direction!r}", "choose 'down' or 'up'")
    given = as_vector(series, "series")
    time = np.arange(given.size, dtype=np.float64)
    if times is not None:
        time = as_vector(times, "times", given.size)
        if not (np.isfinite(time).all() and (np.diff(time) > 0).all()):
            raise InputError("times", "do not increase", "pass finite, strictly increasing times")
    usable = np.isfinite(given) & ((given > 0) if scale == "log" else True)
    index = np.flatnonzero(usable)
    sign = 1 if direction == "down" else -1
    values = sign * (np.log(given[index]) if scale == "log" else given[index])
    # Before averages are taken: in one a spike would be no longer isolated.
    wrong = outliers(values) if values.size >= LEAST_LENGTH else np.zeros(values.size, bool)
    index, values = index[~wrong], values[~wrong]
    time = time[index]
    first = first_fall(values)
    block = max(1, -(-(index.size - first) // MOST_POINTS))
    coarse_time, coarse = (_averages(v[first:], block) for v in (time, values))
    # Logarithms of whole numbers have no common distance.
    whole = scale == "linear" and bool((values == np.round(values)).all())
    return Series(
        index,
        time,
        values,
        first,
        int(wrong.sum()),
        block,
        coarse_time,
        coarse,
        given.size,
        sign,
        1.0 if whole else 0.0,
    )


def as_vector(values: Any, name: str, length: int | None = None) -> Vector:
    """Check a list of real numbers, not necessarily finite."""
    if isinstance(values, (list, tuple)):
        # JSON has null for what is not finite.
        values = [np.nan if value is None else value for value in values]
    given, _ = to_numpy(values, name)
    if given.ndim != 1:
        raise InputError(name, f"has shape {given.shape}", "pass one number per measurement")
    if length is not None and given.size != length:
        raise InputError(
            name, f"has {given.size} entries, not {length}", "pass one per measurement"
        )
    converted, exact = to_float64(given, name)
    if not exact:
        raise InputError(name, "has integers beyond 2⁵³ that float64 rounds", "subtract an offset")
    return converted


def _averages(values: Array, block: int) -> Array:
    """Return means over blocks; a shorter last one joins its neighbour."""
    count = values.size // block
    if block == 1 or count == 0:
        return values
    starts = np.arange(count) * block
    return np.add.reduceat(values, starts) / np.diff(np.append(starts, values.size))
