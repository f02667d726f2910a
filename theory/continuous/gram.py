"""The Gram matrix ∫_Ω f fᵀ dx as a ball matrix: Gauss–Legendre by pieces, remainder included."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from typing import Any

from flint import arb, arb_mat

from epsrank.theory.continuous.ellipse import remainder
from epsrank.theory.continuous.pieces import Piece, analytic_pieces
from epsrank.theory.continuous.system import AnalyticSystem
from epsrank.theory.numbers.dyadic import to_fmpq
from epsrank.theory.rank.routes.ball import ball_precision

# Bits beyond the accuracy wanted that nodes and values carry.
_GUARD_BITS = 48


@dataclass(frozen=True, eq=False)
class ContinuousGram:
    """∫_Ω f fᵀ dx for f = (φ, 1?, u*?), enclosed entry by entry."""

    #: The integrals, Lebesgue measure (`volume`).
    joint: Any
    #: Number of functions before the target.
    n_features: int
    #: Pieces of Ω.
    pieces: int
    #: Nodes in all.
    nodes: int
    #: Largest quadrature remainder of an entry, already part of the balls.
    remainder: float
    #: Accuracy asked for: every remainder is at most 2^-bits.
    bits: int


@lru_cache(maxsize=64)
def legendre_rule(nodes: int, precision: int) -> tuple[tuple[Any, Any], ...]:
    """Return nodes and weights of the Gauss–Legendre rule on [−1, 1] as balls."""
    with ball_precision(precision):
        return tuple(arb.legendre_p_root(nodes, k, weight=True) for k in range(nodes))


def continuous_gram(
    system: AnalyticSystem, low: float, high: float, bits: int, pieces: tuple[Piece, ...] = ()
) -> ContinuousGram:
    """Enclose the Gram matrix over Ω = [low, high]."""
    parts = pieces or analytic_pieces(system, low, high)
    size = system.size
    total, nodes, worst = arb_mat(size, size), 0, 0.0
    precision = bits + _GUARD_BITS
    for part in parts:
        with ball_precision(precision):
            count = _nodes_for(part, bits)
            block, slack = _integral(system, part, count, precision)
            total += block
        nodes += count
        worst += slack
    return ContinuousGram(total, system.n_features, len(parts), nodes, worst, bits)


def _nodes_for(piece: Piece, bits: int) -> int:
    """Return m that brings the remainder of the largest entry below 2^-bits, over 2 for the sum."""
    # (64/15)/(1 − ¼)/2 < 3 times M² and the length (`remainder`), and ρ^(−2m) = 4^(−m). Multiples
    # of 8, so that pieces share the rules that were computed.
    scale = 6 * piece.largest**2 * float(piece.right - piece.left)
    return 8 * max(1, math.ceil((bits + max(0.0, math.log2(scale)) + 2) / 16))


def _integral(
    system: AnalyticSystem, piece: Piece, count: int, precision: int
) -> tuple[Any, float]:
    """Return the ball matrix of one piece, and its largest remainder."""
    centre = arb(to_fmpq((piece.left + piece.right) / 2))
    half = arb(to_fmpq((piece.right - piece.left) / 2))
    rule = legendre_rule(count, precision)
    values = system.on_reals(
        [centre + half * node for node, _ in rule], float((piece.left + piece.right) / 2)
    )
    weighted = arb_mat(
        [[x * w for x, (_, w) in zip(row, rule, strict=True)] for row in values.tolist()]
    )
    block = (weighted * values.transpose() * half).tolist()
    share = remainder(half, count)
    worst = share * max(piece.bounds, key=float) * max(piece.bounds, key=float)
    for i, row in enumerate(block):
        for j in range(len(row)):
            slack = (share * piece.bounds[i] * piece.bounds[j]).upper()
            row[j] += arb(0, slack)
    return arb_mat(block), float(worst.upper())


def scaled(gram: ContinuousGram, factor: Fraction) -> Any:
    """Return the joint matrix times a rational factor (1/|Ω| for the mean measure)."""
    if factor == 1:
        return gram.joint
    with ball_precision(gram.bits + _GUARD_BITS):
        return gram.joint * arb(to_fmpq(factor))
