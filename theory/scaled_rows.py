"""diag(f)·M as a power of two times a matrix of size 1, whatever the sizes of f and M."""

from __future__ import annotations

import numpy as np

from epsrank.theory.inputs import Array


def scaled_entries(factors: Array, values: Array) -> tuple[Array, int]:
    """Return (P, e) with diag(f)·M = 2^e·P, formed entry by entry.

    Digits and exponents are multiplied apart, so that a weight that vanishes where the features are
    enormous costs nothing.

    Parameters
    ----------
    factors : ndarray of float64, shape (N,)
        f.
    values : ndarray of float64, shape (N, n)
        M.

    Returns
    -------
    tuple of (ndarray of float64, shape (N, n); int)
        P, whose largest modulus lies in [1/4, 1), each entry rounded once, or to within 2^-1074;
        zeros and 0 where all products are 0.
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
