"""How much better pieces describe a series than any smooth decay does."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from epsrank.numerics.staircase.noise import Noise, fit_noise, roughness
from epsrank.numerics.staircase.pieces import Pieces, candidates
from epsrank.numerics.staircase.smooth import nearest_smooth
from epsrank.theory.inputs import Array

# Innovations below this share of the range of a series are not told from model error; ours.
NOISE_FLOOR = 1e-3
# Price of a fitted number in units of log n: change points are searched, so that one costs more
# than half a unit of 2·log-likelihood; ours.
_PRICE = 0.8


@dataclass(frozen=True)
class Evidence:
    """S = max over candidates of  2·(log L(pieces) − log L(smooth)) − price.

    Attributes
    ----------
    statistic : float
        S; large where pieces are better.
    smooth : ndarray, shape (n,)
        The convex or concave curve of greater likelihood.
    smooth_noise : Noise
        What it leaves.
    pieces : Pieces or None
        The candidate of the maximum; None where the series is too short or constant.
    noise : Noise
        What that leaves.
    """

    statistic: float
    smooth: Array
    smooth_noise: Noise
    pieces: Pieces | None
    noise: Noise


def evidence(time: Array, values: Array, resolution: float = 0.0) -> Evidence:
    """Return the likelihood ratio of pieces against smooth decay.

    Both models have Gaussian noise with e_i = ρ e_{i−1} + η_i, each with the ρ and variance of its
    own maximum, so that wandering noise is explained by ρ as well as by steps.

    Parameters
    ----------
    time : ndarray, shape (n,)
        Increasing.
    values : ndarray, shape (n,)
        The series, to be read downwards.
    resolution : float
        Distance of neighbouring values that the series can have; rounding to it is noise.

    Returns
    -------
    Evidence
        The statistic and both fits.
    """
    floor = max(NOISE_FLOOR * float(np.ptp(values)), resolution / np.sqrt(12))
    if np.ptp(values) == 0:
        return Evidence(-np.inf, values, Noise(0.0, 0.0, -np.inf), None, Noise(0.0, 0.0, -np.inf))
    rough = roughness(values)
    smooth = [(fit_noise(values - g, floor, rough), g) for g in nearest_smooth(time, values)]
    null, curve = min(smooth, key=lambda pair: pair[0].deviance)
    price = _PRICE * float(np.log(time.size))
    best, best_noise, gain = None, null, -np.inf
    for pieces in candidates(time, values):
        noise = fit_noise(values - pieces.curve, floor, rough)
        excess = null.deviance - noise.deviance - price * pieces.parameters
        if excess > gain:
            best, best_noise, gain = pieces, noise, excess
    return Evidence(gain, curve, null, best, best_noise)
