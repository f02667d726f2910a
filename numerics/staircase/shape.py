"""Steps in a described series: what falls faster than what is before it and after it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from epsrank.numerics.staircase.noise import Noise
from epsrank.numerics.staircase.pieces import Pieces
from epsrank.theory.numbers.arrays import Array, Vector

# What is called a step; ours, fixed before any run was judged by it.
RATE_RATIO = 3.0  # a drop is this many times faster than either plateau
PLATEAU_SHARE = 0.5  # a plateau lasts at least this share of its drop's time
LEAST_POINTS = 3  # and has as many measurements
LEAST_FALL = 0.02  # share of the range of the series
NEW_SHARE = 0.5  # and this share of it is below all values before
LEAST_NOISE = 3.0  # standard errors of the difference of the two levels


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


def drops(time: Vector, pieces: Pieces, noise: Noise, least: float) -> list[Drop]:
    """Return the drops between plateaus in a curve of pieces.

    Cut the curve at its change points and let the fall between neighbouring points t_{b−1}, t_b be
    a stretch of its own. For a rate θ the stretches that fall at a rate ≥ θ, joined where they
    touch, are candidates, and what lies between them are plateaus. A candidate is a drop if it
    falls at least `RATE_RATIO` times as fast as either plateau beside it, further than either, by
    enough of the range and of the noise, and at least half of it below all that was before (what
    returns from a spike is no step); and if both plateaus are long enough. Every θ is tried. Where
    one candidate holds two drops the two are taken, and otherwise the whole of it.
    """
    curve = pieces.curve
    cuts = np.array(
        sorted({0, curve.size - 1, *pieces.starts, *(b - 1 for b in pieces.starts[1:])})
    )
    rates = -np.diff(curve[cuts]) / np.diff(time[cuts])
    found: dict[tuple[int, int], Drop] = {}
    # At other thresholds the same stretches are joined as at one of the rates.
    for threshold in np.unique(rates[rates > 0]):
        runs = _runs(rates >= threshold)
        for k, (first, last) in enumerate(runs):
            before = runs[k - 1][1] if k else 0
            after = runs[k + 1][0] if k + 1 < len(runs) else cuts.size - 1
            if before < first and last < after:
                drop = _judge(time, curve, cuts[[before, first, last, after]], noise, least)
                if drop is not None:
                    found[int(first), int(last)] = drop
    return _disjoint(found)


def _runs(flags: Array) -> list[tuple[int, int]]:
    """Return [start, end) of the runs of true entries."""
    edges = np.flatnonzero(np.diff(np.pad(flags.astype(np.int8), 1)))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]


def _judge(time: Array, curve: Array, points: Array, noise: Noise, least: float) -> Drop | None:
    """Return the drop between two plateaus, or None if it is none."""
    falls = -np.diff(curve[points])
    lasts = np.diff(time[points])
    # Both ends belong to a plateau.
    counts = np.diff(points) + 1
    before, fall, after = falls
    rate = fall / lasts[1]
    left, right = counts[0], counts[2]
    # The mean of m values with correlation ρ counts as that of m (1 − ρ)/(1 + ρ), at least one.
    share = (1 - noise.correlation) / (1 + noise.correlation)
    error = noise.sigma * np.sqrt(sum(1 / max(1.0, m * share) for m in (left, right)))
    # Absolute values: a plateau may rise, but no faster than it may fall.
    steep = all(RATE_RATIO * abs(falls[k] / lasts[k]) <= rate for k in (0, 2))
    long = min(lasts[0], lasts[2]) >= PLATEAU_SHARE * lasts[1] and min(left, right) >= LEAST_POINTS
    large = fall >= max(least, LEAST_NOISE * error, abs(before), abs(after))
    if not (steep and long and large):
        return None
    a, b, c, d = (int(point) for point in points)
    if float(curve[: b + 1].min()) - float(curve[c]) < NEW_SHARE * fall:
        return None
    return Drop(b, c, a, d, float(fall))


def _disjoint(found: dict[tuple[int, int], Drop]) -> list[Drop]:
    """Return drops of which none holds another: several inner ones before one outer one."""
    chosen: dict[tuple[int, int], Drop] = {}
    # Short ones first, so that what a candidate holds has been decided before it.
    for (first, last), drop in sorted(found.items(), key=lambda item: item[0][1] - item[0][0]):
        inside = [key for key in chosen if first <= key[0] and key[1] <= last]
        if len(inside) < 2:
            for key in inside:
                del chosen[key]
            chosen[first, last] = drop
    return [chosen[key] for key in sorted(chosen)]
