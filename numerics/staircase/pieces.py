"""Candidate descriptions of a series by parallel plateaus with ramps between them."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import ruptures

from epsrank.theory.numbers.arrays import Vector

# Most pieces that are tried; ours.
_MOST = 12
# Up to so many of them, change points are searched by their number as well; ours.
_ALSO = 8
# Common slopes of plateaus that are tried, as shares of the slope of the whole series; ours.
_SLOPES = (0.0, 0.2, 0.4, 0.6, 0.8)
# Widths of ramps that are tried, in measurements: 1 is a jump between neighbours.
_WIDTHS = np.array([1, 2, 3, 4, 6, 8, 11, 16, 22, 32, 45, 64, 90, 128], np.intp)
# Least measurements between change points, and beside a ramp within its window.
_LEAST, _SIDE = 2, 1


# Last measurement before and first one after a fall.
Ramp = tuple[int, int]


@dataclass(frozen=True)
class Pieces:
    """y ≈ s·t + level − Σ fall_k·ramp_k, each ramp 0 up to a measurement and 1 from a later one."""

    #: In the order of time.
    ramps: tuple[Ramp, ...]
    #: The function at the times.
    curve: Vector
    #: Numbers fitted, places and widths among them.
    parameters: int


def parallel_plateaus(time: Vector, values: Vector, scale: Vector, price: float) -> list[Pieces]:
    """Return y ≈ s·t + plateaus with ramps between, for each number of ramps with the best slope s.

    Change points cut the series into windows of one jump each. In every window the best ramp is
    found, a jump being the narrowest. Then the two neighbouring windows that lose least by sharing
    one ramp are joined, until one is left. So a fall that takes several measurements, which jumps
    describe by as many plateaus as one allows, is *one* ramp as soon as that says as much.
    """
    n = time.size
    # At least four measurements per piece, on average.
    most = min(_MOST, n // 4 - 1)
    # In noise of variance 1 a width has to be worth its number.
    dearer = price * float(np.log(n))
    # Centred, so that the level does not depend on the slope.
    centred = time - time.mean()
    overall = float(centred @ values / (centred @ centred))
    best: dict[int, tuple[float, float, list[Ramp]]] = {}
    # Plateaus may fall with the series, and never rise.
    for share in _SLOPES if overall < 0 else (0.0,):
        rest = values - share * overall * centred
        search = ruptures.KernelCPD(kernel="linear", min_size=_LEAST).fit(rest[:, None])
        windows = _Windows(time, rest, scale, dearer)
        finest = search.predict(n_bkps=most)[:-1]
        # The best change points of each number are not always some of more.
        tried = [windows.each(search.predict(n_bkps=c)[:-1]) for c in range(1, min(_ALSO, most))]
        for error, ramps in (*tried, *windows.joined(finest)):
            best.setdefault(len(ramps), (error, share, ramps))
            if error < best[len(ramps)][0]:
                best[len(ramps)] = error, share, ramps
    found = {}
    for _, share, ramps in best.values():
        slope = share * overall
        curve, kept = _levels(time, values - slope * centred, scale, ramps)
        # Fall and place of each, and the width of what is no jump.
        parameters = sum(2 + (q - p > 1) for p, q in kept) + (share > 0)
        found[kept] = Pieces(kept, slope * centred + curve, parameters)
    return [pieces for ramps, pieces in found.items() if ramps]


class _Windows:
    """Weighted least squares of one ramp between two levels within a window.

    The ramp r from p to q is (t − t_p) / (t_q − t_p) between them, and 1 from q on.
    """

    def __init__(self, time: Vector, values: Vector, scale: Vector, dearer: float) -> None:
        #: What a ramp has to explain more than a jump does.
        self.dearer = dearer * (_WIDTHS > 1)
        n, weight = time.size, scale**-2.0
        # About 0 and in units of the range, or rounding of large times and levels would be seen.
        time = (time - time[0]) / (time[-1] - time[0])
        values = values - np.average(values, weights=weight)
        terms = weight * np.stack([np.ones(n), values, values**2, time, time**2, time * values])
        sums = np.concatenate([np.zeros((6, 1)), np.cumsum(terms, axis=1)], axis=1)
        before = np.arange(n - 1)[:, None]
        #: By p and width.
        self.after = before + _WIDTHS
        after = np.minimum(self.after, n - 1)
        part = sums[:, after] - sums[:, before + 1]
        start = time[before]
        length = time[after] - start
        #: Σw·r, Σw·r² and Σw·r·y up to the end of the series, less what lies beyond a window.
        ramp = (part[3] - start * part[0]) / length - sums[0, after]
        squares = (part[4] - 2 * start * part[3] + start**2 * part[0]) / length**2 - sums[0, after]
        product = (part[5] - start * part[1]) / length - sums[1, after]
        self.ramp, self.squares, self.product = ramp, squares, product
        #: Σw, Σw·y, Σw·y².
        self.weight, self.first, self.second = sums[:3]

    def best(self, low: int, high: int) -> tuple[float, Ramp]:
        """Return the squared error within low ≤ i < high of the best ramp that falls, and it."""
        inside = slice(low, high - 1)
        weight, first, second = (
            float(s[high] - s[low]) for s in (self.weight, self.first, self.second)
        )
        ramp = self.ramp[inside] + self.weight[high]
        spread = self.squares[inside] + self.weight[high] - ramp**2 / weight
        fall = ramp * (first / weight) - self.product[inside] - self.first[high]
        # Rises explain nothing, and a ramp has to end within the window.
        use = (fall > 0) & (self.after[inside] < high)
        gain = np.where(use, fall**2 / np.maximum(spread, 1e-9 * weight), 0.0)
        best = int(np.argmax(gain - self.dearer))
        at = low + best // _WIDTHS.size
        ramp_found = at, at + int(_WIDTHS[best % _WIDTHS.size])
        return float(second - first**2 / weight - gain.flat[best]), ramp_found

    def each(self, starts: list[int]) -> tuple[float, list[Ramp]]:
        """Return the best ramps in windows around change points, and their squared error."""
        fitted = [self.best(*w) for w in pairwise(self._edges(starts))]
        return sum(error for error, _ in fitted), [ramp for _, ramp in fitted]

    def joined(self, starts: list[int]) -> list[tuple[float, list[Ramp]]]:
        """Return the same, and with fewer and fewer windows."""
        edges = self._edges(starts)
        # The best ramp within each window, and within each two neighbouring ones.
        each, both = ([self.best(*w) for w in zip(edges, edges[k:], strict=False)] for k in (1, 2))
        found = []
        while True:
            found.append((sum(error for error, _ in each), [ramp for _, ramp in each]))
            if not both:
                return found
            loss = [e - each[k][0] - each[k + 1][0] for k, (e, _) in enumerate(both)]
            at = int(np.argmin(loss))
            each[at : at + 2] = [both.pop(at)]
            del edges[at + 1]
            for k in (at - 1, at):
                if 0 <= k < len(both):
                    both[k] = self.best(edges[k], edges[k + 2])

    def _edges(self, starts: list[int]) -> list[int]:
        """Return where windows begin, in the middle between change points, and the end."""
        middles = [(a + b + 1) // 2 for a, b in pairwise(starts)]
        return [0, *middles, self.first.size - 1]


def _levels(
    time: Vector, values: Vector, scale: Vector, ramps: list[Ramp]
) -> tuple[Vector, tuple[Ramp, ...]]:
    """Return the best plateaus with these ramps between them, and the ramps that fall."""
    kept = np.array(ramps, np.intp)
    given = values / scale
    while True:
        start, end = time[kept[:, 0]], time[kept[:, 1]]
        columns = np.ones((time.size, 1 + len(kept)))
        columns[:, 1:] = np.clip((time[:, None] - start) / (end - start), 0, 1)
        scaled = columns / scale[:, None]
        # Windows do not overlap: no two ramps are alike.
        fitted = np.linalg.solve(scaled.T @ scaled, scaled.T @ given)
        falls = fitted[1:] < 0
        if falls.all():
            return columns @ fitted, tuple((int(p), int(q)) for p, q in kept)
        kept = kept[falls]
