"""The singular value decomposition behind F1–F6, computed once and used for every ε and norm."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from epsrank.theory.floor.decomposed.factorisation import (
    backward_error,
    singular_value_decomposition,
)
from epsrank.theory.floor.decomposed.tolerance import DataError, ErrorModel
from epsrank.theory.floor.decomposed.weighting import WeightedProblem
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, chunked_product, gamma, upward
from epsrank.theory.numbers.scaled import frobenius, norm_error, row_norms, times_power_of_two

_U = UNIT_ROUNDOFF["float64"]

# Relative error of each entry of A and y (see weighted_problem), with one rounding to spare.
_ENTRY_ERROR = 6 * _U


# Singular values this far below the largest count as zero (and as error), like those below noise.
_DEEPEST = 2.0**-900


@dataclass(frozen=True, eq=False)
class FloorData:
    """A = U Σ Qᵀ and c = Uᵀy: everything that F1–F6 need of features and target.

    All arrays are in scaled units: A·2^(−feature_exponent), y·2^(−target_exponent). Directions
    with σ_k at or below the measured backward error count as σ_k = 0: then ψ_k = 0 adds nothing to
    Ψ_p, and their part of y belongs to `outside`.
    """

    #: σ_1 ≥ … ≥ σ_r > 0, scaled.
    sigma: Vector = field(repr=False)
    #: c = Uᵀy, scaled: row k is ⟨ψ_k, u*⟩/σ_k.
    components: Matrix = field(repr=False)
    #: dist(u*, Ψ_n), scaled; computed as a norm, not by subtraction.
    outside: float
    #: q_1 … q_r as columns.
    right: Matrix = field(repr=False)
    #: ‖u*‖, scaled.
    target_norm: float
    #: All singular values as computed, scaled, before truncation; 0 beyond min(N, n).
    computed_sigma: Vector = field(repr=False)
    #: The powers of two.
    feature_exponent: int
    target_exponent: int
    #: Derived bound on norms, scaled: its argument is a scaled coefficient norm.
    error: ErrorModel
    #: Where the numbers come from; route is ``"svd"`` or ``"moments"``.
    measure: str
    dtype: str
    route: str
    #: N (0 where only moments were given and N was not).
    n_samples: int

    @property
    def n_features(self) -> int:
        """Number of neurons n."""
        return int(self.right.shape[0])

    @property
    def n_outputs(self) -> int:
        """Number of outputs k."""
        return int(self.components.shape[1])

    @property
    def numerical_rank(self) -> int:
        """Number r of directions above the measured backward error."""
        return int(self.sigma.size)

    @cached_property
    def amplitudes(self) -> Array:
        """a_k = ‖c_k‖, shape (r,), scaled: the outputs enter F1–F6 only through these."""
        return row_norms(self.components)

    @cached_property
    def scaled_distances(self) -> Array:
        """d_p for p = 0…n, shape (n + 1,), scaled."""
        # A running hypot from the far end never squares a small tail away.
        tail = np.hypot.accumulate(np.concatenate(([self.outside], self.amplitudes[::-1])))[::-1]
        return np.concatenate((tail, np.full(self.n_features - self.numerical_rank, self.outside)))

    @cached_property
    def next_sigma(self) -> Array:
        """σ_{p+1} for p = 0…n, shape (n + 1,), scaled, with σ_{n+1} := 0."""
        return np.concatenate((self.sigma, np.zeros(self.n_features + 1 - self.numerical_rank)))

    @property
    def distances(self) -> Array:
        """d_p = dist(u*, Ψ_p) for p = 0…n, shape (n + 1,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.scaled_distances, self.target_exponent)

    @property
    def singular_values(self) -> Array:
        """σ_1 ≥ … ≥ σ_n of A as computed, shape (n,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.computed_sigma, self.feature_exponent)

    @property
    def spectrum(self) -> Array:
        """λ_k = σ_k² as computed, shape (n,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.computed_sigma**2, 2 * self.feature_exponent)

    def scaled_norm(self, norm: float) -> float:
        """Return B in the units of the scaled coefficients; finite where B is."""
        if np.isinf(norm):
            return norm
        scaled = times_power_of_two(norm, self.feature_exponent - self.target_exponent)
        # Beyond float64, every coefficient that matters fits in the ball.
        return min(scaled, float(np.finfo(np.float64).max))

    def unscaled(self, value: float) -> float:
        """Return a scaled norm of functions in the units of the caller."""
        return times_power_of_two(value, self.target_exponent)

    @property
    def evaluation_tolerance(self) -> float:
        """Rounding bound between norms of one decomposition, whose features are taken as exact."""
        return self.unscaled(self.error.at(0.0))

    def tolerance(self, norm: float) -> float:
        """Return the derived rounding bound on norms (√loss, d_p, floors) at ‖β‖ ≤ B."""
        bound = self.error.at(self.scaled_norm(norm))
        # No distance exceeds ‖y‖, and for full rank no distance moves by more than the range turns.
        turn = self.error.range_angle if np.isinf(norm) else 1.0
        cap = upward(self.error.at(0.0) + turn * self.target_norm)
        return self.unscaled(min(bound, cap))


def decompose(problem: WeightedProblem) -> FloorData:
    """Decompose A = U Σ Qᵀ, c = Uᵀy, with a measured bound on all rounding."""
    matrix, target = problem.matrix, problem.target
    left, sigma, right = singular_value_decomposition(matrix)
    backward, noise, defect = backward_error(matrix, left, sigma, right)
    # Below _DEEPEST, σ_k B can leave float64 for a B that does not.
    kept = sigma > max(noise, _DEEPEST)
    dropped = float(np.max(sigma[~kept], initial=0.0))
    left, right, kept_sigma = left[:, kept], right[:, kept], sigma[kept]
    components, g = chunked_product(np.ascontiguousarray(left.T), target)
    # One step of refinement: what the first pass left in the range is moved into c.
    residual = target - left @ components
    correction, _ = chunked_product(np.ascontiguousarray(left.T), residual)
    components = components + correction
    residual = target - left @ components
    size, target_norm = frobenius(matrix), frobenius(target)
    root = float(np.sqrt(kept_sigma.size))
    # In units of ‖y‖, with r₁ = y − Uc₁ + f and c = c₁ + Uᵀr₁ + e:
    # c − Ũᵀy = (I − UᵀU)c₁ + (U − Ũ)ᵀy + Uᵀf + e, and Uc − ŨŨᵀy adds ‖U − Ũ‖ once more.
    products = gamma(kept_sigma.size + 1) * (1 + root)
    component_error = g * root + 2 * defect + products + 2 * _U
    outside_error = defect + component_error + products
    n_features = matrix.shape[1]
    evaluation = gamma(n_features + 8) + norm_error(target.size)
    error = DataError(
        # The last terms cover products φ·W formed from the data, their norm, and the norm of W.
        features=upward(
            backward
            + dropped
            + problem.matrix_error
            + _ENTRY_ERROR * size
            + (gamma(n_features * (target.shape[1] + 1) + 2) + norm_error(target.size)) * size
            + UNDERFLOW
        ),
        target=upward(
            (component_error + outside_error + evaluation + _ENTRY_ERROR) * target_norm
            + problem.target_error
            + UNDERFLOW
        ),
        smallest=float(kept_sigma[-1]) if kept_sigma.size == min(matrix.shape) else 0.0,
    )
    computed = np.zeros(n_features)
    computed[: sigma.size] = sigma
    return FloorData(
        sigma=kept_sigma,
        components=components,
        outside=frobenius(residual),
        right=right,
        target_norm=target_norm,
        computed_sigma=computed,
        feature_exponent=problem.feature_exponent,
        target_exponent=problem.target_exponent,
        error=error,
        measure=problem.measure.name,
        dtype=problem.dtype,
        route="svd",
        n_samples=matrix.shape[0],
    )
