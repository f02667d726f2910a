"""The ball route: inertia of G − εI by LDLᵀ in ball arithmetic, precision raised until it decides.

Sylvester's law of inertia gives r_ε(G) = number of positive pivots of any LDLᵀ of a matrix
congruent to G − εI. The congruence Vᵀ(G − εI)V with approximate eigenvectors V is formed exactly in
integers; it is nearly diagonal, so that a few digits beyond the data suffice for the pivots, and
if all pivots are non-zero then V was invertible, which is all that the law needs. A pivot is a
ball; the count stands only if every ball excludes 0.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction

import numpy as np
from flint import arb, arb_mat, ctx

from epsrank.theory.data.exact_gram import ExactGram, congruence
from epsrank.theory.numbers.arrays import Square

#: Precision at which a count is given up by default: by then it is as good as a tie.
MAX_BITS = 4096

# Order of the diagonal blocks that are eliminated pivot by pivot; the rest is matrix products.
_BLOCK = 24

# Bunch–Kaufman's ratio (1 + √17)/8: below it a 2×2 pivot grows less than a 1×1.
_PIVOT_RATIO = 0.6403882032022076


@contextmanager
def ball_precision(bits: int) -> Iterator[None]:
    """Compute with balls of a given precision inside the block, and restore the former one."""
    former = ctx.prec
    ctx.prec = bits
    try:
        yield
    finally:
        ctx.prec = former


def _magnitude(ball: arb) -> arb:
    """Return |midpoint| for pivot choice."""
    return abs(ball.mid())


def _eliminate(rows: list[list[arb]]) -> int | None:
    """Count the positive pivots of a symmetric block by pivoted LDLᵀ; None where a ball holds 0."""
    positive = 0
    active = list(range(len(rows)))
    while active:
        pivot = max(active, key=lambda i: _magnitude(rows[i][i]))
        others = [i for i in active if i != pivot]
        partner = max(others, key=lambda i: _magnitude(rows[i][pivot]), default=None)
        if partner is not None and _magnitude(rows[pivot][pivot]) < arb(_PIVOT_RATIO) * _magnitude(
            rows[partner][pivot]
        ):
            block = _pivot_pair(rows, pivot, partner, [i for i in others if i != partner])
            if block is None:
                return None
            positive += block
            active = [i for i in others if i != partner]
            continue
        value = rows[pivot][pivot]
        if value.contains(0) or not value.is_finite():
            return None
        positive += bool(value > 0)
        column = {i: rows[i][pivot] / value for i in others}
        for i in others:
            factor, row, source = column[i], rows[i], rows[pivot]
            for j in others:
                if j <= i:
                    row[j] -= factor * source[j]
                    rows[j][i] = row[j]
        active = others
    return positive


def _pivot_pair(rows: list[list[arb]], p: int, q: int, others: list[int]) -> int | None:
    """Eliminate a 2×2 pivot and count its positive eigenvalues; None where a sign is open."""
    a, b, d = rows[p][p], rows[p][q], rows[q][q]
    determinant = a * d - b * b
    if determinant.contains(0) or not determinant.is_finite():
        return None
    # Both eigenvalues have the sign of the trace, or one of each sign.
    if determinant > 0:
        trace = a + d
        if trace.contains(0):
            return None
        positive = 2 if trace > 0 else 0
    else:
        positive = 1
    for i in others:
        x, y = rows[i][p], rows[i][q]
        u, v = (d * x - b * y) / determinant, (a * y - b * x) / determinant
        for j in others:
            if j <= i:
                rows[i][j] -= u * rows[j][p] + v * rows[j][q]
                rows[j][i] = rows[i][j]
    return positive


def positive_inertia(matrix: arb_mat) -> int | None:
    """Count the positive eigenvalues of every symmetric matrix inside a ball matrix.

    Leading blocks are eliminated one after the other (Haynsworth: the inertia is that of the block
    plus that of its Schur complement). None where the precision cannot decide.
    """
    positive = 0
    while True:
        n = matrix.nrows()
        entries = matrix.tolist()
        head = min(_BLOCK, n)
        leading = [row[:head] for row in entries[:head]]
        coupling = None
        if head < n:
            coupling = arb_mat([row[head:] for row in entries[:head]])
            try:
                solved = arb_mat(leading).solve(coupling)
            except ZeroDivisionError:  # not proved to be invertible at this precision
                return None
        block = _eliminate([list(row) for row in leading])
        if block is None:
            return None
        positive += block
        if coupling is None:
            return positive
        rest = arb_mat([row[head:] for row in entries[head:]])
        matrix = rest - coupling.transpose() * solved


def ball_count(
    gram: ExactGram, theta: Fraction, vectors: Square | None = None, *, max_bits: int = MAX_BITS
) -> tuple[int | None, int]:
    """Count #{k : λ_k(M) > θ} by ball arithmetic of rising precision (C1).

    `gram` is M. `vectors` are approximate eigenvectors of M, columns by descending eigenvalue; any
    invertible matrix is admissible. At `max_bits` the count is given up: an eigenvalue then equals
    θ to about so many binary digits, or exactly. Returns the count, None where it is undecided, and
    the last precision tried.
    """
    n = gram.n_features
    if vectors is None:
        vectors = np.eye(n)
    shifted = congruence(gram, theta, vectors)
    # Blocks are eliminated in this order, without pivoting between them: the large pivots first.
    order = sorted(range(n), key=lambda i: -abs(int(shifted[i, i])))
    ordered = [[shifted[i, j] for j in order] for i in order]
    bits = 128
    while True:
        with ball_precision(bits):
            # Adding 0 rounds each integer to the working precision, as a ball that contains it.
            balls = arb_mat([[arb(entry) + 0 for entry in row] for row in ordered])
            count = positive_inertia(balls)
        if count is not None or bits >= max_bits:
            return count, bits
        # All tries together then cost about twice the last one.
        bits *= 2
