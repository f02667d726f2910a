"""The Gram matrix without rounding: integers, and the scale that returns to the measure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from flint import fmpz, fmpz_mat

from theory.dyadic import dyadic_integers, dyadic_matrix, power_of_two
from theory.inputs import Array, Features
from theory.measure import Measure

# Rows per integer product: bounds the memory of the Python integers in flight.
_BLOCK = 4096


@dataclass(frozen=True, eq=False)
class ExactGram:
    """G = scale · M with an integer symmetric matrix M: no rounding anywhere (C1).

    Attributes
    ----------
    matrix : fmpz_mat, shape (n, n)
        M.
    scale : Fraction
        Positive.
    """

    matrix: fmpz_mat
    scale: Fraction

    @property
    def n_features(self) -> int:
        """Order n of the matrix."""
        return int(self.matrix.nrows())

    @cached_property
    def bits(self) -> int:
        """Bits of the largest entry of M."""
        return max((abs(int(entry)).bit_length() for entry in self.matrix.entries()), default=0)

    def threshold(self, eps: Fraction) -> Fraction:
        """Return θ with λ_k(G) > ε ⇔ λ_k(M) > θ.

        Parameters
        ----------
        eps : Fraction
            ε.

        Returns
        -------
        Fraction
            ε / scale.
        """
        return eps / self.scale


def exact_gram(features: Features, measure: Measure) -> ExactGram:
    """Form G = Φᵀ diag(w) Φ / c exactly; floats are dyadic rationals and no square root is taken.

    Parameters
    ----------
    features : Features
        Φ, any real dtype; integers of any size are taken as given.
    measure : Measure
        Weights and normalisation.

    Returns
    -------
    ExactGram
        The matrix.
    """
    given = features.values if features.integers is None else features.integers
    integers, exponent = dyadic_integers(given)
    weight_exponent = 0
    weights = None
    if measure.weights is not None:
        weights, weight_exponent = dyadic_integers(measure.weights)
    n_samples, n_features = integers.shape
    total = fmpz_mat(n_features, n_features)
    for start in range(0, n_samples, _BLOCK):
        block = integers[start : start + _BLOCK]
        rows = fmpz_mat(block.shape[0], n_features, block.ravel().tolist())
        weighted = rows
        if weights is not None:
            factors = weights[start : start + _BLOCK].astype(object)
            scaled = block.astype(object) * factors[:, None]
            weighted = fmpz_mat(block.shape[0], n_features, scaled.ravel().tolist())
        total += rows.transpose() * weighted
    scale = power_of_two(2 * exponent + weight_exponent) / measure.normaliser
    return ExactGram(total, scale)


def exact_gram_of_matrix(matrix: Array) -> ExactGram:
    """Take a symmetric float64 matrix as exact.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, n)
        Symmetric.

    Returns
    -------
    ExactGram
        The same matrix.
    """
    integers, exponent = dyadic_matrix(matrix)
    return ExactGram(integers, power_of_two(exponent))


def congruence(gram: ExactGram, theta: Fraction, vectors: Array) -> fmpz_mat:
    """Return Vᵀ(q M − p I)V for θ = p/q, exactly; it has the inertia of M − θI if V is invertible.

    Parameters
    ----------
    gram : ExactGram
        M.
    theta : Fraction
        θ > 0.
    vectors : ndarray of float64, shape (n, n)
        V, rounded here to 2⁻⁶⁰ (any invertible matrix serves).

    Returns
    -------
    fmpz_mat
        The matrix, up to a positive factor.
    """
    n = gram.n_features
    rounded = np.ldexp(np.clip(vectors, -2, 2), 60)
    basis = fmpz_mat(n, n, [int(entry) for entry in rounded.ravel().tolist()])
    shifted = gram.matrix * fmpz(theta.denominator)
    numerator = fmpz(theta.numerator)
    for index in range(n):
        shifted[index, index] -= numerator
    return basis.transpose() * shifted * basis
