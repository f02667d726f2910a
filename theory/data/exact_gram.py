"""The Gram matrix without rounding: integers, and the scale that returns to the measure."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpz, fmpz_mat
from numpy.typing import NDArray

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.numbers.arrays import Square
from epsrank.theory.numbers.dyadic import dyadic_integers, dyadic_matrix, power_of_two

# Rows per integer product: bounds the memory of the Python integers in flight.
_ROWS_PER_PRODUCT = 4096


@dataclass(frozen=True, eq=False)
class ExactGram:
    """G = scale · M with an integer symmetric matrix M: no rounding anywhere (C1)."""

    #: M.
    matrix: fmpz_mat
    #: Positive.
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
        """Return θ with λ_k(G) > ε ⇔ λ_k(M) > θ."""
        return eps / self.scale


def integer_gram(integers: NDArray[Any], measure: Measure) -> tuple[fmpz_mat, Fraction]:
    """Form Mᵀ diag(w) M / c for an integer matrix M: an integer matrix and a rational unit.

    The weights become integers ω; the answer is Mᵀ diag(ω) M and what one unit of it is worth. M
    may hold Python integers of any size.
    """
    weights, exponent = None, 0
    if measure.weights is not None:
        weights, exponent = dyadic_integers(measure.weights)
    n_samples, columns = integers.shape
    total = fmpz_mat(columns, columns)
    for start in range(0, n_samples, _ROWS_PER_PRODUCT):
        block = integers[start : start + _ROWS_PER_PRODUCT]
        rows = fmpz_mat(block.shape[0], columns, block.ravel().tolist())
        weighted = rows
        if weights is not None:
            # As Python integers: a product of two such numbers may leave int64.
            factors = weights[start : start + _ROWS_PER_PRODUCT].astype(object)
            scaled = block.astype(object) * factors[:, None]
            weighted = fmpz_mat(block.shape[0], columns, scaled.ravel().tolist())
        total += rows.transpose() * weighted
    return total, power_of_two(exponent) / measure.normaliser


def exact_gram(features: Features, measure: Measure) -> ExactGram:
    """Form G = Φᵀ diag(w) Φ / c exactly; floats are dyadic rationals and no square root is taken.

    Integers of any size are taken as given.
    """
    given = features.values if features.integers is None else features.integers
    integers, exponent = dyadic_integers(given)
    matrix, unit = integer_gram(integers, measure)
    return ExactGram(matrix, unit * power_of_two(2 * exponent))


def exact_gram_of_matrix(matrix: Square) -> ExactGram:
    """Take a symmetric float64 matrix as exact."""
    integers, exponent = dyadic_matrix(matrix)
    return ExactGram(integers, power_of_two(exponent))


def congruence(gram: ExactGram, theta: Fraction, vectors: Square) -> fmpz_mat:
    """Return Vᵀ(q M − p I)V for θ = p/q, exactly; it has the inertia of M − θI if V is invertible.

    V is rounded to 2⁻⁶⁰ here: any invertible matrix serves.
    """
    n = gram.n_features
    # Entries of eigenvectors are at most 1; a wild one would only lengthen the integers.
    rounded = np.ldexp(np.clip(vectors, -2, 2), 60)
    basis = fmpz_mat(n, n, [int(entry) for entry in rounded.ravel().tolist()])
    shifted = gram.matrix * fmpz(theta.denominator)
    numerator = fmpz(theta.numerator)
    for index in range(n):
        shifted[index, index] -= numerator
    return basis.transpose() * shifted * basis
