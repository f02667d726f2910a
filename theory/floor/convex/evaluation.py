"""How far rounding moves the mean of a convex loss."""

from __future__ import annotations

import math

import numpy as np

from epsrank.theory.floor.convex.losses import ConvexLoss
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import gamma, upward


def evaluation_error(
    law: ConvexLoss, phi: Array, goal: Array, radius: float, offset: Array | None
) -> float:
    """Return a bound on the rounding of mean ℓ(φ·C, y) for ‖C‖_F ≤ B.

    Outputs are off by γ_{n+1} ‖φ_i‖ B, which ℓ takes to at most L times as much (twice the size of
    outputs and targets for the squared error), and ℓ itself by a few u of its intermediate sizes.
    """
    n, k = phi.shape[1], goal.shape[1]
    # A sum of n squares is off by γ_n, which passes 1e-12 beyond some 9000 neurons.
    rows = np.sqrt(np.einsum("ij,ij->i", phi, phi)) * (1 + max(1e-12, gamma(n + 2)))
    shift = 0.0 if offset is None else float(np.abs(offset).max())
    size = rows * radius + shift + np.abs(goal).max(axis=1) + math.log(k)
    slope = law.lipschitz(goal)
    steepness = np.full_like(size, slope) if math.isfinite(slope) else 4 * math.sqrt(k) * size
    moved = gamma(n + 2) * steepness * (rows * radius + shift)
    rounded = gamma(8 * k + 32) * (steepness + 1) * size * k
    return (
        upward(float(np.max(moved + rounded)))  # of one sample: weights may single it out
        + gamma(len(size)) * float(np.max(steepness * size)) * 1.01
    )
