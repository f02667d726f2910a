"""The loss of given coefficients in the coordinates of a decomposition, without the data."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsrank.theory.floor.decomposition import FloorData
from epsrank.theory.floor.weighting import frobenius, subtract_scaled, times_power_of_two
from epsrank.theory.inputs import as_coefficients


def spectral_loss_norm(data: FloorData, coefficients: Any) -> float:
    """Return √(Σ_k ‖c_k − σ_k q_kᵀW‖² + d_n²) = ‖φ·W − u*‖, to within ``data.tolerance(‖W‖_F)``.

    Parameters
    ----------
    data : FloorData
        Decomposition of features and target.
    coefficients : array_like, shape (n,) or (n, k)
        β or W.

    Returns
    -------
    float
        √loss.
    """
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
