"""A certified lower bound of min_{‖C‖_F ≤ B} mean ℓ(φ·C, y) from any dual point (L2).

For slopes g_i in the domain of the conjugate, Fenchel–Young and Cauchy–Schwarz give, for every C
with ‖C‖_F ≤ B,

    Σ w_i ℓ(φ_i·C + b, y_i) ≥ Σ w_i {−ℓ*(g_i, y_i) + g_i·b} − B ‖Σ w_i φ_i g_iᵀ‖_F.

At the slopes of a point C₀ the right-hand side is f(C₀) − ⟨∇f(C₀), C₀⟩ − B‖∇f(C₀)‖_F, the
Frank–Wolfe bound. Slopes of any other origin are as good: nothing is assumed of the solver.
"""

from __future__ import annotations

import math

import numpy as np
from flint import arb, arb_mat, ctx

from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_matrix import from_array
from epsrank.theory.floor.convex.losses import ConvexLoss, DualPoint
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, chunked_product, frobenius, upward

_U = UNIT_ROUNDOFF["float64"]


def certified_bound(
    features: Matrix, dual: DualPoint, weights: Vector, norm: float, offset: Vector | None = None
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
    # Weights and products round by 6 u; inexact slopes move the sum by at most max‖φ‖ each.
    gradient = upward(
        frobenius(product)
        + (g + 8 * _U) * frobenius(features) * frobenius(weighted)
        + 1.01 * rows * dual.slope_error
    )
    value, error = _sum(weights * dual.values)
    error += 1.01 * math.fsum(weights * dual.errors)
    if offset is not None:
        moved, rounding = _sum((weighted * offset).ravel())
        size = float(np.sqrt(np.square(offset).sum(axis=-1).max())) * (1 + 1e-12)
        value, error = value + moved, error + rounding + 1.01 * size * dual.slope_error
    error += 4 * _U * abs(value)
    return value - upward(error), gradient


def _sum(terms: Array) -> tuple[float, float]:
    """Return Σ terms and what the roundings of the terms (at most 8 u each) make of it."""
    return math.fsum(terms), 9 * _U * math.fsum(np.abs(terms))


def audited_bound(
    loss: ConvexLoss,
    features: Matrix,
    outputs: Matrix,
    target: Matrix,
    weights: Vector,
    norm: float,
    offset: Vector | None = None,
    *,
    bits: int = 128,
) -> tuple[float, float]:
    """Enclose the bound at given outputs in ball arithmetic, for small data.

    The inputs are taken as exact numbers, Σ w as it is; libraries' exponentials are not trusted.

    The lower end is a bound by itself.
    """
    if bits < 2:
        raise InputError("bits", f"is {bits}", "pass a precision of at least 53")
    with ctx.workprec(bits):
        total = sum((arb(w) for w in weights.tolist()), arb(0))
        value, slopes = arb(0), []
        shift = None if offset is None else [arb(b) for b in offset.tolist()]
        for z, y, w in zip(outputs.tolist(), target.tolist(), weights.tolist(), strict=True):
            own, slope = loss.ball([arb(x) for x in z], [arb(x) for x in y])
            share = arb(w) / total
            value += share * own
            if shift is not None:
                value += share * sum((g * b for g, b in zip(slope, shift, strict=True)), arb(0))
            slopes.append([share * g for g in slope])
        gradient = from_array(features).transpose() * arb_mat(slopes)
        square = sum((entry * entry for entry in gradient.entries()), arb(0))
        bound = value - arb(norm) * square.sqrt() if norm else value
        if not bound.is_finite():
            return -math.inf, math.inf
        low, high = float(bound.lower()), float(bound.upper())
    return float(np.nextafter(low, -np.inf)), float(np.nextafter(high, np.inf))
