"""Coupling: whether falls of the loss meet growth of the rank more than shifted series do."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
from scipy.ndimage import uniform_filter1d

from epsrank.numerics.staircase.series import LEAST_LENGTH, Series, as_vector
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, to_numpy

# Shifts are within blocks: what varies more slowly than a block is trend, common to both series for
# reasons of its own, and does not count; ours.
BLOCKS = 6
_LEAST_BLOCK = 8
# Degree of the trend that the falls lose in every block; ours.
DEGREE = 1
# Coincidence means: within this share of a block (2 to 3 % of the length); ours.
WINDOW_SHARE = 0.15
# Every block has the same weight, unless the loss moves less than this share of the usual; ours.
_LEAST_SPREAD = 0.25
# With the series itself 1000 in all, so that p-values are whole thousandths.
SHIFTS = 999
# Fixed: the same record has the same p-value.
_SEED = 20261122


class Coupling(NamedTuple):
    """Outcome of the test."""

    #: (1 + #{shifts that do as well}) / (1 + #shifts).
    p_value: float | None
    #: Fall at growth of the rank, over its mean among shifts.
    lift: float | None
    #: One sentence.
    reason: str


def coupling(data: Series, rank: Any) -> Coupling:
    """Test whether the loss falls where the rank grows, by shifting one against the other.

    Let a_i be the fall of the loss and b_i the growth of the rank between measurements i and i+1,
    averaged over a window. The record is cut into blocks (six, the first cut in halves again), a
    loses its linear trend in each, and the statistic is Σ_i a_i b_i. Against it stand the values
    for b shifted cyclically within every block, independently by a random amount each. Trends
    that both follow are slow against a block and the same for every shift, so that only what
    coincides within a block counts.

    `rank`: Ranks, or lower and upper ends of their intervals, of which the middle is taken. Returns
    p-value and lift; None where the rank or the loss does not move.
    """
    ends = as_rank(rank, data.length)[:, data.index]
    # A measurement without ranks leaves both series, so that their differences stay aligned.
    keep = np.isfinite(ends).all(axis=0)
    middle = ends[:, keep].mean(axis=0)
    if middle.size < LEAST_LENGTH:
        return Coupling(None, None, f"{middle.size} measurements of both are too few")
    falls = -np.diff(data.values[keep])
    growth = np.diff(middle)
    if not growth.any():
        return Coupling(None, None, "the rank does not change")
    if not falls.any():
        return Coupling(None, None, "the loss does not change")
    return _in_blocks(falls, growth)


def _in_blocks(falls: Array, growth: Array) -> Coupling:
    """Compare Σ_i a_i b_i with its values under random cyclic shifts of b within blocks."""
    generator = np.random.default_rng(_SEED)
    edges = _blocks(falls.size)
    pairs = [_in_block(falls[a:b], growth[a:b]) for a, b in pairwise(edges)]
    spread = np.array([float(np.sqrt((a * a).mean())) for a, _ in pairs])
    weight = 1 / np.maximum(spread, _LEAST_SPREAD * spread.mean()) if spread.any() else spread
    together, others, size = 0.0, np.zeros(SHIFTS), 0.0
    for (a, b), w in zip(pairs, weight, strict=True):
        # The sums for all cyclic shifts at once; entry 0 is the one without a shift.
        lags = w * np.fft.irfft(np.fft.rfft(a) * np.fft.rfft(b).conj(), a.size)
        together += float(lags[0])
        others += lags[generator.integers(0, a.size, SHIFTS)]
        size += float(np.abs(lags).sum())
    # Ties are rounding where a series repeats: they count against the coupling.
    # The series itself is one of its shifts, hence the ones: p is never 0.
    at_least = int((others >= together - 1e-12 * size).sum())
    p = (1 + at_least) / (1 + SHIFTS)
    return Coupling(
        p, _lift(falls, growth, edges), f"against {SHIFTS} shifts in {len(pairs)} blocks"
    )


def _blocks(n: int) -> list[int]:
    """Return the edges of blocks: even ones, the first of them cut in halves towards the start."""
    size = n // BLOCKS
    edges = [n - k * size for k in range(BLOCKS)]
    while edges[-1] // 2 >= _LEAST_BLOCK:
        edges.append(edges[-1] // 2)
    return [0, *edges[::-1]]


def _in_block(falls: Array, growth: Array) -> tuple[Array, Array]:
    """Return window means in a block, those of the falls without their trend.

    Windows are cyclic, as the shifts are: at the ends of a block shorter ones would give both
    series a greater variance, at the same places only where nothing is shifted.
    """
    n = falls.size
    basis = np.linalg.qr(np.vander(np.linspace(-1, 1, n), DEGREE + 1))[0]
    rest = falls - basis @ (basis.T @ falls)
    window = max(2, round(WINDOW_SHARE * n))
    a, b = (uniform_filter1d(v, window, mode="wrap") for v in (rest, growth))
    return a, b


def _lift(falls: Array, growth: Array, edges: list[int]) -> float | None:
    """Return the fall at growth of the rank over what shifts within blocks have on average."""
    together, apart = 0.0, 0.0
    for first, end in pairwise(edges):
        n = end - first
        # Growth alone: with losses of rank the sum below could be near 0, and the ratio anything.
        a, b = falls[first:end], np.maximum(growth[first:end], 0)
        near = uniform_filter1d(a, max(2, round(WINDOW_SHARE * n)), mode="nearest")
        together += float(near @ b)
        apart += float(near.mean() * b.sum())
    return together / apart if apart > 0 else None


def as_rank(rank: Any, length: int) -> Matrix:
    """Return lower and upper ends, 2 × n, of ranks given as one series, as pairs, or as two."""
    if isinstance(rank, (list, tuple)):
        # Two entries are lower and upper ends, unless the series has two measurements itself.
        pair = len(rank) == 2 and length != 2
        ends = list(rank) if pair else [rank, rank]
        if not pair and rank and isinstance(rank[0], (list, tuple)):
            ends = [[item[k] for item in rank] for k in (0, 1)]
    else:
        given, _ = to_numpy(rank, "rank")
        if given.ndim == 2 and given.shape == (length, 2):
            given = given.T
        ends = list(given) if given.ndim == 2 else [given, given]
    if len(ends) != 2:
        raise InputError("rank", f"has {len(ends)} rows", "pass ranks, or lower and upper ends")
    lower, upper = (as_vector(end, "rank", length) for end in ends)
    if (lower > upper).any():
        raise InputError("rank", "has lower ends above upper ones", "pass (lower, upper)")
    return np.stack([lower, upper])
