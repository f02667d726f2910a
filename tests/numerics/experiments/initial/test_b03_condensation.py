"""B3 judges planted orientations as planted; its trial follows the gradients in its window."""

from __future__ import annotations

import pytest
import torch

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.initial.b03_condensation import MULTIPLICITY, analyse, plan
from epsrank.numerics.experiments.trials.condensing import (
    ACTIVATIONS,
    WINDOWS,
    _draw,
    condensing_trial,
)
from epsrank.numerics.sweeps.trial import Outcome


def planted(signed, *, control=40, share=1.0):
    """Outcomes with a number of orientations by multiplicity and dimension."""
    outcomes = []
    for trial in plan(Request()):
        s = trial.settings
        p = MULTIPLICITY[s["activation"]]
        found = control if s["std"] is None else signed(p, s["inputs"])
        entry = {
            "count": max(1, found // 2), "signed": found, "share": share, "effective": 1.0,
            "aside": 0, "aside_share": 0.0,
        }  # fmt: skip
        layers = [entry] * s["hidden"]
        held = {"step": 9, "fallen": True, "layers": layers}
        result = {
            "window": {view: [held] * s["count"] for view in WINDOWS},
            "at": {epoch: [layers] * s["count"] for epoch in ("0", "100", "400")},
        }
        outcomes.append(Outcome(trial, "done", result))
    return outcomes


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"signed": lambda p, d: 2 * p}, ("supported", "supported")),
        ({"signed": lambda p, d: 2 * p if d == 1 or p == 1 else 15}, ("supported", "regime")),
        ({"signed": lambda p, d: 20}, ("refuted", "refuted")),
        ({"signed": lambda p, d: 2 * p, "share": 0.5}, ("undecided", "supported")),
        ({"signed": lambda p, d: 2 * p, "control": 2}, ("undecided", "supported")),
    ],
)
def test_planted_effects(settings, expected, tmp_path):
    found = analyse(planted(**settings))
    assert tuple(f.judgement for f in found.findings) == expected
    # The counter-example is on record wherever the bound is exceeded.
    assert (found.findings[1].witness is None) == (expected[1] == "supported")


def test_the_verdict_rests_on_all_parts_in_the_same_seed():
    outcomes = planted(lambda p, d: 2 * p)
    for outcome in outcomes:
        s = outcome.settings
        if s["std"] is None or s["activation"] != "tanh":
            continue
        # Each part holds in most seeds, all of them together in a quarter.
        for place in range(s["count"]):
            bad = {"share": 0.5} if place % 8 < 3 else {"count": 2} if place % 8 < 6 else {}
            held = outcome.result["window"]["usual"][place]
            layers = [entry | bad for entry in held["layers"]]
            outcome.result["window"]["usual"][place] = held | {"layers": layers}
    finding = analyse(outcomes).findings[0]
    assert finding.judgement == "undecided"
    assert finding.pvalue > 0.5
    # A bare majority of seeds establishes nothing.
    for outcome in outcomes:
        window = outcome.result["window"]["usual"]
        whole = len(window) // 2 + 1
        for place in range(whole):
            layers = [e | {"share": 1.0, "count": 1} for e in window[place]["layers"]]
            window[place] = window[place] | {"layers": layers}
    assert analyse(outcomes).findings[0].judgement == "undecided"


def test_the_picture_can_be_drawn_and_failures_are_told(tmp_path):
    analyse(planted(lambda p, d: 2)).pictures[0].draw().savefig(tmp_path / "b3.png")
    failed = [Outcome(o.trial, "failed", cause="planted") for o in planted(lambda p, d: 2)]
    nothing = analyse(failed)
    assert {f.judgement for f in nothing.findings} == {"undecided"}
    assert nothing.notes


SETTINGS = {
    "inputs": 2, "samples": 8, "width": 4, "std": 0.5, "learning_rate": 0.01, "epochs": [3],
    "seed": 2, "count": 2,
}  # fmt: skip


@pytest.mark.parametrize("optimizer", ["descent", "adam"])
@pytest.mark.parametrize("hidden", [1, 2])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_the_trial_is_training_by_automatic_derivatives(activation, hidden, optimizer):
    settings = SETTINGS | {"activation": activation, "hidden": hidden, "optimizer": optimizer}
    result = condensing_trial(settings)
    x, y, weights = _draw(settings, 3)
    leaves = [w.requires_grad_() for w in weights]
    kind = {"descent": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    own = kind(leaves, 0.01)
    ones = torch.ones(8, 1, dtype=torch.float64)
    for losses in result["loss"]:
        h = x
        for w in leaves[:-1]:
            h = ACTIVATIONS[activation][0](torch.cat([h, ones], dim=1) @ w)
        loss = (h @ leaves[-1] - y).square().mean()
        if losses[1] is None:  # this seed has diverged, and the other one goes on
            assert not torch.isfinite(loss)
            break
        assert losses[1] == pytest.approx(float(loss.detach()), rel=1e-5)
        own.zero_grad()
        loss.backward()
        own.step()


def test_the_window_ends_before_the_loss_has_fallen():
    settings = SETTINGS | {
        "activation": "tanh", "hidden": 1, "optimizer": "adam", "std": 0.01, "epochs": [60],
    }  # fmt: skip
    result = condensing_trial(settings)
    for view, share in WINDOWS.items():
        for place, held in enumerate(result["window"][view]):
            losses = [row[place] for row in result["loss"]]
            assert losses[held["step"]] > share * losses[0]
            assert not held["fallen"] or losses[held["step"] + 1] <= share * losses[0]
    assert set(result["at"]) == {"0", "60"}
    # A diverging training keeps what it has.
    wild = settings | {"optimizer": "descent", "learning_rate": 1e200, "epochs": [9]}
    assert "9" not in condensing_trial(wild)["at"]


def test_a_seed_that_diverges_ends_no_other_one():
    settings = {
        "inputs": 1, "samples": 10, "width": 5, "hidden": 1, "activation": "x²·tanh", "std": 0.3,
        "optimizer": "descent", "learning_rate": 0.1, "epochs": [20], "seed": 0,
    }  # fmt: skip
    together = condensing_trial(settings | {"count": 2})
    alone = [condensing_trial(settings | {"seed": k, "count": 1}) for k in range(2)]
    assert len(alone[1]["loss"]) < len(alone[0]["loss"]) == len(together["loss"]) == 21
    assert together["loss"][-1][1] is None
    assert together["at"]["20"][1] is None
    for view in WINDOWS:
        for k in range(2):
            mine, own = together["window"][view][k], alone[k]["window"][view][0]
            assert (mine and mine["step"]) == (own and own["step"])
