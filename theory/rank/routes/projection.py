"""A few directions that hold nearly all of the energy: the spectrum from a product N × n × m.

Let V have m nearly orthonormal columns, P be the projection onto their span, and H = AᵀA. Then
AAᵀ = APAᵀ + A(I − P)Aᵀ, both terms positive semidefinite, and the second has the trace
ρ = ‖A‖_F² − tr APAᵀ. Hence (Weyl, M7)

    λ_k(APAᵀ) ≤ λ_k(H) ≤ λ_k(APAᵀ) + ρ,      and λ_k(H) ≤ ρ for k > m;

and with ‖VᵀV − I‖₂ ≤ δ < 1 (Ostrowski), λ_k(VᵀHV)/(1 + δ) ≤ λ_k(APAᵀ) ≤ λ_k(VᵀHV)/(1 − δ).
Nothing is assumed of V: a poor choice makes ρ large, and decides nothing. It is taken from some of
the samples.

As a difference ρ is off by about 10⁻¹² tr H, and squares of AV lose half of the digits. Thresholds
below that take the singular values of B̂ ≈ AV instead, σ_k(AV) being within ‖B̂ − AV‖ of them, and
ρ ≤ ‖A − B̂Vᵀ‖_F² from another product, since (A − B̂Vᵀ)(I − P) = A(I − P).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
import scipy.linalg as sl
from numpy.typing import NDArray
from scipy.linalg import blas

from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.numbers.orthogonality import orthogonality_defect
from epsrank.theory.numbers.rounding import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    chunked_product,
    frobenius,
    gamma,
    upward,
)
from epsrank.theory.numbers.threads import blas_for
from epsrank.theory.rank.enclosure import SpectrumEnclosure
from epsrank.theory.rank.routes.foresight import Foresight
from epsrank.theory.rank.routes.gram import symmetric_spectrum
from epsrank.theory.rank.routes.parts import gram_of_rows
from epsrank.theory.rank.routes.svd import directional_enclosure

_U = UNIT_ROUNDOFF["float64"]

# Share of the neurons looked at that may have pivots, and share of all directions that V may have:
# beyond them the product is no longer much cheaper than AᵀA.
_FEW, _NARROW = 3 / 8, 3 / 16

# Likewise where AᵀA would not do, and the singular directions of A itself are what is spared.
_FEW_FINE, _NARROW_FINE = 3 / 4, 1 / 2

# Samples per negligible pivot from which V is taken, and the share of θ of directions that it has.
_PER_PIVOT, _SPARE_ROWS = 2, 64
_DEPTH = 1e-5

# Rounding leaves about this share of tr H in a ρ that is a difference; where that is no small part
# of θ, another product is worth its time.
_ROUGH, _PART = 1e-12, 1e-2

# Rows multiplied at a time.
_ROWS_AT_A_TIME = 2048


def projected_enclosure(
    matrix: NDArray[Any], roots: Vector | None, threshold: float, outlook: Foresight
) -> SpectrumEnclosure | None:
    """Enclose the spectrum of AᵀA, A = diag(f) M, where few directions matter at a threshold.

    `matrix` is M, taken as exact; `roots` is f, rounded square roots as in `gram_product`, and
    without it f is 1. Returns the enclosure; None where it does not pay or numbers leave the range.
    """
    n_features = matrix.shape[1]
    if not outlook.pivots.size or not outlook.low(_FEW_FINE):
        return None
    square = _energy(matrix, roots)
    if not 2.0**-400 < square < 2.0**400:
        return None
    fine = _ROUGH * square > _PART * threshold
    if not outlook.low(_FEW_FINE if fine else _FEW):
        return None
    vectors = _directions(matrix, roots, threshold, outlook)
    if vectors is None or vectors.shape[1] > (_NARROW_FINE if fine else _NARROW) * n_features:
        return None
    defect = orthogonality_defect(vectors).bound
    if defect >= 0.5:
        return None
    images, g = _images(matrix, roots, vectors)
    # ‖B̂ − AV‖_F, with the roundings of f and of f·M.
    moved = upward((g + 8 * _U) * math.sqrt(square) * frobenius(vectors) + UNDERFLOW)
    parts = _Parts(vectors, defect, images, moved)
    if fine:
        return _accurate(matrix, roots, square, parts)
    return _quick(square, parts)


class _Parts(NamedTuple):
    """V with ‖VᵀV − I‖ ≤ δ, and B̂ with ‖B̂ − AV‖_F ≤ `moved`."""

    vectors: Array
    defect: float
    images: Array
    moved: float


def _quick(square: float, parts: _Parts) -> SpectrumEnclosure | None:
    """Take squares of B̂, and ρ = ‖A‖_F² − tr APAᵀ as a difference."""
    gram, formed = gram_of_rows(parts.images, None)
    if not math.isfinite(formed):
        return None
    values, solved = symmetric_spectrum(gram)
    trace = float(np.trace(gram))
    # What `moved` does to squares.
    moved = upward(2 * math.sqrt(upward(trace + formed)) * parts.moved + parts.moved**2)
    # Not `upward` for these two, whose difference counts: it has a slack of 1e-9.
    lost = formed + moved + 2 * len(gram) * _U * trace
    held = max(trace - upward(lost), 0.0) / (1 + parts.defect) * (1 - 4 * _U)
    rest = max(square - held, 0.0) + 4 * _U * square + UNDERFLOW
    found = np.maximum(np.sort(values)[::-1], 0.0)
    error = upward(formed + moved + solved)
    lower, upper = np.maximum(found - error, 0.0), found + error
    return _enclosure(found, lower, upper, rest, parts)


def _accurate(
    matrix: NDArray[Any], roots: Array | None, square: float, parts: _Parts
) -> SpectrumEnclosure | None:
    """Take singular values of B̂, and ρ = ‖A − B̂Vᵀ‖_F² from another product.

    (A − B̂Vᵀ)(I − P) = A(I − P), whatever B̂ is, so the norm of the first bounds that of the second.
    """
    size = upward(frobenius(parts.images))
    inner = directional_enclosure(parts.images, size)
    if inner is None:
        return None
    rows: list[float] = []
    columns = np.asfortranarray(parts.vectors)
    for start in range(0, len(matrix), _ROWS_AT_A_TIME):
        block = _rows(matrix, roots, slice(start, start + _ROWS_AT_A_TIME))
        image = parts.images[start : start + _ROWS_AT_A_TIME]
        # The transpose, whose columns are the contiguous rows; c is copied.
        rows.append(frobenius(blas.dgemm(-1.0, columns, image.T, beta=1.0, c=block.T)))
    # Sums of m + 1 products; roundings of f and of f·M; frobenius() is an upper bound.
    g = gamma(parts.vectors.shape[1] + 12)
    norm = math.hypot(*rows) + g * (math.sqrt(square) + size * frobenius(parts.vectors))
    if not math.isfinite(norm):
        return None
    rest = upward(norm) ** 2 + UNDERFLOW
    lower = np.maximum(np.sqrt(inner.lower) * (1 - 4 * _U) - parts.moved, 0.0) ** 2
    upper = (np.sqrt(inner.upper) * (1 + 4 * _U) + parts.moved) ** 2
    return _enclosure(inner.values, lower, upper, rest, parts)


def _enclosure(
    values: Array, lower: Array, upper: Array, rest: float, parts: _Parts
) -> SpectrumEnclosure:
    """Go from the eigenvalues of VᵀHV, descending, to those of H."""
    beyond = np.zeros(len(parts.vectors) - len(values))
    found = np.concatenate([values, beyond])
    # 8 u for the roundings in these two lines.
    below = np.concatenate([lower, beyond]) / (1 + parts.defect) * (1 - 8 * _U)
    above = (np.concatenate([upper, beyond]) / (1 - parts.defect) + rest) * (1 + 8 * _U)
    return SpectrumEnclosure(np.clip(found, below, above), below, above)


def _energy(matrix: NDArray[Any], roots: Array | None) -> float:
    """Return an upper bound of ‖A‖_F², a few hundred roundings above it at most; NaN stays NaN."""
    rows: list[float] = []
    for start in range(0, len(matrix), _ROWS_AT_A_TIME):
        block = _rows(matrix, roots, slice(start, start + _ROWS_AT_A_TIME))
        with np.errstate(over="ignore", invalid="ignore"):
            rows += np.einsum("ij,ij->i", block, block).tolist()
    if not all(map(math.isfinite, rows)):
        return math.nan
    # Sums of n squares, four roundings in each f_i and one in each f_i m_ij.
    return float(math.fsum(rows) * (1 + 1.01 * (matrix.shape[1] + 24) * _U) + UNDERFLOW)


def _rows(matrix: NDArray[Any], roots: Array | None, rows: slice | NDArray[np.intp]) -> Array:
    """Return some rows of A in float64."""
    block = np.asarray(matrix[rows], dtype=np.float64)
    return block if roots is None else block * roots[rows, None]


def _directions(
    matrix: NDArray[Any], roots: Array | None, threshold: float, outlook: Foresight
) -> Array | None:
    """Return right singular vectors of some samples, nearly orthonormal."""
    n_samples = matrix.shape[0]
    # From the first to the last one: samples are often sorted, and ends are not to be extrapolated.
    count = min(_PER_PIVOT * len(outlook.pivots) + _SPARE_ROWS, n_samples)
    rows = np.linspace(0, n_samples - 1, count).round().astype(np.intp)
    some = _rows(matrix, roots, rows)
    try:
        # Hundreds of small steps: waiting for a second thread at each of them, on a busy machine,
        # took a hundred times as long as one thread takes for all.
        with blas_for(count):
            _, sigma, vectors = sl.svd(some, full_matrices=False, check_finite=False)
    except np.linalg.LinAlgError:
        return None
    energy = sigma**2 * (n_samples / len(some))
    kept = int(np.count_nonzero(energy > _DEPTH * threshold))
    if not kept or not np.isfinite(vectors).all():
        return None
    return np.ascontiguousarray(vectors[:kept].T)


def _images(matrix: NDArray[Any], roots: Array | None, vectors: Array) -> tuple[Array, float]:
    """Return B̂ ≈ AV and g with |B̂ − ÂV| ≤ g |Â||V| for the rounded entries Â of f·M."""
    images = np.empty((matrix.shape[0], vectors.shape[1]))
    g = 0.0
    for start in range(0, len(matrix), _ROWS_AT_A_TIME):
        block = _rows(matrix, roots, slice(start, start + _ROWS_AT_A_TIME))
        images[start : start + _ROWS_AT_A_TIME], g = chunked_product(block, vectors)
    return images, g
