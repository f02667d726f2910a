"""A reference for leverage that does not depend on the samples it is tested on.

Let T be any invertible n×n matrix chosen *before* looking at the N₂ samples at hand (here: from
another half of the sample), κ̂ ≥ sup_x ‖Tᵀφ(x)‖², and m = λ_min(Tᵀ(G+τI)T). Then G + τI ≽ m(TTᵀ)⁻¹,
so that

    κ_τ(G) = sup_x φᵀ(G+τI)⁻¹φ ≤ κ̂/m,

and only m is unknown. A unit vector v at which m is attained depends on G and T alone, not on the
samples, and (vᵀTᵀφ)² ≤ κ̂. So m̂ = λ_min(Tᵀ(Ĝ₂+τI)T) ≤ vᵀTᵀ(Ĝ₂+τI)Tv is at most one constant
s = τ‖Tv‖² ≤ m plus a mean of N₂ i.i.d. numbers of [0, κ̂] with mean m − s. Chernoff's bound

    P(mean ≥ q) ≤ exp(−(N₂/κ̂) D(q, p)),    D(q, p) = q log(q/p) − q + p,  q ≥ p the true mean,

and the fact that D(q − s, p − s) grows with s give: with probability 1 − δ, m ≥ p(m̂), the p < m̂
with (N₂/κ̂) D(m̂, p) = log(1/δ). No dimension enters, because one fixed vector is tested.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.linalg import eigh

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, Square, Vector
from epsrank.theory.numbers.rounding import downward, frobenius, gamma, upward

_BISECTIONS = 200


@dataclass(frozen=True, eq=False)
class Whitening:
    """T ≈ V(Λ̂ + τI)^{-1/2} from the eigenpairs of a sample Gram matrix; taken as exact numbers."""

    #: T.
    matrix: Square
    #: τ.
    ridge: float

    def leverage(self, features: Matrix) -> Vector:
        """Return ‖Tᵀφ(x_i)‖² in float64."""
        whitened = features @ self.matrix
        return np.asarray(np.einsum("ij,ij->i", whitened, whitened))

    def smallest_eigenvalue(self, features: Matrix) -> float:
        """Return a lower bound of m̂ = λ_min(Tᵀ(Ĝ + τI)T), rounding included."""
        n_samples, n = features.shape
        whitened = features @ self.matrix
        gram = whitened.T @ whitened / n_samples + self.ridge * (self.matrix.T @ self.matrix)
        # ‖fl(ΦT) − ΦT‖_F ≤ γ_n ‖Φ‖_F ‖T‖_F, and the products of length N and n in turn.
        scale = frobenius(whitened)
        slip = upward(gamma(n) * frobenius(features) * frobenius(self.matrix))
        error = (2 * scale * slip + slip**2) / n_samples
        error += gamma(n_samples + 3) * scale**2 / n_samples
        error += gamma(n + 3) * self.ridge * frobenius(self.matrix) ** 2
        # Backward error of the eigenvalues: far below n·γ_n times the norm.
        error += gamma(100 * n) * frobenius(gram)
        least = float(np.linalg.eigvalsh((gram + gram.T) / 2)[0])
        return max(0.0, downward(least - upward(error)) if least > error else 0.0)


def whitening(features: Matrix, ridge: float) -> Whitening:
    """Return T from one half of a sample."""
    with np.errstate(over="ignore", invalid="ignore"):
        gram = features.T @ features / len(features)
    if not np.isfinite(gram).all():
        raise InputError("features", "overflow when squared", "rescale them, and ε with the square")
    values, vectors = eigh(gram)
    matrix = vectors / np.sqrt(np.maximum(values, 0.0) + ridge)
    # T has to be invertible; where τ is lost in λ_1 it is not, as computed.
    if not np.isfinite(matrix).all() or np.linalg.matrix_rank(matrix) < len(matrix):
        raise InputError(
            "eps", "is too small for float64 against these features", "rescale the features"
        )
    return Whitening(matrix, ridge)


def chernoff_lower(observed: float, ratio: float, delta: float) -> float:
    """Return p with P(p > true mean) ≤ δ, from a mean of i.i.d. numbers of [0, κ̂]."""
    if observed <= 0 or ratio <= 0:
        return 0.0
    budget = upward(math.log(1 / delta) / ratio / observed)
    # In x = p/q: −log x − 1 + x = budget; decreasing on (0, 1). Bisect in log x.
    # At this lower end the left side is above the budget by ½, and `low` stays on that side.
    low, high = -budget - 1.5, 0.0
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        if math.expm1(middle) - middle >= budget:
            low = middle
        else:
            high = middle
    return downward(observed * math.exp(low))
