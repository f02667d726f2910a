"""Two shortcuts of the Gram route for wide layers, where all eigenvalues cost more than a count.

Most layers are at one of two ends: every eigenvalue is above ε, which one Cholesky factorisation
certifies, or few are, and then a pivoted Cholesky factorisation leaves a remainder far below ε and
a small matrix to count in. Both carry their own rounding; neither assumes anything of LAPACK beyond
the standard model of arithmetic.
"""

from __future__ import annotations

import numpy as np
import scipy.linalg as sl
from scipy.linalg import blas

from epsrank.theory.numbers.arrays import Square
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, frobenius, gamma, gram_product, upward
from epsrank.theory.rank.enclosure import SpectrumEnclosure, from_error
from epsrank.theory.rank.routes.gram import symmetric_spectrum

_U = UNIT_ROUNDOFF["float64"]

# The remainder may reach this share of the threshold; eigenvalues nearer to it go the long way.
_REMAINDER_SHARE = 1e-3

#: Why the rank is full.
FULL = "G − εI is positive definite, rounding included"

# Share of the columns up to which the smaller eigenvalue problem pays.
_FEW_COLUMNS = 0.5


def all_above(matrix: Square, error: float, threshold: float) -> bool:
    """Certify λ_n(H) > θ for every H with ‖H − H̃‖ ≤ t, by one Cholesky factorisation.

    A Cholesky factorisation that completes in floating point is the exact one of a matrix within
    γ_{n+1}/(1 − γ_{n+1}) tr of its argument [Rump, BIT 46 (2006) 433–452].

    `matrix` is H̃, symmetric; `error` is t; `threshold` is θ, rounded upward.
    """
    factor = gamma(matrix.shape[0] + 1)
    trace = upward(float(np.trace(matrix)))
    # Cholesky's backward error, and one rounding when the diagonal is shifted.
    margin = upward(error + (factor / (1 - factor) + 2 * _U) * trace)
    shift = upward(threshold + margin)
    # λ_n is at most the least diagonal entry: no factorisation is needed to fail.
    if float(np.diag(matrix).min()) <= shift:
        return False
    shifted = np.array(matrix, order="F")
    np.einsum("ii->i", shifted)[:] -= shift
    return int(sl.lapack.dpotrf(shifted, lower=1, clean=0, overwrite_a=1)[1]) == 0


def low_rank_enclosure(
    matrix: Square, error: float, threshold: float, few: float = _FEW_COLUMNS
) -> SpectrumEnclosure | None:
    """Enclose the spectrum of H by H̃ = LLᵀ + S with k ≪ n columns in L and ‖S‖ ≪ θ.

    By Weyl (M7), |λ_j(H) − λ_j(LᵀL)| ≤ t + ‖S‖_F for j ≤ k and λ_j(H) ≤ t + ‖S‖_F beyond.

    `matrix` is H̃, symmetric; `threshold` is θ, the scale on which the spectrum is wanted. Returns
    the enclosure, None where pivoted Cholesky keeps most of the columns.
    """
    n = matrix.shape[0]
    work = np.array(matrix, order="F")
    factor, pivots, rank, info = sl.lapack.dpstrf(
        work, tol=_REMAINDER_SHARE * threshold, lower=1, overwrite_a=1
    )
    # info > 0 is no failure: it says that the rank is deficient, which is hoped for.
    if info < 0 or not 0 < rank <= few * n:
        return None
    lower = np.tril(factor[:, :rank])
    columns = np.empty_like(lower)
    # LAPACK has permuted the rows, and counts from 1.
    columns[pivots - 1] = lower
    if not np.isfinite(columns).all():
        return None
    columns = np.asfortranarray(columns)
    remainder = blas.dgemm(
        -1.0, columns, columns, 1.0, np.array(matrix, order="F"), trans_b=1, overwrite_c=1
    )
    size = frobenius(columns)
    rest = upward(frobenius(remainder) + gamma(rank + 2) * size**2 + 4 * _U * frobenius(matrix))
    inner, g = gram_product(columns)
    values, solved = symmetric_spectrum(inner)
    total = upward(error + rest + g * size**2 + solved)
    return from_error(np.concatenate([values, np.zeros(n - rank)]), total)
