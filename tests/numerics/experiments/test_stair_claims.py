"""Findings follow from shares and lifts by the rule, and planted effects decide them."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from epsrank.numerics.experiments.stair_claims import (
    RunStaircase,
    judge_staircases,
    overall,
    run_staircase,
    staircase_rows,
)
from epsrank.numerics.staircase import Step, detect_staircase

BLANK = detect_staircase([1.0] * 30)
STEP = (Step(10, 9, 10, 1.0),)


def runs(setting, stairs, lifts, p_values):
    return [
        RunStaircase(
            setting,
            seed,
            replace(
                BLANK,
                is_staircase=stair,
                found=STEP if stair else (),
                coupling_lift=lift,
                coupling_pvalue=p,
            ),
        )
        for seed, (stair, lift, p) in enumerate(zip(stairs, lifts, p_values, strict=True))
    ]


YES = runs("default", [True] * 6, [2.0, 2.1, 2.2, 2.3, 2.4, 2.5], [0.01] * 6)
NO = runs("structured", [False] * 6, [0.9, 0.95, 1.0, 1.02, 1.05, 1.1], [0.6] * 6)
MIXED = runs("wide", [True, False] * 3, [0.8, 1.5, 0.9, 1.2, 1.3, 1.1], [0.01, 0.5, 0.01] * 2)


@pytest.mark.parametrize(
    ("given", "steps", "coupled"),
    [
        (YES, "supported", "supported"),
        (NO, "refuted", "refuted"),
        (YES + NO, "regime", "regime"),
        (MIXED, "undecided", "undecided"),
        (YES[:5], "undecided", "supported"),
        ([], "undecided", "undecided"),
    ],
)
def test_findings_follow_the_rule(given, steps, coupled):
    first, second = judge_staircases(given)
    assert (first.claim, second.claim) == ("staircase-steps", "coupling-together")
    assert (first.judgement, second.judgement) == (steps, coupled)
    json.dumps([first.to_json(), second.to_json()], allow_nan=False)


def test_a_regime_names_its_settings_and_keeps_a_witness():
    first, _ = judge_staircases(YES + NO, part="tanh")
    assert "it holds in default (6 of 6" in first.statement
    assert "fails in structured (0 of 6" in first.statement
    assert first.witness is not None
    assert first.witness["setting"] == "structured"
    assert first.part == "tanh"
    assert first.tried == 2


def test_runs_whose_rank_does_not_move_count_as_not_coupled():
    still = runs("relu", [True] * 6, [None] * 6, [None] * 6)
    _, second = judge_staircases(still)
    assert second.judgement == "refuted"


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
    first, _ = judge_staircases(made)
    assert first.judgement == "supported"
    assert first.effects[0].interval.value == 2
    (row,) = staircase_rows(made)
    assert row["staircases"] == 6
    assert row["steps"] == "holds"


def test_smooth_histories_are_judged_to_have_none():
    made = [
        run_staircase("smooth", seed, range(150), np.exp(-np.arange(150) / 30), None)
        for seed in range(6)
    ]
    assert judge_staircases(made)[0].judgement == "refuted"
