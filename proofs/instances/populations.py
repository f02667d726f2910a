"""Populations whose Gram matrix is known, to measure how often intervals from them are right."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from scipy.special import roots_legendre
from scipy.stats import chi2

from epsrank.theory.dense import DenseNetwork
from epsrank.theory.numbers.arrays import Array, Matrix, Square, Vector
from epsrank.theory.rank import epsilon_rank_from_gram
from epsrank.theory.sampling import PopulationRank, largest_leverage, population_rank

#: Ridge over ε, as in `population_rank`.
_RIDGE = 0.25


@dataclass(frozen=True, eq=False)
class Population:
    """A law of φ with its Gram matrix E φφᵀ."""

    #: What it is.
    name: str
    #: E φφᵀ, to rounding.
    gram: Square
    #: From a generator and N to Φ of shape (N, n).
    draw: Callable[[np.random.Generator, int], Array]
    #: The threshold it is asked about.
    eps: float
    #: κ, where the law bounds it.
    leverage: float | None = None
    #: M² ≥ sup ‖φ‖², for the plain interval.
    envelope: float | None = None
    #: Where κ is to be certified over a domain.
    network: DenseNetwork | None = None
    domain: tuple[tuple[float, float], ...] | None = None

    @property
    def guaranteed(self) -> bool:
        """Whether κ is known, so that the interval comes with a guarantee."""
        return self.leverage is not None or self.network is not None

    def rank(self) -> int:
        """Return r_ε of the population."""
        return int(epsilon_rank_from_gram(self.gram, self.eps))

    def ask(
        self, features: Matrix, confidence: float, *, known: bool = True, resamples: int = 0
    ) -> PopulationRank:
        """Return the interval from one sample.

        With `known` the leverage is what is known of it; otherwise it is estimated from the sample.
        """
        knowledge: dict[str, Any] = {}
        if known:
            names = ("leverage", "envelope", "network", "domain")
            knowledge = {name: getattr(self, name) for name in names}
        return population_rank(
            features, self.eps, confidence=confidence, resamples=resamples, **knowledge
        )


@cache
def _rule() -> tuple[Array, Array]:
    """Return a Gauss–Legendre rule, exact to rounding for these networks (ReLU: to 2e-6)."""
    nodes, weights = roots_legendre(400)
    return np.asarray(nodes), np.asarray(weights)


def _network_population(name: str, network: DenseNetwork, eps: float) -> Population:
    """Return the features of a network at uniform points of [−1, 1]."""
    nodes, weights = _rule()
    root = network.features(nodes) * np.sqrt(weights / 2)[:, None]

    def draw(random: np.random.Generator, count: int) -> Array:
        return network.features(random.uniform(-1, 1, count))

    domain = ((-1.0, 1.0),)
    # Rounded up by far more than float64 loses.
    envelope = largest_leverage(network, domain, max_boxes=4000).upper * (1 + 2.0**-20)
    return Population(
        name, root.T @ root, draw, eps, envelope=envelope, network=network, domain=domain
    )


def _random_network(
    activation: str, width: int, depth: int, scale: float, seed: int
) -> DenseNetwork:
    random = np.random.default_rng(seed)
    sizes = [1] + [width] * depth
    bounds = [scale] + [2 / np.sqrt(width)] * (depth - 1)
    return DenseNetwork(
        activation,
        tuple(random.uniform(-b, b, (sizes[k + 1], sizes[k])) for k, b in enumerate(bounds)),
        tuple(random.uniform(-b, b, sizes[k + 1]) for k, b in enumerate(bounds)),
    )


def _structured(width: int) -> DenseNetwork:
    centres = np.linspace(-1, 1, width)
    slope = np.full((width, 1), width / 2)
    return DenseNetwork("tanh", (slope,), (-width / 2 * centres,))


def _truncated_gaussian(n: int, eps: float) -> Population:
    """Return φ = D^{1/2}g, g standard normal given ‖g‖² ≤ 2n, eigenvalues graded by quarters.

    Given ‖g‖² ≤ R the law stays rotation invariant: E g gᵀ = c I, c = P(χ²_{n+2} ≤ R)/P(χ²_n ≤ R),
    and φᵀ(G + τI)⁻¹φ ≤ R max_i d_i/(c d_i + τ).
    """
    radius = 2.0 * n
    shrink = float(chi2.cdf(radius, n + 2) / chi2.cdf(radius, n))
    variances = 0.25 ** np.arange(n)
    kappa = radius * float((variances / (shrink * variances + _RIDGE * eps)).max())

    def draw(random: np.random.Generator, count: int) -> Array:
        # ‖g‖² ≤ 2n is likely: four times as many draws are enough in any case.
        rows = random.standard_normal((4 * count + 64, n))
        rows = rows[(rows**2).sum(axis=1) <= radius][:count]
        return np.asarray(rows * np.sqrt(variances))

    return Population(
        "Gaussian, ‖g‖² ≤ 2n", np.diag(shrink * variances), draw, eps, leverage=kappa * (1 + 1e-9)
    )


def _gaussian(n: int, eps: float) -> Population:
    variances = 0.25 ** np.arange(n)

    def draw(random: np.random.Generator, count: int) -> Array:
        return np.asarray(random.standard_normal((count, n)) * np.sqrt(variances))

    return Population("Gaussian, leverage unbounded", np.diag(variances), draw, eps)


def atoms(name: str, points: Matrix, masses: Vector, eps: float) -> Population:
    """Return the law Σ p_i δ of finitely many feature vectors.

    The masses p have the sum 1.
    """
    gram = points.T @ (masses[:, None] * points)
    solved = np.linalg.solve(gram + _RIDGE * eps * np.eye(len(gram)), points.T)
    kappa = float(np.einsum("ij,ji->i", points, solved).max()) * (1 + 1e-6)

    def draw(random: np.random.Generator, count: int) -> Array:
        return points[random.choice(len(masses), size=count, p=masses)]

    return Population(name, gram, draw, eps, leverage=kappa)


def _heavy_tailed(n: int, eps: float, seed: int) -> Population:
    """Return atoms whose lengths follow a Pareto law that is cut off: leverage is bounded."""
    random = np.random.default_rng(seed)
    directions = random.standard_normal((600, n)) * 0.3 ** (np.arange(n) / 2)
    # Tail index 2.1: second moments exist, and only just.
    lengths = np.minimum((1 - random.uniform(size=600)) ** (-1 / 2.1), 40.0)
    masses = np.full(600, 1 / 600)
    return atoms("heavy-tailed, bounded", directions * lengths[:, None], masses, eps)


def _rare(n: int, eps: float) -> Population:
    """Return coordinate vectors of which the last few are rare: leverage is 1/p_i or so."""
    masses = np.array([0.5 ** min(k + 1, 8) for k in range(n)])
    masses[0] += 1 - masses.sum()
    lengths = np.sqrt(10.0 ** -np.arange(n, dtype=np.float64))
    return atoms("rare directions", np.diag(lengths), masses, eps)


def unseen(n_samples: int, eps: float = 1e-6) -> Population:
    """Return a law with a direction too rare for N samples: an upper end from data alone fails."""
    rare = 1 / (10 * n_samples)
    masses = np.array([0.5, 0.5 - rare, rare])
    return atoms("a direction not in the sample", np.eye(3), masses, eps)


@cache
def populations() -> tuple[Population, ...]:
    """Return the families on which coverage is measured.

    Networks (leverage certified over their domain), Gaussian, heavy-tailed and discrete laws.
    """
    return (
        _network_population("tanh 1×20", _random_network("tanh", 20, 1, 2.0, 1), 1e-6),
        _network_population("tanh 2×15", _random_network("tanh", 15, 2, 2.0, 2), 1e-6),
        _network_population("sine 1×20", _random_network("sine", 20, 1, 6.0, 3), 1e-6),
        _network_population("erf 2×15", _random_network("erf", 15, 2, 2.0, 4), 1e-4),
        _network_population("relu 1×15", _random_network("relu", 15, 1, 1.0, 5), 1e-4),
        _network_population("structured tanh 1×15", _structured(15), 1e-2),
        _truncated_gaussian(12, 1.5e-4),
        _gaussian(12, 1.5e-4),
        _heavy_tailed(12, 1e-3, 6),
        _rare(10, 1e-5),
    )
