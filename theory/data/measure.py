"""The measure μ that every Gram matrix, and so every ε-rank, is taken in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.data.inputs import as_weights
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.words import plural

MeasureName = Literal["mean", "raw", "volume"]
_NAMES = get_args(MeasureName)


@dataclass(frozen=True)
class Measure:
    """Data measure μ = c⁻¹ Σ_i w_i δ_{x_i} with c = Σ w (``mean``) or c = 1 (``raw``, ``volume``).

    ε-rank depends on the scale of μ, so the name travels with every number:

    * ``mean``: mass 1, the sample mean (a loss under it is the mean squared error);
    * ``volume``: the weights are a quadrature rule, Σ w = |Ω|;
    * ``raw``: the weights as given, 1 each by default.
    """

    #: How the weights are normalised.
    name: MeasureName
    #: Number of samples N.
    n_samples: int
    #: w_i ≥ 0; None means 1 for every sample.
    weights: Vector | None = None

    @cached_property
    def weight_sum(self) -> Fraction:
        """Σ w, exactly."""
        return Fraction(self.n_samples) if self.weights is None else exact_sum(self.weights)

    @property
    def normaliser(self) -> Fraction:
        """The constant c in G = Φᵀ diag(w) Φ / c, exactly."""
        return self.weight_sum if self.name == "mean" else Fraction(1)

    @property
    def mass(self) -> Fraction:
        """μ(Ω) = Σ w / c, exactly."""
        return self.weight_sum / self.normaliser

    def spread(self, n_rows: int) -> Measure:
        """Return the measure on the positions of a convolution, w_i / P at each of sample i."""
        positions = n_rows // self.n_samples
        if self.weights is None or positions == 1:
            return Measure(self.name, n_rows, self.weights)
        return Measure(self.name, n_rows, self.weights.repeat(positions) / positions)

    def at(self, rows: NDArray[Any]) -> Measure:
        """Return the measure on some of the samples; ``mean`` is normalised over those."""
        weights = None if self.weights is None else self.weights[rows]
        return Measure(self.name, np.arange(self.n_samples)[rows].size, weights)

    def row_factors(self) -> Vector:
        """Return √(w_i / c), so that A = diag(factors) Φ has AᵀA = G (to rounding)."""
        weights = np.ones(self.n_samples) if self.weights is None else self.weights
        # Divide after the root: w / c can underflow where √w / √c does not; and Σw can overflow.
        halvings = 32 if self.normaliser > 2**1000 else 0
        root = np.ldexp(np.sqrt(float(self.normaliser / 4**halvings)), halvings)
        return np.asarray(np.sqrt(weights) / root)


def exact_sum(values: Vector) -> Fraction:
    """Return Σ v_i without rounding."""
    # By exponents: integers of one exponent are added as such, and few fractions are left to add.
    mantissa, exponent = np.frexp(values)
    digits = np.ldexp(mantissa, 53).astype(np.int64)
    total = Fraction(0)
    for power in np.unique(exponent):
        group = sum(digits[exponent == power].tolist())
        total += Fraction(group) * Fraction(2) ** (int(power) - 53)
    return total


def as_measure(measure: Any, weights: Any, n_samples: int) -> Measure:
    """Check the name of a measure and its weights; a measure that is one already stays as it is."""
    if isinstance(measure, Measure):
        if weights is not None or measure.n_samples != n_samples:
            raise InputError(
                "measure",
                f"has {plural(measure.n_samples, 'sample')} of its own, but there are {n_samples}"
                if weights is None
                else "has weights of its own",
                "pass it for the same samples, without weights=",
            )
        return measure
    if measure not in _NAMES:
        raise InputError("measure", f"is {measure!r}", "choose 'mean', 'raw' or 'volume'")
    if weights is None:
        if measure == "volume":
            raise InputError(
                "measure",
                "is 'volume' but no weights are given",
                "pass the weights of a quadrature rule (they sum to |Ω|)",
            )
        return Measure(measure, n_samples)
    return Measure(measure, n_samples, as_weights(weights, n_samples))
