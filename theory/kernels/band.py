"""How far n neurons, themselves a sample, can be from the limit of many: a band for the ε-rank.

C4 with the roles of neurons and inputs exchanged. Write a random neuron in the eigenbasis of
T = E[φ ⊗ φ]: φ = Σ_k √μ_k ξ_k e_k with E[ξ_k ξ_l] = δ_kl. Relative concentration is needed on
span(e_1…e_k) only, and on one side, which removes the ridge and the two-sided constant:

*Lower end.* X_j = ξ_j ξ_jᵀ restricted to the first k coordinates, kept only where ‖ξ_j‖² ≤ R, has
E X = M ≽ m I. Tropp's matrix Chernoff bound [S5, Thm 5.1.1] gives λ_min(Σ_j X_j) ≥ (1 − η) n m
except with probability k exp(−n m ψ(η)/R), ψ(η) = η + (1 − η) log(1 − η). Dropping neurons only
lowers the sum, so R is free, and unbounded laws are no exception. By Courant–Fischer
λ_k(Σ_j φ_j ⊗ φ_j) ≥ (1 − η) n m μ_k, so r_ε ≥ k wherever that is above ε.

*Upper end.* E Σ_{i>k} λ_i ≤ n Σ_{i>k} μ_i (Ky Fan), so by Markov r_ε ≤ k except with probability
n Σ_{i>k} μ_i / ε. No leverage enters.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_eps, as_share, as_whole
from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.kernels.kernel_spectrum import KernelSpectrum
from epsrank.theory.kernels.neurons import NeuronLaw
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.rank.bounds import RankBounds
from epsrank.theory.shown import Shown

# Cuts R tried, as quantiles of the leverage.
_CUTS = (0.5, 0.7, 0.8, 0.9, 0.95, 0.98, 0.99, 0.995, 0.998, 0.999, 0.9995, 1.0)


@dataclass(frozen=True)
class FiniteWidthBand(RankBounds, Shown):
    """lower ≤ r_ε ≤ upper with probability ≥ confidence over the draw of n neurons.

    The inequalities are theorems; their inputs (μ_k, the moments of the leverage) are evaluated by
    quadrature or from a sample of the law, so the band is derived, not certified.
    """

    #: ε.
    eps: float
    #: n.
    width: int
    #: The band.
    lower: int
    upper: int
    #: 1 − δ; each end has δ/2.
    confidence: float
    #: d = tr T(T + ε/n)⁻¹.
    effective_dimension: float
    #: Largest ⟨φ, (T + ε/n)⁻¹φ⟩ over the neurons that stand for the law.
    leverage: float
    #: Neurons that the two-sided form C4 needs for η = ½: 2κ(1 + η/3)η⁻² log(8d/δ).
    ridge_width: float
    #: Measure of the inputs.
    measure: str

    def __str__(self) -> str:
        return (
            f"[{self.lower}, {self.upper}] with probability ≥ {self.confidence:g} "
            f"({self.measure} measure)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the band as plain data."""
        return {
            "eps": self.eps,
            "width": self.width,
            "lower": self.lower,
            "upper": self.upper,
            "confidence": self.confidence,
            "effective_dimension": self.effective_dimension,
            "leverage": self.leverage,
            "ridge_width": self.ridge_width,
            "measure": self.measure,
        }


def coordinates(
    spectrum: KernelSpectrum, features: Matrix, inputs: InputMeasure, kept: int
) -> Matrix:
    """Return ξ_k = ⟨φ, e_k⟩/√μ_k of neurons given at the points."""
    inner = spectrum.functions[:, :kept].T @ (inputs.root_weights[:, None] * features)
    return np.asarray(inner / np.sqrt(spectrum.values[:kept, None]))


def finite_width_band(
    law: NeuronLaw, width: int, eps: float, *, confidence: float = 0.95
) -> FiniteWidthBand:
    """Bound the ε-rank of n independent neurons with a given probability."""
    n, threshold = as_whole(width, "width"), as_eps(eps)
    confidence = as_share(confidence, "confidence")
    spectrum, half = law.spectrum, (1 - confidence) / 2
    most = min(n, len(spectrum.values))
    upper = next((k for k in range(most) if n * spectrum.tail(k) <= half * threshold), most)
    usable = min(most, int((n * spectrum.lower > threshold).sum()))
    features, probabilities = law.sample()
    xi = coordinates(spectrum, features, law.inputs, max(usable, 1))
    lower = _largest_sure(spectrum, xi, probabilities, n, threshold, half, usable)
    ridge = threshold / n
    shrink = spectrum.values / (spectrum.values + ridge)
    dimension = float(shrink.sum())
    # Beyond the usable coordinates μ_k/(μ_k + ε/n) < ½; they still count.
    resolved = max(1, int((spectrum.lower > 0.5 * spectrum.values).sum()))
    full = coordinates(spectrum, features, law.inputs, resolved)
    leverage = float((shrink[:resolved] @ full**2).max())
    needed = 2 * leverage * (1 + 0.5 / 3) / 0.25 * math.log(8 * max(dimension, 1.0) / (2 * half))
    return FiniteWidthBand(
        threshold, n, lower, upper, confidence, dimension, leverage, needed, spectrum.measure
    )


def _largest_sure(
    spectrum: KernelSpectrum,
    xi: Array,
    probabilities: Array,
    n: int,
    eps: float,
    failure: float,
    usable: int,
) -> int:
    """Return the largest k found by bisection for which r_ε ≥ k fails with at most `failure`."""
    low, high = 0, usable
    while low < high:
        middle = (low + high + 1) // 2
        mu = float(spectrum.lower[middle - 1])
        chance = failure_of_rank(xi[:middle], probabilities, n, eps / mu)
        low, high = (middle, high) if chance <= failure else (low, middle - 1)
    return low


def failure_of_rank(xi: Matrix, probabilities: Vector, n: int, ratio: float) -> float:
    """Bound the probability that λ_min(Σ_j ξ_j ξ_jᵀ) ≤ ratio for n independent columns.

    The best of several cuts R of k exp(−n m ψ(η)/R) with (1 − η) n m = ratio.
    """
    k = len(xi)
    leverage = (xi**2).sum(axis=0)
    order = np.argsort(leverage, kind="stable")
    mass = np.cumsum(probabilities[order])
    # The neurons up to and including the one that completes the quantile.
    # Clipped, for rounding may put the last one beyond the end.
    ends = np.unique(np.searchsorted(mass, np.array(_CUTS) * mass[-1]).clip(0, len(order) - 1)) + 1
    moment, best, start = np.zeros((k, k)), 1.0, 0
    for end in ends.tolist():
        block = order[start:end]
        moment += (xi[:, block] * probabilities[block]) @ xi[:, block].T
        start = end
        cut = float(leverage[order[end - 1]])
        m = float(np.linalg.eigvalsh(moment)[0])
        if m <= 0 or n * m <= ratio:
            continue
        keep = ratio / (n * m)  # 1 − η
        psi = 1 - keep + keep * math.log(keep)
        best = min(best, k * math.exp(-n * m * psi / cut))
    return best
