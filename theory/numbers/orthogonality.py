"""How far computed directions are from orthonormal."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, chunked_product, frobenius, upward

_U = UNIT_ROUNDOFF["float64"]


class OrthogonalityDefect(NamedTuple):
    """‖VᵀV − I‖₂ and what it was found from."""

    #: δ ≥ ‖VᵀV − I‖₂, its own rounding included.
    bound: float
    #: ‖VᵀV − I‖_F as computed.
    measured: float
    #: A bound on ‖|V|‖₂², the moduli's spectral norm squared.
    norm_squared: float


def orthogonality_defect(vectors: Matrix) -> OrthogonalityDefect:
    """Measure ‖VᵀV − I‖₂, as ‖fl(VᵀV) − I‖_F + g‖|V|‖₂² with rounding |fl(VᵀV) − VᵀV| ≤ g|V|ᵀ|V|.

    ‖|V|‖₂² is the lesser of ‖|V|‖₁‖|V|‖_∞ and ‖V‖_F².
    """
    moduli = np.abs(vectors)
    columns = float(moduli.sum(axis=0).max(initial=0.0))
    rows = float(moduli.sum(axis=1).max(initial=0.0))
    norm_squared = upward(min(columns * rows, frobenius(vectors) ** 2))
    overlaps, g = chunked_product(vectors.T, vectors)
    # The diagonal: a product is one block of memory, which ravel shows without a copy.
    overlaps.ravel("K")[:: overlaps.shape[0] + 1] -= 1.0
    measured = frobenius(overlaps)
    # 2u, for the subtraction of 1 rounds as well.
    bound = upward(measured * (1 + 2 * _U) + (g + 2 * _U) * norm_squared)
    return OrthogonalityDefect(bound, measured, norm_squared)
