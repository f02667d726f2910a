"""F1: what a network loses when its features are cut to the leading p eigen-directions."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from epsrank.theory.floor.decomposition import FloorData
from epsrank.theory.floor.weighting import frobenius, row_norms, times_power_of_two
from epsrank.theory.inputs import Array, as_coefficients


@dataclass(frozen=True, eq=False)
class Tail:
    """‖u − P_p u‖² = Σ_{k>p} λ_k ‖q_kᵀW‖² ≤ λ_{p+1} ‖W‖_F² for p = 0…n (F1).

    Attributes
    ----------
    norms : ndarray of float64, shape (n + 1,)
        ‖u − P_p u‖ for u = φ·W.
    bounds : ndarray of float64, shape (n + 1,)
        √λ_{p+1} ‖W‖_F, with λ_{n+1} := 0.
    coefficient_norm : float
        ‖W‖_F.
    measure : str
        The measure of the norms.
    """

    norms: Array = field(repr=False)
    bounds: Array = field(repr=False)
    coefficient_norm: float
    measure: str

    @property
    def squares(self) -> Array:
        """‖u − P_p u‖², shape (n + 1,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.square(self.norms)

    @property
    def square_bounds(self) -> Array:
        """λ_{p+1} ‖W‖_F², shape (n + 1,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.square(self.bounds)


def tail(data: FloorData, coefficients: Array) -> Tail:
    """Return the tail of u = φ·W beyond every p, exactly and bounded (F1).

    Parameters
    ----------
    data : FloorData
        Decomposition of the features.
    coefficients : array_like, shape (n,) or (n, k)
        β or W.

    Returns
    -------
    Tail
        Norms and bounds for p = 0…n.
    """
    weights = as_coefficients(coefficients, data.n_features)
    size = frobenius(weights)
    shift = int(np.frexp(size)[1])
    rotated = data.right.T @ np.ldexp(weights, -shift)
    parts = data.sigma * row_norms(rotated)
    sums = np.hypot.accumulate(np.concatenate(([0.0], parts[::-1])))[::-1]
    norms = np.concatenate((sums, np.zeros(data.n_features - data.numerical_rank)))
    exponent = data.feature_exponent + shift
    with np.errstate(over="ignore", under="ignore"):
        return Tail(
            np.ldexp(norms, exponent),
            np.ldexp(data.next_sigma * times_power_of_two(size, -shift), exponent),
            size,
            data.measure,
        )
