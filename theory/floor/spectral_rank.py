"""The ε-rank read off a decomposition that is there anyway (D1, Weyl), for many ε."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from epsrank.theory.enclosure import SpectrumEnclosure
from epsrank.theory.floor.decomposition import FloorData
from epsrank.theory.inputs import as_eps
from epsrank.theory.rank_interval import RankInterval
from epsrank.theory.spectrum_source import SpectrumSource


def rank_of(data: FloorData, eps: float) -> RankInterval:
    """Return an enclosure of r_ε from the intervals that the decomposition leaves to each λ_k.

    With F the bound on |σ̂_k − σ_k|: #{k : (σ̂_k − F)_+² > ε} ≤ r_ε ≤ #{k : (σ̂_k + F)² > ε}. Nothing
    is computed beyond two counts; `epsilon_rank` escalates to exact arithmetic where this interval
    stays open.

    Parameters
    ----------
    data : FloorData
        Decomposition of the features.
    eps : float
        ε > 0 in the measure of `data`.

    Returns
    -------
    RankInterval
        The enclosure, route ``"svd"`` or ``"moments"``.
    """
    threshold = as_eps(eps)
    enclosure = _enclosure(data)
    theta = Fraction(threshold)
    lower, upper = enclosure.count(theta, theta)
    reason = "no eigenvalue lies within its error bound of the threshold"
    if lower != upper:
        reason = f"{upper - lower} eigenvalue(s) lie within their error bound of the threshold"
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
        lower = np.where(lower > 0, np.nextafter(lower, 0.0), 0.0)
        upper = np.nextafter(np.ldexp(high, exponent), np.inf)
        values = np.minimum(data.spectrum, np.finfo(np.float64).max)
    if data.n_samples > 0:
        # At most N eigenvalues are not zero.
        upper[data.n_samples :] = 0.0
    return SpectrumEnclosure(np.clip(values, lower, upper), lower, upper)
