"""Shares with their Clopper–Pearson intervals."""

from __future__ import annotations

import pytest
from scipy.stats import binom

from epsrank.theory.errors import InputError
from epsrank.theory.statistics import proportion


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
