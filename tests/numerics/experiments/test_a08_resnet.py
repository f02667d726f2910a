"""A8: a planted gain of rank is found, its reverse refutes, and trouble is counted."""

from __future__ import annotations

import pytest
import torch

from epsrank.numerics.experiments.a08_resnet import CONTROL, EXPERIMENT, analyse, comparisons, plan
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.networks import MLP, ResNet, initialise_
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.sweeps.trial import Trial
from tests.numerics.experiments.made_up import failed, history

TRIALS = plan(Request())


def planted(trial, gain, jitter=0):
    """Return a run whose ranks exceed those of a plain network by `gain` where it is residual."""
    more = gain if trial.settings["network"] == "resnet" else 0
    more += jitter * (-1) ** trial.settings["seed"]
    ranks = [[10 + more, 12 + more, 14 + more, 16 + more] for _ in range(4)]
    return history(trial, ranks, [1.0, 0.6, 0.5, 0.1])


def judgement(outcomes):
    (finding,) = analyse(outcomes).findings
    return finding.judgement


def test_arms_are_paired_by_weights_and_by_seed():
    arms = {}
    for trial in TRIALS:
        arm = trial.settings["network"], trial.settings["init"]
        arms.setdefault(arm, []).append(trial.settings["seed"])
    assert len(arms) == 4
    assert all(seeds == list(range(6)) for seeds in arms.values())
    assert all(trial.settings["steps"] == 15_000 for trial in plan(Request(size="full")))
    plain, residual = (
        initialise_(network(1, 5, 3), "default", generator=torch.Generator().manual_seed(1))
        for network in (MLP, ResNet)
    )
    pairs = zip(plain.parameters(), residual.parameters(), strict=True)
    assert all(torch.equal(p, q) for p, q in pairs)


@pytest.mark.parametrize(
    ("gain", "jitter", "expected"),
    [(5, 0, "supported"), (-5, 0, "refuted"), (0, 0, "undecided")],
)
def test_planted_effects(gain, jitter, expected):
    assert judgement([planted(trial, gain, jitter) for trial in TRIALS]) == expected


def test_gains_that_change_their_sign_with_the_seed_decide_nothing():
    outcomes = [planted(trial, 5 if trial.settings["seed"] % 2 else -5) for trial in TRIALS]
    assert judgement(outcomes) == "undecided"


def test_a_gain_with_one_first_layer_only_is_a_regime():
    outcomes = [planted(t, 5 if t.settings["init"] == "default" else -5) for t in TRIALS]
    assert judgement(outcomes) == "regime"


def test_failed_and_diverged_runs_are_left_out_and_counted():
    outcomes = [planted(trial, 5) for trial in TRIALS]
    outcomes[0] = failed(TRIALS[0])
    outcomes[-1] = history(TRIALS[-1], [[1, 1, 1, 1]], [1.0], status="diverged")
    found = analyse(outcomes)
    assert len(found.notes) == 2
    # Five pairs are left of each first layer, too few for 95 %.
    assert found.findings[0].judgement == "undecided"
    for picture in found.pictures:
        picture.draw()


def test_half_an_experiment_is_not_enough():
    mine = [planted(t, 5) for t in TRIALS if t.settings["init"] == "default"]
    assert judgement(mine) == "regime"
    assert judgement([planted(t, 5) for t in TRIALS if t.settings["network"] == "mlp"]) == (
        "undecided"
    )


@pytest.mark.parametrize("outcomes", [[], [failed(TRIALS[0])]])
def test_no_runs_decide_nothing(outcomes):
    assert judgement(outcomes) == "undecided"


def test_the_control_counts_the_residual_network_at_its_own_threshold():
    from epsrank.numerics.experiments.a08_resnet import arm_of
    from epsrank.numerics.experiments.histories import grouped, read_histories

    outcomes = []
    for trial in TRIALS:
        outcome = planted(trial, 5)
        for end in ("rank_lower", "rank_upper"):
            table = outcome.result[end]
            table[str(CONTROL)] = [[3] * 4 for _ in table[str(CONTROL)]]
        outcomes.append(outcome)
    arms = grouped(read_histories(outcomes)[0], arm_of)
    assert {item.interval.value for item in comparisons(arms, CONTROL, 1e-6)} == {3.0 - 16.0}


def test_figures_are_drawn(tmp_path):
    for picture in analyse([planted(trial, 5) for trial in TRIALS]).pictures:
        assert save_figure(picture.draw(), tmp_path / f"{picture.name}.png").stat().st_size > 5000


def test_a_real_trial_has_what_the_analysis_reads():
    settings = {**TRIALS[-1].settings, "steps": 2, "width": 6, "n_train": 20, "measure_every": 1}
    trial = Trial("train", settings)
    result = trial.function()(trial.settings)
    assert set(result["rank_lower"]) == {str(eps) for eps in settings["eps"]}
    assert EXPERIMENT.claims == ("resnet-rank",)
