"""Points of a discrete measure on the line, sorted and scaled by powers of two."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.data.inputs import as_target
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import (
    Array,
    Matrix,
    Vector,
    real_array,
    refuse_non_finite,
)
from epsrank.theory.numbers.dyadic import power_of_two

# Weights this far apart (in powers of two) make products underflow.
_WEIGHT_RANGE = 400


@dataclass(frozen=True, eq=False)
class LineSamples:
    """(x_i, y_i, w_i) with x_1 ≤ … ≤ x_N; squared norms are `unit` times those of the arrays."""

    #: Ascending; the points given, up to a power of two.
    x: Vector = field(repr=False)
    #: Target values, up to a power of two.
    y: Matrix = field(repr=False)
    #: Positive weights, up to a power of two.
    w: Vector = field(repr=False)
    #: First index of every group of equal x.
    starts: NDArray[np.intp] = field(repr=False)
    #: Σ w y² of the arrays times this is ‖u*‖² in the measure.
    unit: Fraction
    #: The points given are x · 2^x_exponent.
    x_exponent: int
    #: The measure.
    measure: Measure

    @property
    def n_groups(self) -> int:
        """Number G of distinct points."""
        return len(self.starts)


def line_samples(points: Any, target: Any, weights: Any, measure: Any) -> LineSamples:
    """Check and sort samples on the line; those of weight 0 are left out."""
    x = real_array(points, "points")
    if x.ndim == 0 or x.size == 0 or x.size != len(x):
        raise InputError("points", f"have shape {x.shape}", "pass one number per sample, (N,)")
    x = x.reshape(-1)
    refuse_non_finite(x.reshape(-1, 1), "points")
    y = as_target(target, len(x))
    law = as_measure(measure, weights, len(x))
    w = np.ones(len(x)) if law.weights is None else law.weights
    present = w > 0
    x, y, w = x[present], y[present], w[present]
    order = np.argsort(x, kind="stable")
    x, x_exponent = _scaled(x[order], "points")
    y, y_exponent = _scaled(y[order], "target")
    w, w_exponent = _scaled(w[order], "weights")
    if math.frexp(float(w.min()))[1] < -_WEIGHT_RANGE:
        raise InputError("weights", f"span more than 2^{_WEIGHT_RANGE}", "drop the smallest ones")
    starts = np.flatnonzero(np.concatenate([[True], np.diff(x) > 0]))
    return LineSamples(
        x=x,
        y=y,
        w=w,
        starts=starts,
        unit=power_of_two(2 * y_exponent + w_exponent) / law.normaliser,
        x_exponent=x_exponent,
        measure=law,
    )


def _scaled(values: Array, name: str) -> tuple[Array, int]:
    """Return values · 2^(−e) of modulus at most 1, and e."""
    exponent = int(np.frexp(np.max(np.abs(values)))[1])
    scaled = np.ldexp(values, -exponent)
    # A power of two changes no digits, unless small values become subnormal.
    if not np.array_equal(np.ldexp(scaled, exponent), values):
        raise InputError(name, "span more than the range of float64", "rescale or drop some")
    return scaled, exponent
