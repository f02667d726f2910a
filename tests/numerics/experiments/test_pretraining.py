"""The judge of the claims on pre-training: planted effects, their reverse, none, and trouble."""

from __future__ import annotations

import math

import pytest

from epsrank.numerics.experiments.pretraining.claims import (
    ACCURACY,
    CLAIMS,
    RANK,
    SPEED,
    compare,
    findings,
    judge,
    tables,
)
from epsrank.numerics.experiments.pretraining.runs import read_features, read_run, read_runs
from epsrank.numerics.sweeps.trial import Outcome, Trial
from tests.numerics.experiments.pretraining_outcomes import planted

SEEDS = range(6)


def arm(init, seeds=SEEDS, kind="pretraining", task="poisson", **given):
    trials = [
        Trial(kind, {"task": task, "init": init, "seed": seed, "eps": [1e-6]}) for seed in seeds
    ]
    return [planted(trial, **given) for trial in trials]


def runs(outcomes, metric="test_loss"):
    return read_runs(outcomes, metric, 1e-6)[0]


def comparison(plain=None, pretrained=None, metric="test_loss", **given):
    first = arm("default", **(plain or {}), **given)
    second = arm("structured", **(pretrained or {}), **given)
    return compare("poisson", runs(first, metric), runs(second, metric), metric)


def by_claim(comparisons):
    return {finding.claim: finding for finding in findings(comparisons)}


BETTER = {"rank": 40, "rate": 4.0, "floor": 1e-4}


@pytest.mark.parametrize("metric", ["test_loss", "loss", "test_error"])
@pytest.mark.parametrize("kind", ["pretraining", "train"])
def test_a_planted_effect_is_supported(metric, kind):
    found = by_claim([comparison(pretrained=BETTER, metric=metric, kind=kind)])
    assert {finding.judgement for finding in found.values()} == {"supported"}
    assert list(found) == list(CLAIMS)
    ratio = found[ACCURACY].effects[0].interval
    assert ratio.high < 0
    assert "1 of 1" in found[SPEED].statement
    assert found[RANK].effects[0].interval.value == pytest.approx(20, abs=1)
    assert len(found[RANK].effects) == 2


def test_the_reverse_is_refuted_with_a_witness():
    found = by_claim([comparison(plain=BETTER)])
    for claim in CLAIMS:
        assert found[claim].judgement == "refuted"
        assert found[claim].witness["comparison"] == "poisson"
        assert found[claim].witness["settings"]["init"] == "structured"
        assert "the reverse holds in poisson" in found[claim].statement


def test_no_effect_is_undecided():
    found = by_claim([comparison()])
    assert {finding.judgement for finding in found.values()} == {"undecided"}


def test_some_of_several_make_a_regime():
    favours, opposes = comparison(pretrained=BETTER), comparison(plain=BETTER)
    assert judge([favours, opposes], RANK) == "regime"
    assert judge([favours, comparison()], SPEED) == "regime"
    assert judge([opposes, comparison()], SPEED) == "refuted"
    # One in twenty is what chance gives.
    nothing = comparison()
    assert judge([favours, *[nothing] * 19], RANK) == "undecided"
    assert judge([opposes, *[nothing] * 19], RANK) == "undecided"
    assert judge([favours, *[favours] * 3, *[nothing] * 16], RANK) == "regime"


def test_five_seeds_decide_nothing():
    assert judge([comparison(pretrained=BETTER, seeds=range(5))], RANK) == "undecided"


def test_arms_are_paired_by_seed_and_targets_are_the_same_for_both():
    plain, better = runs(arm("default", range(8))), runs(arm("structured", range(2, 12), **BETTER))
    found = compare("x", plain, better, "test_loss")
    assert sorted(found.plain) == sorted(found.pretrained) == list(range(2, 8))
    finals = [run.final_error for arm in (found.plain, found.pretrained) for run in arm.values()]
    assert found.target == max(finals)
    assert all(run.arrival(found.target) <= 320 for run in found.plain.values())
    assert compare("x", plain[:2], runs(arm("structured", range(5, 9))), "test_loss") is None


def test_runs_that_never_arrive_count_as_infinite():
    found = comparison(pretrained={"diverged": True})
    assert math.isinf(found.effects[SPEED].interval.value)
    assert found.effects[SPEED].interval.value > 0
    assert found.effects[ACCURACY].interval.value == math.inf
    assert found.direction(ACCURACY) == -1
    rows = {row["arm"]: row for row in tables([found])[0].rows}
    assert rows["pretrained"]["arrive"] == 0
    assert rows["pretrained"]["final error"] == "inf"
    assert found.direction(SPEED) == -1
    both = comparison(plain={"diverged": True}, pretrained={"diverged": True})
    assert both.effects[SPEED].interval.value == 0
    assert judge([both], SPEED) == "undecided"


def test_failed_trials_are_left_out_and_noted():
    outcomes = arm("default", status="failed") + arm("structured", diverged=True)
    found, notes = read_runs(outcomes, "test_loss", 1e-6)
    assert len(found) == 6
    assert any("6 trainings failed" in note and "no memory" in note for note in notes)
    assert any("6 trainings diverged" in note for note in notes)
    assert compare("x", runs(outcomes[:6]), found, "test_loss") is None
    other = Outcome(Trial("random-features", {"seed": 0}), "done", {"step": [1]})
    assert read_run(other, "test_loss", 1e-6) is None
    assert read_run(outcomes[6], "test_loss", 1e-3) is None


def test_nothing_at_all_is_undecided():
    assert {finding.judgement for finding in findings([])} == {"undecided"}
    assert tables([]) == ()


def test_ranks_that_are_not_resolved_do_not_count():
    outcomes = arm("structured", **BETTER)
    for outcome in outcomes:
        outcome.result["rank_lower"]["1e-06"] = [[1, 1]] * 8
    found = compare("x", runs(arm("default")), runs(outcomes), "test_loss")
    assert found.effects[RANK].interval.value == 0
    assert judge([found], RANK) == "undecided"


def test_ranks_of_features_come_before_those_of_the_operator():
    outcome = arm("default")[0]
    outcome.result["feature_ranks"] = {"lower": {"1e-06": [3, 5]}, "upper": {"1e-06": [4, 5]}}
    run = read_run(outcome, "test_loss", 1e-6)
    assert (run.first_rank, run.last_rank) == ((3.0, 4.0), (5.0, 5.0))
    outcome.result["feature_ranks"] = {"lower": {"1e-06": [7] * 8}, "upper": {"1e-06": [9] * 8}}
    assert read_features(outcome).rank().tolist() == [8.0] * 8
    del outcome.result["feature_ranks"]
    assert read_features(outcome).rank()[0] >= 20


def test_costs_stand_in_a_table_of_their_own():
    outcomes, plain = arm("structured", **BETTER), runs(arm("default", noise=0.0))
    for outcome in outcomes:
        outcome.result["seconds"]["initialise"] = 100.0
    found = compare("x", plain, runs(outcomes), "test_loss")
    usual, cost = tables([found])
    assert usual.name == "pretraining"
    assert cost.name == "cost-pretraining"
    row = cost.rows[0]
    assert row["s to initialise, pre-trained"] == 100.0
    # Fewer steps, and yet more time: the initialisation's own is counted.
    assert judge([found], SPEED) == "supported"
    assert row["pays"] == "no"
    assert float(row["ratio"]) > 1
    assert not any("seconds" in str(key) for key in usual.rows[0])
    assert tables([comparison(pretrained=BETTER)])[1].rows[0]["pays"] == "yes"
    for outcome in outcomes:
        del outcome.result["seconds"]
    assert len(tables([compare("x", plain, runs(outcomes), "test_loss")])) == 1
