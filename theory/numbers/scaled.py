"""diag(f)·M as a power of two times a matrix of size 1, whatever the sizes of f and M."""

from __future__ import annotations

import math

import numpy as np

from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.rounding import gamma

# Entries per partial sum of squares: keeps the rounding bound of long sums small.
_CHUNK = 1024

# Products this far (in powers of two) below the largest factors are formed entry by entry.
_DEEPEST_PRODUCT = -450


def scaled_entries(factors: Vector, values: Matrix) -> tuple[Matrix, int]:
    """Return (P, e) with diag(f)·M = 2^e·P, formed entry by entry.

    Digits and exponents are multiplied apart, so that a weight that vanishes where the features are
    enormous costs nothing.

    The largest modulus of P lies in [1/4, 1); each entry is rounded once, or to within 2^-1074.
    Where all products are 0, P and e are 0.
    """
    factor_digits, factor_exponents = np.frexp(factors)
    digits, exponents = np.frexp(values)
    product = digits * factor_digits[:, None]
    powers = exponents + factor_exponents[:, None]
    present = product != 0
    if not bool(present.any()):
        return np.zeros_like(values), 0
    exponent = int(powers[present].max())
    with np.errstate(under="ignore"):
        return np.ldexp(product, powers - exponent), exponent


def frobenius(values: Array) -> float:
    """Return ‖X‖_F without overflow or underflow of the squares, to a relative `norm_error`."""
    largest = float(np.abs(values).max(initial=0.0))
    if largest == 0 or not math.isfinite(largest):
        return largest
    exponent = math.frexp(largest)[1]
    flat = np.ldexp(values.ravel(), -exponent)
    whole = flat.size - flat.size % _CHUNK
    total = float(flat[whole:] @ flat[whole:])
    if whole:
        rows = flat[:whole].reshape(-1, _CHUNK)
        total = float(np.sum(np.append(np.einsum("ij,ij->i", rows, rows), total)))
    return times_power_of_two(math.sqrt(total), exponent)


def row_norms(values: Matrix) -> Vector:
    """Return the Euclidean norm of every row, without overflow or underflow of the squares."""
    exponents = np.frexp(np.max(np.abs(values), axis=1, initial=0.0))[1]
    with np.errstate(over="ignore", under="ignore"):
        scaled = np.ldexp(values, -exponents[:, None])
        norms: Array = np.ldexp(np.sqrt(np.einsum("ij,ij->i", scaled, scaled)), exponents)
    return norms


def norm_error(size: int) -> float:
    """Bound the relative error of `frobenius` for an array of that many entries."""
    return gamma(min(size, _CHUNK) + -(-size // _CHUNK) + 4)


def times_power_of_two(value: float, exponent: int) -> float:
    """Return value · 2^exponent, infinite where float64 ends."""
    try:
        return math.ldexp(value, exponent)
    except OverflowError:
        return math.copysign(math.inf, value)


def subtract_scaled(
    left: Array, left_exponent: int, right: Array, right_exponent: int
) -> tuple[Array, int]:
    """Return (D, e) with D·2^e = L·2^l − R·2^r, where only what is below rounding underflows."""
    # A matrix of zeros has no size, whatever its exponent says.
    sizes = [
        _exponent(values) + exponent
        for values, exponent in ((left, left_exponent), (right, right_exponent))
        if bool(values.any())
    ]
    exponent = max(sizes, default=0)
    with np.errstate(under="ignore"):
        first = np.ldexp(left, left_exponent - exponent)
        return first - np.ldexp(right, right_exponent - exponent), exponent


def _scaled_rows(factors: Array, values: Array) -> tuple[Array, int]:
    """Return diag(factors) · values as (matrix of size 1, exponent)."""
    value_exponent, factor_exponent = _exponent(values), _exponent(factors)
    with np.errstate(under="ignore"):
        product = np.ldexp(factors, -factor_exponent)[:, None] * np.ldexp(values, -value_exponent)
    shift = _exponent(product)
    if shift > _DEEPEST_PRODUCT and bool(product.any()):
        # What underflowed lies 2^-500 below rounding.
        with np.errstate(under="ignore"):
            return np.ldexp(product, -shift), value_exponent + factor_exponent + shift
    return scaled_entries(factors, values)


def _exponent(values: Array) -> int:
    """Return e with 2^(e−1) ≤ max|v| < 2^e, and 0 for an array of zeros."""
    # Two passes, for |values| would be a copy as large as the array.
    largest = max(float(np.max(values, initial=0.0)), -float(np.min(values, initial=0.0)))
    return math.frexp(largest)[1] if largest > 0 else 0
