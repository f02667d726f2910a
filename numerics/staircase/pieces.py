"""Candidate descriptions of a series by pieces, from change points."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ruptures
from numpy.typing import NDArray
from ruptures.base import BaseCost

from epsrank.theory.numbers.arrays import Array, Matrix, Vector

# Most pieces that are tried; ours.
_MOST_FLAT = 12
_MOST_LINEAR = 12
# Common slopes of plateaus that are tried, as shares of the slope of the whole series; ours.
_SLOPES = (0.0, 0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Pieces:
    """A function that is linear on [b_k, b_{k+1}) and may jump at every b_k."""

    #: b_0 = 0 < b_1 < …: first index of each piece.
    starts: tuple[int, ...]
    #: Slope of each.
    slopes: Vector
    #: The function at the times.
    curve: Vector
    #: Numbers fitted, change points among them.
    parameters: int


class _LinearCost(BaseCost):  # type: ignore[misc]
    """RSS of a straight line on t_a, …, t_{b−1}, from cumulative sums."""

    model = "line"
    min_size = 3

    def fit(self, signal: Matrix) -> _LinearCost:
        """Take the series."""
        self.signal = signal
        t, y = signal.T
        products = np.stack([t, y, t * t, t * y, y * y])
        # Lists, as the search asks for single entries, which NumPy hands out slowly.
        self._sums = np.cumsum(np.pad(products, ((0, 0), (1, 0))), axis=1).T.tolist()
        return self

    def error(self, start: int, end: int) -> float:
        """Return the RSS of the best line."""
        n = end - start
        before, after = self._sums[start], self._sums[end]
        t, y, tt, ty, yy = (b - a for a, b in zip(before, after, strict=True))
        tt, ty, yy = tt - t * t / n, ty - t * y / n, yy - y * y / n
        # Differences of cumulative sums: rounding can make a perfect fit negative.
        rest: float = yy - ty * ty / tt if tt > 0 else yy
        return max(rest, 0.0)


def candidates(time: Vector, values: Vector) -> list[Pieces]:
    """Return staircases with parallel plateaus, and curves of linear pieces, of growing size."""
    return [*_parallel(time, values), *_linear(time, values)]


def _parallel(time: Array, values: Array) -> list[Pieces]:
    """Return y ≈ s·t + non-increasing levels."""
    n = time.size
    # At least four measurements per piece, on average.
    most = min(_MOST_FLAT, n // 4 - 1)
    # Centred, so that the level does not depend on the slope.
    centred = time - time.mean()
    overall = float(centred @ values / (centred @ centred))
    found = []
    # Plateaus may fall with the series, and never rise.
    for share in _SLOPES if overall < 0 else (0.0,):
        slope = share * overall
        rest = values - slope * centred
        search = ruptures.KernelCPD(kernel="linear", min_size=2).fit(rest[:, None])
        seen = set()
        for count in range(most, 0, -1):
            edges = np.array([0, *search.predict(n_bkps=count)])
            starts, levels = _antitonic(rest, edges)
            if len(starts) > 1 and starts not in seen:
                seen.add(starts)
                curve = slope * centred + np.repeat(levels, np.diff([*starts, n]))
                # Level and change point of each further piece; the null has a level too.
                parameters = 2 * (len(starts) - 1) + (share > 0)
                found.append(Pieces(starts, np.full(len(starts), slope), curve, parameters))
    return found


def _antitonic(values: Array, edges: NDArray[np.intp]) -> tuple[tuple[int, ...], Array]:
    """Return the non-increasing step function nearest to the means between edges (pooling)."""
    sums = np.add.reduceat(values, edges[:-1])
    blocks: list[tuple[int, float, int]] = []
    for start, total, size in zip(edges[:-1], sums, np.diff(edges), strict=True):
        block = (int(start), float(total), int(size))
        # Means are compared crosswise, without a division.
        while blocks and blocks[-1][1] * block[2] <= block[1] * blocks[-1][2]:
            before = blocks.pop()
            block = (before[0], before[1] + block[1], before[2] + block[2])
        blocks.append(block)
    return tuple(block[0] for block in blocks), np.array([b[1] / b[2] for b in blocks])


def _linear(time: Array, values: Array) -> list[Pieces]:
    """Return linear pieces."""
    n = time.size
    # At least six measurements per piece, on average.
    most = min(_MOST_LINEAR, n // 6 - 1)
    span, size = float(np.ptp(time)), float(np.ptp(values)) or 1.0
    # Centred and of size 1, so that cumulative sums and their differences keep their digits.
    signal = np.stack([(time - time.mean()) / span, (values - values.mean()) / size], axis=1)
    cost = _LinearCost()
    search = ruptures.BottomUp(custom_cost=cost, min_size=3, jump=1).fit(signal)
    found = []
    edges = [0, *search.predict(n_bkps=most)] if most > 0 else []
    while len(edges) > 2:
        found.append(_lines(time, values, edges))
        # The search goes on like this: merge the neighbours that cost least. Cheaper than to ask it
        # again for every number of pieces, which it does from the leaves.
        rises = [
            cost.error(a, c) - cost.error(a, b) - cost.error(b, c)
            for a, b, c in zip(edges, edges[1:], edges[2:], strict=False)
        ]
        del edges[1 + int(np.argmin(rises))]
    return found


def _lines(time: Array, values: Array, edges: list[int]) -> Pieces:
    """Return the best line between each pair of edges."""
    slopes, curve = np.empty(len(edges) - 1), np.empty(time.size)
    for k, (a, b) in enumerate(pairwise(edges)):
        t, y = time[a:b] - time[a:b].mean(), values[a:b]
        slopes[k] = t @ y / (t @ t)
        curve[a:b] = y.mean() + slopes[k] * t
    # Slope, level and change point of each piece, less one level, which the null has too, and the
    # first change point, which is none.
    return Pieces(tuple(edges[:-1]), slopes, curve, 3 * len(edges) - 5)
