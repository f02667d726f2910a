"""How far rounding can move a floor: bounds on norms, derived from measured residuals.

Route from the data. Let A and y be the exact weighted features and target, and Â = Ũ Σ̂ Ṽᵀ the
matrix with exactly orthonormal factors that the computed decomposition stands for. If ‖A − Â‖₂ ≤ F
and the components of y are known to T in norm, then for every W with ‖W‖_F ≤ B

    | ‖A W − y‖ − ‖Â W − ŷ‖ | ≤ F·B + T,

so every statement of F1–F6, which hold exactly for (Â, ŷ), holds for (A, y) up to F·B + T on norms.

Route from moments. If (G, b, t) are within (E_G, E_b, E_t) of exact moments (Ĝ, b̂, t̂), the
*squared* norm moves by at most E_G B² + 2 E_b B + E_t, and the norm by at most the root of that.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import downward, upward


class ErrorModel(Protocol):
    """A bound on the error of norms, as a function of the coefficient norm."""

    def at(self, norm: float) -> float:
        """Return the bound on | ‖A W − y‖ − ‖Â W − ŷ‖ | for all ‖W‖_F ≤ norm."""

    @property
    def singular_values(self) -> float:
        """Bound on |σ̂_k − σ_k(A)| for every k."""

    @property
    def range_angle(self) -> float:
        """Bound on ‖P_range(A) − P_range(Â)‖₂, at most 1."""

    def eigenvalues(self, sigma: Array) -> tuple[Array, Array]:
        """Return lower and upper bounds of λ_k = σ_k(A)², given σ̂_k."""


@dataclass(frozen=True)
class DataError:
    """Error F·B + T of a decomposition of the data."""

    #: F ≥ ‖A − Â‖₂.
    features: float
    #: T: error of the components of y and of its distance from the range.
    target: float
    #: σ̂_r, where r is the full rank min(N, n); 0 where the numerical rank is deficient.
    smallest: float

    def at(self, norm: float) -> float:
        """Return F·B + T.

        B may be infinite.
        """
        # 0 · ∞ = 0: exact features cost nothing at any norm.
        return upward(self.features * norm + self.target) if self.features else self.target

    @property
    def singular_values(self) -> float:
        """F, by Weyl's inequality for singular values."""
        return self.features

    @property
    def range_angle(self) -> float:
        """F/σ̂_r for equal ranks (Wedin, BIT 12 (1972) 99–111), else the trivial 1."""
        if self.features < self.smallest:
            return min(1.0, upward(self.features / self.smallest))
        return 1.0

    def eigenvalues(self, sigma: Array) -> tuple[Array, Array]:
        """Return (σ̂_k − F)_+² and (σ̂_k + F)²."""
        # Factors a little off 1 pay for the roundings of these lines.
        low = np.maximum(downward(1.0) * sigma - self.features, 0.0)
        high = upward(1.0) * (sigma + self.features)
        return low * low * downward(1.0), high * high * upward(1.0)


@dataclass(frozen=True)
class MomentError:
    """Error √(E_G B² + 2 E_b B + E_t) of a decomposition of the moments."""

    #: E_G ≥ ‖G − Ĝ‖₂.
    gram: float
    #: E_b ≥ ‖b − b̂‖_F, where b = Φᵀ diag(w) u* / c.
    cross: float
    #: E_t ≥ |‖u*‖² − t̂|.
    target: float

    def at(self, norm: float) -> float:
        """Return √(E_G B² + 2 E_b B + E_t), evaluated without forming B².

        B may be infinite.
        """
        if math.isinf(norm):
            return math.inf if self.gram or self.cross else math.sqrt(self.target)
        root = math.sqrt(self.gram) * norm
        cross = math.sqrt(2 * self.cross) * math.sqrt(norm)
        return upward(math.hypot(root, cross, math.sqrt(self.target)))

    @property
    def singular_values(self) -> float:
        """√E_G: |√λ̂ − √λ| ≤ √|λ̂ − λ|."""
        return math.sqrt(self.gram)

    @property
    def range_angle(self) -> float:
        """The trivial bound 1: moments do not resolve the range."""
        return 1.0

    def eigenvalues(self, sigma: Array) -> tuple[Array, Array]:
        """Return (σ̂_k² − E_G)_+ and σ̂_k² + E_G."""
        square = sigma * sigma
        low = np.maximum(square * downward(1.0) - self.gram, 0.0)
        return low * downward(1.0), (square + self.gram) * upward(1.0)
