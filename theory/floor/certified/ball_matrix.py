"""Small tools for matrices of balls: identity, conversion, size of entries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from flint import arb, arb_mat

from epsrank.theory.numbers.arrays import Array, Matrix


def largest_exponent(numbers: list[Any]) -> int:
    """Return e with 2^(e−1) ≤ max |x| < 2^e."""
    largest = max((abs(float(x)) for x in numbers), default=0.0)
    if 1e-290 < largest < math.inf:
        return math.frexp(largest)[1]
    # Outside the range of float64 the mantissas have to be looked at one by one.
    return max((exponent_of(x) for x in numbers), default=-(10**9))


def exponent_of(number: Any) -> int:
    """Return e with 2^(e−1) ≤ |x| < 2^e for the midpoint x of a ball."""
    mantissa, exponent = number.mid().man_exp()
    bits = int(mantissa).bit_length()
    # 0 has no exponent: one below all others stands for it.
    return int(exponent) + bits if bits else -(10**9)


def identity(size: int) -> Any:
    """Return the identity matrix."""
    return arb_mat([[int(i == j) for j in range(size)] for i in range(size)])


def to_array(matrix: Any) -> Array:
    """Return the midpoints as float64."""
    flat = [float(x) for x in matrix.entries()]
    return np.array(flat).reshape(matrix.nrows(), matrix.ncols())


def from_array(array: Matrix) -> Any:
    """Return a float64 array as exact points."""
    return arb_mat([[arb(x) for x in row] for row in array.tolist()])
