"""The exact route: integer characteristic polynomial, shifted by ε, counted by Descartes' rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache

from flint import fmpz, fmpz_poly

from epsrank.theory.data.exact_gram import ExactGram
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank.routes.ball import MAX_BITS, ball_count
from epsrank.theory.rank.routes.ties import directions, principal, regular_part, shifted


@lru_cache(maxsize=8)
def _characteristic_polynomial(gram: ExactGram) -> fmpz_poly:
    """Return det(xI − M), kept because several thresholds are usually asked of one matrix."""
    return gram.matrix.charpoly()


def sign_changes(polynomial: fmpz_poly) -> int:
    """Return the number of sign changes in the coefficients, zeros left out."""
    signs = [coefficient > 0 for coefficient in polynomial.coeffs() if coefficient != 0]
    return sum(a != b for a, b in itertools.pairwise(signs))


def exact_count(gram: ExactGram, theta: Fraction) -> int:
    """Count #{k : λ_k(M) > θ} exactly (C1).

    With θ = p/q and χ(x) = det(xI − M), the polynomial y ↦ qⁿ χ((y + p)/q) has integer
    coefficients and the roots qλ_k − p, all real because M is symmetric; Descartes' rule of signs
    then counts the positive ones exactly, ties λ_k = θ counted as roots at 0, that is, not at all.

    `gram` is M, integer and symmetric; `theta` is θ = p/q.
    """
    polynomial = _characteristic_polynomial(gram)
    n = polynomial.degree()
    q = fmpz(theta.denominator)
    if q != 1:
        # qⁿ χ(y/q) has the coefficients a_k q^(n−k).
        power, scaled = fmpz(1), []
        for coefficient in reversed(polynomial.coeffs()):
            scaled.append(coefficient * power)
            power *= q
        polynomial = fmpz_poly(scaled[::-1])
    assert polynomial.degree() == n
    return sign_changes(polynomial(fmpz_poly([fmpz(theta.numerator), fmpz(1)])))


def exact_cost(gram: ExactGram) -> float:
    """Return a rough cost of the characteristic polynomial, in seconds of one core."""
    return 0.3 * (gram.n_features / 100) ** 4 * (gram.bits + 30) / 160


#: Seconds of one core that may go into integers where nobody asked for exact arithmetic.
AUTO_BUDGET = 20.0

# Below this width the characteristic polynomial is quicker than anything cleverer.
_SMALL_WIDTH = 64

# Seconds that it may take before balls are tried first, where exact arithmetic was asked for.
_EXACT_BUDGET = 1.0

# Binary digits with which most counts are decided, and those that a count is given where nobody
# asked for exact arithmetic: once ties are left out, hardly an eigenvalue is closer.
_FIRST_BITS = 128
_AUTO_BITS = 1024

# Binary digits that M − θI is smaller than M where eigenvalues are clustered at θ.
_CLUSTER_BITS = 20

_UNIT = Fraction(1)

# Half-width, relative to θ, of the window that two counts put around a threshold left open.
_WINDOW = Fraction(1, 2**64)


@dataclass(frozen=True)
class IntegerCount:
    """lower ≤ #{k : λ_k(M) > θ} ≤ upper by integers and balls; None where an end is not known."""

    lower: int | None
    upper: int | None
    #: Routes that counted.
    route: str
    #: Whether the exact characteristic polynomial, which was not computed, would decide.
    open_to_exact: bool = False


def integer_count(
    gram: ExactGram,
    theta: Fraction,
    vectors: Callable[[], Array | None],
    *,
    exact: bool = False,
) -> IntegerCount:
    """Count #{k : λ_k(M) > θ} by the characteristic polynomial or by balls (C1).

    `gram` is M. `vectors` is called only if needed; it returns approximate eigenvectors by
    descending eigenvalue, or None. Eigenvalues that equal θ are left out exactly, so that the ends
    differ only where others agree with θ to all the bits that balls were given, and the
    characteristic polynomial is out of reach; two counts around θ enclose them.
    """
    cost = exact_cost(gram)
    if gram.n_features <= _SMALL_WIDTH or (exact and cost <= _EXACT_BUDGET):
        count = exact_count(gram, theta)
        return IntegerCount(count, count, "exact")
    found, _ = ball_count(gram, theta, vectors(), max_bits=_FIRST_BITS)
    most = MAX_BITS if exact else _AUTO_BITS
    if found is None:
        found = _without_ties(gram, theta, vectors, most)
    if found is not None:
        return IntegerCount(found, found, "ball")
    if cost <= (math.inf if exact else AUTO_BUDGET):
        count = exact_count(gram, theta)
        return IntegerCount(count, count, "exact")
    above, below = (
        ball_count(gram, theta * (1 + side * _WINDOW), vectors(), max_bits=_AUTO_BITS)[0]
        for side in (1, -1)
    )
    return IntegerCount(above, below, "ball", open_to_exact=not exact)


def whole_largest(
    gram: ExactGram, low: Fraction, high: Fraction, vectors: Callable[[], Array | None]
) -> int | None:
    """Return λ_1(M), enclosed by two ends, where it is the one multiple of g between them.

    Rational eigenvalues of an integer matrix are whole, so those of M are multiples of the greatest
    divisor g of its entries. Then ε·λ_1 is one number, and what equals it can be told from it.
    """
    unit = math.gcd(*map(int, gram.matrix.entries()))
    if not unit:
        return None
    whole: int = unit * math.floor(high / unit)
    if whole < 1 or whole < low or whole - unit >= low:
        return None
    # It is an eigenvalue, and none is above it.
    if shifted(gram.matrix, whole, 1).rank() == gram.n_features:
        return None
    return whole if integer_count(gram, Fraction(whole), vectors).upper == 0 else None


def _without_ties(
    gram: ExactGram, theta: Fraction, vectors: Callable[[], Array | None], most: int
) -> int | None:
    """Count by balls what is left of M − θI without its kernel."""
    matrix = shifted(gram.matrix, theta.numerator, theta.denominator)
    kept = regular_part(matrix)
    if kept is None or not kept:
        return None if kept is None else 0
    rest = ExactGram(matrix if len(kept) == gram.n_features else principal(matrix, kept), _UNIT)
    # In a cluster at θ the eigenvectors are those of the difference; elsewhere those of A are
    # better, for they know directions far below the rounding of G.
    clustered = rest.bits + _CLUSTER_BITS < gram.bits + theta.denominator.bit_length()
    if rest.n_features < gram.n_features or clustered:
        own = directions(rest.matrix)
        return ball_count(rest, Fraction(0), own, max_bits=most)[0]
    return ball_count(gram, theta, vectors(), max_bits=most)[0]
