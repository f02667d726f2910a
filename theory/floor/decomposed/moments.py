"""The decomposition from moments G = Φᵀ diag(w) Φ / c, b = Φᵀ diag(w) u* / c and t = ‖u*‖².

The moments hold all that F1–F6 need, at half the digits: with λ_k = σ_k² the components
c = Λ^(−1/2) Qᵀb and d_n² = t − ‖c‖² come out of squares and of a subtraction. The error is stated,
not hidden: the decomposition is that of the exact moments (Ĝ, b̂, t̂) of some data, and the
distances ‖G − Ĝ‖, ‖b − b̂‖, |t − t̂| are measured.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_coefficients, as_matrix_argument
from epsrank.theory.data.measure import MeasureName
from epsrank.theory.errors import InputError
from epsrank.theory.floor.decomposed.decomposition import FloorData
from epsrank.theory.floor.decomposed.tolerance import MomentError
from epsrank.theory.numbers.arrays import Array, Square, real_number
from epsrank.theory.numbers.dtypes import sum_type
from epsrank.theory.numbers.orthogonality import orthogonality_defect
from epsrank.theory.numbers.rounding import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    gamma,
    upward,
)
from epsrank.theory.numbers.scaled import frobenius, times_power_of_two
from epsrank.theory.rank.routes.gram import eigenpairs

_U = UNIT_ROUNDOFF["float64"]


def decompose_moments(
    gram: Any,
    cross: Any,
    target_square: float,
    *,
    gram_error: float = 0.0,
    cross_error: float = 0.0,
    target_error: float = 0.0,
    accumulated_in: str | None = "float64",
    n_samples: int = 0,
    measure: MeasureName = "mean",
    dtype: str = "float64",
) -> FloorData:
    """Decompose G = Q Λ Qᵀ, c = Λ^(−1/2) Qᵀb, d_n² = t − ‖c‖², with a bound on squared norms.

    `accumulated_in` adds the rounding bounds of sums over `n_samples` in that dtype (C2). Without
    it, or with n_samples = 0, the moments are taken as exact to the errors given.
    """
    matrix = as_matrix_argument(gram, "gram")
    moment = as_coefficients(cross, matrix.shape[0], name="cross")
    square = _non_negative(target_square, "target_square")
    given = [
        _non_negative(value, name)
        for value, name in (
            (gram_error, "gram_error"),
            (cross_error, "cross_error"),
            (target_error, "target_error"),
        )
    ]
    trace = max(float(np.trace(matrix)), 0.0)
    feature_exponent = math.frexp(trace)[1] // 2
    target_exponent = math.frexp(square)[1] // 2
    with np.errstate(under="ignore"):
        matrix = np.ldexp((matrix + matrix.T) / 2, -2 * feature_exponent)
        moment = np.ldexp(moment, -feature_exponent - target_exponent)
    trace = math.ldexp(trace, -2 * feature_exponent)
    square = math.ldexp(square, -2 * target_exponent)
    errors = [
        math.ldexp(given[0], -2 * feature_exponent),
        math.ldexp(given[1], -feature_exponent - target_exponent),
        math.ldexp(given[2], -2 * target_exponent),
    ]
    if accumulated_in is not None and n_samples > 0:
        summed = sum_type(accumulated_in)
        g = gamma(n_samples + 8, summed.unit_roundoff)
        # The sums are known as computed, not exactly.
        g = upward(g / (1 - g)) if g < 1 else math.inf
        errors[0] += g * trace
        errors[1] += g * math.sqrt(trace * square)
        errors[2] += g * square
        # Products that underflowed are missing from the sums, and from the traces just used.
        lost = upward(n_samples * summed.product_underflow * (1 + g))
        n, k = moment.shape
        errors[0] += times_power_of_two(n * lost, -2 * feature_exponent)
        errors[1] += times_power_of_two(
            math.sqrt(n * k) * lost, -feature_exponent - target_exponent
        )
        errors[2] += times_power_of_two(k * lost, -2 * target_exponent)
    values, vectors = _descending_eigenpairs(matrix)
    defect = orthogonality_defect(vectors).bound
    gram_bound = upward(errors[0] + _eigen_error(matrix, values, vectors, defect))
    kept = values > gram_bound
    dropped = float(np.max(np.abs(values[~kept]), initial=0.0))
    roots, basis = np.sqrt(values[kept]), vectors[:, kept]
    components = (basis.T @ moment) / roots[:, None]
    energy = frobenius(components) ** 2
    spread = roots[:, None] * components
    cross_bound = (
        errors[1]
        + frobenius(moment - basis @ spread) * (1 + 2 * _U)
        + (gamma(kept.size + 4) * math.sqrt(kept.size) + defect) * frobenius(spread)
        + UNDERFLOW
    )
    target_bound = (
        errors[2]
        + max(0.0, energy - square)  # ‖c‖² ≤ ‖u*‖² for exact moments
        + gamma(2 * (components.size + matrix.shape[0]) + 16) * (energy + square)
        + UNDERFLOW
    )
    return FloorData(
        sigma=roots,
        components=components,
        outside=math.sqrt(max(0.0, square - energy)),
        right=basis,
        target_norm=math.sqrt(max(square, energy)),
        computed_sigma=np.sqrt(np.maximum(values, 0.0)),
        feature_exponent=feature_exponent,
        target_exponent=target_exponent,
        error=MomentError(
            gram=upward(gram_bound + dropped),
            cross=upward(cross_bound),
            target=upward(target_bound),
        ),
        measure=measure,
        dtype=dtype,
        route="moments",
        n_samples=n_samples,
    )


def _non_negative(value: float, name: str) -> float:
    """Return a finite number ≥ 0."""
    number = real_number(value, name, "pass a finite number ≥ 0")
    if not math.isfinite(number) or number < 0:
        raise InputError(name, f"is {number:g}", "pass a finite number ≥ 0")
    return number


def _descending_eigenpairs(matrix: Square) -> tuple[Array, Array]:
    """Return eigenvalues, descending, and eigenvectors."""
    pairs = eigenpairs(matrix)
    if pairs is None:
        raise InputError(
            "gram", "has no eigenvalues that LAPACK could compute", "rescale the features"
        )
    values, vectors = pairs
    return values[::-1], np.ascontiguousarray(vectors[:, ::-1])


def _eigen_error(matrix: Array, values: Array, vectors: Array, defect: float) -> float:
    """Return a bound on ‖G − Q̃ Λ Q̃ᵀ‖₂, Q̃ the orthonormal polar factor of Q."""
    scaled = vectors * values
    rounding = gamma(values.size + 2) * (frobenius(scaled) * frobenius(vectors) + frobenius(matrix))
    largest = float(np.max(np.abs(values), initial=0.0))
    measured = frobenius(matrix - scaled @ vectors.T)
    return upward(measured + rounding + largest * (2 * defect + defect * defect) + UNDERFLOW)
