"""Stationary autocorrelated noise of first order: its likelihood, maximised."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from theory.inputs import Array

_CORRELATIONS = np.linspace(0.0, 0.98, 50)


class Noise(NamedTuple):
    """e_i = ρ·e_{i−1} + innovation, with Var e = σ².

    Attributes
    ----------
    sigma : float
        Standard deviation of e.
    correlation : float
        ρ in [0, 0.98].
    deviance : float
        −2·log-likelihood, up to a constant of n.
    """

    sigma: float
    correlation: float
    deviance: float


def fit_noise(residual: Array, floor: float) -> Noise:
    """Maximise the Gaussian likelihood of  e_i = ρ e_{i−1} + η_i  over ρ ≥ 0 and Var η.

    Parameters
    ----------
    residual : ndarray, shape (n,)
        e.
    floor : float
        Least standard deviation of η that is believed: below it series count as free of noise,
        and what a model leaves unexplained says nothing.

    Returns
    -------
    Noise
        The maximum.
    """
    n = residual.size
    squares = residual * residual
    total, ends = float(squares.sum()), float(squares[0] + squares[-1])
    lagged = float(residual[1:] @ residual[:-1])
    rho = _CORRELATIONS
    # (1 − ρ²) e_0² + Σ (e_i − ρ e_{i−1})², expanded.
    innovation = np.maximum(total - 2 * rho * lagged + rho**2 * (total - ends), 0.0) / n
    variance = innovation + floor**2
    deviance = n * np.log(variance) - np.log1p(-(rho**2))
    best = int(np.argmin(deviance))
    sigma = float(np.sqrt(innovation[best] / (1 - rho[best] ** 2)))
    return Noise(sigma, float(rho[best]), float(deviance[best]))
