"""A11: planted gains are found level by level, planted losses refute, and levels are told apart."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.experiments.a11_ablations import (
    CLAIMED,
    EXPERIMENT,
    analyse,
    levels,
    placed,
    plan,
)
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.sweeps.settings import config_of
from epsrank.numerics.sweeps.trial import Trial
from tests.numerics.experiments.made_up import failed, history

TRIALS = plan(Request())


def planted(trial, gain):
    """Return a run that ends a factor `gain` lower with the structured first layer."""
    better = trial.settings["init"] == "structured"
    factor = 1 / gain if better else 1.0
    losses = [1.0, *(0.9**k * factor for k in range(1, 8))]
    ranks = [[10 * (1 + better) + k] * 2 for k in range(len(losses))]
    return history(trial, ranks, losses)


def gains(outcomes):
    return next(f for f in analyse(outcomes).findings if f.part == "gains")


def staired(trial):
    """Return a run with two drops of its loss."""
    rng = np.random.default_rng(trial.settings["seed"])
    loss = np.exp(np.repeat([0.0, -3.0, -6.0], [40, 30, 30]) + 0.03 * rng.normal(size=100))
    return history(trial, np.repeat([[5, 5], [15, 15]], 50, axis=0), loss.tolist())


def smooth(trial):
    """Return a run with an even decay."""
    rng = np.random.default_rng(trial.settings["seed"])
    loss = np.exp(np.linspace(0, -6, 100) + 0.03 * rng.normal(size=100))
    return history(trial, np.repeat([[5, 5], [15, 15]], 50, axis=0), loss.tolist())


def test_planted_stairs_are_found_and_smooth_decay_is_none():
    plain = [trial for trial in TRIALS if trial.settings["init"] == "default"]
    for run, expected in ((staired, "supported"), (smooth, "refuted")):
        (_, found) = analyse([run(trial) for trial in plain]).findings
        assert (found.part, found.judgement) == ("staircases", expected)
    mixed = [(staired if t.settings["optimizer"] == "sgd" else smooth)(t) for t in plain]
    assert analyse(mixed).findings[1].judgement == "regime"


def test_every_level_has_both_arms_and_six_seeds():
    arms = placed([planted(trial, 2.0) for trial in TRIALS])
    assert {len(mine) for _, _, mine in arms.values()} == {6}
    assert len(arms) == 2 * len(list(levels(experiment_rules("A11", "quick"))))
    assert {level.factor for level, _, _ in arms.values()} == set(CLAIMED)


def test_the_full_size_varies_every_factor_and_can_be_run():
    trials = plan(Request(size="full", seeds=1))
    for trial in trials:
        config_of(trial.settings)
    arms = placed([planted(trial, 2.0) for trial in trials])
    assert len(arms) == len(trials)
    assert {level.factor for level, _, _ in arms.values()} == {
        *CLAIMED, "width", "depth", "activation", "scale",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("gain", "expected"), [(4.0, "supported"), (0.25, "refuted"), (1.0, "undecided")]
)
def test_planted_gains(gain, expected):
    assert gains([planted(trial, gain) for trial in TRIALS]).judgement == expected


def test_gains_of_some_optimisers_only_are_a_regime():
    outcomes = [planted(t, 0.25 if t.settings["optimizer"] == "sgd" else 4.0) for t in TRIALS]
    found = gains(outcomes)
    assert found.judgement == "regime"
    assert "the reverse in optimiser sgd" in found.statement


def test_runs_that_diverge_count_as_worse_and_failures_are_left_out():
    outcomes = [planted(trial, 4.0) for trial in TRIALS]
    for place, trial in enumerate(TRIALS):
        if trial.settings["optimizer"] == "sgd" and trial.settings["init"] == "structured":
            outcomes[place] = history(trial, [[9, 9]], [1.0], status="diverged")
    outcomes[0] = failed(TRIALS[0])
    found = analyse(outcomes)
    assert gains(outcomes).judgement == "regime"
    assert len(found.notes) == 2
    for picture in found.pictures:
        picture.draw()


@pytest.mark.parametrize("outcomes", [[], [failed(TRIALS[0])]])
def test_no_runs_decide_nothing(outcomes):
    assert {f.judgement for f in analyse(outcomes).findings} == {"undecided"}


def test_trials_of_other_plans_are_left_out():
    other = Trial("train", {**TRIALS[0].settings, "width": 31})
    assert placed([planted(other, 4.0)]) == {}


def test_figures_are_drawn(tmp_path):
    for picture in analyse([planted(trial, 4.0) for trial in TRIALS]).pictures:
        assert save_figure(picture.draw(), tmp_path / f"{picture.name}.png").stat().st_size > 5000
    assert EXPERIMENT.id == "A11"
