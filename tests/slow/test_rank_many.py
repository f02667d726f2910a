"""Ten thousand more matrices against integer arithmetic, every eigenvalue's enclosure included."""

from __future__ import annotations

import pytest

from epsrank.theory import epsilon_rank
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.rank.of_features import RankProblem
from tests.theory.rank.cases import random_cases, true_rank
from tests.theory.rank.test_against_exact import assert_encloses


@pytest.mark.parametrize("seed", range(10))
def test_no_interval_is_wrong(seed: int) -> None:
    for features, weights, measure, eps in random_cases(1000, seed=1000 + seed):
        rank = epsilon_rank(features, eps, weights=weights, measure=measure)
        assert rank.lower <= true_rank(features, eps, weights, measure) <= rank.upper
        checked = as_features(features)
        problem = RankProblem(checked, as_measure(measure, weights, checked.n_samples))
        assert_encloses(problem.fast, problem)
        assert_encloses(problem.accurate, problem)
