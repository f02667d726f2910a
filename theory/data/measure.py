"""The measure μ that every Gram matrix, and so every ε-rank, is taken in."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np

from epsrank.theory.data.inputs import as_weights
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector

MeasureName = Literal["mean", "raw", "volume"]


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

    def row_factors(self) -> Vector:
        """Return √(w_i / c), so that A = diag(factors) Φ has AᵀA = G (to rounding)."""
        weights = np.ones(self.n_samples) if self.weights is None else self.weights
        # Divide after the root: w / c can underflow where √w / √c does not; and Σw can overflow.
        halvings = 32 if self.normaliser > 2**1000 else 0
        root = np.ldexp(np.sqrt(float(self.normaliser / 4**halvings)), halvings)
        return np.asarray(np.sqrt(weights) / root)


def exact_sum(values: Vector) -> Fraction:
    """Return Σ v_i without rounding."""
    mantissa, exponent = np.frexp(values)
    digits = np.ldexp(mantissa, 53).astype(np.int64)
    total = Fraction(0)
    for power in np.unique(exponent):
        group = sum(digits[exponent == power].tolist())
        total += Fraction(group) * Fraction(2) ** (int(power) - 53)
    return total


def as_measure(measure: Any, weights: Any, n_samples: int) -> Measure:
    """Check the name of a measure and its weights."""
    if isinstance(measure, Measure):
        return measure
    if measure not in get_args(MeasureName):
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
