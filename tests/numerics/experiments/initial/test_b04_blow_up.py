"""B4 judges planted lengths as planted; its trial is descent on the loss."""

from __future__ import annotations

import math

import pytest
import torch

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.initial.b04_blow_up import (
    analyse,
    by_arm,
    growth,
    plan,
    rows_of,
)
from epsrank.numerics.experiments.trials.deep_small_weights import (
    TARGETS,
    _draw,
    deep_small_weights_trial,
)
from epsrank.numerics.sweeps.trial import Outcome, Trial


def planted(power=1.0, *, factor=1.0):
    """Outcomes whose deep networks stay for factor·t*^power, and others for log(1/σ)."""
    outcomes = []
    for trial in plan(Request()):
        s = trial.settings
        deep = s["layers"] > 2 and not s["bias"]
        ends = [(1 + 0.1 * k) / s["sigma"] for k in range(s["count"])]
        lengths = [factor * end**power if deep else math.log(1 / s["sigma"]) for end in ends]
        steps = [int(length / s["learning_rate"]) for length in lengths]
        result = {
            "escaped": dict.fromkeys(("usual", "early", "late"), steps),
            "blow_up": ends if deep else [None] * s["count"],
            "blow_up_cosine": [1.0] * s["count"],
            "cosine": [0.9] * s["count"],
        }
        outcomes.append(Outcome(trial, "done", result))
    return outcomes


@pytest.mark.parametrize(
    ("settings", "expected"),
    [({}, "supported"), ({"power": 0.5}, "refuted"), ({"factor": 1.1}, "undecided")],
)
def test_planted_effects(settings, expected):
    finding = analyse(planted(**settings)).findings[0]
    assert (finding.judgement, finding.part) == (expected, "training")
    assert (finding.witness is not None) == (expected == "refuted")


def test_runs_that_never_escape_count_against():
    outcomes = planted()
    deep = [o for o in outcomes if o.settings["layers"] > 2 and not o.settings["bias"]]
    smallest = min(deep, key=lambda o: o.settings["sigma"])
    count = smallest.settings["count"]
    for still, expected in ((2, "undecided"), (count, "refuted")):
        steps = [*[None] * still, *smallest.result["escaped"]["usual"][still:]]
        smallest.result["escaped"] = dict.fromkeys(("usual", "early", "late"), steps)
        found = analyse(outcomes)
        finding = found.findings[0]
        # Left out, the others would keep the law, and the setting where none escapes be gone.
        assert finding.judgement == expected
        assert f"{still} seeds have a run that never left" in finding.statement
    assert found.pictures[0].draw() is not None


def test_controls_grow_by_equal_amounts_and_the_picture_can_be_drawn(tmp_path):
    found = analyse(planted())
    controls = [e for e in found.findings[0].effects if e.name.startswith("growth")]
    assert [round(e.interval.value, 1) for e in controls] == [1.0, 1.0]
    two = [o for o in planted() if o.settings["layers"] == 3 and not o.settings["bias"]]
    assert set(growth(two).values()) == {2.0}
    found.pictures[0].draw().savefig(tmp_path / "b4.png")
    nothing = analyse([Outcome(o.trial, "failed", cause="planted") for o in planted()])
    assert nothing.findings[0].judgement == "undecided"
    assert nothing.notes


@pytest.mark.parametrize(("layers", "bias"), [(2, False), (3, False), (3, True), (4, False)])
def test_the_trial_is_descent_by_automatic_derivatives(layers, bias):
    settings = {
        "target": "sine", "layers": layers, "width": 3, "inputs": 2, "samples": 10, "sigma": 0.9,
        "bias": bias, "learning_rate": 0.05, "steps": 3, "seed": 4, "count": 2,
    }  # fmt: skip
    result = deep_small_weights_trial(settings)
    x, y, weights, shift = _draw(settings, 5)
    leaves = [(0.9 * w).requires_grad_() for w in (*weights, shift)]
    optimizer = torch.optim.SGD(leaves, 0.05)
    for losses in result["loss"]:
        hidden = x
        for place, weight in enumerate(leaves[:-2]):
            inner = hidden @ weight
            hidden = torch.tanh(inner + leaves[-1] if bias and place == 1 else inner)
        loss = (hidden @ leaves[-2] - y).square().mean()
        assert losses[1] == pytest.approx(float(loss.detach()), rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert (result["blow_up"][0] is None) == (layers == 2 or bias)


@pytest.mark.parametrize("target", TARGETS)
def test_the_plateau_is_as_long_as_the_leading_order_less_a_constant(target):
    settings = {
        "target": target, "layers": 3, "width": 8, "inputs": 3, "samples": 30, "bias": False,
        "learning_rate": 0.05, "steps": 3000, "seed": 1, "count": 1,
    }  # fmt: skip
    big, small = (deep_small_weights_trial(settings | {"sigma": s}) for s in (0.04, 0.02))
    steps = [r["escaped"]["usual"][0] for r in (big, small)]
    ends = [r["blow_up"][0] / 0.05 for r in (big, small)]
    assert ends[1] == pytest.approx(2 * ends[0], rel=1e-8)
    assert steps[1] - steps[0] == pytest.approx(ends[1] - ends[0], rel=0.03, abs=1)
    # What is certain of the smaller scale stands beside it, and is less.
    outcome = Outcome(Trial("deep-small-weights", settings | {"sigma": 0.02}), "done", small)
    (row,) = rows_of(by_arm([outcome])).rows
    assert 0.3 * row["steps"] < row["certain steps"] <= row["steps"]
    biased = Outcome(
        Trial("deep-small-weights", settings | {"sigma": 0.02, "bias": True}), "done", small
    )
    assert rows_of({(3, True, target): [biased]}).rows[0]["certain steps"] is None
