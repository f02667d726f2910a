"""Bounds of analytic functions on Bernstein ellipses, by covering them with complex balls.

If f is analytic inside the ellipse E_ρ with foci ±1 and |f| ≤ M there, its Chebyshev coefficients
satisfy |a_k| ≤ 2Mρ^{-k} [Trefethen, ATAP, Thm 8.1]. The m-point Gauss–Legendre rule is exact up to
degree 2m − 1, gives odd T_k the integral 0 and has positive weights of sum 2, so for m ≥ 2

    |∫f − Q_m f| ≤ Σ_{k ≥ 2m even} 2Mρ^{-k}(2 + 2/(k²−1)) ≤ (64/15) M ρ^{-2m}/(1 − ρ^{-2}).

A product f_i f_j is bounded by M_i M_j. Here ρ = 2. A function that is finite on every ball of a
cover has no pole in the ellipse, since no finite ball encloses an unbounded range.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from flint import acb, arb

from epsrank.theory.continuous.system import AnalyticSystem
from epsrank.theory.numbers.dyadic import to_fmpq
from epsrank.theory.rank.routes.ball import ball_precision

#: ρ of every ellipse, a power of two so that its powers are exact.
RHO = 2

# Half axes (ρ ± 1/ρ)/2, exact in float64.
_LONG, _SHORT = 1.25, 0.75

# Only upper bounds come of these balls, so few digits will do.
_BITS = 64

# Neighbouring balls overlap by this share, far above the rounding of their corners.
_OVERLAP = 1 + 2.0**-20


def cover(columns: int) -> list[tuple[float, float, float, float]]:
    """Return rectangles that cover the upper half of E_ρ."""
    half = _LONG / columns
    found = []
    for k in range(columns):
        centre = -_LONG + (2 * k + 1) * half
        nearest = max(0.0, abs(centre) - half)
        # The half height where a column is tallest, that is at its edge nearer to 0.
        height = _SHORT * max(0.0, 1 - (nearest / _LONG) ** 2) ** 0.5 * _OVERLAP + 2.0**-40
        # Nearly square: a ball's range grows with its longer side.
        rows = max(1, round(height / (2 * half)))
        side = height / (2 * rows)
        found += [
            (centre, half * _OVERLAP, (2 * j + 1) * side, side * _OVERLAP) for j in range(rows)
        ]
    return found


def bounds_on_ellipse(
    system: AnalyticSystem, left: Fraction, right: Fraction, columns: int
) -> list[Any] | None:
    """Bound |f_i| on the ellipse E_ρ over the piece [left, right].

    The functions are real on the real axis, so |f(z̄)| = |f(z)| and half of the ellipse suffices.

    None where a ball of the cover may hold a pole.
    """
    with ball_precision(_BITS):
        centre, half = arb(to_fmpq((left + right) / 2)), arb(to_fmpq((right - left) / 2))
        boxes = [
            acb(centre + half * arb(x, dx), half * arb(y, dy)) for x, dx, y, dy in cover(columns)
        ]
        ranges = system.on_balls(boxes, float((left + right) / 2))
        if ranges is None:
            return None
        return [_largest([z.abs_upper() for z in row]) for row in ranges]


def _largest(numbers: list[Any]) -> Any:
    """Return the largest of some numbers of radius 0, which balls compare exactly."""
    best = numbers[0]
    for number in numbers[1:]:
        if number > best:
            best = number
    return best


def remainder(half: Any, nodes: int) -> Any:
    """Return c with |∫ f_i f_j − Q_m| ≤ c M_i M_j on a piece of half width h: an upper bound."""
    decay = arb(RHO) ** (-2 * nodes)
    bound = half * arb(64) / 15 * decay / (1 - arb(1) / RHO**2)
    return bound.upper()
