"""Histories are read from outcomes whole, aligned over seeds, and trouble is told once."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from epsrank.numerics.experiments.analysis import effect, paired, sign
from epsrank.numerics.experiments.fitting import arm_rows, loss_ratio, rank_lead
from epsrank.numerics.experiments.histories import (
    certain_difference,
    grouped,
    over_seeds,
    read_histories,
    read_history,
)
from epsrank.numerics.plots.over_seeds import Curve
from epsrank.numerics.sweeps.trial import Outcome, Trial
from tests.numerics.experiments.made_up import failed, history


def trial(seed, **more):
    return Trial("train", {"task": "cosines", "seed": seed, "eps": [1e-6, 1e-2], **more})


def test_differences_are_what_is_certain_of_them():
    lower, upper = np.array([5, 5, 5, 0]), np.array([7, 5, 9, 3])
    other_lower, other_upper = np.array([1, 5, 4, 5]), np.array([2, 5, 6, 6])
    found = certain_difference(lower, upper, other_lower, other_upper)
    assert found.tolist() == [3, 0, 0, -2]


def test_a_history_has_ranks_by_layer_and_threshold():
    outcome = history(trial(3), [[1, 2], [3, 6]], [1.0, 0.25], steps=[0, 10], blur=1)
    outcome.result["reachable"][0] = None
    (run,), notes = read_histories([outcome])
    assert notes == []
    assert (run.seed, run.eps) == (3, (1e-6, 1e-2))
    assert run.rank().tolist() == [2, 6]
    assert run.rank(0, 1e-2).tolist() == [1, 3]
    assert math.isnan(run.reachable[0])


def test_trouble_is_counted_and_other_kinds_are_left_alone():
    outcomes = [
        failed(trial(0)),
        history(trial(1), [[1, 2]], [1.0], status="diverged"),
        history(trial(2), np.zeros((0, 2)), [], status="diverged"),
        Outcome(Trial("initial-layers", {}), "done"),
    ]
    runs, notes = read_histories(outcomes)
    assert [run.seed for run in runs] == [1]
    assert [note.split(" of ")[0] for note in notes] == ["1", "2"]
    assert "planted" in notes[0]


def test_runs_that_end_early_leave_gaps():
    whole = history(trial(0), [[1], [2], [3]], [3.0, 2.0, 1.0], steps=[0, 5, 10])
    short = history(trial(1), [[1], [2]], [3.0, 2.5], steps=[0, 5], status="diverged")
    runs, _ = read_histories([short, whole])
    steps, values = over_seeds(runs, lambda run: run.loss)
    assert steps.tolist() == [0, 5, 10]
    assert values[0, :2].tolist() == [3.0, 2.5]
    assert math.isnan(values[0, 2])
    curve = Curve("loss", steps, values)
    assert curve.middle().tolist() == [3.0, 2.25, 1.0]
    assert [end.tolist() for end in curve.ends()] == [[3.0, 2.0, 1.0], [3.0, 2.5, 1.0]]
    assert list(grouped(runs, lambda run: run.status)) == ["diverged", "complete"]


def test_effects_pair_by_seed_and_need_their_coverage():
    values, others = {1: 5.0, 2: 6.0, 9: 1.0}, {2: 5.0, 1: 1.0, 4: 0.0}
    found = paired("a − b", values, others)
    assert found is not None
    assert (found.interval.low, found.interval.high, found.interval.count) == (1.0, 4.0, 2)
    assert sign(found) == 0  # two seeds cover 50 %
    assert paired("a − b", {1: 0.0}, {2: 0.0}) is None
    assert effect("nothing", [math.nan]) is None
    up, down = effect("up", [1.0] * 6), effect("down", [-1.0] * 6, null=0.5)
    assert up is not None
    assert down is not None
    assert (sign(up), sign(down)) == (1, -1)
    assert sign(up, 0.99) == 0


@pytest.mark.parametrize("values", [[math.inf] * 6, [0.0, 1.0, 1.0, 1.0, 1.0, 1.0]])
def test_infinite_and_touching_intervals(values):
    found = effect("runs that never arrive", values)
    assert found is not None
    assert sign(found) == int(values[0] == math.inf)


def test_the_rank_leads_by_the_steps_between_the_two_half_ways():
    loss = [1.0, 1.0, 1.0, 1e-2, 1e-4]
    early = history(trial(0), [[5], [15], [25], [25], [25]], loss, steps=[0, 10, 20, 30, 40])
    late = history(trial(1), [[5], [5], [5], [5], [25]], loss, steps=[0, 10, 20, 30, 40])
    still = history(trial(2), [[5]] * 5, loss, steps=[0, 10, 20, 30, 40])
    runs, _ = read_histories([early, late, still])
    leads = [rank_lead(run) for run in runs]
    assert leads[:2] == [20.0, -10.0]
    assert math.isnan(leads[2])
    (row,) = arm_rows({"a": runs})
    assert row["rank leads by"] == 5.0
    assert row["share at V"] == 0.0
    assert loss_ratio(runs[0]).tolist() == [2.0] * 5


def test_thresholds_stand_in_the_order_asked_for():
    trial = Trial("train", {"task": "cosines", "seed": 0, "eps": [1e-6, 1e-2, 1e-4]})
    outcome = history(trial, [[1], [2]], [1.0, 0.5])
    shuffled = {
        end: dict(sorted(outcome.result[end].items())) for end in ("rank_lower", "rank_upper")
    }
    assert list(shuffled["rank_lower"]) != ["1e-06", "0.01", "0.0001"]
    found = read_history(replace(outcome, result={**outcome.result, **shuffled}))
    assert found.eps == (1e-6, 1e-2, 1e-4)
