"""How many eigenvalues lie near a threshold, guessed from products with one random vector.

With k steps of Lanczos from v, ‖v‖ = 1, the nodes and weights (ϑ_j, ω_j) of T_k = VᵀHV satisfy
vᵀp(H)v = Σ_j ω_j p(ϑ_j) for polynomials p of degree up to 2k − 1, and n Σ_{ϑ_j ∈ band} ω_j
estimates the number of eigenvalues in a band [Golub, Meurant, Matrices, Moments and Quadrature,
2010; Lin, Saad, Yang, SIAM Review 58 (2016) 34–65]. Where the spectrum of a positive semidefinite H
is dense, nodes at θ are about π√(θ(λ_1 − θ))/k apart; none within twice that is a gap.

Nothing here is certified, and nothing depends on it but time.
"""

from __future__ import annotations

import math

import numpy as np
from scipy.linalg import blas, eigh_tridiagonal

from epsrank.theory.inputs import Array

# Steps after which λ_1 is known well enough to say how many are wanted, and the most of them.
_FIRST = 16
_MOST = 96

# Distance from θ that is to be resolved, as a share of it; and the nodes that a dense spectrum has
# on either side within the distance that counts as resolved.
_FINE = 1 / 4
_NODES = 2

# Nothing further from θ than this share of it counts as near: eigenvalues about 0 are not.
_FAR = 1 / 2

# Of the random vector: a forecast is the same whenever it is made.
_SEED = 0


def eigenvalues_near(upper: Array, theta: float, distance: float) -> float:
    """Estimate #{k : |λ_k(H) − θ| < d}.

    Where d is not resolved, the eigenvalues within what is (θ/2 at most) are taken to be spread
    evenly.

    Parameters
    ----------
    upper : ndarray of float64, shape (n, n)
        H, positive semidefinite, in Fortran order; only its upper triangle is read.
    theta, distance : float
        0 < d < θ.

    Returns
    -------
    float
        The estimate, the same whenever it is asked for; ∞ where numbers are not finite.
    """
    n = upper.shape[0]
    most = min(n, _MOST)
    basis = np.zeros((n, most + 1), order="F")
    basis[:, 0] = np.random.default_rng(_SEED).standard_normal(n)
    basis[:, 0] /= np.linalg.norm(basis[:, 0])
    diagonal, off = np.zeros(most), np.zeros(most)
    wide, wanted, k = max(distance, _FINE * theta), min(_FIRST, most), 0
    while k < wanted:
        if not _step(upper, basis, diagonal, off, k):
            return math.inf
        k += 1
        if off[k - 1] <= 1e-12 * diagonal[:k].max():  # an invariant subspace
            break
        if k == wanted:
            nodes = eigh_tridiagonal(diagonal[:k], off[: k - 1], eigvals_only=True)
            spread = math.pi * math.sqrt(theta * max(float(nodes[-1]) - theta, 0.0))
            wanted = min(max(k, math.ceil(_NODES * spread / wide)), most)
    nodes, vectors = eigh_tridiagonal(diagonal[:k], off[: k - 1])
    spread = math.pi * math.sqrt(theta * max(float(nodes[-1]) - theta, 0.0))
    resolved = max(distance, min(_NODES * spread / k, _FAR * theta))
    weights = vectors[0, np.abs(nodes - theta) < resolved] ** 2
    return float(n * weights.sum() * distance / resolved)


def _step(upper: Array, basis: Array, diagonal: Array, off: Array, k: int) -> bool:
    """Make one step of Lanczos, orthogonal to all that was; False where numbers are not finite."""
    with np.errstate(over="ignore", invalid="ignore", divide="ignore"):
        image = blas.dsymv(1.0, upper, basis[:, k])
        diagonal[k] = float(image @ basis[:, k])
        known = basis[:, : k + 1]
        for _ in range(2):  # a second time, for what rounding left
            image -= known @ (known.T @ image)
        off[k] = float(np.linalg.norm(image))
        basis[:, k + 1] = image / off[k]
    return math.isfinite(diagonal[k]) and math.isfinite(off[k])
