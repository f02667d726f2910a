"""Where κ comes from: certified over a domain, or truncated so that it is known by construction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.numbers.rounding import gamma, upward
from epsrank.theory.sampling.domain import largest_leverage
from epsrank.theory.sampling.thresholds import LEAST_LEVERAGE
from epsrank.theory.sampling.whitening import Whitening, chernoff_lower, whitening

# Truncation level over the largest leverage of the first half: fixed before the second is seen.
_HEADROOM = 1.5


@dataclass(frozen=True, eq=False)
class Halves:
    """A sample cut in two: T from the first half, everything else from the second."""

    #: Rows of Φ.
    first: Array
    second: Array
    #: T, from the first half.
    whitener: Whitening


def cut_in_halves(features: Matrix, ridge: float) -> Halves:
    """Take alternate rows: independent samples may be split in any way fixed beforehand."""
    first, second = features[0::2], features[1::2]
    return Halves(first, second, whitening(first, ridge))


def certified_leverage(
    halves: Halves, network: DenseNetwork, domain: Any, delta: float, rounding: float
) -> float:
    """Return κ with κ ≥ sup_x φᵀ(G + τI)⁻¹φ over a domain, with probability 1 − δ."""
    matrix = halves.whitener.matrix
    found = largest_leverage(network, domain, matrix)
    # ‖Tᵀ(φ̂ − φ)‖ ≤ ‖T‖_F ‖φ̂ − φ‖, where each of n entries is off by the rounding.
    slip = float(np.linalg.norm(matrix)) * rounding * network.n_features**0.5
    top = upward((found.upper**0.5 + slip) ** 2)
    return transfer(halves.whitener, halves.second, top, delta)


def transfer(whitener: Whitening, second: Matrix, top: float, delta: float) -> float:
    """Return κ̂/m with m ≤ λ_min(Tᵀ(G + τI)T) with probability 1 − δ.

    T is independent of the rows.
    """
    top = max(top, LEAST_LEVERAGE)
    observed = whitener.smallest_eigenvalue(second)
    least = chernoff_lower(observed, len(second) / top, delta)
    return upward(top / least) if least > 0 else float("inf")


def truncated(halves: Halves, delta: float) -> tuple[Matrix, float]:
    """Zero the rows of the second half beyond a leverage that the first half fixed.

    E φφᵀ 1(‖Tᵀφ‖² ≤ L) ≼ E φφᵀ = G, and its leverage is at most L by construction: a lower end of
    the ε-rank needs no knowledge of the population.

    The second number is κ of the truncated population, with probability 1 − δ.
    """
    whitener = halves.whitener
    level = _HEADROOM * float(whitener.leverage(halves.first).max())
    kept = np.where(whitener.leverage(halves.second)[:, None] <= level, halves.second, 0.0)
    n = kept.shape[1]
    # The leverage as computed decides; the exact one exceeds the level by rounding at most.
    largest = float(np.sqrt((kept**2).sum(axis=1).max(initial=0.0)))
    slip = upward(2 * gamma(2 * n) * largest * float(np.linalg.norm(whitener.matrix)))
    top = upward((level**0.5 * (1 + gamma(2 * n)) + slip) ** 2)
    return kept, transfer(whitener, kept, top, delta)
