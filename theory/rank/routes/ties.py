"""Eigenvalues that equal the threshold exactly: left out by integer algebra, then counted by balls.

No precision tells an eigenvalue θ of M from θ, so a tie would keep balls open for ever. But the
rank of S = qM − pI (θ = p/q) is exact integer arithmetic, and says how many eigenvalues equal θ.
Let I be as many independent columns of the symmetric S as its rank. The others are combinations of
these, S_{:,J} = S_{:,I}X, and by symmetry the other rows too: S is congruent to S_II ⊕ 0. So S_II
is not singular and has the inertia of S, and balls decide it.
"""

from __future__ import annotations

import numpy as np
from flint import fmpz, fmpz_mat, nmod_mat

from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank.routes.gram import eigenpairs

# Primes below 2^63. Columns that are independent modulo one of them are independent; the converse
# fails for the few primes that divide certain minors, and then the next one is asked.
_PRIMES = (2**61 - 1, 2**59 - 55, 2**57 - 13)


def regular_part(matrix: fmpz_mat) -> list[int] | None:
    """Return indices I, as many as the rank, for which S_II is not singular; None if not found.

    `matrix` is S, symmetric.
    """
    n, exact = int(matrix.nrows()), None
    for prime in _PRIMES:
        reduced, rank = nmod_mat(matrix, prime).rref()
        if rank == n:  # independent modulo a prime: no eigenvalue is 0
            return list(range(n))
        if exact is None:
            exact = int(matrix.rank())
        if rank == exact:
            return _pivots(reduced, rank)
    return None


def _pivots(reduced: nmod_mat, rank: int) -> list[int]:
    """Return the columns in which the rows of a reduced echelon form begin."""
    pivots: list[int] = []
    column = 0
    for row in range(rank):
        while int(reduced[row, column]) == 0:
            column += 1
        pivots.append(column)
    return pivots


def principal(matrix: fmpz_mat, indices: list[int]) -> fmpz_mat:
    """Return S_II."""
    return fmpz_mat([[matrix[i, j] for j in indices] for i in indices])


def shifted(matrix: fmpz_mat, numerator: int, denominator: int) -> fmpz_mat:
    """Return S = qM − pI."""
    result = matrix * fmpz(denominator)
    for index in range(int(matrix.nrows())):
        result[index, index] -= fmpz(numerator)
    return result


def directions(matrix: fmpz_mat) -> Array | None:
    """Return eigenvectors of an integer matrix as float64 sees it, by descending eigenvalue.

    Of S itself, for in a cluster at θ the matrix M has no eigenvectors that float64 could tell
    apart, and S, a difference of nearly equal numbers that was formed exactly, has.
    """
    entries = matrix.entries()
    bits = max((abs(int(entry)).bit_length() for entry in entries), default=0)
    # To 60 bits or so, which int64 and float64 take.
    drop = max(0, bits - 60)
    values = np.array([int(entry) >> drop for entry in entries], dtype=np.float64)
    found = eigenpairs(values.reshape(int(matrix.nrows()), -1))
    return None if found is None else found[1][:, ::-1]
