"""How far approximate singular directions are from orthonormal."""

from __future__ import annotations

import numpy as np

from theory.inputs import Array
from theory.rounding import UNIT_ROUNDOFF, chunked_product, frobenius, upward

_U = UNIT_ROUNDOFF["float64"]


def orthogonality_defect(vectors: Array) -> float:
    """Return δ ≥ ‖VᵀV − I‖_F, its own rounding included.

    Parameters
    ----------
    vectors : ndarray of float64, shape (n, m)
        V.

    Returns
    -------
    float
        δ.
    """
    overlaps, g = chunked_product(vectors.T, vectors)
    overlaps[np.diag_indices_from(overlaps)] -= 1.0
    return upward(frobenius(overlaps) * (1 + 2 * _U) + (g + 2 * _U) * frobenius(vectors) ** 2)
