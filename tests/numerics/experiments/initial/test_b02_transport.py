"""B2 judges planted transport as planted."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.initial.b02_transport import advantage, analyse, plan
from epsrank.numerics.experiments.initial.runs import SmallRun
from epsrank.numerics.sweeps.trial import Outcome

STEPS = np.arange(0, 200, 5)
VIEWS = ("usual", "early", "late")


def planted(centre, floor=0.01):
    """Outcomes whose W₁ has a bump about a step; the descent is from 50 to 80."""
    outcomes = []
    for trial in plan(Request()):
        count = trial.settings["count"]
        bump = floor + np.exp(-(((STEPS - centre) / 12.0) ** 2))
        rows = [[float(value)] * count for value in bump]
        passed = {"escaped": 50, "settled": 80, "left": 150}
        result = {name: {v: [step] * count for v in VIEWS} for name, step in passed.items()}
        result |= {
            "square": 1.0, "affine": 0.3, "rate": 1.0, "predicted": [None] * count,
            "step": STEPS.tolist(), "loss": rows, "transport": rows, "final": [0.0] * count,
        }  # fmt: skip
        outcomes.append(Outcome(trial, "done", result))
    return outcomes


@pytest.mark.parametrize(("centre", "expected"), [(65, "supported"), (5, "refuted")])
def test_planted_effects(centre, expected):
    finding = analyse(planted(centre)).findings[0]
    assert finding.judgement == expected
    # The control is seen, and not judged.
    assert finding.tried == 1


def test_ranks_of_moments_by_counting_pairs():
    random = np.random.default_rng(0)
    moved = random.random(len(STEPS))
    run = SmallRun(
        {"learning_rate": 0.1, "momentum": 0.0}, 0, 1.0, 0.3, 1.0, None,
        {"escaped": 50, "settled": 80},
        STEPS.astype(float), moved, moved,
    )  # fmt: skip
    inside = [k for k in range(1, len(STEPS)) if 50 < STEPS[k] <= 80]
    outside = [k for k in range(1, len(STEPS)) if k not in inside]
    wins = np.mean([moved[a] > moved[b] for a in inside for b in outside])
    assert advantage(run) == pytest.approx(wins - 0.5)


def test_the_picture_can_be_drawn_and_failures_are_told(tmp_path):
    found = analyse(planted(65))
    found.pictures[0].draw().savefig(tmp_path / "b2.png")
    nothing = analyse([Outcome(o.trial, "failed", cause="planted") for o in planted(65)])
    assert nothing.findings[0].judgement == "undecided"
    assert nothing.notes
