"""The eigenvectors of G as right singular vectors of A, all n of them, with measured errors."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.floor.decomposed.factorisation import (
    backward_error,
    singular_value_decomposition,
)
from epsrank.theory.floor.decomposed.weighting import WeightedProblem, weighted_problem
from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.orthogonality import orthogonality_defect
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, upward
from epsrank.theory.numbers.scaled import frobenius

# Relative error of each entry of A (see weighted_problem), with one rounding to spare.
ENTRY_ERROR = 6 * UNIT_ROUNDOFF["float64"]


@dataclass(frozen=True, eq=False)
class NeuronBasis:
    """A ≈ U Σ Vᵀ with V ∈ R^{n×n}: rows of V are neurons, columns eigenvectors q_1 … q_n of G.

    Sizes are in scaled units, A · 2^(−feature_exponent).
    """

    #: A, with a target of zeros.
    problem: WeightedProblem = field(repr=False)
    #: V.
    vectors: Square = field(repr=False)
    #: σ_1 ≥ … ≥ σ_n as computed.
    sigma: Vector = field(repr=False)
    #: F with ‖A − Ũ Σ Ṽᵀ‖₂ ≤ F for exactly orthonormal Ũ and Ṽ, entry errors of A included.
    error: float
    #: A bound on ‖VᵀV − I‖₂, and so on ‖V − Ṽ‖₂.
    defect: float
    #: An upper bound of ‖A‖_F.
    size: float

    @property
    def n_features(self) -> int:
        """Number of neurons n."""
        return int(self.vectors.shape[0])

    @property
    def singular_values(self) -> Array:
        """σ_k = √λ_k in the measure, as computed, shape (n,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.ldexp(self.sigma, self.problem.feature_exponent)

    def compressed(self) -> Square:
        """Return Σ Vᵀ (n × n): ‖A z‖ = ‖Σ Vᵀ z‖ for every z, to rounding."""
        return np.asarray(self.sigma[:, None] * self.vectors.T)


def neuron_basis(features: Features, measure: Measure) -> NeuronBasis:
    """Decompose A = diag(√(w/c)) Φ."""
    target = np.zeros((features.n_samples, 1))
    problem = weighted_problem(features, target, measure)
    matrix = problem.matrix
    missing = features.n_features - features.n_samples
    if missing > 0:
        # Rows of zeros change no norm and give the null space its own eigenvectors.
        matrix = np.concatenate([matrix, np.zeros((missing, features.n_features))])
    left, sigma, right = singular_value_decomposition(matrix)
    backward, _, _ = backward_error(matrix, left, sigma, right)
    defect = orthogonality_defect(right).bound
    # 1e-9 is above `norm_error` for any array that fits in memory.
    size = upward(frobenius(matrix) * (1 + 1e-9) + UNDERFLOW)
    return NeuronBasis(
        problem=problem,
        vectors=right,
        sigma=sigma,
        error=upward(backward + ENTRY_ERROR * size + UNDERFLOW),
        defect=defect,
        size=size,
    )
