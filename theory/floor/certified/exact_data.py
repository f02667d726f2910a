"""The least-squares data beside a spectrum: exact for a data set, enclosed for an integral."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from flint import arb, fmpz_mat

from epsrank.theory.data.exact_gram import integer_gram
from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.dyadic import dyadic_integers, dyadic_matrix, power_of_two, to_fmpq
from epsrank.theory.numbers.interval import Interval, point


@dataclass(frozen=True, eq=False)
class ExactData:
    """G = Φᵀ diag(w) Φ / c, b = Φᵀ diag(w) u* / c and ‖u*‖² without rounding.

    Floats are dyadic rationals, so with Φ = F·2^f, u* = T·2^t, w = ω·2^s for integers F, T, ω every
    entry is an entry of the integer matrix [F T]ᵀ diag(ω) [F T] times a known rational factor; no
    square root of a weight is needed.
    """

    #: [F T]ᵀ diag(ω) [F T].
    joint: Any
    #: n and k.
    n_features: int
    n_outputs: int
    #: What one unit of the three blocks FᵀωF, FᵀωT, TᵀωT is worth.
    gram_unit: Fraction
    moment_unit: Fraction
    target_unit: Fraction

    @cached_property
    def gram_integers(self) -> Any:
        """FᵀωF as an fmpz_mat (n × n)."""
        return _block(self.joint, 0, self.n_features, 0, self.n_features)

    @cached_property
    def moment_integers(self) -> Any:
        """FᵀωT as an fmpz_mat (n × k)."""
        size = self.n_features + self.n_outputs
        return _block(self.joint, 0, self.n_features, self.n_features, size)

    @cached_property
    def target_norm_squared(self) -> Fraction:
        """‖u*‖² = Σ_j ⟨u*_j, u*_j⟩."""
        size = self.n_features + self.n_outputs
        return self.target_unit * sum(int(self.joint[j, j]) for j in range(self.n_features, size))

    @property
    def target_norm(self) -> Interval:
        """‖u*‖² as an interval of width 0."""
        return point(self.target_norm_squared)

    @cached_property
    def rank(self) -> int:
        """Rank of G, exactly."""
        return int(self.gram_integers.rank())

    @cached_property
    def target_in_span(self) -> bool:
        """Whether every output of u* lies in span φ, so that d_n = 0: rank [Φ u*] = rank Φ."""
        return int(self.joint.rank()) == self.rank

    def nullity_at(self, eps: Fraction) -> int:
        """Return the multiplicity of ε as an eigenvalue of G, exactly."""
        # For ε = p/q in units of M: the nullity of qM − pI, in integers.
        ratio = eps / self.gram_unit
        shifted = self.gram_integers * ratio.denominator
        for k in range(self.n_features):
            shifted[k, k] = int(shifted[k, k]) - ratio.numerator
        return self.n_features - int(shifted.rank())

    def loss(self, coefficients: Matrix) -> Fraction:
        """Return ‖ΦW − u*‖² exactly."""
        integers, exponent = dyadic_matrix(coefficients)
        unit = power_of_two(exponent)
        quadratic = _inner(integers, self.gram_integers * integers) * self.gram_unit * unit**2
        linear = _inner(integers, self.moment_integers) * self.moment_unit * unit
        return quadratic - 2 * linear + self.target_norm_squared


def exact_data(features: Features, target: Matrix, measure: Measure) -> ExactData:
    """Form the exact data of min ‖Φβ − u*‖²."""
    given = features.values if features.integers is None else features.integers
    left, feature_exponent = dyadic_integers(given)
    right, target_exponent = dyadic_integers(target)
    rows = np.concatenate([left.astype(object), right.astype(object)], axis=1)
    joint, scale = integer_gram(rows, measure)
    return ExactData(
        joint=joint,
        n_features=features.n_features,
        n_outputs=int(target.shape[1]),
        gram_unit=scale * power_of_two(2 * feature_exponent),
        moment_unit=scale * power_of_two(feature_exponent + target_exponent),
        target_unit=scale * power_of_two(2 * target_exponent),
    )


def norm_squared(coefficients: Matrix) -> Fraction:
    """Return ‖W‖_F² exactly."""
    integers, exponent = dyadic_integers(coefficients)
    total = sum(int(d) * int(d) for d in integers.ravel().tolist())
    return total * power_of_two(2 * exponent)


def _block(matrix: Any, top: int, bottom: int, left: int, right: int) -> Any:
    """Return rows top…bottom−1 and columns left…right−1."""
    return fmpz_mat([[matrix[i, j] for j in range(left, right)] for i in range(top, bottom)])


def _inner(first: Any, second: Any) -> int:
    """Return the Frobenius inner product of two integer matrices."""
    pairs = zip(first.entries(), second.entries(), strict=True)
    return int(sum(x * y for x, y in pairs))


class LeastSquaresData(Protocol):
    """The facts beside the spectrum: exact for a data set, enclosed for an integral."""

    @property
    def target_norm(self) -> Interval:
        """‖u*‖²."""

    @property
    def target_in_span(self) -> bool:
        """Whether u* is known to lie in span φ, so that d_n = 0."""

    def nullity_at(self, eps: Fraction) -> int:
        """Return a number that is at most the multiplicity of ε as an eigenvalue of G."""


def to_ball(interval: Interval) -> Any:
    """Return a ball around an interval at the working precision."""
    lower = arb(to_fmpq(interval.lower))
    return lower if interval.exact else lower.union(arb(to_fmpq(interval.upper)))
