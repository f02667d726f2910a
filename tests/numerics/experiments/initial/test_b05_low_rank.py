"""B5 judges planted ranks as planted; its trial is descent on the product, or Adam."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank import effective_rank
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.initial.b05_low_rank import analyse, plan
from epsrank.numerics.experiments.trials.factorisations import (
    _draw,
    effective_rank_of,
    factorisation_trial,
)
from epsrank.numerics.sweeps.trial import Outcome


def planted(rank):
    """Outcomes of which every run has a rank by depth and scale."""
    random = np.random.default_rng(0)
    outcomes = []
    for trial in plan(Request()):
        s = trial.settings
        found = (rank(s["depth"], s["scale"]) + 0.01 * random.random(s["count"])).tolist()
        entry = {"rank": found, "step": [5] * s["count"], "unseen": [0.1] * s["count"]}
        result = {
            "at": [{"loss": loss} | entry for loss in s["losses"]],
            "true": [2.9] * s["count"],
            "connected": [True] * s["count"],
            "final": [1e-4] * s["count"],
        }
        outcomes.append(Outcome(trial, "done", result))
    return outcomes


@pytest.mark.parametrize(
    ("rank", "expected"),
    [
        (lambda depth, scale: 9 - depth + np.log10(scale), "supported"),
        (lambda depth, scale: 3 + depth - np.log10(scale), "refuted"),
        (lambda depth, scale: 9 - depth, "regime"),
        (lambda depth, scale: 6.0, "refuted"),
        # At the rank of the matrix nothing can be seen.
        (lambda depth, scale: 2.9, "undecided"),
    ],
)
def test_planted_effects(rank, expected):
    finding = analyse(planted(rank)).findings[0]
    assert finding.judgement == expected
    assert (finding.witness is not None) == (expected == "refuted")


def test_runs_that_do_not_arrive_are_counted(tmp_path):
    outcomes = planted(lambda depth, scale: 9 - depth + np.log10(scale))
    for entry in outcomes[0].result["at"]:
        entry["rank"][0] = entry["step"][0] = None
    found = analyse(outcomes)
    assert "1 runs did not reach" in found.findings[0].statement
    found.pictures[0].draw().savefig(tmp_path / "b5.png")
    nothing = analyse([Outcome(o.trial, "failed", cause="planted") for o in outcomes])
    assert nothing.findings[0].judgement == "undecided"


SETTINGS = {
    "size": 6, "rank": 2, "observed": 16, "pattern": "random", "depth": 3, "scale": 0.5,
    "learning_rate": 0.05, "losses": [1e-9], "steps": 3, "seed": 3, "count": 2,
}  # fmt: skip


@pytest.mark.parametrize("optimizer", ["descent", "adam"])
def test_the_trial_is_what_the_optimiser_makes_of_the_loss(optimizer):
    result = factorisation_trial(SETTINGS | {"optimizer": optimizer})
    target, seen, factors = _draw(SETTINGS, 4)
    leaves = [w.requires_grad_() for w in factors]
    kind = {"descent": torch.optim.SGD, "adam": torch.optim.Adam}[optimizer]
    own = kind(leaves, 0.05)
    for _ in range(4):
        loss = ((leaves[2] @ leaves[1] @ leaves[0] - target)[seen > 0] ** 2).mean()
        own.zero_grad()
        loss.backward()
        last = float(loss.detach())
        own.step()
    assert result["final"][1] == pytest.approx(last, rel=1e-5)
    assert result["at"][0]["step"] == [None, None]


def test_a_seed_that_diverges_ends_no_other_one():
    settings = SETTINGS | {"optimizer": "descent", "learning_rate": 2.0, "steps": 100, "seed": 0}
    settings |= {"losses": [0.03]}
    alone = [factorisation_trial(settings | {"seed": k, "count": 1}) for k in range(3)]
    steps = [found["at"][0]["step"][0] for found in alone]
    assert alone[1]["final"] == [1e300]
    assert steps[0] is not None
    assert steps[2] is not None
    assert factorisation_trial(settings | {"count": 3})["at"][0]["step"] == steps


def test_products_are_looked_at_where_the_loss_is_passed():
    settings = SETTINGS | {"optimizer": "descent", "losses": [0.5, 0.1], "steps": 4000, "depth": 2}
    found = factorisation_trial(settings)["at"]
    assert all(a < b for a, b in zip(found[0]["step"], found[1]["step"], strict=True))
    assert all(1 <= rank <= 6 for entry in found for rank in entry["rank"])
    blocks = _draw(SETTINGS | {"pattern": "blocks"}, 0)[1]
    assert blocks.sum() == 16
    assert not blocks[:3, 3:].any()
    assert not factorisation_trial(settings | {"pattern": "blocks", "steps": 1})["connected"][0]
    matrix = torch.randn(6, 6, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert effective_rank_of(matrix) == pytest.approx(effective_rank(matrix.numpy()))
