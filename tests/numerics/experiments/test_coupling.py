"""Coupling across seeds and of drops: planted, absent, by pace alone, by turned directions."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from epsrank.numerics.experiments import a01_function_fitting as a1
from epsrank.numerics.experiments.across_claims import arrivals, judge_across
from epsrank.numerics.experiments.drop_claims import drop_findings, proved_drops
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.histories import read_history
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.staircase import detect_staircase
from epsrank.numerics.staircase.result import Plateau, Step
from tests.numerics.experiments.made_up import history

TRIAL = a1.plan(Request())[0]
N = 120


def run(seed, rise, fall, norm=None):
    """A run whose rank rises, whose loss falls and whose norm grows at given measurements."""
    at = np.arange(N)
    rank = 5 + 30 / (1 + np.exp(-(at - rise) / 3))
    loss = np.exp(-6 / (1 + np.exp(-(at - fall) / 3)))
    trial = replace(TRIAL, settings={**TRIAL.settings, "seed": seed})
    made = history(trial, np.round(np.stack([rank, rank], axis=1)).astype(int), loss.tolist())
    growth = 1 + 1 / (1 + np.exp(-(at - (norm if norm is not None else 60)) / 3))
    result = {**made.result, "coefficient_norm": growth.tolist()}
    return read_history(replace(made, result=result))


def setting(times):
    return arrivals("planted", [run(seed, *each) for seed, each in enumerate(times)])


def test_early_ranks_with_early_drops_are_found_across_seeds():
    random = np.random.default_rng(0)
    rise = random.integers(20, 80, 12)
    norm = random.integers(20, 80, 12)
    found = setting([(r, r + 10, m) for r, m in zip(rise, norm, strict=True)])
    strength, p, beyond, power = found.results
    assert strength > 0.9
    assert max(p, beyond) <= 0.05
    assert power > 0.5
    finding = judge_across([found])
    assert finding.judgement == "supported"
    assert finding.power == power
    assert found.row()["across seeds"] == "holds"


def test_independent_times_are_not():
    random = np.random.default_rng(1)
    found = []
    for _ in range(12):
        rise, fall, norm = (random.integers(20, 80, 12) for _ in range(3))
        found.append(setting(zip(rise, fall, norm, strict=True)).results)
    assert sum(max(p, beyond) <= 0.05 for _, p, beyond, _ in found) <= 2


def test_a_common_pace_of_fast_runs_is_no_coupling():
    """Rank, loss and norm all follow the pace of the run, and each other no further."""
    random = np.random.default_rng(2)
    pace = np.linspace(20, 80, 12)
    rise, fall = (pace + random.normal(0, 6, 12) for _ in range(2))
    # What the control measures badly would remain.
    found = setting(zip(rise, fall, pace, strict=True))
    _, p, beyond, _ = found.results
    assert p <= 0.05
    assert beyond > 0.05
    assert found.state != "holds"


def test_few_seeds_or_times_that_do_not_differ_are_not_testable():
    assert not setting([(30, 40, 50)] * 4).testable
    assert not setting([(30, 40, 50)] * 12).testable
    assert judge_across([setting([(30, 40, 50)] * 12)]).judgement == "undecided"
    assert judge_across([arrivals("none", [])]).judgement == "undecided"


def figures(before, after, *, change=2.0, needed=3.0, whole=False):
    """What is proved between two moments."""
    loss_s, loss_t = 1.0, 0.01
    return {
        "step_before": before,
        "step_after": after,
        "loss_before": loss_s,
        "loss_after": loss_t,
        "norm": 1.0,
        "reachable": change * loss_t,
        "attained": change * loss_t,
        "changed": change > 1,
        "factor_below": 2.0,
        "factor": None,
        "used_before": 2,
        "used_after": 9,
        "ranks": [
            {
                "eps": 1e-6,
                "rank_before": [7, 7],
                "rank_after": [30, 30],
                "reachable": needed * loss_t,
                "attained": needed * loss_t,
                "necessary": needed > 1,
                "carries": whole,
                "share": min(1.0, max(0.0, np.log(needed) / np.log(100))),
            }
        ],
    }


BLANK = detect_staircase([1.0] * N)
FOUND = replace(
    BLANK,
    found=(Step(60, 55, 65, 4.0),),
    plateaus=(Plateau(2, 55, 1.0), Plateau(65, N - 1, 0.01)),
    length=N,
)


def drops(count=12, **planted):
    held = []
    for seed in range(count):
        made = run(seed, 50, 60)
        steps = made.steps
        table = (
            figures(int(steps[5]), int(steps[50]), change=0.5, needed=0.5),
            figures(int(steps[52]), int(steps[70]), **planted),
            figures(int(steps[10]), int(steps[110]), change=0.5, needed=0.5),
        )
        held += proved_drops("A", replace(made, drops=table), FOUND)
    return held


@pytest.mark.parametrize(
    ("planted", "change", "rank"),
    [
        ({"needed": 90.0, "whole": True}, "supported", "supported"),
        # Turned directions: the features had to change, their number sufficed.
        ({"needed": 0.9}, "supported", "refuted"),
        # Necessary, but for a small part of the drop.
        ({"needed": 1.2}, "supported", "refuted"),
        ({"change": 0.9, "needed": 0.9}, "refuted", "refuted"),
    ],
)
def test_drops_by_rank_are_told_from_drops_by_turning(planted, change, rank):
    found = drops(**planted)
    assert len(found) == 12
    # The pair nearest to the ends of the drop, and around it.
    assert {drop.figures["step_before"] for drop in found} == {int(run(0, 50, 60).steps[52])}
    findings = drop_findings(found)
    assert [item.judgement for item in findings] == [change, rank]
    assert findings[0].claim == "coupling-change"
    assert found[0].row()["c*"] == "inf"


def test_few_runs_and_no_drops_decide_nothing():
    assert [item.judgement for item in drop_findings(drops(5))] == ["undecided", "undecided"]
    assert [item.judgement for item in drop_findings([])] == ["undecided", "undecided"]


def test_the_picture_can_be_drawn(tmp_path):
    from epsrank.numerics.plots.drop_proofs import draw_drop_proofs

    rows = [d.row() for d in drops(needed=90.0, whole=True) + drops(needed=0.9)]
    save_figure(draw_drop_proofs(rows, "drops"), tmp_path / "drops.svg")
