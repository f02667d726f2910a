"""Minimising a convex function over a Frobenius ball by spectral projected gradients.

Steps of Barzilai and Borwein's length, projected, with the non-monotone search of Grippo,
Lampariello and Lucidi [Birgin, Martínez, Raydan, SIAM J. Optim. 10 (2000) 1196–1211]. The solver is
trusted with nothing: what it returns is a point, and the point is certified elsewhere.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from epsrank.theory.numbers.arrays import Array

Objective = Callable[[Array], tuple[float, Array]]

# Values that a step may rise above, Armijo's constant, and the range of step lengths.
_VALUES_REMEMBERED = 10
_ARMIJO = 1e-4
_SHORTEST_STEP, _LONGEST_STEP = 1e-12, 1e12

# Just inside the ball, so that rounding does not put a point outside it.
_INSIDE = 1 - 2.0**-45


@dataclass(frozen=True, eq=False)
class Minimum:
    """What a solver found."""

    #: Point of the ball with the least value.
    point: Array
    #: f there, as computed.
    value: float
    #: Point whose linear bound was highest.
    dual_point: Array
    #: That bound as computed, not certified.
    bound: float
    #: Steps taken.
    iterations: int
    #: Whether value − bound fell below the tolerance.
    converged: bool


def minimise_on_ball(
    objective: Objective,
    start: Array,
    radius: float,
    *,
    free: int = 0,
    tolerance: float = 1e-3,
    iterations: int = 500,
) -> Minimum:
    """Minimise f over ‖C‖_F ≤ B until f(C) − max (f − ⟨∇f, C⟩ − B‖∇f‖) ≤ tolerance · f(C).

    The last `free` rows of C are a bias, in no ball.
    """
    ball = _Ball(radius, len(start) - free)
    point = ball.projected(start)
    value, gradient = objective(point)
    best, best_value = point, value
    dual_point, bound = point, ball.linear_bound(point, value, gradient)
    recent = deque([value], maxlen=_VALUES_REMEMBERED)
    reach = max(radius, 1.0) if free else radius
    length = reach / max(_norm(gradient), 1e-300) if reach else 0.0
    step = 0
    while step < iterations and best_value - bound > tolerance * abs(best_value):
        step += 1
        direction = ball.projected(point - _clipped(length) * gradient) - point
        slope = _inner(gradient, direction)
        # Stationary, to rounding.
        if not slope < 0:
            break
        found = _search(objective, point, direction, slope, max(recent))
        if found is None:
            break
        new, new_value, new_gradient = found
        moved, turned = new - point, new_gradient - gradient
        curvature = _inner(moved, turned)
        # Where f was linear along the last step, the next one goes as far as the ball.
        length = _inner(moved, moved) / curvature if curvature > 0 else _LONGEST_STEP
        point, value, gradient = new, new_value, new_gradient
        recent.append(value)
        if value < best_value:
            best, best_value = point, value
        own = ball.linear_bound(point, value, gradient)
        if own > bound:
            dual_point, bound = point, own
    converged = best_value - bound <= tolerance * abs(best_value)
    return Minimum(best, best_value, dual_point, bound, step, converged)


def _search(
    objective: Objective, point: Array, direction: Array, slope: float, ceiling: float
) -> tuple[Array, float, Array] | None:
    """Return the first of the points at 1, ½, ¼ … of the direction that decreases enough."""
    share = 1.0
    while share > 1e-10:
        new = point + share * direction
        value, gradient = objective(new)
        if math.isfinite(value) and value <= ceiling + _ARMIJO * share * slope:
            return new, value, gradient
        share /= 2
    return None


@dataclass(frozen=True)
class _Ball:
    """‖C‖_F ≤ B for the first rows; the others are free."""

    radius: float
    rows: int

    def projected(self, point: Array) -> Array:
        """Return the nearest point of the ball."""
        size = _norm(point[: self.rows])
        if size <= self.radius * _INSIDE:
            return point
        inside = point.copy()
        inside[: self.rows] *= self.radius * _INSIDE / size
        return inside

    def linear_bound(self, point: Array, value: float, gradient: Array) -> float:
        """Return min over the ball of the linearisation at a point.

        Along a free row it has none unless the gradient vanishes there. Slopes are balanced before
        they certify anything, at a cost that grows with that gradient and the biases it spans; here
        this is only an estimate, by which points are compared.
        """
        own = slice(self.rows)
        bounded = value - _inner(gradient[own], point[own]) - self.radius * _norm(gradient[own])
        rest = gradient[self.rows :]
        return bounded - _norm(rest) * (1 + _norm(point[self.rows :])) if len(rest) else bounded


def _norm(values: Array) -> float:
    return float(np.linalg.norm(values))


def _inner(left: Array, right: Array) -> float:
    return float(np.vdot(left, right))


def _clipped(length: float) -> float:
    return min(max(length, _SHORTEST_STEP), _LONGEST_STEP)
