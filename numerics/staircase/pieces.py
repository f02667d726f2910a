"""Candidate descriptions of a noisy series by parallel plateaus, from change points."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import ruptures
from numpy.typing import NDArray

from epsrank.theory.numbers.arrays import Array, Vector

# Most pieces that are tried; ours.
_MOST = 12
# Common slopes of plateaus that are tried, as shares of the slope of the whole series; ours.
_SLOPES = (0.0, 0.2, 0.4, 0.6, 0.8)


@dataclass(frozen=True)
class Pieces:
    """y ≈ s·t + levels that fall from each of the pieces to the next."""

    #: b_0 = 0 < b_1 < …: first index of each piece.
    starts: tuple[int, ...]
    #: The function at the times.
    curve: Vector
    #: Numbers fitted, change points among them.
    parameters: int


def parallel_plateaus(time: Vector, values: Vector) -> list[Pieces]:
    """Return y ≈ s·t + non-increasing levels, for slopes s and numbers of pieces."""
    n = time.size
    # At least four measurements per piece, on average.
    most = min(_MOST, n // 4 - 1)
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
                found.append(Pieces(starts, curve, parameters))
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
