"""What a grid says in place of the integrals: ε-ranks at equispaced points, of the same mass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.rank.interval import RankInterval

#: Points of the grid.
GRID = 500


def grid_ranks(
    network: DenseNetwork, eps: Sequence[float], domain: tuple[float, float], measure: str
) -> list[RankInterval]:
    """Count λ_k > ε of (|Ω|/N) Σ_i φ(x_i)φ(x_i)ᵀ (`volume`), or of the mean over the points.

    The ends of Ω are points of the grid.
    """
    low, high = domain
    mass = high - low if measure == "volume" else 1.0
    features = network.features(np.linspace(low, high, GRID))
    return epsilon_ranks(features, eps, weights=np.full(GRID, mass / GRID), measure="raw")
