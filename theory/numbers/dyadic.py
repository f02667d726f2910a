"""Floating-point numbers as what they are: integers times a power of two."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
from flint import fmpq, fmpz_mat
from numpy.typing import NDArray

# Integers up to this many bits are shifted in int64; wider ones become Python integers.
_INT64_BITS = 62


def dyadic_integers(array: NDArray[Any]) -> tuple[NDArray[Any], int]:
    """Return integers M and an exponent e with array = M·2^e, exactly, e as large as it goes.

    M has the shape of the array, and Python integers where 62 bits do not suffice.
    """
    if array.dtype.kind in "iub":
        # Not by way of float64, which would round integers beyond 2^53.
        return array.astype(object), 0
    mantissa, exponent = np.frexp(array.astype(np.float64, copy=False))
    # A float64 has 53 bits, so these are whole numbers.
    digits = np.ldexp(mantissa, 53).astype(np.int64)
    nonzero = digits != 0
    if not nonzero.any():
        return digits, 0
    # Strip trailing zero bits: float32 features get 24-bit integers, and integers stay small.
    lowest = np.where(nonzero, digits & -digits, 1)
    zeros = np.frexp(lowest.astype(np.float64))[1] - 1
    digits >>= zeros
    shift = exponent.astype(np.int64) - 53 + zeros
    base = int(shift[nonzero].min())
    shift = np.where(nonzero, shift - base, 0)
    bits = np.frexp(np.abs(digits).astype(np.float64))[1] + shift
    if int(bits.max()) <= _INT64_BITS:
        return digits << shift, base
    wide = [d << s for d, s in zip(digits.ravel().tolist(), shift.ravel().tolist(), strict=True)]
    return np.array(wide, dtype=object).reshape(array.shape), base


def dyadic_matrix(array: NDArray[Any]) -> tuple[fmpz_mat, int]:
    """Return an integer matrix M and an exponent e with array = M·2^e, exactly."""
    integers, exponent = dyadic_integers(array)
    rows, columns = integers.shape
    return fmpz_mat(rows, columns, integers.ravel().tolist()), exponent


def power_of_two(exponent: int) -> Fraction:
    """Return 2^e exactly, for e of either sign."""
    return Fraction(1 << exponent) if exponent >= 0 else Fraction(1, 1 << -exponent)


def to_fmpq(value: Fraction) -> fmpq:
    """Return a fraction in the form that FLINT computes with."""
    return fmpq(value.numerator, value.denominator)


def float_below(value: Fraction) -> float:
    """Return the largest float64 that is at most a non-negative rational number."""
    try:
        near = float(value)
    except OverflowError:
        return float(np.finfo(np.float64).max)
    # float() of a fraction rounds to nearest, so one step to the other side is enough.
    return math.nextafter(near, -math.inf) if _compared(near, value) > 0 else near


def float_above(value: Fraction) -> float:
    """Return the smallest float64 (or ∞) that is at least a non-negative rational number."""
    try:
        near = float(value)
    except OverflowError:
        return float("inf")
    return math.nextafter(near, math.inf) if _compared(near, value) < 0 else near


def _compared(near: float, value: Fraction) -> int:
    """Return an integer of the sign of near − value, without making a fraction of the float."""
    numerator, denominator = near.as_integer_ratio()
    return numerator * value.denominator - value.numerator * denominator


def root_above(square: Fraction) -> float:
    """Return a float64 at least as large as the square root of a rational number."""
    if square == 0:
        return 0.0
    # Four times a power near the number, so that the root has its full length.
    bits = square.numerator.bit_length() - square.denominator.bit_length()
    shift = 64 - bits // 2
    scaled = square * power_of_two(2 * shift)
    # Rounded up twice: the scaled square, then its root.
    whole = -(-scaled.numerator // scaled.denominator)
    root = math.isqrt(whole)
    root += root * root < whole
    return float_above(root * power_of_two(-shift))


def root_below(square: Fraction) -> float:
    """Return a float64 at most the square root of a rational number."""
    above = root_above(square)
    root = Fraction(above)
    # root_above is within a relative 2^-60 before its own rounding: one or two steps suffice.
    while root > 0 and root * root > square:
        above = float(np.nextafter(above, 0.0))
        root = Fraction(above)
    return float_below(root)


def nearest_integer(mantissa: int, exponent: int) -> int:
    """Return an integer nearest to a dyadic number, a half rounded up."""
    if exponent >= 0:
        return mantissa << exponent
    return (mantissa + (1 << (-exponent - 1))) >> -exponent
