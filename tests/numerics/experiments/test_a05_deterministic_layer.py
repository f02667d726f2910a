"""A5 judges planted effects as planted; its plan pairs arms by seed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from epsrank.numerics.experiments.a05_deterministic_layer import analyse, comparisons, plan
from epsrank.numerics.experiments.experiment import Request
from tests.numerics.experiments.pretraining_outcomes import planted

BETTER = {"rank": 40, "rate": 4.0, "floor": 1e-4}


QUICK = Request()


def outcomes(better="structured", request=QUICK):
    return [
        planted(trial, **(BETTER if trial.settings["init"] == better else {}))
        for trial in plan(request)
    ]


def judged(done):
    return {item.claim: item.judgement for item in analyse(done).findings}


def test_planted_effect_is_supported_and_its_reverse_is_not():
    assert set(judged(outcomes()).values()) == {"supported"}
    # Xavier better than the rest: one of two comparisons is opposed in every network.
    reverse = judged(outcomes("xavier", Request(seeds=12)))
    assert "supported" not in reverse.values()
    assert reverse["pretraining-speed"] == "refuted"


def test_no_effect_is_undecided():
    # Twelve seeds, as at the standard size.
    nothing = outcomes(better=None, request=Request(seeds=12))
    assert set(judged(nothing).values()) == {"undecided"}


def test_every_network_meets_every_plain_initialisation():
    names = [item.name for item in comparisons(outcomes())]
    assert names == [
        "(2, 30), structured against default",
        "(2, 30), structured against xavier",
        "(4, 50), structured against default",
        "(4, 50), structured against xavier",
        "chirp (2, 50), structured against default",
    ]


def test_failed_and_diverged_runs():
    done = outcomes()
    nothing = [replace(o, status="failed", result={}, cause="no memory") for o in done]
    found = analyse(nothing)
    assert {item.judgement for item in found.findings} == {"undecided"}
    assert "failed: no memory" in found.notes[0]
    assert not found.pictures
    some = [
        planted(o.trial, diverged=True) if o.settings["init"] == "structured" else o for o in done
    ]
    found = judged(some)
    assert found["pretraining-accuracy"] == "refuted"
    assert any("diverged" in note for note in analyse(some).notes)


def test_plan():
    trials = plan(Request())
    seeds = {}
    for trial in trials:
        arm = (trial.settings["task"], trial.settings["depth"], trial.settings["init"])
        seeds.setdefault(arm, []).append(trial.settings["seed"])
    assert len(seeds) == 8
    assert all(held == list(range(6)) for held in seeds.values())
    assert {t.settings["steps"] for t in plan(Request(size="full"))} == {15_000}


def test_figures_can_be_drawn(tmp_path):
    for picture in analyse(outcomes()).pictures:
        picture.draw().savefig(tmp_path / f"{picture.name}.png")


@pytest.mark.parametrize("init", ["default", "structured"])
def test_a_tiny_trial_is_repeatable(init):
    trial = next(t for t in plan(Request()) if t.settings["init"] == init)
    settings = {**trial.settings, "steps": 20, "measure_every": 10, "n_train": 40, "width": 8}
    first, second = trial.function()(settings), trial.function()(settings)
    first.pop("seconds")
    second.pop("seconds")
    assert first == second
