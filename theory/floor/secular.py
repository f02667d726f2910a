"""The secular equation ‖Z(μ)‖ = B of a least-squares problem over a ball, in the SVD.

min_{‖Z‖_F ≤ B} Σ_k ‖c_k − σ_k Z_k‖² has Z_k(μ) = σ_k c_k / (σ_k² + μ), and μ ≥ 0 solves ‖Z(μ)‖ = B
where the constraint binds. 1/‖Z(μ)‖ is concave and increasing in μ, so Newton's method for
1/‖Z(μ)‖ = 1/B (Hebden 1973; Reinsch, Numer. Math. 16 (1971) 451–454) climbs monotonically from any
point left of the root. The unknown here is m = √μ, and every formula uses ratios m/σ only, so that
no square over- or underflows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from epsrank.theory.floor.weighting import frobenius
from epsrank.theory.inputs import Array

_MAX_ITERATIONS = 300
_RELATIVE = 4 * float(np.finfo(np.float64).eps)
_HUGE = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class SecularPoint:
    """The minimiser over the ball, in spectral coordinates.

    Attributes
    ----------
    root : float
        m = √μ ≥ 0; ∞ for B = 0.
    gains : ndarray of float64, shape (r,)
        z_k/a_k: Z_k = gains_k c_k, with ‖Z‖_F ≤ B.
    residual : ndarray of float64, shape (r,)
        ‖c_k − σ_k Z_k‖, computed without cancellation.
    norm : float
        ‖Z‖_F.
    dual_excess : float
        μ(‖Z(μ)‖² − B²) with Z(μ) before it is scaled into the ball: the dual value is the value at
        Z(μ) plus this.
    dual_residual : ndarray of float64, shape (r,)
        ‖c_k − σ_k Z_k(μ)‖.
    iterations : int
        Newton and bisection steps taken.
    """

    root: float
    gains: Array = field(repr=False)
    residual: Array = field(repr=False)
    norm: float
    dual_excess: float
    dual_residual: Array = field(repr=False)
    iterations: int


def solve_secular(sigma: Array, amplitudes: Array, bound: float) -> SecularPoint:
    """Minimise Σ (a_k − σ_k z_k)² over ‖z‖ ≤ B, for a_k ≥ 0 and σ_k > 0.

    Parameters
    ----------
    sigma : ndarray of float64, shape (r,)
        Positive singular values, any order; r may be 0.
    amplitudes : ndarray of float64, shape (r,)
        a_k = ‖c_k‖ ≥ 0.
    bound : float
        B ≥ 0, possibly infinite.

    Returns
    -------
    SecularPoint
        The minimiser, feasible to the last rounding, with its multiplier.
    """
    if bound == 0:
        zeros = np.zeros_like(sigma)
        return SecularPoint(math.inf, zeros, amplitudes, 0.0, 0.0, amplitudes, 0)
    shrink, gains = _filter(sigma, 0.0)
    free = frobenius(_steps(gains, amplitudes))
    if free <= bound:
        zeros = np.zeros_like(sigma)
        return SecularPoint(0.0, gains, zeros, free, 0.0, zeros, 0)
    root, iterations = _find_root(sigma, amplitudes, bound, free)
    shrink, gains = _filter(sigma, root)
    norm = frobenius(_steps(gains, amplitudes))
    # Newton leaves ‖Z(μ)‖ within a few roundings of B; from outside, it is drawn onto the ball.
    inside = min(1.0, bound / norm)
    dual_residual = amplitudes * shrink
    residual = dual_residual + sigma * (gains * amplitudes) * (1.0 - inside)
    excess = (root * (norm + bound)) * (root * (norm - bound))
    return SecularPoint(
        root, gains * inside, residual, norm * inside, excess, dual_residual, iterations
    )


def _filter(sigma: Array, root: float) -> tuple[Array, Array]:
    """Return (μ/(σ² + μ), σ/(σ² + μ)) for μ = root²."""
    with np.errstate(over="ignore", under="ignore"):
        if root == 0:
            return np.zeros_like(sigma), np.minimum(1.0 / sigma, _HUGE)
        small, ratio = sigma >= root, np.minimum(sigma, root) / np.maximum(sigma, root)
        square = ratio * ratio
        shrink = np.where(small, square, 1.0) / (1.0 + square)
        gains = np.where(small, 1.0 / sigma, ratio / root) / (1.0 + square)
        return shrink, np.minimum(gains, _HUGE)


def _steps(gains: Array, amplitudes: Array) -> Array:
    """Return z_k = gains_k a_k, cut at the end of float64."""
    with np.errstate(over="ignore", under="ignore"):
        return np.minimum(gains * amplitudes, _HUGE)


def _find_root(sigma: Array, amplitudes: Array, bound: float, free: float) -> tuple[float, int]:
    """Return m > 0 with ‖Z(m²)‖ = B to a few roundings, and the number of steps.

    The bracket: ‖Z(μ)‖ ≥ each of its r terms, and ≤ √r times the largest.
    """
    low = _bracket(sigma, amplitudes, bound)
    high = _bracket(sigma, amplitudes * math.sqrt(sigma.size), bound)
    # Newton's first step from μ = 0, bounded from below by the smallest σ.
    low = max(low, float(sigma.min()) * math.sqrt(max(free - bound, 0.0)) / math.sqrt(bound))
    low = min(low, high)
    root, step = low, 0
    for step in range(1, _MAX_ITERATIONS + 1):
        shrink, gains = _filter(sigma, root)
        steps = _steps(gains, amplitudes)
        norm = frobenius(steps)
        if abs(norm - bound) <= _RELATIVE * bound:
            break
        if norm > bound:
            low = max(low, root)
        else:
            high = min(high, root)
        if high <= low * (1 + _RELATIVE):
            break
        weights = (steps / norm) ** 2
        slope = float(weights @ shrink)
        growth = 1.0 + (norm / bound - 1.0) / slope if slope > 0 else 0.0
        proposal = root * math.sqrt(growth) if 0 < growth < math.inf else 0.0
        # Newton converges quadratically; a bracket that is still wide after it is halved in log m.
        stalled = step > 12 and step % 2 == 0
        if stalled or not low < proposal < high:
            proposal = math.sqrt(low) * math.sqrt(high)
        root = proposal
    return root, step


def _bracket(sigma: Array, amplitudes: Array, bound: float) -> float:
    """Return max_k √(σ_k a_k/B − σ_k²)_+, evaluated without overflow."""
    with np.errstate(over="ignore", under="ignore"):
        room = np.maximum(amplitudes - sigma * bound, 0.0)
        values = np.sqrt(sigma) * np.sqrt(room) / math.sqrt(bound)
    return float(np.max(values, initial=0.0))
