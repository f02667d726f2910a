"""How far rounding moves the mean of a convex loss."""

from __future__ import annotations

import math

import numpy as np

from epsrank.theory.floor.convex.losses import ConvexLoss
from epsrank.theory.floor.convex.targets import ClassTargets, Targets, entries, sizes
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import gamma, upward


def evaluation_error(
    law: ConvexLoss,
    phi: Array,
    goal: Targets,
    radius: float,
    offset: Array | None,
    mass: float = 1.0,
) -> float:
    """Return a bound on the rounding of mean ℓ(φ·C, y) for ‖C‖_F ≤ B.

    Outputs are off by γ_{n+1} ‖φ_i‖ B, which ℓ takes to at most L times as much (twice the size of
    outputs and targets for the squared error), and ℓ itself by a few u of its intermediate sizes.
    `mass` is Σ w, which is 1 unless samples count for different amounts.
    """
    n, k = phi.shape[1], goal.shape[1]
    # A sum of n squares is off by γ_n, which passes 1e-12 beyond some 9000 neurons.
    rows = np.sqrt(np.einsum("ij,ij->i", phi, phi)) * (1 + max(1e-12, gamma(n + 2)))
    shift = 0.0 if offset is None else float(np.abs(offset).max())
    size = rows * radius + shift + sizes(goal) + math.log(k)
    slope = law.lipschitz(goal)
    if math.isfinite(slope):
        steepness = np.full_like(size, slope)
    else:
        factors = entries(goal)[1] if not isinstance(goal, ClassTargets) else None
        largest = 1.0 if factors is None else np.maximum(factors.max(axis=1), 1.0)
        steepness = 4 * math.sqrt(k) * size * largest
    moved = gamma(n + 2) * steepness * (rows * radius + shift)
    rounded = gamma(8 * k + 32) * (steepness + 1) * size * k
    error = (
        upward(float(np.max(moved + rounded)))  # of one sample: weights may single it out
        + gamma(len(size)) * float(np.max(steepness * size)) * 1.01
    )
    return upward(error * mass)
