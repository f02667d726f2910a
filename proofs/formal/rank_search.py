"""The search for a rank certificate: nearly the eigenvectors, in as few bits as dominance allows.

Nothing here is trusted: `floor.certified.refined_basis` finds eigenvectors to as many bits as the
nearest eigenvalue asks for, rows are scaled by powers of two towards |T_ii| ≈ 1 for
T = S(G − εI)Sᵀ, and each choice of bits is tried on integers by the test of the checker.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction

from flint import arb, arb_mat, ctx, fmpz, fmpz_mat

from epsrank.proofs.formal.integer_data import IntegerData
from epsrank.proofs.formal.rank_check import (
    count_signs,
    cut_error,
    feature_products,
    left_out,
    sheared,
    threshold,
)
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_matrix import exponent_of, identity, largest_exponent
from epsrank.theory.floor.certified.refined_basis import refined_basis
from epsrank.theory.numbers.dyadic import nearest_integer
from epsrank.theory.words import plural

# Bits of the eigenvectors to begin with, and at which to give up.
_FIRST, _LAST = 64, 4096

# Bits of S beyond the fewest that do: they leave room to cut features and to drop bits of M.
_ROOM = 3


@dataclass(frozen=True, eq=False)
class RankWitness:
    """What a rank certificate adds to the measurement."""

    #: r_ε(G).
    rank: int
    #: Bits left out of the features, and of the multiple of G − εI.
    cut: int
    drop: int
    #: S.
    basis: fmpz_mat


def search_rank(data: IntegerData, eps: Fraction) -> RankWitness:
    """Find a certificate that the checker accepts."""
    products, theta = feature_products(data, 0), threshold(data, eps)
    exact = sheared(products, eps.denominator, theta, 0, 0)
    vectors = _scaled_vectors(products, exact)
    lowest = _smallest(lambda bits: count_signs(exact, 0, 0, _rounded(vectors, bits)) is not None)
    basis = _rounded(vectors, lowest + _ROOM)

    def attempt(cut: int, drop: int) -> int | None:
        cut_products = products if cut == 0 else feature_products(data, cut)
        form = sheared(cut_products, eps.denominator, theta, cut, drop)
        kappa = eps.denominator * cut_error(data, cut) + left_out(drop)
        return count_signs(form, kappa, drop, basis)

    cut = _largest(lambda bits: attempt(bits, 0) is not None, data.bits)
    # One bit less than can be: some room is left for dropping bits of M.
    cut = max(0, cut - 1)
    largest = max(abs(int(x)).bit_length() for x in exact.entries())
    drop = _largest(lambda bits: attempt(cut, bits) is not None, largest)
    rank = attempt(cut, drop)
    assert rank is not None
    return RankWitness(rank, cut, drop, basis)


def _scaled_vectors(products: fmpz_mat, exact: fmpz_mat) -> list[list[tuple[fmpz, int]]]:
    """Return rows v_i / √|v_i M v_iᵀ|, up to a power of two, as mantissas and exponents."""
    size = exact.nrows()
    nullity = size - int(exact.rank())
    if nullity:
        raise InputError(
            "eps",
            f"is an eigenvalue of the Gram matrix, {nullity}-fold, where no approximation decides",
            "choose another ε, or ask for the exact count",
        )
    bits = _FIRST
    while bits <= _LAST:
        with ctx.workprec(2 * bits + 64):
            gram = arb_mat(products)
            unit = largest_exponent(gram.entries())
            basis = identity(size)
            if unit > 0:
                basis = refined_basis(gram * arb(2) ** (-unit), bits).vectors
            values = (basis.transpose() * arb_mat(exact) * basis).tolist()
            gaps = [exponent_of(values[i][i]) for i in range(size)]
            top = largest_exponent([x for row in exact.tolist() for x in map(arb, row)])
            # Every |v M vᵀ| is 24 bits above what the precision leaves open: its sign is known.
            if min(gaps) > top - bits + 24:
                columns = basis.transpose().tolist()
                return [
                    # Half the exponent: a power of two near the root, so that |T_ii| is near 1.
                    [_mantissa(x, -(gap // 2)) for x in column]
                    for column, gap in zip(columns, gaps, strict=True)
                ]
        bits *= 2
    raise InputError(
        "eps",
        f"cannot be told from an eigenvalue with {plural(_LAST, 'bit')}, the most that are spent",
        "choose another ε, or ask for the exact count",
    )


def _mantissa(number: arb, shift: int) -> tuple[fmpz, int]:
    mantissa, exponent = number.mid().man_exp()
    return fmpz(mantissa), int(exponent) + shift


def _rounded(vectors: list[list[tuple[fmpz, int]]], bits: int) -> fmpz_mat:
    """Return the rows in units of 2^−bits of the longest, each with four bits at least."""
    tops = [max(int(m).bit_length() + e for m, e in row if m) for row in vectors]
    longest = max(tops)
    rows = []
    for row, top in zip(vectors, tops, strict=True):
        shift = max(bits - longest, 4 - top)
        rows.append([nearest_integer(int(m), e + shift) for m, e in row])
    return fmpz_mat(rows)


def _smallest(passes: Callable[[int], bool]) -> int:
    """Return about the smallest number of bits that passes, by doubling and halving."""
    high = 8
    while not passes(high):
        high *= 2
        if high > _LAST:
            raise InputError(
                "eps",
                f"needs a certificate of more than {plural(_LAST, 'bit')}, the most that are spent",
                "choose another ε, or ask for the exact count",
            )
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if passes(middle) else (middle, high)
    return high


def _largest(passes: Callable[[int], bool], limit: int) -> int:
    """Return about the largest number of bits that passes, 0 if none does."""
    low, high = 0, limit
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if passes(middle) else (low, middle - 1)
    return low
