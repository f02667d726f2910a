"""Thresholds ε·λ_1: what is known of λ_1 against a multiple of itself, whoever counts."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.theory.dimension.moments import FeatureMoments
from epsrank.theory.rank import epsilon_rank, epsilon_ranks
from epsrank.theory.rank.of_gram import (
    GramProblem,
    epsilon_rank_from_gram,
    epsilon_rank_from_spectrum,
)
from epsrank.theory.rank.problem import Thresholds

ROWS = np.tanh(np.random.default_rng(0).standard_normal((40, 6)))
GRAM = ROWS.T @ ROWS
LAST = 1 - 2**-53  # the float64 below 1

COUNTS = {
    "features": lambda eps: epsilon_rank(ROWS, eps, relative=True),
    "counts only": lambda eps: epsilon_rank(ROWS, eps, relative=True, counts_only=True),
    "exact": lambda eps: epsilon_rank(ROWS, eps, relative=True, exact=True),
    "wide": lambda eps: epsilon_rank(np.tile(ROWS, 12), eps, relative=True, counts_only=True),
    "several": lambda eps: epsilon_ranks(ROWS, [1e-9, eps], relative=True)[1],
    "moments": lambda eps: FeatureMoments.of(ROWS).rank(eps, relative=True),
    "gram": lambda eps: epsilon_rank_from_gram(GRAM, eps, relative=True),
    "rough gram": lambda eps: epsilon_rank_from_gram(GRAM, eps, gram_error=1e-3, relative=True),
    "spectrum": lambda eps: epsilon_rank_from_spectrum([3, 2, 2], eps, error=0.1, relative=True),
    "problem": lambda eps: GramProblem(GRAM, 1e-3).decide(Thresholds((eps,), relative=True))[0],
}


@pytest.mark.parametrize("count", COUNTS.values(), ids=COUNTS)
@pytest.mark.parametrize(("eps", "right"), [(LAST, 1), (1.0, 0), (1.5, 0), (1e308, 0)])
def test_nothing_is_above_the_largest_eigenvalue(count, eps, right):
    found = count(eps)
    assert (found.lower, found.upper) == (right, right)
    if getattr(found, "source", None) is not None:
        assert found.storage == (right, right)


def test_nothing_is_above_the_largest_whatever_the_error():
    found = epsilon_rank_from_gram(
        GRAM, 1.0, accumulated_in="bfloat16", n_samples=999, relative=True
    )
    assert int(found) == 0
    assert epsilon_rank_from_gram(np.zeros((3, 3)), LAST, gram_error=1.0, relative=True).lower == 0
    assert epsilon_rank_from_spectrum([0.0, 0.0], LAST, error=1.0, relative=True).ends == "[0, 2]"


@pytest.mark.parametrize("n", [3, 65])
def test_ties_with_a_part_of_a_whole_eigenvalue_are_told(n):
    """G = diag(4, 1, 1, …, 0) in units: λ_2 = λ_1/4 is not above it, the float64 below 1/4 is."""
    features = np.eye(n)
    features[0, 0], features[-1, -1] = 2.0, 0.0
    below = float(np.nextafter(0.25, 0))
    for eps, right in ((0.25, 1), (below, n - 1)):
        assert int(epsilon_rank(features, eps, relative=True)) == right
        assert int(epsilon_rank_from_gram(features**2, eps, relative=True)) == right
    assert int(epsilon_rank(np.eye(n) / 3, LAST, relative=True)) == n
    # Of an eigenvalue that is not rational nothing more is known than an enclosure.
    golden = np.array([[1.0, 1.0], [1.0, 0.0]])
    root = ((3 - 5**0.5) / 2) / ((3 + 5**0.5) / 2)
    assert epsilon_rank(golden, root, relative=True).ends == "[1, 2]"
