"""B6 judges planted orders as planted; its trial measures what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.initial.b06_one_axis import (
    ANCHOR,
    analyse,
    apart,
    judged,
    plan,
    read,
)
from epsrank.numerics.experiments.initial.judged import UNKNOWN
from epsrank.numerics.experiments.rules import experiment_rules, instrument
from epsrank.numerics.experiments.trials.one_axis import EPS, moments, one_axis_trial
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.rank.epsilon import epsilon_rank

STEPS = np.unique(np.geomspace(1, 8000, 60).round())


def step_at(at, before, after):
    return np.where(at <= STEPS, after, before)


def planted(rank=500.0, *, early=50.0, late=2000.0, spread=1.0):
    """Outcomes in which events come early or late, and half of the rank's growth in between."""
    outcomes = []
    for trial in plan(Request()):
        factor = spread ** (trial.settings["seed"] % 3)
        high = factor * np.array([early, rank, late])
        loss = step_at(high[0], 1.0, 0.5) * step_at(high[2], 1.0, 0.05)
        series = {
            "step": STEPS,
            "loss": loss,
            "orientations": step_at(high[0], 9.0, 1.0),
            "weight_rank_layer1": step_at(high[0], 1.9, 1.1),
            "transport": 0.01 + np.exp(-(np.log(STEPS / high[0]) ** 2) / 0.05),
            "frequency_1": step_at(high[0], 1.0, 0.1),
            "frequency_4": step_at(high[2], 1.0, 0.1),
        }
        for eps in EPS:
            grown = step_at(high[1], 4.0, 14.0)
            series |= {f"rank_{end}_layer1_{eps!r}": grown for end in ("lower", "upper")}
        result = {
            "diverged": False, "limit": 40.0, "series": {n: v.tolist() for n, v in series.items()}
        }  # fmt: skip
        outcomes.append(Outcome(trial, "done", result))
    return outcomes


@pytest.mark.parametrize(
    ("places", "before", "after"),
    [
        ({}, "supported", "supported"),
        ({"spread": 1.3}, "supported", "supported"),  # a common pace is no order
        ({"rank": 3500.0}, "supported", "refuted"),  # the loss falls before the rank grows
        ({"rank": 5.0}, "refuted", "supported"),
        ({"rank": 2000.0}, "supported", "undecided"),  # ties
        ({"rank": 50.0}, "undecided", "supported"),
    ],
)
def test_planted_orders(places, before, after):
    found = analyse(planted(**places))
    assert [finding.judgement for finding in found.findings] == [before, after]
    assert [finding.part for finding in found.findings] == ["before", "after"]
    # Three and two events in two settings, and five views of both.
    assert [finding.tried for finding in found.findings] == [6, 4]
    assert len(found.tables[-1].rows) == 10
    for finding in found.findings:
        if finding.judgement == "supported":
            assert finding.pvalue is not None
            assert finding.pvalue < 0.05
            assert "Of 6 seeds a share of 0.96" in finding.statement


def test_a_tie_is_not_established_and_not_refuted():
    finding = judged(planted(rank=2000.0)).findings[1]
    assert all(item.interval.low < 0 < item.interval.high for item in finding.effects)
    assert "not loss ≤ 0.1 L₀, error at frequency 4" in finding.statement


def test_a_rank_that_does_not_grow_counts_as_unknown():
    outcomes = planted()
    for outcome in outcomes:
        if outcome.settings["seed"] < 4:
            for name in list(outcome.result["series"]):
                if name.startswith("rank"):
                    outcome.result["series"][name] = [4.0] * len(STEPS)
    assert [f.judgement for f in judged(outcomes).findings] == ["undecided"] * 2
    group = read(outcomes)[0][0]
    rows = group.times()
    anchor = next(row for row in rows if row.event.name.endswith(ANCHOR))
    assert apart(rows[0], anchor).count(UNKNOWN) == 4


def test_another_threshold_is_seen():
    outcomes = planted()
    for outcome in outcomes:
        # At the last ε the rank grows last of all.
        for end in ("lower", "upper"):
            outcome.result["series"][f"rank_{end}_layer1_0.01"] = step_at(3500, 1, 9).tolist()
    found = analyse(outcomes)
    assert [finding.judgement for finding in found.findings] == ["supported", "regime"]
    assert found.findings[1].statement.endswith("not stable at ε = 0.01")


def test_failures_and_divergences_are_told():
    outcomes = planted()
    nothing = analyse([Outcome(o.trial, "failed", cause="planted") for o in outcomes])
    assert nothing.findings[0].judgement == "undecided"
    assert nothing.notes == (f"{len(outcomes)} of {len(outcomes)} trials failed",)
    outcomes[0].result["diverged"] = True
    assert judged(outcomes).notes == ("1 runs diverged: they are judged up to there",)


def test_every_run_is_drawn():
    outcomes = [outcome for outcome in planted() if outcome.settings["seed"] < 2]
    found = judged(outcomes)
    assert [picture.name for picture in found.pictures] == ["axis-1", "axis-2"]
    axes = found.pictures[0].draw().axes
    assert len(axes[0].get_lines()) >= 2
    table = {
        row["event"]: row for row in found.tables[0].rows if "equal, PyTorch" in row["setting"]
    }
    assert table["loss ≤ 0.9 L₀"]["reached"] == 2
    # Both fall at one step, so that they agree wherever they differ at all.
    for row in found.tables[2].rows:
        assert (row["fewest orientations"], row["effective rank then"]) == (1.0, 1.1)
        assert row["Kendall's τ of both"] == pytest.approx(1.0)
    order = found.tables[1].rows
    assert all(row["before"] + row["after"] == 2 for row in order)
    assert {row["p"] for row in order} == {0.5}


def test_the_trial_measures_what_a_monitor_would():
    settings = dict(plan(Request())[0].settings) | {"steps": 2, "measurements": 2}
    result = one_axis_trial(settings)
    series = result["series"]
    assert series["step"] == sorted(moments(2, 2)) == [0, 1, 2]
    assert not result["diverged"]
    assert result["limit"] == pytest.approx(2 * 1.9 / settings["learning_rate"])
    # The first row, by a transcription.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        model = torch.nn.Sequential(
            torch.nn.Linear(1, 50, dtype=torch.float64), torch.nn.Tanh(),
            torch.nn.Linear(50, 1, dtype=torch.float64),
        )  # fmt: skip
    x = torch.arange(64, dtype=torch.float64)[:, None] * 2 * math.pi / 64 - math.pi
    y = torch.sin(x) + torch.sin(2 * x) + torch.sin(4 * x)
    loss = (model(x) - y).square().mean()
    loss.backward()
    slope = torch.cat([p.grad.reshape(-1) for p in model.parameters()])
    assert series["loss"][0] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert series["gradient_norm"][0] == pytest.approx(float(slope.norm()), rel=1e-5)
    both = torch.cat([model[0].weight, model[0].bias[:, None]], dim=1).detach()
    shares = torch.linalg.svdvals(both)
    shares = shares / shares.sum()
    assert series["weight_rank_layer1"][0] == pytest.approx(
        float(torch.exp(-(shares * shares.log()).sum())), rel=1e-5
    )
    rank = epsilon_rank(model[1](model[0](x)).detach(), EPS[0])
    assert series["rank_lower_layer1_1e-06"][0] == rank.lower
    # Cosines of the gradients of single samples, all pairs of two.
    rows = []
    for k in range(64):
        model.zero_grad()
        (model(x[k]) - y[k]).square().mean().backward()
        rows.append(torch.cat([p.grad.reshape(-1) for p in model.parameters()]))
    units = torch.nn.functional.normalize(torch.stack(rows), dim=1)
    mean = (units.sum(dim=0).square().sum() - 64) / (64 * 63)
    assert series["stiffness"][0] == pytest.approx(float(mean), rel=1e-3, abs=1e-5)
    assert series["path"][0] == series["distance"][0] == 0
    assert series["transport"][0] is None


def test_a_run_that_diverges_ends_there():
    settings = dict(plan(Request())[0].settings) | {
        "steps": 40, "measurements": 2, "learning_rate": 1e6
    }  # fmt: skip
    result = one_axis_trial(settings)
    assert result["diverged"]
    assert all(np.isfinite(result["series"]["loss"]))


def test_the_rule_and_the_instrument_are_in_the_stamp():
    assert "epsrank.numerics.stages.passages" in instrument("B6")
    assert "epsrank.numerics.stages.entry" not in instrument("B6")
    rules = experiment_rules("B6", "standard")
    assert len(rules["before"]) == 3
    # No other experiment of B changes with the stages.
    assert not [m for m in instrument("B5") if "numerics.stages" in m]
    assert len(plan(Request(size="standard"))) == 4 * 2 * 12
