"""What a quarter of the neurons lets one expect of a count: which certificate is worth trying.

Nothing here is certified, and nothing depends on it but time. The pivots d_1 ≥ d_2 ≥ … of a pivoted
Cholesky factorisation are the variances that are left when k neurons are known, and follow the
eigenvalues closely. Those of n/4 neurons cost 1/64 of a factorisation, and continue as a
straight line in log d for want of better knowledge.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import blas, eigh_tridiagonal, lapack

from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF

#: One neuron in so many is looked at.
STRIDE = 4

# The pivots are followed down to this share of the threshold.
_PIVOT_DEPTH = 1e-3

# Safety in the extrapolated last pivot, which is larger than the smallest eigenvalue.
_LAST_PIVOT_SAFETY = 16.0


@dataclass(frozen=True)
class Foresight:
    """Pivots of some neurons, for the expected place of a threshold among n eigenvalues."""

    #: Descending, in the units of the threshold.
    pivots: Vector
    #: Neurons q ≥ k that were looked at; k < q where the rest is negligible.
    looked_at: int
    #: n.
    n_features: int

    def full(self, threshold: float) -> bool:
        """Return whether all eigenvalues are expected above θ."""
        if not 0 < len(self.pivots) == self.looked_at:
            return False
        return self._log_pivot(self.n_features) > math.log(_LAST_PIVOT_SAFETY * threshold)

    def low(self, share: float) -> bool:
        """Return whether a share of those looked at leaves next to nothing of the rest of them."""
        return len(self.pivots) <= share * self.looked_at

    def blind(self) -> bool:
        """Return whether there may be a gap that shows in more neurons only.

        A gap after fewer eigenvalues than neurons were looked at shows in their pivots. One after
        more does not, and then none of the pivots is negligible.
        """
        return 0 < len(self.pivots) == self.looked_at

    def _log_pivot(self, index: float) -> float:
        """Continue log d as a straight line, without the last quarter, where pivots run out."""
        here = max(3 * len(self.pivots) // 4, 1)
        first, last = math.log(self.pivots[0]), math.log(self.pivots[here - 1])
        return first + (last - first) * index / here

    def near(self, threshold: float, distance: float) -> float:
        """Return the expected number of eigenvalues within a distance of θ."""
        beside = np.abs(np.log(self.pivots / threshold)) <= 1
        share = distance / threshold  # on either side; the pivots counted span e-fold on either
        return float(np.count_nonzero(beside)) * share * self.n_features / self.looked_at


def foresee(matrix: Square, n_features: int, threshold: float) -> Foresight:
    """Follow the pivots of some of n neurons down to a small share of the threshold."""
    work = np.array(matrix, order="F")
    # Smaller pivots are made of rounding, however small the threshold is.
    noise = len(matrix) * UNIT_ROUNDOFF["float64"] * float(np.diag(matrix).max(initial=0.0))
    tol = max(_PIVOT_DEPTH * threshold, noise)
    factor, _, rank, info = lapack.dpstrf(work, tol=tol, lower=1, overwrite_a=1)
    pivots = np.diag(factor)[:rank] ** 2
    if info < 0 or not (np.isfinite(pivots).all() and (pivots > 0).all()):
        pivots = pivots[:0]
    return Foresight(pivots, matrix.shape[0], n_features)


# Steps after which λ_1 is known well enough to say how many are wanted, and the most of them.
_FIRST_STEPS = 16
_MOST_STEPS = 96

# Distance from θ that is to be resolved, as a share of it; and the nodes that a dense spectrum has
# on either side within the distance that counts as resolved.
_FINE_ENOUGH = 1 / 4
_NODES_ON_EITHER_SIDE = 2

# Nothing further from θ than this share of it counts as near: eigenvalues about 0 are not.
_TOO_FAR = 1 / 2

# Of the random vector: a forecast is the same whenever it is made.
_SEED = 0


def eigenvalues_near(upper: Square, theta: float, distance: float) -> float:
    """Estimate #{k : |λ_k(H) − θ| < d}.

    Where d is not resolved, the eigenvalues within what is (θ/2 at most) are taken to be spread
    evenly.

    `upper` is H, positive semidefinite, in Fortran order; only its upper triangle is read.
    """
    n = upper.shape[0]
    most = min(n, _MOST_STEPS)
    basis = np.zeros((n, most + 1), order="F")
    basis[:, 0] = np.random.default_rng(_SEED).standard_normal(n)
    basis[:, 0] /= np.linalg.norm(basis[:, 0])
    diagonal, off = np.zeros(most), np.zeros(most)
    wide, wanted, k = max(distance, _FINE_ENOUGH * theta), min(_FIRST_STEPS, most), 0
    while k < wanted:
        if not _step(upper, basis, diagonal, off, k):
            return math.inf
        k += 1
        if off[k - 1] <= 1e-12 * diagonal[:k].max():  # an invariant subspace
            break
        if k == wanted:
            # As zeros of Chebyshev polynomials on [0, λ_1], they lie π√(θ(λ_1 − θ))/k apart near θ.
            nodes = eigh_tridiagonal(diagonal[:k], off[: k - 1], eigvals_only=True)
            spread = math.pi * math.sqrt(theta * max(float(nodes[-1]) - theta, 0.0))
            wanted = min(max(k, math.ceil(_NODES_ON_EITHER_SIDE * spread / wide)), most)
    nodes, vectors = eigh_tridiagonal(diagonal[:k], off[: k - 1])
    spread = math.pi * math.sqrt(theta * max(float(nodes[-1]) - theta, 0.0))
    resolved = max(distance, min(_NODES_ON_EITHER_SIDE * spread / k, _TOO_FAR * theta))
    # Squares of first entries are the weights of Gauss quadrature: shares of the n eigenvalues.
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
