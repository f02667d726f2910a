"""Steps in a described series: what falls faster than what is before it and after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from epsrank.theory.numbers.arrays import Vector

# What is called a step; ours, tried on exploratory seeds.
RATE_RATIO = 3.0  # a drop is this many times faster than either plateau
LEAST_FALL = 0.1  # share of the range of the series
PLATEAU_SHARE = 0.04  # a plateau lasts at least this share of the measurements
LEAST_POINTS = 3  # and has as many of them
# Drops are sought at so many rates.
_RATES = 40


@dataclass(frozen=True)
class Drop:
    """A fall between two plateaus, by indices of the series described."""

    #: The last point before and the first point after it.
    start: int
    end: int
    #: First point of the plateau before, last point of the plateau after.
    left: int
    right: int
    #: How far the described curve falls.
    fall: float


def least_fall(size: float, resolution: float = 0.0) -> float:
    """Return what a drop must fall by at least.

    `resolution`: Distance of neighbouring values that the series can have: a whole number that
    moves by 1 has moved as little as it can, and so does any slow growth when rounded.
    """
    return max(LEAST_FALL * size, 1.5 * resolution)


def drops(time: Vector, curve: Vector, least: float) -> list[Drop]:
    """Return the drops between plateaus of a curve.

    The curve is replaced by its running minimum, since what returns from a spike is no step. The
    stretches where it falls at a rate ≥ θ are candidates, for every θ. One is a drop if there are,
    before it and after it, plateaus whose rate is `RATE_RATIO` times smaller, and if it falls far
    enough. Where one candidate holds two drops with a plateau between them the two are taken, and
    otherwise the narrowest.
    """
    lowest = np.minimum.accumulate(curve)
    rates = -np.diff(lowest) / np.diff(time)
    points = max(LEAST_POINTS, round(PLATEAU_SHARE * curve.size) + 1)
    wide = points - 1  # in intervals
    slow = (lowest[:-wide] - lowest[wide:]) / (time[wide:] - time[:-wide])
    found: dict[tuple[int, int], float] = {}
    levels = np.unique(rates[rates > 0])
    if levels.size > _RATES:
        levels = np.quantile(levels, np.linspace(0, 1, _RATES))
    fast = np.zeros(rates.size + 2, dtype=bool)
    for threshold in levels:
        # What falls evenly does so up to rounding.
        fast[1:-1] = rates >= threshold * (1 - 1e-6)
        edges = np.flatnonzero(fast[1:] != fast[:-1]).tolist()
        for first, last in zip(edges[::2], edges[1::2], strict=True):
            fall = float(lowest[first] - lowest[last])
            if fall < least:
                continue
            most = fall / (time[last] - time[first]) / RATE_RATIO
            before = np.flatnonzero(slow[: max(0, first - wide + 1)] <= most)
            after = np.flatnonzero(slow[last:] <= most)
            if before.size and after.size:
                start, end = int(before[-1]) + wide, last + int(after[0])
                found[start, end] = float(lowest[start] - lowest[end])
    return _apart(_disjoint(found), time, lowest, slow)


def _disjoint(found: dict[tuple[int, int], float]) -> list[tuple[int, int]]:
    """Return drops that do not overlap, the narrowest first, in the order of time."""
    chosen: list[tuple[int, int]] = []
    for start, end in sorted(found, key=lambda key: (key[1] - key[0], key)):
        if all(end <= a or b <= start for a, b in chosen):
            chosen.append((start, end))
    return sorted(chosen)


def _apart(chosen: list[tuple[int, int]], time: Vector, lowest: Vector, slow: Vector) -> list[Drop]:
    """Return drops with the plateaus between them; neighbours without one are one fall."""

    def rate(start: int, end: int) -> float:
        return float((lowest[start] - lowest[end]) / (time[end] - time[start]))

    wide = lowest.size - slow.size
    joined: list[tuple[int, int]] = []
    for start, end in chosen:
        if joined:
            left, right = joined[-1]
            most = min(rate(left, right), rate(start, end)) / RATE_RATIO
            # What was slow beside one of them may hold a jump that is the other.
            if not (slow[right : start - wide + 1] <= most).any():
                joined[-1] = (left, end)
                continue
        joined.append((start, end))
    edges = [0, *(edge for drop in joined for edge in drop), time.size - 1]
    return [
        Drop(a, b, edges[2 * k], edges[2 * k + 3], float(lowest[a] - lowest[b]))
        for k, (a, b) in enumerate(joined)
    ]
