"""B1 judges planted lengths as planted; its trial follows the gradients and the linearised flow."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.initial.b01_stages import EXPERIMENT, analyse, plan
from epsrank.numerics.experiments.initial.first_plateau import length_rows
from epsrank.numerics.experiments.initial.runs import read_runs
from epsrank.numerics.experiments.trials.small_weights import LEVELS, small_weights_trial, start
from epsrank.numerics.sweeps.trial import Outcome, Trial

RATE, SQUARE, AFFINE = 1.0, 1.0, 0.3
VIEWS = ("usual", "early", "late")


def planted(*, law=1.0, second=lambda settings: 50.0, even=None, descent=1.0):
    """Outcomes whose first plateau is law·log(1/σ)/rate long, and the second one as asked."""
    outcomes = []
    for trial in plan(Request()):
        s = trial.settings
        pace = s["learning_rate"] / (1 - s["momentum"])
        jitter = 1 + 0.01 * np.random.default_rng(0).standard_normal(s["count"])
        escaped = law * math.log(1 / s["sigma"]) / RATE + 0.3 * jitter
        if s["target"] == "even":
            escaped = None if even is None else even * np.ones(s["count"])
        times = {"escaped": escaped, "settled": None, "left": None}
        if escaped is not None:
            times["settled"] = escaped + descent * jitter
            times["left"] = times["settled"] + second(s) * jitter
        passed = {
            name: {
                view: [None] * s["count"] if t is None else [int(x / pace) for x in t]
                for view in VIEWS
            }
            for name, t in times.items()
        }
        rows = np.arange(0, 150) if s["rows"] is not None and escaped is not None else []
        grid = np.array(rows) * 0.6
        loss = [
            [
                SQUARE if t < e else AFFINE if t < x else 0.02
                for e, x in zip(escaped, times["left"], strict=True)
            ]
            for t in grid
        ]
        result = passed | {
            "square": SQUARE,
            "affine": AFFINE,
            "rate": RATE,
            "predicted": [None] * s["count"],
            "step": (grid / pace).tolist(),
            "loss": loss,
            "transport": loss,
            "final": [0.0] * s["count"],
        }
        outcomes.append(Outcome(trial, "done", result))
    return outcomes


def judgements(outcomes):
    return {f.claim: f.judgement for f in analyse(outcomes).findings}


def shorter(settings):
    usual = settings["width"] == 50 and settings["momentum"] == 0 and settings["sigma"] < 0.1
    plain = settings["batch"] is None and settings["first"] == "gaussian"
    return 50.0 if usual and plain and settings["learning_rate"] == 0.05 else 25.0


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, ("supported", "regime", "refuted")),
        ({"even": 3.0}, ("supported", "supported", "refuted")),
        ({"law": 1.3, "second": shorter}, ("supported", "refuted", "supported")),
        ({"second": lambda s: 50.0 if s["first"] == "gaussian" else 1.0},
         ("supported", "regime", "regime")),
        ({"descent": 200.0}, ("refuted", "regime", "refuted")),
    ],
)  # fmt: skip
def test_planted_effects(settings, expected):
    found = judgements(planted(**settings))
    names = ("three-stages", "plateau-length", "second-plateau")
    assert tuple(found[name] for name in names) == expected


def test_networks_that_never_escape_count_against_the_law_of_lengths():
    outcomes = planted(even=3.0)
    for outcome in outcomes:
        s = outcome.settings
        if s["target"] != "even" and s["sigma"] < 0.1:
            never = dict.fromkeys(VIEWS, [None] * s["count"])
            outcome.result.update(escaped=never, settled=never, left=never)
    finding = next(f for f in analyse(outcomes).findings if f.claim == "plateau-length")
    # Left out, nothing at all would be known of the setting.
    assert finding.judgement == "refuted"
    assert "8 seeds have a run that never left" in finding.statement


def test_findings_have_p_values_and_pictures_can_be_drawn(tmp_path):
    found = analyse(planted())
    assert all(f.pvalue is not None and f.pvalue <= 1 for f in found.findings)
    assert found.findings[0].part == "training"
    for picture in found.pictures:
        picture.draw().savefig(tmp_path / f"{picture.name}.png")
    assert set(EXPERIMENT.claims) == {f.claim for f in found.findings}
    failed = [Outcome(o.trial, "failed", cause="planted") for o in planted()]
    nothing = analyse(failed)
    assert {f.judgement for f in nothing.findings} == {"undecided"}
    assert "trials failed" in nothing.notes[0]


def test_certain_steps_stand_beside_those_measured_and_are_fewer():
    (trial,) = [t for t in plan(Request(seeds=2)) if t.settings["sigma"] == 1e-3][:1]
    settings = trial.settings | {"steps": 200, "width": 20}
    outcome = Outcome(Trial(trial.kind, settings), "done", small_weights_trial(settings))
    (row,) = length_rows(read_runs([outcome])[0]).rows
    assert 60 < row["certain steps"] <= row["steps, least"] < 1.3 * row["certain steps"]
    biased = Outcome(Trial(trial.kind, settings | {"output_bias": True}), "done", outcome.result)
    (row,) = length_rows(read_runs([biased])[0]).rows
    assert row["certain steps"] is None


SETTINGS = {
    "target": "waves", "width": 4, "sigma": 0.5, "first": "gaussian", "output_bias": True,
    "learning_rate": 0.1, "momentum": 0.5, "batch": None, "steps": 3, "rows": [1, 9, 1],
    "until": "end", "seed": 3, "count": 2,
}  # fmt: skip


@pytest.mark.parametrize("bias", [False, True])
def test_the_trial_is_descent_by_automatic_derivatives(bias):
    settings = SETTINGS | {"output_bias": bias}
    result = small_weights_trial(settings)
    x = torch.linspace(-1, 1, 60, dtype=torch.float64)
    y = torch.sin(torch.pi * x) + 0.3 * torch.cos(4 * torch.pi * x)
    y = y - y.mean() if bias else y
    networks = start(settings, range(3, 5))
    w, a = networks.inner[1].requires_grad_(), networks.outer[1, :, 0].requires_grad_()
    c = torch.zeros(1, dtype=torch.float64, requires_grad=True)
    weights = [w, a, *([c] if bias else [])]
    optimizer = torch.optim.SGD(weights, 0.1, momentum=0.5)
    for step in range(4):
        hidden = torch.tanh(torch.stack([x, torch.ones_like(x)], dim=1) @ w)
        loss = (hidden @ a + (c if bias else 0) - y).square().mean()
        assert result["loss"][step][1] == pytest.approx(float(loss.detach()), rel=1e-5)
        if step:
            sizes = (a.abs() * w.norm(dim=0)).detach().sort().values
            moved = float((sizes - before).abs().mean()) / (0.1 / (1 - 0.5))  # noqa: F821
            assert result["transport"][step][1] == pytest.approx(moved, rel=1e-4)
        before = (a.abs() * w.norm(dim=0)).detach().sort().values  # noqa: F841
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


def test_the_trial_passes_levels_once_and_batches_are_drawn_by_seed():
    settings = SETTINGS | {
        "target": "sines", "width": 10, "sigma": 0.01, "output_bias": False, "momentum": 0.0,
        "steps": 120, "until": "escaped",
    }  # fmt: skip
    result = small_weights_trial(settings)
    predicted = np.array(result["predicted"]) / 0.1
    np.testing.assert_allclose(result["escaped"]["usual"], predicted, rtol=0.15)
    assert set(LEVELS) < set(result)
    early, usual, late = (result["escaped"][view] for view in ("early", "usual", "late"))
    assert all(a < b < c for a, b, c in zip(early, usual, late, strict=True))
    noisy = [
        small_weights_trial(settings | {"batch": 5, "steps": 5, "count": count}) for count in (1, 2)
    ]
    assert [row[0] for row in noisy[0]["loss"]] == [row[0] for row in noisy[1]["loss"]]
    structured = start(settings | {"first": "structured"}, range(1))
    x = torch.tensor([[-1.0, 1.0]], dtype=torch.float64)
    assert float(x @ structured.inner[0, :, 0:1]) == pytest.approx(0)


def test_a_seed_that_diverges_can_be_recorded():
    result = small_weights_trial(SETTINGS | {"learning_rate": 1e9, "steps": 60})
    assert result["final"] == [None, None]
    assert json.dumps(result, allow_nan=False)
    (run, _), _ = read_runs([Outcome(Trial("small-weights", SETTINGS), "done", result)])
    assert math.isnan(run.loss[-1])
