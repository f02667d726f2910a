"""How much better pieces describe a series than any smooth decay does."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy.optimize import nnls

from epsrank.numerics.staircase.noise import Noise, fit_noise, roughness
from epsrank.numerics.staircase.pieces import Pieces, candidates
from epsrank.theory.numbers.arrays import Vector

# Knots that a curve may bend at; ours. Even ones, and geometric ones from both ends, where decays
# bend most.
_EVEN_KNOTS = 16
_PER_OCTAVE = 2.0


def nearest_smooth(time: Vector, values: Vector) -> tuple[Vector, Vector]:
    """Return argmin ‖y − g‖₂ over convex g and over concave g.

    Linear drift, a + b·exp(−λt), a + b·t^{−p} and all mixtures of them with a, b ≥ 0 are convex,
    and so are their logarithms (sums of log-convex functions are log-convex): a series that is
    neither convex nor concave beyond its noise is none of them. g is continuous and linear between
    knots t_j: a linear function plus a combination of |t − t_j| with weights of one sign.
    """
    n = time.size
    x = (time - time[0]) / (time[-1] - time[0])
    lines = np.stack([np.ones(n), x - x.mean()])
    bends = np.abs(x - x[list(_knots(n))][:, None])
    # What a bend adds to the best line: free coefficients are projected out, one sign remains.
    basis = lines / np.linalg.norm(lines, axis=1, keepdims=True)
    bends = bends - (bends @ basis.T) @ basis
    size = np.linalg.norm(bends, axis=1, keepdims=True)
    # A bend that is a line up to rounding has no direction of its own.
    bends = bends[size[:, 0] > 1e-9] / size[size[:, 0] > 1e-9]
    line = (values @ basis.T) @ basis
    rest = values - line
    scale = float(np.abs(rest).max())
    if scale == 0 or bends.size == 0:
        return line, line
    design = bends.T
    convex, concave = (
        sign * (design @ nnls(design, sign * rest / scale, maxiter=50 * n)[0]) * scale
        for sign in (1.0, -1.0)
    )
    return line + convex, line + concave


@lru_cache(maxsize=64)
def _knots(n: int) -> tuple[int, ...]:
    """Return the indices of the knots among n times."""
    even = np.linspace(0, n - 1, min(n, _EVEN_KNOTS + 2))
    octaves = np.arange(0, _PER_OCTAVE * np.log2(n))
    near = 2.0 ** (octaves / _PER_OCTAVE)
    chosen = {round(float(value)) for value in (*even, *near, *(n - 1 - near))}
    return tuple(sorted(index for index in chosen if 0 < index < n - 1))


# Innovations below this share of the range of a series may be model error; ours.
NOISE_FLOOR = 1e-3
# Price of a fitted number in units of log n: change points are searched, so that one costs more
# than half a unit of 2·log-likelihood; ours.
_PRICE = 0.8


@dataclass(frozen=True)
class Evidence:
    """S = max over candidates of  2·(log L(pieces) − log L(smooth)) − price."""

    #: S; large where pieces are better.
    statistic: float
    #: The convex or concave curve of greater likelihood.
    smooth: Vector
    #: What it leaves.
    smooth_noise: Noise
    #: The candidate of the maximum; None where the series is too short or constant.
    pieces: Pieces | None
    #: What that leaves.
    noise: Noise


def evidence(time: Vector, values: Vector, resolution: float = 0.0) -> Evidence:
    """Return the likelihood ratio of pieces against smooth decay.

    Both models have Gaussian noise with e_i = ρ e_{i−1} + η_i, each with the ρ and variance of its
    own maximum, so that wandering noise is explained by ρ as well as by steps.

    `resolution`: Distance of neighbouring values that the series can have; rounding to it is noise.
    """
    # Rounding to a grid of spacing h has the deviation h/√12.
    floor = max(NOISE_FLOOR * float(np.ptp(values)), resolution / np.sqrt(12))
    if np.ptp(values) == 0:
        return Evidence(-np.inf, values, Noise(0.0, 0.0, -np.inf), None, Noise(0.0, 0.0, -np.inf))
    rough = roughness(values)
    smooth = [(fit_noise(values - g, floor, rough), g) for g in nearest_smooth(time, values)]
    # The better of the two: the null holds convex and concave curves.
    null, curve = min(smooth, key=lambda pair: pair[0].deviance)
    price = _PRICE * float(np.log(time.size))
    best, best_noise, gain = None, null, -np.inf
    for pieces in candidates(time, values):
        noise = fit_noise(values - pieces.curve, floor, rough)
        excess = null.deviance - noise.deviance - price * pieces.parameters
        if excess > gain:
            best, best_noise, gain = pieces, noise, excess
    return Evidence(gain, curve, null, best, best_noise)
