"""ε-ranks of layers of n independent neurons, drawn: an estimate of the count at finite width."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_eps, as_whole
from epsrank.theory.kernels.initialisation import LayerInit
from epsrank.theory.kernels.layer_kernel import LayerKernel
from epsrank.theory.kernels.neurons import NeuronLaw
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.shown import Shown

_ULP = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class SimulatedRank(Shown):
    """ε-ranks of drawn layers; an estimate, not a bound."""

    #: ε.
    eps: float
    #: One per draw.
    ranks: tuple[int, ...]
    #: Draws with an eigenvalue within rounding of ε; their count is nominal.
    unresolved: int
    #: Measure of the inputs.
    measure: str

    @property
    def mean(self) -> float:
        """Mean ε-rank."""
        return float(np.mean(self.ranks))

    @property
    def deviation(self) -> float:
        """Standard deviation between draws, 0 for a single one."""
        return float(np.std(self.ranks, ddof=1)) if len(self.ranks) > 1 else 0.0

    @property
    def standard_error(self) -> float:
        """Standard error of the mean."""
        return self.deviation / math.sqrt(len(self.ranks))

    def __str__(self) -> str:
        return (
            f"{self.mean:.1f} ± {self.deviation:.1f} in {len(self.ranks)} draws "
            f"({self.measure} measure)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain data."""
        return {
            "eps": self.eps,
            "ranks": list(self.ranks),
            "mean": self.mean,
            "deviation": self.deviation,
            "standard_error": self.standard_error,
            "unresolved": self.unresolved,
            "measure": self.measure,
        }


def simulate_ranks(
    law: NeuronLaw, width: int, eps: Sequence[float], *, draws: int = 20, seed: int = 0
) -> list[SimulatedRank]:
    """Draw layers of n independent neurons φ_j of the law and count λ_k(Σ_j φ_j ⊗ φ_j) > ε.

    In contrast to #{k : nμ_k > ε} this knows that n neurons are a sample of the law.
    """
    return simulate_depth(law, (), (), width, eps, draws=draws, seed=seed)[0]


def simulate_depth(
    first: NeuronLaw,
    kernels: Sequence[LayerKernel],
    inits: Sequence[LayerInit],
    width: int,
    eps: Sequence[float],
    *,
    draws: int = 20,
    seed: int = 0,
) -> list[list[SimulatedRank]]:
    """Draw all layers: Φ^{l} = σ(σ_w Φ^{l−1} ξ/√n + σ_b η), ξ and η standard normal.

    Every layer has n neurons and is fed by those drawn before it, so that the loss of rank from
    layer to layer is in the estimate; the limit of wide layers before does not see it.
    """
    n, thresholds = as_whole(width, "width"), [as_eps(value) for value in eps]
    draws = as_whole(draws, "draws")
    measure = first.inputs.measure.name
    counts = [[_Count(value, measure) for value in thresholds] for _ in range(len(kernels) + 1)]
    # Where nothing is random one draw says it all.
    for index in range(1 if first.deterministic and not kernels else draws):
        # One stream per draw: more draws keep the first ones.
        rng = np.random.default_rng([seed, index])
        features = first.draw(n, rng)
        noise = n * first.resolution
        _add(counts[0], features, first, noise)
        for layer, (kernel, init) in enumerate(zip(kernels, inits, strict=True), start=1):
            deviation = math.sqrt(init.weight_variance / n)
            z = deviation * (features @ rng.standard_normal((n, n)))
            z += math.sqrt(init.bias_variance) * rng.standard_normal(n)
            features = kernel.activation(z)
            noise = n * _ULP**2 * features.shape[0]  # all layers are drawn: rounding alone
            _add(counts[layer], features, first, noise)
    return [[count.result() for count in layer] for layer in counts]


class _Count:
    """Counts above one threshold, draw by draw."""

    def __init__(self, eps: float, measure: str) -> None:
        self.eps, self.measure = eps, measure
        self.ranks: list[int] = []
        self.unresolved = 0

    def result(self) -> SimulatedRank:
        """Return what was counted."""
        return SimulatedRank(self.eps, tuple(self.ranks), self.unresolved, self.measure)


def _add(counts: list[_Count], features: Array, law: NeuronLaw, noise: float) -> None:
    """Count the eigenvalues of one drawn layer above every threshold."""
    a = law.inputs.root_weights[:, None] * features
    found = np.asarray(np.linalg.svd(a, compute_uv=False), dtype=np.float64)
    spread = 10 * _ULP * float(max(a.shape)) ** 0.5 * float(found[0])
    for count in counts:
        low = int((np.maximum(found - spread, 0) ** 2 > count.eps + noise).sum())
        high = int(((found + spread) ** 2 > count.eps - noise).sum())
        count.ranks.append(int((found**2 > count.eps).sum()))
        count.unresolved += low < high
