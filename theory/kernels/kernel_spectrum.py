"""Eigenvalues μ_k of a layer's kernel operator, and the ε-rank #{k : n μ_k > ε} they predict."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_eps, as_whole
from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.numbers.arrays import Matrix, Square, Vector
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.enclosure import SpectrumEnclosure
from epsrank.theory.rank.interval import RankInterval, SpectrumSource
from epsrank.theory.shown import Shown

_ULP = float(np.finfo(np.float64).eps)
# Numbers up to which singular values are affordable; beyond, the Gram matrix.
_DIRECT_NUMBERS = 500_000


@dataclass(frozen=True, eq=False)
class KernelSpectrum(Shown):
    """μ_1 ≥ μ_2 ≥ … of T = E[φ ⊗ φ] in L²(μ), φ the random neuron, with the range they lie in."""

    #: μ_k, descending.
    values: Vector = field(repr=False)
    #: Range of each: rounding of the eigenvalue solver and of the kernel's entries, and the
    #: difference between two quadrature rules where there is one. The latter is an estimate.
    lower: Vector = field(repr=False)
    upper: Vector = field(repr=False)
    #: Columns √w_i e_k(x_i), orthonormal: the eigenfunctions at the points.
    functions: Matrix = field(repr=False)
    #: Measure of the inputs.
    measure: str
    #: How the spectrum was found.
    text: str

    def rank(self, width: int, eps: float) -> RankInterval:
        """Predict the ε-rank of n neurons in the limit of many: #{k : n μ_k > ε} (I1)."""
        n, threshold = as_whole(width, "width"), as_eps(eps)
        low = min(n, int((n * self.lower > threshold).sum()))
        high = min(n, int((n * self.upper > threshold).sum()))
        reason = f"#{{k : nμ_k > ε}} with n = {n}, {self.text}"
        if low < high:
            reason += f"; nμ_{low + 1} … nμ_{high} are not told from ε"
        enclosure = SpectrumEnclosure(
            n * self.values, n * np.maximum(self.lower, 0.0), n * self.upper
        )
        return RankInterval.of(
            threshold,
            Decision(low, high, "kernel", reason),
            noise_floor=n * float(np.max(self.upper[-1:] - self.values[-1:], initial=0.0)),
            measure=self.measure,
            dtype="float64",
            n_samples=len(self.functions),
            n_features=len(self.values),
            source=SpectrumSource(Fraction(1), known=enclosure),
        )

    def tail(self, kept: int) -> float:
        """Return Σ_{k>m} μ_k, with the upper end of each."""
        return float(self.upper[kept:].sum())

    def __str__(self) -> str:
        head = ", ".join(f"{value:.3g}" for value in self.values[:4])
        return f"kernel spectrum {head}, … ({self.measure} measure, {self.text})"

    def to_json(self) -> dict[str, Any]:
        """Return the spectrum as plain data, without the eigenfunctions."""
        return {
            "values": self.values.tolist(),
            "lower": self.lower.tolist(),
            "upper": self.upper.tolist(),
            "measure": self.measure,
            "text": self.text,
        }


def spectrum_of_matrix(
    kernel: Square, error: float, inputs: InputMeasure, text: str
) -> KernelSpectrum:
    """Diagonalise √w_i K(x_i, x_j) √w_j."""
    roots = inputs.root_weights
    # Weyl: ‖diag(√w) E diag(√w)‖₂ ≤ max|E_ij| Σ w.
    bound = error * float(roots @ roots)
    return _diagonalised(roots[:, None] * kernel * roots, bound, inputs, text)


def _diagonalised(matrix: Square, bound: float, inputs: InputMeasure, text: str) -> KernelSpectrum:
    """Return eigenvalues and vectors of a matrix known to within `bound` in norm."""
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = values[::-1], vectors[:, ::-1]
    # The solver errs by a few ulps of λ_1.
    spread = bound + 4 * _ULP * float(values[0])
    positive, name = np.maximum(values, 0.0), inputs.measure.name
    return KernelSpectrum(
        positive, np.maximum(values - spread, 0.0), positive + spread, vectors, name, text
    )


def spectrum_of_features(features: Matrix, inputs: InputMeasure, text: str) -> KernelSpectrum:
    """Diagonalise Σ_q φ_q ⊗ φ_q by the singular values of diag(√w) F."""
    a = inputs.root_weights[:, None] * features
    if a.size <= _DIRECT_NUMBERS:
        vectors, singular, _ = np.linalg.svd(a, full_matrices=False)
        spread = 4 * _ULP * float(singular[0])
        return KernelSpectrum(
            singular**2,
            np.maximum(singular - spread, 0.0) ** 2,
            (singular + spread) ** 2,
            vectors,
            inputs.measure.name,
            text,
        )
    gram = a @ a.T
    # Rounding of the sums, of random sign.
    error = _ULP * float(gram.diagonal().max()) * a.shape[1] ** 0.5
    return _diagonalised(gram, error, inputs, text)
