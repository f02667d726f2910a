"""Approximate eigenvectors of a symmetric matrix to hundreds of bits; nothing here is trusted.

The verification in `floor.certified.ball_spectrum` accepts any basis, good or bad, so this file may
use whatever converges. Float64 eigenvectors are improved by two moves, repeated:

* pairs (i, j) whose coupling |S_ij| is small against |s_i − s_j| are decoupled to first order,
  v_j ← v_j + v_i S_ij/(s_j − s_i), which squares the coupling (as in Ogita & Aishima, Japan J.
  Indust. Appl. Math. 35 (2018) 1007–1036);
* the other pairs form clusters (connected components), and each cluster is rotated by the float64
  eigenvectors of its own block, shifted and scaled to size 1, which gains about fifteen digits
  relative to the block, whether it is a cluster, a repeated eigenvalue or a graded tail.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from epsrank.theory.floor.certified.ball_matrix import (
    exponent_of,
    from_array,
    identity,
    largest_exponent,
    to_array,
)
from epsrank.theory.numbers.arrays import Square
from epsrank.theory.words import plural

# Rounds of the two moves: each gains at least ten digits, so 60 outlast any precision offered.
_MAX_ROUNDS = 60
_GUARD_BITS = 48


class _Stalled(ArithmeticError):
    """One step of the refinement failed; the last good basis is handed out instead."""


@dataclass(frozen=True, eq=False)
class RefinedBasis:
    """V with VᵀV ≈ I and VᵀGV as nearly diagonal as it became."""

    #: V as points (radius 0), columns by descending Rayleigh quotient.
    vectors: Any
    #: Rounds of refinement.
    rounds: int
    #: Empty, or why the accuracy asked for was not reached. The basis is still orthonormal.
    trouble: str = ""


def refined_basis(gram: Any, bits: int, *, max_rounds: int = _MAX_ROUNDS) -> RefinedBasis:
    """Return V with VᵀV ≈ I and VᵀGV ≈ diag, both to about 2^-bits relative to ‖G‖.

    G has midpoints of order 1: its largest entry lies between 1/2 and 2.
    """
    size = gram.nrows()
    basis, rounds, coupling = identity(size), 0, 0
    # Sums of n terms lose log₂ n bits, and VᵀGV is two of them.
    guard = _GUARD_BITS + 2 * size.bit_length()
    gram = gram.mid()
    try:
        goal = 64  # float64 eigenvectors are good to 53 bits at best
        with ctx.workprec(goal + guard):
            basis = _orthonormalised(from_array(_eigenvectors(to_array(gram))), goal)
        while True:
            with ctx.workprec(goal + guard):
                projected = (basis.transpose() * gram * basis).mid()
                coupling = _off_diagonal_exponent(projected)
                if (coupling < -bits and goal == bits) or rounds == max_rounds:
                    break
                # One round squares the couplings at best: no digits beyond that are carried yet.
                goal = min(bits, max(64, 32 - 2 * coupling))
            with ctx.workprec(goal + guard):
                turned = (basis * _rotation(projected, bits)).mid()
                basis = _orthonormalised(turned, goal)
            rounds += 1
        with ctx.workprec(bits + guard):
            basis = _sorted_by(projected, _orthonormalised(basis, bits))
    except _Stalled as error:
        return RefinedBasis(basis, rounds, str(error))
    trouble = ""
    if coupling >= -bits:
        trouble = (
            f"couplings stalled at 2^{coupling} of ‖G‖ after {rounds} "
            f"rounds with {plural(bits, 'bit')}"
        )
    return RefinedBasis(basis, rounds, trouble)


def _rotation(projected: Any, bits: int) -> Any:
    """Return a nearly orthogonal K which brings KᵀSK closer to diagonal form."""
    size = projected.nrows()
    entries = projected.tolist()
    diagonal = [entries[k][k] for k in range(size)]
    # Decoupling multiplies a coupling by its ratio to the gap, a block rotation by 2^-52: a round
    # gains most if both do half of it. (And n² moves of this size are a small matrix for any n.)
    margin = 26
    correction = [[arb(0)] * size for _ in range(size)]
    strong: list[tuple[int, int]] = []
    for i in range(size):
        row, d_i = entries[i], diagonal[i]
        for j in range(i):
            magnitude = exponent_of(row[j])
            # Below the accuracy asked for.
            if magnitude < -bits - 8:
                continue
            gap = diagonal[j] - d_i
            if magnitude + margin > exponent_of(gap):
                strong.append((i, j))
            else:
                step = (row[j] / gap).mid()
                correction[i][j], correction[j][i] = step, -step
    clusters = _components(size, strong)
    for cluster in clusters:
        for i in cluster:
            for j in cluster:
                correction[i][j] = arb(0)
    unit = identity(size)
    return (unit + arb_mat(correction)) * _block_rotation(entries, clusters)


def _block_rotation(entries: list[list[Any]], clusters: list[list[int]]) -> Any:
    """Return the orthogonal matrix of float64 eigenvectors of every cluster's block."""
    size = len(entries)
    rotation = [[arb(int(i == j)) for j in range(size)] for i in range(size)]
    for cluster in clusters:
        centre = entries[cluster[0]][cluster[0]]
        block = [[entries[i][j] - (centre if i == j else 0) for j in cluster] for i in cluster]
        largest = max(exponent_of(x) for row in block for x in row)
        scaled = arb_mat(block) * arb(2) ** (-largest)
        vectors = _eigenvectors(to_array(scaled))
        for a, i in enumerate(cluster):
            for b, j in enumerate(cluster):
                rotation[i][j] = arb(float(vectors[a, b]))
    return arb_mat(rotation)


def _eigenvectors(matrix: Square) -> Square:
    """Return float64 eigenvectors of a symmetric matrix, by descending eigenvalue."""
    try:
        return np.asarray(np.linalg.eigh((matrix + matrix.T) / 2)[1][:, ::-1])
    except np.linalg.LinAlgError as error:
        raise _Stalled(f"the float64 eigen-solver failed ({error})") from None


def _orthonormalised(basis: Any, bits: int) -> Any:
    """Return a nearby V with VᵀV = I to 2^-bits, by Newton's iteration for the polar factor."""
    unit = identity(basis.nrows())
    # Each step doubles the digits: 20 outlast any precision.
    for _ in range(20):
        defect = (basis.transpose() * basis - unit).mid()
        size = largest_exponent(defect.entries())
        if size < -bits - 8:
            return basis
        if size > 0:
            break
        # The step leaves 3/8 of the squared defect, so one product more would only confirm it.
        basis = (basis - basis * defect * arb("0.5")).mid()
        if 2 * size + basis.nrows().bit_length() < -bits - 8:
            return basis
    raise _Stalled("the basis could not be made orthonormal")


def _components(size: int, edges: list[tuple[int, int]]) -> list[list[int]]:
    """Return the connected components with more than one vertex."""
    parent = list(range(size))

    def root(vertex: int) -> int:
        while parent[vertex] != vertex:
            parent[vertex] = parent[parent[vertex]]
            vertex = parent[vertex]
        return vertex

    for i, j in edges:
        parent[root(i)] = root(j)
    groups: dict[int, list[int]] = {}
    for vertex in range(size):
        groups.setdefault(root(vertex), []).append(vertex)
    return [group for group in groups.values() if len(group) > 1]


def _off_diagonal_exponent(matrix: Any) -> int:
    """Return e with max_{i≠j} |S_ij| < 2^e."""
    entries = matrix.entries()
    del entries[:: matrix.nrows() + 1]
    return largest_exponent(entries)


def _sorted_by(projected: Any, basis: Any) -> Any:
    """Return the basis with columns in descending order of the diagonal of S."""
    size = basis.nrows()
    order = sorted(range(size), key=lambda k: projected[k, k].mid(), reverse=True)
    rows = basis.tolist()
    return arb_mat([[row[k] for k in order] for row in rows])
