"""Shares with their Clopper–Pearson intervals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binom

from epsrank.theory.errors import InputError
from epsrank.theory.statistics import (
    detectable_share,
    detectable_shift,
    equivalent,
    holm,
    median_interval,
    proportion,
    sign_flip_pvalue,
)


@pytest.mark.parametrize(("count", "total"), [(0, 6), (1, 6), (3, 6), (6, 6), (12, 400)])
def test_ends_are_where_the_binomial_tails_are_two_and_a_half_percent(count, total):
    share = proportion(count, total)
    if count:
        assert binom.sf(count - 1, total, share.low) == pytest.approx(0.025)
    else:
        assert share.low == 0
    if count < total:
        assert binom.cdf(count, total, share.high) == pytest.approx(0.025)
    else:
        assert share.high == 1


@pytest.mark.parametrize("p", [0.02, 0.05, 0.3, 0.5, 0.93])
def test_coverage_is_at_least_what_is_asked_for(p):
    total = 20
    inside = [share.low <= p <= share.high for share in (proportion(k, total) for k in range(21))]
    assert sum(binom.pmf(k, total, p) for k in range(21) if inside[k]) >= 0.95


@pytest.mark.parametrize(
    ("arguments", "name"),
    [((1, 0), "total"), ((-1, 3), "count"), ((4, 3), "count"), ((1, 3, 1.0), "coverage")],
)
def test_bad_input_names_the_argument(arguments, name):
    with pytest.raises(InputError) as error:
        proportion(*arguments)
    assert error.value.argument == name


def test_text_and_json():
    share = proportion(3, 6)
    assert str(share).startswith("3 of 6 [0.1")
    assert share.to_json()["value"] == 0.5


def test_equivalence_takes_two_one_sided_tests():
    near = median_interval([0.05, -0.05] * 6, 0.9)
    assert equivalent(near, 0.0, 0.1)
    assert not equivalent(near, 0.0, 0.05)
    assert not equivalent(near, 0.2, 0.1)
    # Too few seeds tell nothing, however alike they are.
    assert not equivalent(median_interval([0.0] * 3, 0.9), 0.0, 1.0)


def test_what_so_many_seeds_can_find_is_found_so_often():
    random = np.random.default_rng(4)
    for count in (8, 12):
        shift = detectable_shift(count)
        found = [median_interval(random.normal(shift, 1, count)).low > 0 for _ in range(1500)]
        assert abs(np.mean(found) - 0.8) < 0.04
        share = detectable_share(count)
        hits = random.binomial(count, share, 1500)
        assert abs(np.mean([proportion(int(k), count).low > 0.5 for k in hits]) - 0.8) < 0.04
    assert math.isinf(detectable_shift(5))
    assert proportion(12, 12).low == pytest.approx(0.735, abs=1e-3)


def test_sign_flips_count_seeds():
    assert sign_flip_pvalue([1.0] * 12) == 2**-12
    assert sign_flip_pvalue([0.0] * 6) == 1.0
    assert sign_flip_pvalue([-1.0] * 6) == 1.0
    assert sign_flip_pvalue([1.0] * 40) == pytest.approx(1 / 20_001)
    random = np.random.default_rng(1)
    small = [sign_flip_pvalue(random.normal(size=10)) <= 0.05 for _ in range(400)]
    assert np.mean(small) < 0.08
    with pytest.raises(InputError, match="not finite"):
        sign_flip_pvalue([1.0, math.inf])


def test_holm_is_monotone_and_keeps_the_order():
    assert holm([0.01, 0.04, 0.03]) == [0.03, 0.06, 0.06]
    assert holm([]) == []
    assert holm([0.9, 0.9]) == [1.0, 1.0]
