"""Dual points for a free bias: Σ_i w_i D_i g_iᵀ = 0, so that no bias b changes the bound (L3, F6).

For u = φC + D b + o with b unpenalised, Fenchel–Young gives

    Σ w_i ℓ(u_i, y_i) ≥ Σ w_i {g_i·o_i − ℓ*(g_i, y_i)} − ‖C‖_F ‖Σ w_i φ_i g_iᵀ‖_F

for slopes with Σ w_i D_i g_iᵀ = 0 alone. Slopes at a good b nearly have it. Here they are mixed
with others, which stay in the domain of ℓ* since it is convex, until they have it exactly; the
mixture that is exact differs from the one computed by a rounding that is bounded.
"""

from __future__ import annotations

import numpy as np

from epsrank.theory.floor.convex.losses import ConvexLoss, DualPoint
from epsrank.theory.floor.convex.targets import Targets, sizes
from epsrank.theory.numbers.arrays import Matrix, Vector
from epsrank.theory.numbers.rounding import gamma, upward

# Most numbers m·k of a bias for which points are mixed.
_MOST_BIASES = 64
# Weight that every shifted point has from the start: more than rounding takes away again.
_RESERVE = 1e-11


def balanced(
    law: ConvexLoss, outputs: Matrix, target: Targets, weights: Vector, free: Matrix | None
) -> DualPoint | None:
    """Return a dual point at the outputs with Σ w D gᵀ = 0; None where none was found.

    `free` is D; None stands for the constant 1, for which every loss knows a mixture of its own.
    """
    if free is None:
        return law.balanced(outputs, target, weights)
    return _mixed_points(law, outputs, target, weights, free)


def _mixed_points(
    law: ConvexLoss, outputs: Matrix, target: Targets, weights: Vector, columns: Matrix
) -> DualPoint | None:
    """Mix the slopes with those at outputs shifted along D, both ways, for each number of the bias.

    Σ w ℓ is convex in the bias: its derivative r grows along a shift. With r_j at the shifted
    points, weights a ≥ 0 solve (1 − Σa)r_0 + Σ a_j r_j = 0.
    """
    m, k = columns.shape[1], outputs.shape[1]
    if law.slopes_sum_to_zero:
        k -= 1
    if m * k > _MOST_BIASES:
        return None
    weighted = weights[:, None] * columns

    def sums(dual: DualPoint) -> Vector:
        """Return r = Σ w D gᵀ, flat."""
        return np.asarray((weighted.T @ dual.slopes[:, :k]).ravel())

    base = law.dual(outputs, target)
    rest = sums(base)
    # Beyond every residual, so that slopes that jump change their sign too.
    size = 1.0 + float(np.max(np.abs(outputs), initial=0.0))
    size += float(np.max(sizes(target), initial=0.0))
    points, moves = [], []
    for index in range(m * k):
        column, output = divmod(index, k)
        scale = float(np.max(np.abs(columns[:, column]), initial=0.0))
        if scale == 0:
            return None
        for sign in (-1.0, 1.0):
            moved = outputs.copy()
            moved[:, output] += sign * size / scale * columns[:, column]
            dual = law.dual(moved, target)
            points.append(dual)
            moves.append(sums(dual) - rest)
    shares = np.full(len(points), _RESERVE)
    # What the reserves move is undone as well.
    wanted = -(rest + np.asarray(moves).T @ shares)
    down, up = np.asarray(moves[0::2]).T, np.asarray(moves[1::2]).T
    chosen = np.where((wanted >= 0)[None, :], up, down)
    try:
        extra = np.linalg.solve(chosen, wanted)
        inverse = float(np.linalg.norm(np.linalg.inv(up), np.inf))
    except np.linalg.LinAlgError:
        return None
    if not (np.isfinite(extra).all() and np.isfinite(inverse)) or float(extra.min()) < 0:
        return None
    shares[0::2] += np.where(wanted < 0, extra, 0.0)
    shares[1::2] += np.where(wanted >= 0, extra, 0.0)
    left = 1.0 - float(shares.sum())
    if left < 0:
        return None
    duals = [base, *points]
    parts = np.concatenate(([left], shares))
    slopes = sum((a * d.slopes for a, d in zip(parts, duals, strict=True)), np.zeros_like(outputs))
    values = sum((a * d.values for a, d in zip(parts, duals, strict=True)), np.zeros(len(outputs)))
    errors = sum((a * d.errors for a, d in zip(parts, duals, strict=True)), np.zeros(len(outputs)))
    largest = max(float(np.max(np.abs(d.slopes), initial=0.0)) for d in duals)
    highest = max(float(np.max(np.abs(d.values), initial=0.0)) for d in duals)
    slope_error = max(d.slope_error for d in duals)
    weight = float(np.abs(weighted).sum(axis=0).max())
    slack = weight * (gamma(len(outputs) + 8) * largest * 2 + slope_error)
    # How far the exact mixture is from this one: at most what the reserve can pay.
    moved_by = inverse * (float(np.max(np.abs(weighted.T @ slopes))) + slack) * 1.01
    if not moved_by * len(points) < _RESERVE:
        return None
    root = float(np.sqrt(outputs.shape[1]))
    rounding = gamma(len(duals) + 4)
    return DualPoint(
        np.asarray(slopes),
        np.asarray(values),
        np.asarray(errors) + 2 * len(points) * moved_by * highest + 2 * rounding * highest,
        upward(slope_error + root * largest * (2 * len(points) * moved_by + 2 * rounding)),
    )
