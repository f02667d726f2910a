"""A measurement as integers: what the verified checkers compute with, and speak of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from flint import fmpz_mat
from numpy.typing import NDArray

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.numbers.dyadic import dyadic_integers

Rows = tuple[tuple[int, ...], ...]


@dataclass(frozen=True, eq=False)
class IntegerData:
    """Φ = F / 2^a and w_i = W_i / D with integers F, W and D: no rounding anywhere."""

    #: a ≥ 0.
    scale: int
    #: D > 0.
    total: int
    #: W ≥ 0.
    weights: tuple[int, ...]
    #: The columns of F: one list per neuron.
    neurons: Rows

    @property
    def n_samples(self) -> int:
        """Number of samples N."""
        return len(self.weights)

    @property
    def n_features(self) -> int:
        """Number of neurons n."""
        return len(self.neurons)

    @property
    def bits(self) -> int:
        """Bits of the largest |F_ij|."""
        return max(abs(x).bit_length() for neuron in self.neurons for x in neuron)

    @cached_property
    def columns(self) -> fmpz_mat:
        """Fᵀ, shape (n, N)."""
        return fmpz_mat([list(neuron) for neuron in self.neurons])

    def products(self, rows: fmpz_mat) -> fmpz_mat:
        """Return X diag(W) Xᵀ for an integer matrix X with N columns."""
        return self.weighted(rows) * rows.transpose()

    def weighted(self, rows: fmpz_mat) -> fmpz_mat:
        """Return X diag(W)."""
        # Equal weights are the usual case, and need no product.
        if all(w == 1 for w in self.weights):
            return rows
        listed = [[int(x) * w for x, w in zip(r, self.weights, strict=True)] for r in rows.tolist()]
        return fmpz_mat(listed)

    def to_json(self) -> dict[str, Any]:
        """Return the integers as hexadecimal strings: JSON's numbers may be read as floats."""
        return {
            "scale": self.scale,
            "total": hex(self.total),
            "weights": [hex(w) for w in self.weights],
            "neurons": [[hex(x) for x in neuron] for neuron in self.neurons],
        }


def fixed_point(array: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return integers X and a ≥ 0 with array = X / 2^a, exactly.

    X has Python integers, in the shape of the array.
    """
    integers, exponent = dyadic_integers(array)
    wide = integers.astype(object)
    if exponent > 0:
        wide = wide * (1 << exponent)
    return wide, max(0, -exponent)


def integer_data(features: Features, measure: Measure) -> IntegerData:
    """Read features and measure as integers."""
    given = features.values if features.integers is None else features.integers
    values, scale = fixed_point(given)
    weights = np.ones(measure.n_samples) if measure.weights is None else measure.weights
    masses, exponent = fixed_point(weights)
    # The mean measure divides by the sum of its weights, the others take them as they are.
    total = int(sum(masses.tolist())) if measure.name == "mean" else 1 << exponent
    return IntegerData(
        scale=scale,
        total=total,
        weights=tuple(int(w) for w in masses.tolist()),
        neurons=tuple(tuple(int(x) for x in column) for column in values.T.tolist()),
    )
