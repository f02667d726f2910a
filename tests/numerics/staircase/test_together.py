"""Together: planted coupling is found with the power that is stated, independence is not."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from epsrank.numerics.staircase.result import Plateau, Staircase, Step
from epsrank.numerics.staircase.together import combined_power, combined_pvalue, together

N = 250
TIMES = np.arange(N) * 60.0


def stairs(drops, first=2):
    """A loss with drops at measurements, as the detector would return it."""
    edges = [first, *drops, N]
    plateaus = [Plateau(a, b - 1, 1.0) for a, b in pairwise(edges)]
    steps = [Step(at, at - 1, at, 1.0) for at in drops]
    return Staircase(
        **dict.fromkeys(Staircase.__dataclass_fields__)
        | {"found": tuple(steps), "plateaus": tuple(plateaus), "length": N}
    )


def ranks(bursts, size=10):
    """A rank that grows by a burst at measurements."""
    rank = np.full(N, 8.0)
    for at in bursts:
        rank[at:] += size
    return rank


def seeds(count, planted, random):
    """Runs with three drops, each 10 measurements after a burst, or anywhere."""
    found = []
    for _ in range(count):
        bursts = np.sort(random.choice(np.arange(20, 230), 3, replace=False))
        drops = bursts + 10 if planted else np.sort(random.choice(np.arange(5, 245), 3, False))
        found.append(together(stairs([int(at) for at in drops]), TIMES, ranks(bursts)))
    return found


def test_planted_coupling_is_found_as_often_as_the_power_says():
    random = np.random.default_rng(1)
    runs = [seeds(1, True, random)[0] for _ in range(60)]
    share = np.mean([run.pvalue <= 0.05 for run in runs])
    power = np.mean([run.power for run in runs])
    assert share == pytest.approx(power, abs=0.15)
    assert power > 0.3
    assert all(lag == pytest.approx(10 / N, abs=0.01) for run in runs[:5] for lag in run.lags[:1])
    together_ = runs[:12]
    assert combined_power(together_) > 0.95
    assert combined_pvalue(together_) <= 0.01


def test_independent_drops_are_found_as_seldom_as_the_level_says():
    random = np.random.default_rng(2)
    alone = [run.pvalue for run in seeds(150, False, random)]
    assert np.mean(np.array(alone) <= 0.05) <= 0.09
    groups = [combined_pvalue(seeds(6, False, random)) for _ in range(30)]
    assert sum(p <= 0.05 for p in groups) <= 4


def test_a_rank_that_grows_after_the_drops_is_not_coupled():
    """Rank first: the same distances with the other sign say nothing in favour."""
    run = together(stairs([60, 120, 180]), TIMES, ranks([70, 130, 190]))
    assert run.pvalue > 0.5
    assert np.mean(run.lags) < 0
    assert run.power > 0.5


def test_the_first_rows_decide_nothing():
    drops, rank = stairs([60, 120, 180]), ranks([50, 110, 170])
    jump = rank.copy()
    # Half of all growth within the first two measurements, as at the start of every training.
    jump[0] = jump[1] = -30.0
    flat = rank.copy()
    flat[0] = flat[1]
    results = [together(drops, TIMES, each) for each in (rank, jump, flat)]
    assert len({(r.pvalue, r.power, r.statistic) for r in results}) == 1


def test_saturated_ranks_are_not_testable():
    for rank in (np.full(N, 50.0), ranks([1], 40)):
        run = together(stairs([60, 120]), TIMES, rank)
        assert run.statistic is run.pvalue is run.power is run.lift is None
        assert "not testable" in run.reason
    assert "no drop" in together(stairs([]), TIMES, ranks([5])).reason
    assert combined_pvalue([]) is combined_power([]) is None


def test_one_drop_can_say_little_and_says_how_little():
    run = together(stairs([125]), TIMES, ranks([100]))
    assert run.best_pvalue == pytest.approx(25 / 248, abs=0.01)
    assert run.pvalue > 0.05
    three = together(stairs([60, 120, 180]), TIMES, ranks([57, 117, 177]))
    assert three.best_pvalue < 1e-3


def test_a_common_slowing_down_is_not_coupling():
    """Drops and growth both early, independent otherwise: the clock in logarithms sees that."""
    random = np.random.default_rng(5)
    small = []
    for _ in range(80):
        bursts = np.sort(np.exp(random.uniform(np.log(4), np.log(240), 8)).astype(int))
        drops = np.unique(np.exp(random.uniform(np.log(4), np.log(240), 3)).astype(int))
        run = together(stairs([int(at) for at in drops]), TIMES, ranks(bursts, 3))
        small.append(run.pvalue is not None and run.pvalue <= 0.05)
    assert np.mean(small) <= 0.12
