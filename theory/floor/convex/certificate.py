"""A certified lower bound of min_{‖C‖_F ≤ B} mean ℓ(φ·C, y) from any dual point (L2).

For slopes g_i in the domain of the conjugate, Fenchel–Young and Cauchy–Schwarz give, for every C
with ‖C‖_F ≤ B,

    Σ w_i ℓ(φ_i·C + o_i, y_i) ≥ Σ w_i {−ℓ*(g_i, y_i) + g_i·o_i} − B ‖Σ w_i φ_i g_iᵀ‖_F.

At the slopes of a point C₀ the right-hand side is f(C₀) − ⟨∇f(C₀), C₀⟩ − B‖∇f(C₀)‖_F, the
Frank–Wolfe bound. Slopes of any other origin are as good: nothing is assumed of the solver. A bias
without a bound needs Σ w_i g_i = 0, and then no bias moves the right-hand side.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb, arb_mat, ctx

from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_matrix import from_array
from epsrank.theory.floor.convex.losses import ConvexLoss, DualPoint
from epsrank.theory.floor.convex.targets import Targets, listed
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.rounding import (
    UNIT_ROUNDOFF,
    chunked_product,
    frobenius,
    gamma,
    upward,
)

_U = UNIT_ROUNDOFF["float64"]


def certified_bound(
    features: Matrix, dual: DualPoint, weights: Vector, norm: float, offset: Array | None = None
) -> float:
    """Evaluate the bound in float64, rounded so that it is never too high."""
    value, gradient = dual_line(features, dual, weights, offset)
    rounding = 4 * _U * (abs(value) + upward(norm * gradient))
    bound = value - upward(rounding) - upward(norm * gradient)
    return bound if math.isfinite(bound) else -math.inf


def dual_line(
    features: Matrix, dual: DualPoint, weights: Vector, offset: Array | None = None
) -> tuple[float, float]:
    """Return (α, γ) with V(B) ≥ α − γB for every B, each rounded to the safe side.

    `offset` is b or o, of shape (k,) or (N, k).
    """
    weighted = dual.slopes * weights[:, None]
    with np.errstate(over="ignore", invalid="ignore"):
        product, g = chunked_product(features.T, weighted)
    rows = float(np.sqrt(np.einsum("ij,ij->i", features, features).max())) * (1 + 1e-12)
    # What inexact slopes move: at most Σ w max‖φ‖ each.
    slack = 1.01 * dual.slope_error * math.fsum(weights)
    # Weights and products round by 6 u.
    gradient = upward(
        frobenius(product) + (g + 8 * _U) * frobenius(features) * frobenius(weighted) + rows * slack
    )
    value, error = _sum(weights * dual.values)
    error += 1.01 * math.fsum(weights * dual.errors)
    if offset is not None:
        known = np.broadcast_to(offset, weighted.shape)
        moved, rounding = _sum(np.einsum("ij,ij->i", weighted, known))
        size = float(np.sqrt(np.square(offset).sum(axis=-1).max())) * (1 + 1e-12)
        # The k products of a sample are summed before.
        rounding += gamma(weighted.shape[1] + 8) * size * _row_norms(weighted)
        value, error = value + moved, error + rounding + size * slack
    error += 4 * _U * abs(value)
    return value - upward(error), gradient


def _row_norms(matrix: Matrix) -> float:
    """Return Σ_i ‖row_i‖₂, nearly."""
    return 1.01 * math.fsum(np.sqrt(np.einsum("ij,ij->i", matrix, matrix)))


def _sum(terms: Array) -> tuple[float, float]:
    """Return Σ terms and what the roundings of the terms (at most 8 u each) make of it."""
    return math.fsum(terms), 9 * _U * math.fsum(np.abs(terms))


def audited_bound(
    loss: ConvexLoss,
    features: Matrix,
    outputs: Matrix,
    target: Targets,
    weights: Vector,
    norm: float,
    offset: Array | None = None,
    *,
    bits: int = 128,
) -> tuple[float, float]:
    """Enclose the bound at given outputs in ball arithmetic, for small data.

    The inputs are taken as exact numbers, Σ w c as it is for the counts c of the samples;
    libraries' exponentials are not trusted. The lower end is a bound by itself.
    """
    if bits < 2:
        raise InputError("bits", f"is {bits}", "pass a precision of at least 53")
    with ctx.workprec(bits):
        value, slopes = arb(0), []
        known = None if offset is None else np.broadcast_to(offset, outputs.shape)
        total = _total(loss, target, weights)
        for i, (y, f) in enumerate(listed(target)):
            factors = None if f is None else [arb(x) for x in f]
            z = [arb(x) for x in outputs[i].tolist()]
            own, slope = loss.ball(z, [arb(x) for x in y], factors)
            share = arb(float(weights[i])) / total
            value += share * own
            if known is not None:
                pairs = zip(slope, known[i].tolist(), strict=True)
                value += share * sum((g * arb(b) for g, b in pairs), arb(0))
            slopes.append([share * g for g in slope])
        gradient = from_array(features).transpose() * arb_mat(slopes)
        square = sum((entry * entry for entry in gradient.entries()), arb(0))
        bound = value - arb(norm) * square.sqrt() if norm else value
        if not bound.is_finite():
            return -math.inf, math.inf
        low, high = float(bound.lower()), float(bound.upper())
    return float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))


def _total(loss: ConvexLoss, target: Targets, weights: Vector) -> arb:
    """Return Σ_i w_i c_i, over which the mean is taken."""
    counts = loss.counts(target)
    pairs = zip(weights.tolist(), np.ones(len(weights)) if counts is None else counts, strict=True)
    return sum((arb(w) * arb(float(c)) for w, c in pairs), arb(0))
