"""A count without rounding, by the quicker of the two exact routes and then the other."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

from epsrank.theory.exact_gram import ExactGram
from epsrank.theory.inputs import Array
from epsrank.theory.routes.ball import ball_count
from epsrank.theory.routes.exact import exact_cost, exact_count

#: Seconds of one core that may go into integers where nobody asked for exact arithmetic.
AUTO_BUDGET = 20.0

# Below this width the characteristic polynomial is quicker than anything cleverer.
_SMALL = 64

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

    Parameters
    ----------
    gram : ExactGram
        M.
    theta : Fraction
        θ > 0.
    vectors : callable
        Returns approximate eigenvectors by descending eigenvalue, or None; called only if needed.
    exact : bool
        Whether a tie may cost as long as it takes.

    Returns
    -------
    tuple of (int or None, str)
        The count (None: an eigenvalue agrees with θ to all the bits that balls were given, and the
        characteristic polynomial is out of reach) and its route.
    """
    cost = exact_cost(gram)
    if gram.n_features <= _SMALL or (exact and cost <= _EXACT_BUDGET):
        return exact_count(gram, theta), "exact"
    count, _ = ball_count(gram, theta, vectors())
    if count is None and cost <= (math.inf if exact else AUTO_BUDGET):
        return exact_count(gram, theta), "exact"
    return count, "ball"
