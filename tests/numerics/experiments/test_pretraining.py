"""The judge of the claims on pre-training: planted effects, their reverse, none, and trouble."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from epsrank.numerics.experiments.pretraining.claims import (
    ACCURACY,
    CLAIMS,
    RANK,
    SPEED,
    compare,
    findings,
    judge,
    pvalue,
)
from epsrank.numerics.experiments.pretraining.runs import read_features, read_run, read_runs
from epsrank.numerics.experiments.pretraining.speed import speed_curve
from epsrank.numerics.experiments.pretraining.tables import tables
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
    many = {"seeds": range(12)}
    favours, opposes = comparison(pretrained=BETTER, **many), comparison(plain=BETTER, **many)
    nothing = comparison(**many)
    assert judge([favours, opposes], RANK) == "regime"
    assert judge([favours, nothing], SPEED) == "regime"
    assert judge([opposes, nothing], SPEED) == "refuted"
    assert judge([favours, *[favours] * 3, *[nothing] * 16], RANK) == "regime"
    # Of six seeds all agree in one comparison of sixty-four by chance: one of twenty says nothing.
    favours, opposes = comparison(pretrained=BETTER), comparison(plain=BETTER)
    nothing = [comparison(task=f"task {k}") for k in range(19)]
    assert judge([favours, *nothing], RANK) == "undecided"
    assert judge([opposes, *nothing], RANK) == "undecided"


def test_comparisons_that_share_their_runs_are_one_piece_of_evidence():
    """Six comparisons with the same structured runs are six seeds, and not thirty-six."""
    better = comparison(pretrained=BETTER)
    assert pvalue([better], RANK) == pytest.approx(2 / 2**6)
    assert pvalue([better] * 6, RANK) == pytest.approx(2 / 2**6)
    assert pvalue([comparison()] * 6, RANK) > 0.05


def test_five_seeds_decide_nothing():
    assert judge([comparison(pretrained=BETTER, seeds=range(5))], RANK) == "undecided"


def test_arms_are_paired_by_seed_and_targets_are_the_same_for_both():
    plain, better = runs(arm("default", range(8))), runs(arm("structured", range(2, 12), **BETTER))
    found = compare("x", plain, better, "test_loss")
    assert sorted(found.plain) == sorted(found.pretrained) == list(range(2, 8))
    for point in found.curve:
        assert set(point.ratios) <= set(range(2, 8))
    assert compare("x", plain[:2], runs(arm("structured", range(5, 9))), "test_loss") is None


def test_runs_that_never_arrive_count_as_infinite():
    found = comparison(pretrained={"diverged": True})
    assert math.isinf(found.effects[SPEED].interval.value)
    assert found.effects[SPEED].interval.value > 0
    assert found.effects[ACCURACY].interval.value == math.inf
    assert found.direction(ACCURACY) == -1
    rows = {row["arm"]: row for row in tables([found])[0].rows}
    assert rows["pretrained"]["completed"] == 0
    assert all(row["arrive, pre-trained"] == 0 for row in tables([found])[1].rows)
    assert rows["pretrained"]["final error"] == "inf"
    assert found.direction(SPEED) == -1
    both = comparison(plain={"diverged": True}, pretrained={"diverged": True})
    # Neither arrives anywhere: that says nothing about speed.
    assert SPEED not in both.effects
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
    usual, speed, cost, curve = tables([found])
    assert usual.name == "pretraining"
    assert (cost.name, curve.name) == ("cost-pretraining", "cost-speed")
    assert [row["target"] for row in speed.rows] == [row["target"] for row in curve.rows]
    row = cost.rows[0]
    assert row["s to initialise, pre-trained"] == 100.0
    # Fewer steps, and yet more time: the initialisation's own is counted.
    assert judge([found], SPEED) == "supported"
    assert row["pays"] == "no"
    assert float(row["ratio"]) > 1
    assert not any("seconds" in str(key) for key in usual.rows[0])
    assert tables([comparison(pretrained=BETTER)])[2].rows[0]["pays"] == "yes"
    for outcome in outcomes:
        del outcome.result["seconds"]
    assert len(tables([compare("x", plain, runs(outcomes), "test_loss")])) == 2


def test_speed_does_not_hang_on_where_runs_are_cut_off():
    """The slow arm's first plateau sets no target: half the budget says the same."""
    whole = comparison(pretrained=BETTER, noise=0.0)

    def halved(run):
        keep = len(run.steps) - 1
        return replace(run, steps=run.steps[:keep], errors=run.errors[:keep])

    half = compare(
        "x",
        [halved(run) for run in whole.plain.values()],
        [halved(run) for run in whole.pretrained.values()],
        "test_loss",
    )
    first, second = (item.effects[SPEED].interval for item in (whole, half))
    # The rates differ by four. What is not seen of the slow runs counts in their favour.
    assert first.value == pytest.approx(-math.log10(4), abs=0.16)
    assert first.value <= second.value <= -0.3
    assert whole.curve[0].ratios == half.curve[0].ratios


def test_a_target_met_before_training_says_nothing_and_one_missed_counts_at_the_end():
    run = comparison(noise=0.0).plain[0]
    early = replace(run, errors=(0.01, *run.errors[1:]))
    never = replace(run, errors=(1.0,) * len(run.errors))
    assert speed_curve({0: run}, {0: early}, [0.1])[0].ratios == {}
    end = math.log10(run.steps[-1] / run.arrival(0.1))
    assert speed_curve({0: run}, {0: never}, [0.1])[0].ratios == {0: pytest.approx(end)}
    assert speed_curve({0: never}, {0: run}, [0.1])[0].ratios == {0: pytest.approx(-end)}
    assert speed_curve({0: never}, {0: never}, [0.1])[0].ratios == {}
    lost = replace(run, status="diverged")
    assert speed_curve({0: run}, {0: lost}, [0.1])[0].ratios == {0: math.inf}


def test_no_difference_needs_a_margin():
    same = comparison(plain={"noise": 0.0}, pretrained={"noise": 0.0})
    assert same.equal >= {ACCURACY, SPEED}
    assert "equal within the margin in poisson" in by_claim([same])[ACCURACY].statement
    # An interval that contains no effect is no proof of none.
    wide = comparison(plain={"noise": 1.0}, pretrained={"noise": 1.0})
    assert ACCURACY not in wide.equal
    assert judge([wide], ACCURACY) == "undecided"
