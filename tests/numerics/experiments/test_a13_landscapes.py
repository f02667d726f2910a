"""A13 judges planted differences as planted, by shape and by rank."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from epsrank.numerics.experiments.a13_landscapes import ARMS, analyse, plan
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.trials.checkpoint_landscapes import (
    _by_outputs,
    landscape_trial,
    matched,
)
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.loop import train


def outcomes(*, matched=0.0, within=0.0, ranks=20, noise=0.1):
    random = np.random.default_rng(0)

    def entry(shift, rank):
        shape = {name: float(shift + noise * random.normal()) for name in ("rise", "curvature")}
        shape["not_convex"] = float(np.clip(0.5 + noise * random.normal(), 0, 1))
        # What filter-normalised lines show is not judged: large weights alone are curved there.
        long = {name: value + 3.0 * (rank > 5) for name, value in shape.items()}
        return {"step": 10, "loss": 0.1, "rank": [rank, rank], "free": shape, **long}

    found = []
    for trial in plan(Request()):
        arms = {
            arm: {
                "low": entry(0.0, 5),
                "high": entry(within, 5 + ranks),
                "matched": entry(matched * (arm == "structured"), 5 + ranks * (arm == ARMS[1])),
            }
            for arm in ARMS
        }
        found.append(Outcome(trial, "done", {"arms": arms}, None, 1.0))
    return found


@pytest.mark.parametrize(
    ("planted", "expected"),
    [
        ({"matched": 2.0, "within": 2.0}, "supported"),
        ({"matched": -2.0}, "supported"),
        ({"within": 2.0}, "regime"),
        ({}, "undecided"),
        # Shapes that differ between checkpoints of the same rank say nothing about the rank.
        ({"matched": 2.0, "within": 2.0, "ranks": 0}, "undecided"),
    ],
)
def test_planted(planted, expected):
    finding = analyse(outcomes(**planted)).findings[0]
    assert finding.judgement == expected
    assert finding.tried == 9


def test_too_few_seeds_establish_nothing():
    finding = analyse(outcomes(matched=2.0, within=2.0)[:5]).findings[0]
    assert finding.judgement == "undecided"


def test_failures_and_missing_checkpoints():
    done = outcomes(matched=2.0)
    nothing = [replace(o, status="failed", result={}, cause="no memory") for o in done]
    found = analyse(nothing)
    assert found.findings[0].judgement == "undecided"
    assert "10 of 10 trials failed" in found.notes[0]
    for outcome in done:
        del outcome.result["arms"]["default"]["matched"]
    assert analyse(done).findings[0].judgement == "undecided"


def test_flat_lines_are_left_out_in_pairs():
    done = outcomes(matched=2.0)
    for outcome in done:
        for arm in ARMS:
            outcome.result["arms"][arm]["low"]["free"]["curvature"] = None
            outcome.result["arms"][arm]["high"]["free"]["curvature"] = None
    assert analyse(done).findings[0].judgement == "supported"


def test_plan():
    trials = plan(Request())
    assert len(trials) >= 9  # fewer could not reach Bonferroni's coverage
    assert sum(t.settings["grid"] > 0 for t in trials) == 1


def test_a_pair_has_equal_losses_and_the_least_ones():
    first, second = [9.0, 0.5, 0.3, 0.1], [9.0, 0.304, 0.2, 0.0501]
    # The first measurements are of untrained networks; 0.304 and 0.3 agree within two per cent.
    assert matched([first, second], 0.02) == (2, 1)
    assert matched([first, second], 0.001) is None
    assert matched([first, [9.0, np.inf, 0.0, 0.1]], 0.02) == (3, 3)


def test_lines_of_equal_outputs_do_not_see_the_scale_of_the_weights():
    """A longer direction, as that of larger weights, gives the same line."""
    run = train(RunConfig(width=6, depth=1, steps=2, n_train=30, measure_every=1, device="cpu"))
    model = run.network(-1)
    random = torch.Generator().manual_seed(0)
    direction = {
        name: torch.randn(value.shape, generator=random, dtype=value.dtype)
        for name, value in model.state_dict().items()
    }
    for factor in (1.0, 7.0):
        scaled = {name: factor * part for name, part in direction.items()}
        ends = _by_outputs(model, run, scaled)
        if factor == 1.0:
            first = ends
    assert all(torch.allclose(first[name], ends[name], rtol=1e-6) for name in first)


def test_a_small_trial_is_repeatable_and_its_figures_can_be_drawn(tmp_path):
    settings = {
        "train": {
            "task": "cosines",
            "width": 10,
            "depth": 2,
            "steps": 60,
            "measure_every": 20,
            "n_train": 60,
            "eps": [1e-6],
            "seed": 3,
            "device": "cpu",
        },
        "arms": list(ARMS),
        "lines": 3,
        "grid": 5,
        "agree": 0.3,
    }
    result = landscape_trial(settings)
    assert landscape_trial(settings) == result
    for arm in ARMS:
        entry = result["arms"][arm]
        assert entry["low"]["rank"][0] <= entry["high"]["rank"][0]
        assert 0 < entry["planes"]["path"]["share"] <= 1
    losses = [result["arms"][arm]["matched"]["loss"] for arm in ARMS]
    assert abs(np.log(losses[0] / losses[1])) <= np.log(1.3)
    trial = replace(plan(Request())[0], settings=settings)
    for picture in analyse([Outcome(trial, "done", result)]).pictures:
        picture.draw().savefig(tmp_path / f"{picture.name}.png")
