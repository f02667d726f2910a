"""F3: V(B) = min_{‖W‖_F ≤ B} ‖φ·W − u*‖², the loss that the features allow at norm B."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_norm
from epsrank.theory.floor.decomposed.decomposition import FloorData
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.numbers.scaled import frobenius, times_power_of_two
from epsrank.theory.shown import Shown

_MAX_ITERATIONS = 300
# A few roundings: the norm of a computed minimiser comes no closer to B.
_NORM_ACCURACY = 4 * float(np.finfo(np.float64).eps)
_HUGE = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class SecularPoint:
    """The minimiser over the ball, in spectral coordinates."""

    #: m = √μ ≥ 0; ∞ for B = 0.
    root: float
    #: z_k/a_k: Z_k = gains_k c_k, with ‖Z‖_F ≤ B.
    gains: Vector = field(repr=False)
    #: ‖c_k − σ_k Z_k‖, computed without cancellation.
    residual: Vector = field(repr=False)
    #: ‖Z‖_F.
    norm: float
    #: μ(‖Z(μ)‖² − B²) with Z(μ) before it is scaled into the ball: the dual value is the value at
    #: Z(μ) plus this.
    dual_excess: float
    #: ‖c_k − σ_k Z_k(μ)‖.
    dual_residual: Vector = field(repr=False)
    #: Newton and bisection steps taken.
    iterations: int


def solve_secular(sigma: Vector, amplitudes: Vector, bound: float) -> SecularPoint:
    """Minimise Σ (a_k − σ_k z_k)² over ‖z‖ ≤ B, for a_k ≥ 0 and σ_k > 0."""
    if bound == 0:
        zeros = np.zeros_like(sigma)
        return SecularPoint(math.inf, zeros, amplitudes, 0.0, 0.0, amplitudes, 0)
    shrink, gains = spectral_filter(sigma, 0.0)
    free = frobenius(_steps(gains, amplitudes))
    if free <= bound:
        zeros = np.zeros_like(sigma)
        return SecularPoint(0.0, gains, zeros, free, 0.0, zeros, 0)
    root, iterations = _find_root(sigma, amplitudes, bound, free)
    shrink, gains = spectral_filter(sigma, root)
    norm = frobenius(_steps(gains, amplitudes))
    # Newton leaves ‖Z(μ)‖ within a few roundings of B; from outside, it is drawn onto the ball.
    inside = min(1.0, bound / norm)
    dual_residual = amplitudes * shrink
    residual = dual_residual + sigma * (gains * amplitudes) * (1.0 - inside)
    # μ(‖Z‖² − B²) in two factors, since a difference of squares would cancel.
    excess = (root * (norm + bound)) * (root * (norm - bound))
    return SecularPoint(
        root, gains * inside, residual, norm * inside, excess, dual_residual, iterations
    )


def spectral_filter(sigma: Array, root: float) -> tuple[Array, Array]:
    """Return (μ/(σ² + μ), σ/(σ² + μ)) for μ = root²."""
    with np.errstate(over="ignore", under="ignore"):
        if root == 0:
            return np.zeros_like(sigma), np.minimum(1.0 / sigma, _HUGE)
        # By the ratio of the smaller to the larger, since σ² + μ may leave float64.
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
        shrink, gains = spectral_filter(sigma, root)
        steps = _steps(gains, amplitudes)
        norm = frobenius(steps)
        if abs(norm - bound) <= _NORM_ACCURACY * bound:
            break
        if norm > bound:
            low = max(low, root)
        else:
            high = min(high, root)
        if high <= low * (1 + _NORM_ACCURACY):
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


@dataclass(frozen=True, eq=False)
class ReachableLoss(Shown):
    """V(B), with the multiplier and the dual value that certify it.

    Weak duality: D(μ) = min_W {‖φ·W − u*‖² + μ(‖W‖_F² − B²)} ≤ V(B) ≤ ‖φ·W − u*‖² for every μ ≥ 0
    and every ‖W‖_F ≤ B; `dual` and `value` are such a pair, and they agree to rounding.
    """

    #: √V(B).
    norm: float
    #: B.
    bound: float
    #: μ ≥ 0; 0 where the ball does not bind, ∞ for B = 0.
    multiplier: float
    #: √D(μ)_+.
    dual_norm: float
    #: ‖W(B)‖_F ≤ B.
    attained_norm: float
    #: Steps of the secular equation.
    iterations: int
    #: The measure of the loss.
    measure: str
    #: W(B) of least norm, where asked for.
    coefficients: Matrix | None = field(default=None, repr=False)

    @property
    def value(self) -> float:
        """V(B), the squared norm."""
        return self.norm * self.norm

    @property
    def dual(self) -> float:
        """D(μ) ≤ V(B), the squared norm."""
        return self.dual_norm * self.dual_norm

    @property
    def gap(self) -> float:
        """√V − √D ≥ 0: what the solver left undecided, as a norm."""
        return max(0.0, self.norm - self.dual_norm)

    def __str__(self) -> str:
        return (
            f"V(B = {self.bound:g}) = {self.value:.6g} ({self.measure} measure, multiplier "
            f"{self.multiplier:.3g}, duality gap {self.gap:.1e} on the norm)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, with null for what is not finite."""
        numbers = {
            "bound": self.bound,
            "value": self.value,
            "dual": self.dual,
            "multiplier": self.multiplier,
            "attained_norm": self.attained_norm,
        }
        finite = {key: x if math.isfinite(x) else None for key, x in numbers.items()}
        return {**finite, "measure": self.measure}


def reachable_loss(
    data: FloorData, norm: float, *, with_coefficients: bool = False
) -> ReachableLoss:
    """Return V(B) = min_{‖W‖_F ≤ B} ‖φ·W − u*‖² by one secular equation in the SVD (F3).

    V(B) ≥ max_p floor_p², and there is no converse: on graded random features V/envelope² has the
    median 1.03 for noise targets and 1.13 for planted ones, but for σ = (1, ½), c = (101, 26) and
    B = 50√5 every floor is 0 while V(B) = 2. Each floor spends the whole norm in one direction.
    """
    bound = as_norm(norm)
    point = solve_secular(data.sigma, data.amplitudes, data.scaled_norm(bound))
    primal = frobenius(np.append(point.residual, data.outside))
    dual_part = frobenius(np.append(point.dual_residual, data.outside))
    # D = dual_part² + excess; the square root is taken without squaring what is tiny.
    if dual_part > 0:
        ratio = max(0.0, 1.0 + (point.dual_excess / dual_part) / dual_part)
        dual = dual_part * math.sqrt(ratio)
    else:
        dual = math.sqrt(max(0.0, point.dual_excess))
    back = data.target_exponent - data.feature_exponent
    coefficients = None
    if with_coefficients:
        spectral = point.gains[:, None] * data.components
        with np.errstate(over="ignore", under="ignore"):
            coefficients = np.ldexp(data.right @ spectral, back)
    root = times_power_of_two(point.root, data.feature_exponent)
    return ReachableLoss(
        norm=data.unscaled(primal),
        bound=bound,
        multiplier=root * root,
        dual_norm=data.unscaled(min(dual, primal)),
        attained_norm=times_power_of_two(point.norm, back),
        iterations=point.iterations,
        measure=data.measure,
        coefficients=coefficients,
    )
