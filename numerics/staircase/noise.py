"""Stationary autocorrelated noise of first order: its likelihood, maximised."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epsrank.theory.numbers.arrays import Vector

# Short of 1, where the variance of e is infinite. For each the best Var η is a closed form.
_CORRELATIONS = np.linspace(0.0, 0.98, 50)


class Noise(NamedTuple):
    """e_i = ρ·e_{i−1} + innovation, with Var e = σ²."""

    #: Standard deviation of e.
    sigma: float
    #: ρ in [0, 0.98].
    correlation: float
    #: −2·log-likelihood, up to a constant of n.
    deviance: float


def roughness(values: Vector) -> float:
    """Estimate the standard deviation of y_{i−1} − 2y_i + y_{i+1}, of which trends have little."""
    # |N(0, 1)| stays below 1.645 with probability 0.9; of a quantile a few steps move little.
    return float(np.quantile(np.abs(np.diff(values, 2)), 0.9)) / 1.645


def fit_noise(residual: Vector, floor: float, rough: float = np.inf) -> Noise:
    """Maximise the Gaussian likelihood of  e_i = ρ e_{i−1} + η_i  over ρ ≥ 0 and Var η.

    Second differences of e have the variance 2 (3 − ρ) / (1 + ρ) · Var η. Var η is at most what
    makes their standard deviation twice the measured one: a series without noise, such as the loss
    of training on all samples, is as smooth between measurements as its curve, and what a
    model misses there is no wandering noise.

    `residual` is e; `floor`: Least standard deviation of η that is believed: below it series count
    as free of noise, and what a model leaves unexplained says nothing.
    """
    n = residual.size
    squares = residual * residual
    total, ends = float(squares.sum()), float(squares[0] + squares[-1])
    lagged = float(residual[1:] @ residual[:-1])
    rho = _CORRELATIONS
    # (1 − ρ²) e_0² + Σ (e_i − ρ e_{i−1})², expanded.
    # Rounding can leave less than 0 where nothing is left to explain.
    innovation = np.maximum(total - 2 * rho * lagged + rho**2 * (total - ends), 0.0) / n
    most = (2 * rough) ** 2 * (1 + rho) / (2 * (3 - rho))
    variance = np.minimum(innovation, most) + floor**2
    # The last term is that of e_0, whose variance is Var η / (1 − ρ²).
    deviance = n * (np.log(variance) + (innovation + floor**2) / variance) - np.log1p(-(rho**2))
    best = int(np.argmin(deviance))
    sigma = float(np.sqrt(innovation[best] / (1 - rho[best] ** 2)))
    return Noise(sigma, float(rho[best]), float(deviance[best]))
