"""The ε-rank read off a decomposition that is there anyway (D1, Weyl), for many ε."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_coefficients, as_eps
from epsrank.theory.floor.decomposed.decomposition import FloorData
from epsrank.theory.numbers.scaled import frobenius, subtract_scaled, times_power_of_two
from epsrank.theory.rank.enclosure import SpectrumEnclosure
from epsrank.theory.rank.interval import RankInterval, SpectrumSource
from epsrank.theory.words import plural


def rank_of(data: FloorData, eps: float) -> RankInterval:
    """Return an enclosure of r_ε from the intervals that the decomposition leaves to each λ_k.

    With F the bound on |σ̂_k − σ_k|: #{k : (σ̂_k − F)_+² > ε} ≤ r_ε ≤ #{k : (σ̂_k + F)² > ε}. Nothing
    is computed beyond two counts; `epsilon_rank` escalates to exact arithmetic where this interval
    stays open.
    """
    threshold = as_eps(eps)
    enclosure = _enclosure(data)
    theta = Fraction(threshold)
    lower, upper = enclosure.count(theta, theta)
    reason = "no eigenvalue lies within its error bound of the threshold"
    if lower != upper:
        reason = (
            f"{plural(upper - lower, 'eigenvalue lies', 'eigenvalues lie')} "
            "within the error bound of the threshold"
        )
    return RankInterval(
        eps=threshold,
        lower=lower,
        upper=upper,
        route=data.route,
        reason=reason,
        noise_floor=enclosure.error,
        measure=data.measure,
        dtype=data.dtype,
        n_samples=data.n_samples,
        n_features=data.n_features,
        source=SpectrumSource(Fraction(1), known=enclosure),
    )


def _enclosure(data: FloorData) -> SpectrumEnclosure:
    """Return the intervals for λ_k in the units of the caller, rounded outward."""
    low, high = data.error.eigenvalues(data.computed_sigma)
    exponent = 2 * data.feature_exponent
    with np.errstate(over="ignore", under="ignore"):
        lower = np.minimum(np.ldexp(low, exponent), np.finfo(np.float64).max)
        # ldexp rounds where its result is subnormal.
        lower = np.where(lower > 0, np.nextafter(lower, 0.0), 0.0)
        upper = np.nextafter(np.ldexp(high, exponent), np.inf)
        values = np.minimum(data.spectrum, np.finfo(np.float64).max)
    if data.n_samples > 0:
        # At most N eigenvalues are not zero.
        upper[data.n_samples :] = 0.0
    return SpectrumEnclosure(np.clip(values, lower, upper), lower, upper)


def spectral_loss_norm(data: FloorData, coefficients: Any) -> float:
    """Return √(Σ_k ‖c_k − σ_k q_kᵀW‖² + d_n²) = ‖φ·W − u*‖, to within ``data.tolerance(‖W‖_F)``."""
    weights = as_coefficients(coefficients, data.n_features)
    shift = int(np.frexp(float(np.max(np.abs(weights), initial=0.0)))[1])
    product = data.sigma[:, None] * (data.right.T @ np.ldexp(weights, -shift))
    # One more row for the part of u* outside the span, where φ·W is zero.
    outside = np.zeros((1, data.n_outputs))
    outside[0, 0] = data.outside
    difference, exponent = subtract_scaled(
        np.vstack([product, np.zeros_like(outside)]),
        data.feature_exponent + shift,
        np.vstack([data.components, outside]),
        data.target_exponent,
    )
    return times_power_of_two(frobenius(difference), exponent)
