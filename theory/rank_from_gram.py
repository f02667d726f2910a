"""The ε-rank of a Gram matrix that is known to within an error bound (D1 with M7)."""

from __future__ import annotations

from fractions import Fraction
from functools import cache
from typing import Any, Literal

import numpy as np

from epsrank.theory.dyadic import float_above, power_of_two
from epsrank.theory.enclosure import from_error
from epsrank.theory.errors import InputError
from epsrank.theory.exact_gram import exact_gram_of_matrix
from epsrank.theory.inputs import Array, as_eps, as_matrix_argument
from epsrank.theory.integer_count import integer_count
from epsrank.theory.rank_from_spectrum import interval_of_enclosure
from epsrank.theory.rank_interval import RankInterval
from epsrank.theory.rounding import UNDERFLOW, frobenius, gram_error_bound, upward
from epsrank.theory.routes.gram import eigenpairs, symmetric_spectrum
from epsrank.theory.spectrum_source import scaled_float
from epsrank.theory.weighted import scaling_exponent


def _symmetric_part(gram: Any) -> tuple[Array, float]:
    """Return (G + Gᵀ)/2 and a bound on the distance to G, refusing a plainly asymmetric matrix.

    Parameters
    ----------
    gram : array_like
        G.

    Returns
    -------
    tuple of (ndarray of float64, float)
        Symmetric matrix and ‖(G − Gᵀ)/2‖_F, rounded upward.

    Raises
    ------
    InputError
        If the asymmetry exceeds rounding.
    """
    matrix = as_matrix_argument(gram, "gram")
    if np.array_equal(matrix, matrix.T):
        return matrix, 0.0
    largest = float(np.abs(matrix).max())
    gap = float(np.abs(matrix - matrix.T).max())
    if gap > 1e-6 * largest:
        raise InputError(
            "gram", f"is not symmetric (entries differ by {gap:.3g})", "pass ΦᵀΦ, or its mean"
        )
    symmetric = matrix / 2 + matrix.T / 2
    return symmetric, upward(frobenius(matrix - symmetric) + 1e-15 * frobenius(matrix))


def epsilon_rank_from_gram(
    gram: Any,
    eps: float,
    *,
    gram_error: float = 0.0,
    accumulated_in: str | None = None,
    n_samples: int = 0,
    measure: Literal["mean", "raw", "volume"] = "raw",
    dtype: str = "float64",
    relative: bool = False,
) -> RankInterval:
    """ε-rank of a Gram matrix that is known to within ‖G̃ − G‖₂ ≤ t  (D1 with M7).

    r_{ε+t}(G̃) ≤ r_ε(G) ≤ r_{ε−t}(G̃), each side counted with certified eigenvalues, and in integer
    arithmetic where float64 cannot decide.

    Parameters
    ----------
    gram : array_like or tensor, shape (n, n)
        G̃, symmetric positive semidefinite to within t.
    eps : float
        ε > 0.
    gram_error : float
        t ≥ 0, with which G̃ was computed; 0 takes G̃ as exact.
    accumulated_in : {"float64", "float32", "float16", "bfloat16"}, optional
        Adds the rounding bound of a product accumulated in that dtype over `n_samples` (C2).
    n_samples : int
        N, where known.
    measure : {"mean", "raw", "volume"}
        Measure that G̃ was taken in; a label.
    dtype : str
        Dtype of the features; a label.
    relative : bool
        Threshold ε·λ_1.

    Returns
    -------
    RankInterval
        The certified interval; `noise_floor` is t plus the eigenvalue solver's own bound.

    Raises
    ------
    InputError
        If the matrix is not square, symmetric, finite and positive semidefinite to within t.
    """
    threshold = as_eps(eps)
    matrix, asymmetry = _symmetric_part(gram)
    if not gram_error >= 0:
        raise InputError("gram_error", f"is {gram_error!r}", "pass a bound ≥ 0 on ‖G̃ − G‖₂")
    error = upward(float(gram_error) + asymmetry)
    if accumulated_in is not None:
        if n_samples < 1:
            raise InputError("n_samples", f"is {n_samples}", "say how many samples were summed")
        error = upward(
            error
            + gram_error_bound(
                float(np.trace(matrix)), n_samples, accumulated_in, n_features=len(matrix)
            )
        )
    shift = scaling_exponent(float(np.abs(matrix).max()))
    scale = power_of_two(-shift)
    if shift:
        # 2^shift itself can lie outside float64.
        matrix = np.ldexp(matrix, shift)
        error = upward(float_above(Fraction(error) / scale) + UNDERFLOW)
    values, solver = symmetric_spectrum(matrix)
    if float(values.min()) < -(error + solver) - UNDERFLOW:
        raise InputError(
            "gram",
            f"has the eigenvalue {float(values.min()) * float(scale):.3g}, below its error bound",
            "pass a Gram matrix (positive semidefinite), or its gram_error",
        )
    enclosure = from_error(values, upward(error + solver))
    below = above = Fraction(threshold) / scale
    if relative:
        below = above = Fraction(threshold)
        below, above = below * Fraction(enclosure.lower[0]), above * Fraction(enclosure.upper[0])
    lower, upper = enclosure.count(below, above)
    route, reason = "gram", "no eigenvalue lies within the error bound of the threshold"
    if lower != upper:
        lower, upper, route = _sharpen(matrix, error, below, above, (lower, upper))
        reason = (
            "counted in integer or ball arithmetic"
            if lower == upper
            else "eigenvalues lie within the matrix's own error bound of the threshold"
        )
    return interval_of_enclosure(
        enclosure,
        threshold,
        (lower, upper, route, reason),
        noise_floor=scaled_float(upward(error + solver), scale),
        labels=(measure, dtype, n_samples, relative),
        scale=scale,
    )


def _sharpen(
    matrix: Array, error: float, below: Fraction, above: Fraction, found: tuple[int, int]
) -> tuple[int, int, str]:
    """Count at θ ± t in integer or ball arithmetic, for a matrix taken as exact.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, n)
        G̃.
    error : float
        t.
    below, above : Fraction
        Enclosure of the threshold.
    found : tuple of (int, int)
        Bounds known already.

    Returns
    -------
    tuple of (int, int, str)
        Bounds and route.
    """
    gram = exact_gram_of_matrix(matrix)

    @cache
    def vectors() -> Array | None:
        pairs = eigenpairs(matrix)
        return None if pairs is None else pairs[1][:, ::-1]

    shift = Fraction(error)
    counts = [
        integer_count(gram, gram.threshold(theta), vectors) if theta > 0 else None
        for theta in ((above + shift), (below - shift))
    ]
    routes = sorted({count[1] for count in counts if count is not None})
    low, high = (count[0] if count is not None else None for count in counts)
    return (
        found[0] if low is None else max(low, found[0]),
        found[1] if high is None else min(high, found[1]),
        "+".join(routes) or "gram",
    )
