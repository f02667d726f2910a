"""Cut Ω into pieces on each of which the functions are analytic in a Bernstein ellipse."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import Any

from epsrank.theory.continuous.ellipse import bounds_on_ellipse
from epsrank.theory.continuous.system import AnalyticSystem
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

# Covers from coarse to fine; where the finest still holds a pole, the piece is halved.
_COVER_COLUMNS = (6, 16)

#: Bounds beyond 2^this are worth another cut: they cost as many bits of the remainder.
LARGEST_BOUND = 24

# More pieces than this mean a pole at or near the interval.
_MOST_PIECES = 4096


@dataclass(frozen=True, eq=False)
class Piece:
    """[left, right] with |f_i| ≤ M_i on its ellipse."""

    #: Ends.
    left: Fraction
    right: Fraction
    #: M_i, as points.
    bounds: list[Any]

    @property
    def largest(self) -> float:
        """max_i M_i, rounded upward to a power of two or 1."""
        # 1e-300 keeps the logarithm finite where all functions are 0.
        return max(1.0, 2.0 ** math.ceil(math.log2(max(float(b) for b in self.bounds) + 1e-300)))


def analytic_pieces(
    system: AnalyticSystem, low: float, high: float, *, most: int = _MOST_PIECES
) -> tuple[Piece, ...]:
    """Cut an interval into pieces that meet exactly, with bounds on their ellipses."""
    breaks = () if system.target is None else system.target.breaks
    ends = [low, *sorted(x for x in breaks if low < x < high), high]
    stack = [(Fraction(a), Fraction(b)) for a, b in pairwise(ends)][::-1]
    done: list[Piece] = []
    while stack:
        left, right = stack.pop()
        bounds = _finite_bounds(system, left, right)
        if bounds is not None:
            done.append(Piece(left, right, bounds))
            continue
        if len(done) + len(stack) + 2 > most or right - left < Fraction(high - low) / 2**24:
            raise InputError(
                "network",
                f"has a pole at or near x = {float(left):.6g}, after "
                f"{plural(most, 'piece')} or fewer",
                "narrow the domain, or pass a network with smaller weights",
            )
        middle = (left + right) / 2
        # The left half on top: pieces are done from left to right.
        stack += [(middle, right), (left, middle)]
    return tuple(done)


def _finite_bounds(system: AnalyticSystem, left: Fraction, right: Fraction) -> list[Any] | None:
    """Return bounds on the ellipse of a piece, None where it should be cut."""
    for columns in _COVER_COLUMNS:
        bounds = bounds_on_ellipse(system, left, right, columns)
        if bounds is not None and all(bound < 2**LARGEST_BOUND for bound in bounds):
            return bounds
    return None
