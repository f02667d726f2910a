"""Findings follow from shares and lifts by the rule, and planted effects decide them."""

from __future__ import annotations

import json
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from epsrank.numerics.experiments.coupling_claims import coupled_settings, judge_together
from epsrank.numerics.experiments.stair_claims import (
    RunStaircase,
    judge_steps,
    overall,
    run_staircase,
    staircase_rows,
)
from epsrank.numerics.staircase import Step, detect_staircase
from epsrank.numerics.staircase.result import Plateau
from epsrank.numerics.staircase.together import together

BLANK = detect_staircase([1.0] * 30)

TIMES = np.arange(200) * 10.0


def drops(at):
    edges = [2, *at, 200]
    return replace(
        BLANK,
        is_staircase=len(at) > 0,
        found=tuple(Step(k, k - 1, k, 1.0) for k in at),
        plateaus=tuple(Plateau(a, b - 1, 1.0) for a, b in pairwise(edges)) if at else (),
        length=200,
    )


def runs(setting, stairs, *, coupled=True, count=6):
    """Runs with two drops, which follow growth of the rank or come long before it."""
    made = []
    for seed in range(count):
        at = [60 + seed, 140 - seed] if stairs[seed % len(stairs)] else []
        rank = np.full(200, 5.0)
        for k in at or [30]:
            rank[k - 3 if coupled else min(k + 9, 199) :] += 10
        found = drops(at)
        made.append(RunStaircase(setting, seed, found, together(found, TIMES, rank)))
    return made


def coupling(runs):
    return judge_together(coupled_settings([(run.setting, run.together) for run in runs]))


YES = runs("default", [True])
APART = runs("turned", [True], coupled=False)
NO = runs("structured", [False])
MIXED = runs("wide", [True, False])


@pytest.mark.parametrize(
    ("given", "steps", "coupled"),
    [
        (YES, "supported", "supported"),
        (APART, "supported", "refuted"),
        (YES + APART, "supported", "regime"),
        # Without a drop there is nothing to be coupled.
        (NO, "refuted", "undecided"),
        (YES + NO, "regime", "supported"),
        (MIXED, "undecided", "undecided"),
        # One run says something of itself alone, however clear.
        (YES[:5], "undecided", "undecided"),
        ([], "undecided", "undecided"),
    ],
)
def test_findings_follow_the_rule(given, steps, coupled):
    first, second = judge_steps(given), coupling(given)
    assert (first.claim, second.claim) == ("staircase-steps", "coupling-together")
    assert (first.judgement, second.judgement) == (steps, coupled)
    json.dumps([first.to_json(), second.to_json()], allow_nan=False)


def test_a_regime_names_its_settings_and_keeps_a_witness():
    first = judge_steps(YES + NO, part="tanh")
    assert "it holds in default (6 of 6" in first.statement
    assert "fails in structured (0 of 6" in first.statement
    assert first.witness is not None
    assert first.witness["setting"] == "structured"
    assert first.part == "tanh"
    assert first.tried == 2


def test_every_verdict_on_coupling_states_its_power():
    for given in (YES, APART, YES + APART):
        second = coupling(given)
        assert second.power > 0.8
        assert "power" in second.statement
    assert "not testable" in coupling(YES + NO).statement


def test_saturated_ranks_are_not_testable_and_do_not_count_as_not_coupled():
    found = drops([60, 140])
    still = [RunStaircase("relu", k, found, together(found, TIMES, [50] * 200)) for k in range(6)]
    second = coupling(still)
    assert second.judgement == "undecided"
    assert "no run can be tested" in second.statement


def test_the_first_row_of_the_ranks_decides_nothing():
    found = drops([60, 140])
    for first in (0.0, 5.0, 30.0):
        rank = np.repeat([5.0, 15.0, 25.0], [55, 80, 65])
        rank[0] = min(first, 5.0)
        made = [RunStaircase("a", k, found, together(found, TIMES, rank)) for k in range(6)]
        assert coupling(made).judgement == "supported"


@pytest.mark.parametrize(
    ("states", "together", "judgement"),
    [
        (["holds", "open"], "holds", "supported"),
        (["holds", "open"], "open", "undecided"),
        (["fails", "open"], "fails", "refuted"),
        (["holds", "fails"], "open", "regime"),
        (["open", "open"], "open", "undecided"),
    ],
)
def test_settings_are_joined_by_the_rule(states, together, judgement):
    assert overall(states, together) == judgement


def test_histories_with_planted_stairs_are_judged_to_have_them():
    made = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        log = np.repeat([0.0, -3.0, -6.0], 50) + 0.05 * rng.normal(size=150)
        rank = np.repeat([5, 12, 20], 50)
        made.append(run_staircase("planted", seed, range(150), np.exp(log), (rank, rank)))
    first = judge_steps(made)
    assert first.judgement == "supported"
    assert first.effects[0].interval.value == 2
    (row,) = staircase_rows(made)
    assert row["staircases"] == 6
    assert row["steps"] == "holds"
    assert row["runs by steps"] == "2 steps in 6"


def test_one_step_is_counted_and_is_no_staircase():
    one = replace(drops([60]), is_staircase=False)
    made = [RunStaircase("logistic", k, one) for k in range(11)]
    made.append(RunStaircase("logistic", 11, drops([60, 140])))
    first = judge_steps(made)
    assert (first.judgement, first.effects[0].interval.value) == ("refuted", 1)
    assert "1 of 12" in first.statement
    assert "12 of 12" in first.statement
    assert "1 step in 11, 2 in 1" in first.statement
    (row,) = staircase_rows(made)
    assert (row["staircases"], row["with a step"]) == (1, 12)


def test_smooth_histories_are_judged_to_have_none():
    made = [
        run_staircase("smooth", seed, range(150), np.exp(-np.arange(150) / 30), None)
        for seed in range(6)
    ]
    assert judge_steps(made).judgement == "refuted"
