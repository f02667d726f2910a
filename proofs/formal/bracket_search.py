"""The search for two brackets around an ε-rank: signed triangular factors with few digits.

For an integer matrix A near a multiple of G − εI, A − T·I ≈ 2^m Σ_k ±u_k u_kᵀ bounds the rank from
below and A + T·I from above. T leaves room for what the digits of the u_k leave out. Nothing here
is trusted: the test of ``check_near.v`` is run on what was found, in Python and in Coq.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.proofs.formal.integer_data import Rows
from epsrank.theory.errors import InputError

#: Square arrays of Python integers.
Whole = NDArray[Any]

# T begins at a quarter of ε and falls by this factor: an eigenvalue 4^-40 ε from ε is given up.
_STEP_BITS, _STEPS = 2, 40

# A factor has this many digits more than the fewest that a bound of its rounding asks for.
_SPARE = 2


@dataclass(frozen=True)
class Factor:
    """Σ_k ±u_k u_kᵀ: one sign for each k, and for each neuron its entries, which end early."""

    #: True for +.
    signs: tuple[bool, ...]
    #: U, row by row.
    rows: Rows


@dataclass(frozen=True)
class Brackets:
    """A rank with the factors that enclose it."""

    rank: int
    #: m.
    exponent: int
    below: Factor
    above: Factor


def factor(matrix: Whole, exponent: int) -> Factor | None:
    """Return u_k with matrix ≈ 2^m Σ ±u_k u_kᵀ, by elimination with the largest diagonal entry.

    What a step rounds stays where it is and is not carried on, so that errors do not add up.
    None where a pivot is less than a unit.
    """
    rest, size = matrix.copy(), len(matrix)
    left = np.arange(size)
    rows: list[list[int]] = [[] for _ in range(size)]
    signs: list[bool] = []
    while len(left):
        diagonal = [abs(rest[i, i]) for i in left]
        at = int(max(range(len(left)), key=diagonal.__getitem__))
        pivot = left[at]
        value = rest[pivot, pivot]
        head = isqrt(abs(value) >> exponent)
        if head == 0:
            return None
        positive = bool(value > 0)
        scale = (head if positive else -head) << exponent
        left = np.delete(left, at)
        # Rounded to the nearest: half up, then down to the integer below.
        column = np.array([(2 * x + scale) // (2 * scale) for x in rest[left, pivot]], dtype=object)
        unit = (1 if positive else -1) << exponent
        if len(left):
            rest[np.ix_(left, left)] -= unit * np.multiply.outer(column, column)
        rows[pivot].append(head)
        for i, x in zip(left, column, strict=True):
            rows[i].append(int(x))
        signs.append(positive)
    return Factor(tuple(signs), tuple(tuple(row) for row in rows))


def margins(matrix: Whole, exponent: int, found: Factor, positive: bool) -> Whole:
    """Return ±E_ii − Σ_{j≠i} |E_ij| for E = A − 2^m Σ ±u_k u_kᵀ, as the checker computes them."""
    size = len(matrix)
    full = np.zeros((size, len(found.signs)), dtype=object)
    for i, row in enumerate(found.rows):
        full[i, : len(row)] = row
    signs = np.array([1 if sign else -1 for sign in found.signs], dtype=object)
    error = matrix - ((full * signs) @ full.T) * (1 << exponent)
    diagonal = np.array([error[i, i] if positive else -error[i, i] for i in range(size)])
    margin: Whole = diagonal + np.abs(diagonal) - np.abs(error).sum(axis=1)
    return margin


def slack(matrix: Whole, found: Brackets) -> int:
    """Return the least margin of all rows on both sides."""
    low = margins(matrix, found.exponent, found.below, True)
    high = margins(matrix, found.exponent, found.above, False)
    return int(min([*low, *high], default=0))


def accepted(matrix: Whole, room: int, den: int, found: Brackets) -> bool:
    """Run the test ``check_brackets`` in Python integers."""
    size = len(matrix)
    if size != len(found.below.rows) or size != len(found.above.rows):
        return False
    if found.rank + found.below.signs.count(False) > size:
        return False
    if found.above.signs.count(True) > found.rank:
        return False
    low = margins(matrix, found.exponent, found.below, True)
    high = margins(matrix, found.exponent, found.above, False)
    return all(x * den > room for x in low) and all(x * den >= room for x in high)


def search_brackets(matrix: Whole, room: int, den: int, shift: int) -> Brackets:
    """Find brackets of a matrix A that is within room/den of a multiple of G − εI.

    `shift` is ε in the units of A.
    """
    size, identity = len(matrix), np.array(np.eye(len(matrix), dtype=int), dtype=object)
    top = max((abs(matrix[i, i]) for i in range(size)), default=1)
    for step in range(1, _STEPS):
        margin = shift >> (_STEP_BITS * step)
        if margin * den <= 2 * room:
            break
        # Row i has size entries, each rounded by at most 2^m u_kk / 2 with u_kk² 2^m ≤ top.
        fewest = (margin * margin) // (size * size * max(1, top))
        exponent = max(0, fewest.bit_length() - 1 - _SPARE)
        below = factor(matrix - margin * identity, exponent)
        above = factor(matrix + margin * identity, exponent)
        if below is None or above is None or below.signs.count(True) != above.signs.count(True):
            continue
        found = Brackets(above.signs.count(True), exponent, below, above)
        if accepted(matrix, room, den, found):
            return found
    raise InputError(
        "eps",
        "is too near an eigenvalue for what is known of the matrix",
        "choose another ε, or a smaller bound",
    )
