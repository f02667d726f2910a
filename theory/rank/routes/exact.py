"""The exact route: integer characteristic polynomial, shifted by ε, counted by Descartes' rule."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from fractions import Fraction
from functools import lru_cache

from flint import fmpz, fmpz_poly

from epsrank.theory.data.exact_gram import ExactGram
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank.routes.ball import ball_count


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


def integer_count(
    gram: ExactGram,
    theta: Fraction,
    vectors: Callable[[], Array | None],
    *,
    exact: bool = False,
) -> tuple[int | None, str]:
    """Count #{k : λ_k(M) > θ} by the characteristic polynomial or by balls (C1).

    `gram` is M. `vectors` is called only if needed; it returns approximate eigenvectors by
    descending eigenvalue, or None. Returns the count and its route. The count is None where an
    eigenvalue agrees with θ to all the bits that balls were given, and the characteristic
    polynomial is out of reach.
    """
    cost = exact_cost(gram)
    if gram.n_features <= _SMALL_WIDTH or (exact and cost <= _EXACT_BUDGET):
        return exact_count(gram, theta), "exact"
    count, _ = ball_count(gram, theta, vectors())
    if count is None and cost <= (math.inf if exact else AUTO_BUDGET):
        return exact_count(gram, theta), "exact"
    return count, "ball"
