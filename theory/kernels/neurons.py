"""The law of a random neuron on given inputs: its kernel operator, and draws from it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from epsrank.theory.kernels.input_measure import InputMeasure
from epsrank.theory.kernels.kernel_spectrum import (
    KernelSpectrum,
    spectrum_of_features,
    spectrum_of_matrix,
)
from epsrank.theory.kernels.layer_kernel import LayerKernel
from epsrank.theory.numbers.arrays import Array, Matrix, Square, Vector

#: Parameters of Q neurons: weights (Q, d), biases (Q,), probabilities (Q,).
Parameters = tuple[Array, Array, Array]
#: σ, entrywise.
Sigma = Callable[[Array], Array]

_ULP = float(np.finfo(np.float64).eps)
# Neurons that stand for a law without a quadrature rule, numbers held by them, and their seed.
_STAND_INS, _NUMBERS_HELD, _STAND_IN_SEED = 16_384, 8_000_000, 20_250_101


class NeuronLaw(ABC):
    """Independent neurons φ_1, φ_2, … of one law on the inputs of a measure."""

    #: The inputs.
    inputs: InputMeasure
    #: The law.
    text: str
    #: Whether a layer of the law has nothing random.
    deterministic: bool = False

    @cached_property
    @abstractmethod
    def spectrum(self) -> KernelSpectrum:
        """Eigenvalues of T = E[φ ⊗ φ] in L²(μ)."""

    @property
    @abstractmethod
    def resolution(self) -> float:
        """Squared norm below which a drawn neuron's components are rounding."""

    @abstractmethod
    def draw(self, count: int, rng: np.random.Generator) -> Matrix:
        """Draw neurons."""

    @abstractmethod
    def kernel(self) -> tuple[Square, float]:
        """Evaluate K(x_i, x_j) = E[φ(x_i)φ(x_j)], with the error of an entry."""

    def sample(self) -> tuple[Array, Array]:
        """Return neurons (N, Q) with probabilities (Q,) that stand for the law."""
        return self._stand_ins

    @cached_property
    def _stand_ins(self) -> tuple[Array, Array]:
        """Drawn once, with one seed: every ε and every width sees the same neurons."""
        count = max(1024, min(_STAND_INS, _NUMBERS_HELD // len(self.inputs.points)))
        drawn = self.draw(count, np.random.default_rng(_STAND_IN_SEED))
        return drawn, np.full(count, 1 / count)


@dataclass(eq=False)
class NormalNeurons(NeuronLaw):
    """φ = σ(g), g a centred normal process of covariance S on the inputs.

    Exact for a layer with normal weights and biases given its inputs; the limit of wide preceding
    layers otherwise.
    """

    #: The inputs x_i of the network.
    inputs: InputMeasure
    #: The kernel of σ.
    activation: LayerKernel
    #: S_ij.
    covariance: Square = field(repr=False)
    #: Error of its entries.
    covariance_error: float
    #: The law.
    text: str
    #: Deviations of weights and biases, where the neurons are σ(w·x + b) of the inputs themselves.
    deviations: tuple[float, float] | None = None

    def kernel(self) -> tuple[Square, float]:
        """Evaluate K_ij = κ(S_ii, S_ij, S_jj), with its error, to which that of S is added."""
        values, error = self.activation.matrix(self.covariance)
        return values, error + self.covariance_error

    @cached_property
    def spectrum(self) -> KernelSpectrum:
        """Eigenvalues of κ(S)."""
        values, error = self.kernel()
        text = f"{self.activation.name} kernel by {self.activation.route}"
        return spectrum_of_matrix(values, error, self.inputs, text)

    @cached_property
    def _factor(self) -> Array:
        """F with FFᵀ = S, without the directions that rounding alone has made."""
        values, vectors = np.linalg.eigh(self.covariance)
        kept = values > _ULP * values[-1]
        return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))

    @property
    def resolution(self) -> float:
        """Rounding of S as it is drawn from: a few ulps of its norm, in the measure."""
        if self.deviations is not None:
            return _ULP**2 * len(self.inputs.points)
        heaviest = float(self.inputs.root_weights.max()) ** 2
        return 10 * _ULP * heaviest * float(np.linalg.norm(self.covariance, 2))

    def draw(self, count: int, rng: np.random.Generator) -> Matrix:
        """Draw σ(g) for independent g ~ N(0, S)."""
        if self.deviations is not None:
            weights = self.deviations[0] * rng.standard_normal((self.inputs.dimension, count))
            biases = self.deviations[1] * rng.standard_normal(count)
            return self.activation.activation(self.inputs.points @ weights + biases)
        factor = self._factor
        return self.activation.activation(factor @ rng.standard_normal((factor.shape[1], count)))


@dataclass(eq=False)
class ParameterNeurons(NeuronLaw):
    """φ(x) = σ(w·x + b), (w, b) of any law: a quadrature rule for it, and draws from it."""

    #: The inputs.
    inputs: InputMeasure
    #: σ.
    sigma: Sigma = field(repr=False)
    #: Each returns parameters with probabilities; the first is used, the others say how far the
    #: eigenvalues can be trusted.
    rules: tuple[Callable[[], Parameters], ...] = field(repr=False)
    #: ``sampler(count, rng)`` returns weights (count, d) and biases (count,).
    sampler: Callable[[int, np.random.Generator], tuple[Array, Array]] = field(repr=False)
    #: The law.
    text: str
    #: Whether the sampler has nothing random.
    deterministic: bool = False

    def features(self, weights: Matrix, biases: Vector) -> Matrix:
        """Evaluate neurons at the points."""
        return self.sigma(self.inputs.points @ weights.T + biases)

    def sample(self) -> tuple[Array, Array]:
        """Return the neurons of the first rule.

        Shapes: values (N, Q), probabilities (Q,).
        """
        weights, biases, probabilities = self.rules[0]()
        return self.features(weights, biases), probabilities

    def _weighted_values(self) -> Iterator[Array]:
        """Yield √p_q φ_q(x_i) rule by rule, shape (N, Q)."""
        for rule in self.rules:
            weights, biases, probabilities = rule()
            yield self.features(weights, biases) * np.sqrt(probabilities)

    def kernel(self) -> tuple[Square, float]:
        """Evaluate K = Σ_q p_q φ_q(x_i) φ_q(x_j).

        The first rule gives K; its largest difference from the others is the error.
        """
        kernels = [values @ values.T for values in self._weighted_values()]
        gaps = [float(np.abs(other - kernels[0]).max()) for other in kernels[1:]]
        return kernels[0], max(gaps, default=0.0)

    @cached_property
    def spectrum(self) -> KernelSpectrum:
        """Eigenvalues by the first rule; their range covers the other rules."""
        found = [
            spectrum_of_features(values, self.inputs, self.text)
            for values in self._weighted_values()
        ]
        first = found[0]
        # A rule of Q neurons has no more than Q eigenvalues.
        size = min(len(item.values) for item in found)
        lower, upper = first.lower[:size].copy(), first.upper[:size].copy()
        for item in found[1:]:
            lower = np.minimum(lower, item.lower[:size])
            upper = np.maximum(upper, item.upper[:size])
        return KernelSpectrum(
            first.values[:size],
            lower,
            upper,
            first.functions[:, :size],
            first.measure,
            first.text,
        )

    @property
    def resolution(self) -> float:
        """Rounding of a neuron's values."""
        return _ULP**2 * len(self.inputs.points)

    def draw(self, count: int, rng: np.random.Generator) -> Matrix:
        """Draw neurons by their parameters."""
        return self.features(*self.sampler(count, rng))
