"""ε-ranks of layers of n independent neurons, drawn: an estimate of the count at finite width."""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from theory.errors import InputError
from theory.inputs import Array, as_eps
from theory.kernels.kernel_spectrum import as_width
from theory.kernels.neurons import NeuronLaw

_ULP = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class SimulatedRank:
    """ε-ranks of drawn layers; an estimate, not a bound.

    Attributes
    ----------
    eps : float
        ε.
    ranks : tuple of int
        One per draw.
    unresolved : int
        Draws with an eigenvalue that rounding does not tell from ε; their count is nominal.
    """

    eps: float
    ranks: tuple[int, ...]
    unresolved: int

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
        return f"{self.mean:.1f} ± {self.deviation:.1f} in {len(self.ranks)} draws"

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain data.

        Returns
        -------
        dict
            Keys ``eps``, ``ranks``, ``mean``, ``deviation``, ``standard_error``, ``unresolved``.
        """
        return {
            "eps": self.eps,
            "ranks": list(self.ranks),
            "mean": self.mean,
            "deviation": self.deviation,
            "standard_error": self.standard_error,
            "unresolved": self.unresolved,
        }


def simulate_ranks(
    law: NeuronLaw, width: int, eps: Sequence[float], *, draws: int = 20, seed: int = 0
) -> list[SimulatedRank]:
    """Draw layers of n independent neurons φ_j of the law and count λ_k(Σ_j φ_j ⊗ φ_j) > ε.

    For a first layer this is the law of the ε-rank itself; deeper, it is the law for wide layers
    before. In contrast to #{k : nμ_k > ε} it knows that n neurons are a sample of the law.

    Parameters
    ----------
    law : NeuronLaw
        Law of a neuron.
    width : int
        n.
    eps : sequence of float
        Thresholds.
    draws : int
        Number of layers drawn; one suffices for a deterministic law.
    seed : int
        Seed of the draws.

    Returns
    -------
    list of SimulatedRank
        One per threshold, from the same draws.

    Raises
    ------
    InputError
        If the number of draws is not a whole number ≥ 1.
    """
    n, thresholds = as_width(width), [as_eps(value) for value in eps]
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < 1:
        raise InputError("draws", f"is {draws!r}", "pass a whole number ≥ 1")
    root = law.inputs.root_weights[:, None]
    counts: list[list[int]] = [[] for _ in thresholds]
    unresolved = [0] * len(thresholds)
    for index in range(1 if law.deterministic else draws):
        # One stream per draw: more draws keep the first ones.
        rng = np.random.default_rng([seed, index])
        found, spread = _singular_values(root * law.draw(n, rng))
        noise = n * law.resolution
        for place, threshold in enumerate(thresholds):
            low = int((np.maximum(found - spread, 0) ** 2 > threshold + noise).sum())
            high = int(((found + spread) ** 2 > threshold - noise).sum())
            counts[place].append(int((found**2 > threshold).sum()))
            unresolved[place] += low < high
    return [
        SimulatedRank(threshold, tuple(ranks), open_)
        for threshold, ranks, open_ in zip(thresholds, counts, unresolved, strict=True)
    ]


def _singular_values(a: Array) -> tuple[Array, float]:
    """Return singular values and a generous bound on their rounding."""
    values = np.asarray(np.linalg.svd(a, compute_uv=False), dtype=np.float64)
    return values, 10 * _ULP * float(max(a.shape)) ** 0.5 * float(values[0])
