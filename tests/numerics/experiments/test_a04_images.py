"""A4: steps are judged once per training, coupling with the ranks of every view."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from epsrank.numerics.experiments.a04_images import EPS, analyse, plan, views
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.stairs import CLAIMS
from epsrank.numerics.experiments.trials.neck_ranks import neck_trial
from epsrank.numerics.sweeps.trial import Trial
from epsrank.theory.errors import InputError
from tests.numerics.experiments.made_up import failed, history

LENGTH = 100
GROWING, FLAT = np.repeat([5, 15, 25], [40, 30, 30]), np.full(LENGTH, 7)


def outcome(trial, *, stairs=True, box=GROWING):
    """A run with two drops; over data its rank grows at them, over the box as given."""
    neck = trial.kind == "neck"
    settings = trial.settings["train"] if neck else trial.settings
    rng = np.random.default_rng(settings["seed"])
    level = np.repeat([0.0, -3.0, -6.0], [40, 30, 30]) if stairs else -0.05 * np.arange(LENGTH)
    loss = np.exp(level + 0.03 * rng.normal(size=LENGTH)).tolist()
    made = history(Trial("train", settings), np.stack([GROWING] * 3, axis=1), loss)
    if not neck:
        return made
    ranks = {str(eps): box.tolist() for eps in EPS}
    result = {**made.result, "box_lower": ranks, "box_upper": ranks}
    return replace(made, trial=trial, result=result)


def judged(done):
    return {item.claim: item for item in analyse(done).findings}


def test_planted_stairs_and_their_absence():
    done = [outcome(trial) for trial in plan(Request())]
    found = judged(done)
    assert {found[claim].judgement for claim in CLAIMS} == {"supported"}
    assert found["staircase-steps"].tried == 4
    assert found["coupling-together"].tried == 6
    smooth = judged([outcome(trial, stairs=False) for trial in plan(Request())])
    assert smooth["staircase-steps"].judgement == "refuted"


def test_a_rank_over_the_box_that_does_not_move_is_not_testable():
    found = judged([outcome(trial, box=FLAT) for trial in plan(Request())])
    assert found["staircase-steps"].judgement == "supported"
    assert found["coupling-together"].judgement == "supported"
    statement = found["coupling-together"].statement
    assert "narrow layer, rank over its box (not testable)" in statement


def test_failures_and_missing_data():
    done = [outcome(trial) for trial in plan(Request())]
    some = [failed(o.trial) if i % 5 == 0 else o for i, o in enumerate(done)]
    found = analyse(some)
    assert any("failed" in note for note in found.notes)
    assert any("MNIST was not at hand" in note for note in found.notes)
    nothing = analyse([failed(o.trial) for o in done])
    assert {item.judgement for item in nothing.findings} == {"undecided"}


def test_plan():
    trials = plan(Request(datasets=("mnist",)))
    assert len(trials) == 2 * len(plan(Request())) == 48
    assert "data" not in trials[-1].settings


def test_views_keep_the_losses():
    done = [outcome(trial) for trial in plan(Request())[:2]]
    seen = views(done)
    assert len(seen) == 3
    assert all(item.result["loss"] == done[0].result["loss"] for item in seen[:2])


def test_a_tiny_trial_is_repeatable():
    trial = plan(Request())[0]
    settings = {
        **trial.settings,
        "train": {
            **trial.settings["train"],
            "width": 12,
            "steps": 4,
            "measure_every": 2,
            "n_train": 60,
            "probe": 40,
        },
        "log2_points": 5,
    }
    result = neck_trial(settings)
    assert neck_trial(settings) == result
    for eps in EPS:
        low, high = result["box_lower"][str(eps)], result["box_upper"][str(eps)]
        assert len(low) == len(result["step"]) == 3
        assert all(0 < a <= b <= 12 for a, b in zip(low, high, strict=True))
    with pytest.raises(InputError, match="bottleneck"):
        neck_trial({**settings, "train": {**settings["train"], "network": "mlp"}})
