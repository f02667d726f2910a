"""Runs that never arrive count with what is known of them; one panel holds back B as A and C."""

from __future__ import annotations

import math

import pytest

from epsrank.numerics.experiments.initial import b04_blow_up, b05_low_rank
from epsrank.numerics.experiments.initial.judged import UNKNOWN, censored, log_ratio, vote
from epsrank.numerics.experiments.initial.runs import SmallRun
from epsrank.numerics.experiments.registry import experiment
from tests.numerics.experiments.initial.test_b01_stages import planted
from tests.numerics.experiments.initial.test_b04_blow_up import planted as blown_up
from tests.numerics.experiments.initial.test_b05_low_rank import planted as factored

INF = math.inf


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((10.0, 10.0), (1.0, 1.0), (1.0, 1.0)),
        ((10.0, INF), (1.0, 1.0), (1.0, INF)),  # longer than ten when the training ended
        ((1.0, 1.0), (10.0, INF), (-INF, -1.0)),
        ((10.0, INF), (10.0, INF), UNKNOWN),  # neither arrived: a tie it was, and is unknown
        ((0.0, INF), (1.0, 1.0), UNKNOWN),
        ((0.0, 0.0), (1.0, 1.0), (-INF, -INF)),
    ],
)
def test_what_is_known_of_a_ratio(a, b, expected):
    assert log_ratio(a, b) == expected
    assert vote(expected) == (expected[0] if expected[0] > 0 else min(expected[1], 0.0))


def test_a_median_of_what_is_known():
    exact = censored("x", [(float(k), float(k)) for k in range(1, 8)])
    assert (exact.interval.value, exact.interval.low, exact.interval.high) == (4, 1, 7)
    # Two that are known would say "shorter" by themselves; with six that are not, nothing does.
    few = censored("x", [(-1.0, -1.0)] * 6 + [UNKNOWN] * 6)
    assert (few.interval.low, few.interval.high, few.interval.count) == (-INF, INF, 12)
    nothing = censored("x", [UNKNOWN] * 8)
    assert (nothing.interval.value, nothing.interval.low) == (0.0, -INF)
    open_end = censored("x", [(0.5, INF)] * 8)
    assert (open_end.interval.low, open_end.interval.value) == (0.5, INF)
    assert censored("x", []) is None


def test_a_run_that_has_not_arrived_takes_at_least_what_was_left():
    settings = {"learning_rate": 0.1, "momentum": 0.0, "steps": 100}
    passed = {"escaped": 20, "settled": 40, "left": None}
    run = SmallRun(settings, 0, 1.0, 1.0, 1.0, None, passed, *[None] * 3)
    assert run.span("escaped", "settled") == (2.0, 2.0)
    assert run.span("settled", "left") == (6.0, INF)
    assert run.span("left", "left") == (0.0, INF)


def test_growth_counts_runs_that_never_escape():
    """They were left out, so that controls grew by equal amounts among those that did escape."""
    outcomes = blown_up()
    two = [o for o in outcomes if o.settings["layers"] == 2]
    for outcome in (two[-1], two[1]):
        steps = outcome.result["escaped"]["usual"]
        outcome.result["escaped"] = {
            view: [None, *steps[1:]] for view in ("usual", "early", "late")
        }
        assert b04_blow_up.growth(two)[0] == INF
    statement = b04_blow_up.analyse(outcomes).findings[0].statement
    assert f"1 of {len(steps)} with a run that never left" in statement


def test_products_that_never_reach_the_loss_count_with_what_their_rank_can_be():
    outcomes = factored(lambda depth, scale: 9 - depth + math.log10(scale))
    for outcome in outcomes:
        for entry in outcome.result["at"]:
            for name in ("rank", "step"):
                entry[name] = [entry[name][0], *[None] * (len(entry[name]) - 1)]
    finding = b05_low_rank.judged(outcomes).findings[0]
    assert finding.judgement == "undecided"
    assert {e.interval.count for e in finding.effects} == {outcomes[0].settings["count"]}


def test_margins_hold_back_a_law_whose_null_is_what_it_says():
    """Slopes of 1.001 and 0.999 are on two sides of 1, and on one of any law."""
    b1 = experiment("B1")
    outcomes = planted(even=3.0)
    usual = b1.analyse(outcomes).findings[0]
    assert usual.judgement == "supported"
    for outcome in outcomes:
        if outcome.settings["target"] != "even" and outcome.settings["until"] == "escaped":
            steps = outcome.result["escaped"]["usual"]
            # Slopes of the late level are 0.98 times as large; then half as large.
            outcome.result["escaped"]["late"] = [round(step * 0.98) for step in steps]
    assert b1.analyse(outcomes).findings[0].judgement == "supported"
    for outcome in outcomes:
        late = outcome.result["escaped"]["late"]
        outcome.result["escaped"]["late"] = [None if s is None else round(s / 2) for s in late]
    found = b1.analyse(outcomes).findings[0]
    assert (found.judgement, "not stable at late levels" in found.statement) == ("regime", True)
