"""Medians over seeds: diverged runs have no limit, failed ones no figures."""

from __future__ import annotations

import json
import math

import pytest

from epsrank.numerics.sweeps import Outcome, Trial
from epsrank.numerics.sweeps.figures import final_figures, reading_of, steps_to
from epsrank.numerics.sweeps.summary import results_table, summarise


def run(width, seed, loss, lower=3, upper=None, status="complete"):
    ranks = lambda rank: {"1e-06": [[9, 9], [9, rank]], "0.01": [[1, 1], [1, 1]]}  # noqa: E731
    result = {
        "status": status,
        "loss": [1.0, loss],
        "rank_lower": ranks(lower),
        "rank_upper": ranks(lower if upper is None else upper),
    }
    return Outcome(Trial("train", {"width": width, "seed": seed}), "done", result, None, 0.5)


def failed(width, seed):
    return Outcome(Trial("train", {"width": width, "seed": seed}), "failed", {}, "too wide")


def test_final_figures():
    assert final_figures(run(5, 0, 0.1, 3, 4)) == {"loss": 0.1, "rank_lower": 3, "rank_upper": 4}
    assert final_figures(run(5, 0, 0.1, status="diverged")) == {"loss": math.inf}
    assert final_figures(failed(5, 0)) == {}
    empty = {
        "status": "complete",
        "loss": [],
        "rank_lower": {"1e-06": []},
        "rank_upper": {"1e-06": []},
    }
    assert final_figures(Outcome(Trial("train"), "done", empty)) == {}


def test_runs_that_differ_in_the_seed_only_are_taken_together():
    outcomes = [run(width, seed, seed + width / 10) for width in (5, 8) for seed in range(6)]
    first, second = summarise(outcomes)
    assert (first.settings, second.settings) == ({"width": 5}, {"width": 8})
    assert (first.runs, first.failed, first.diverged) == (6, 0, 0)
    loss = first.medians["loss"]
    assert (loss.value, loss.low, loss.high, loss.count) == (3.0, 0.5, 5.5, 6)
    assert loss.coverage == pytest.approx(1 - 2 / 2**6)
    assert "loss 3 [0.5, 5.5]" in str(first)
    assert "width=5" in first._repr_html_()
    json.dumps(first.to_json(), allow_nan=False)


def test_diverged_and_failed_runs():
    outcomes = [run(5, 0, 0.1), run(5, 1, 0.2, status="diverged"), failed(5, 2), run(5, 3, 0.3)]
    (summary,) = summarise(outcomes)
    assert (summary.runs, summary.failed, summary.diverged) == (4, 1, 1)
    assert summary.medians["loss"].value == 0.3
    assert summary.medians["loss"].high == math.inf
    assert summary.medians["rank_lower"].count == 2
    (none,) = summarise([failed(5, 0)])
    assert none.medians == {}
    assert str(none) == "width=5: no run done"


def test_numbers_of_other_kinds(kinds):
    trials = [Trial("square", {"x": 2, "seed": seed}) for seed in range(2)]
    outcomes = [Outcome(trial, "done", {"y": 4, "ok": True, "text": "a"}) for trial in trials]
    (summary,) = summarise(outcomes)
    assert list(summary.medians) == ["y"]
    assert results_table(outcomes).column_names[-3:] == ["result.ok", "result.text", "result.y"]


def test_the_table_of_results():
    outcomes = [run(5, 0, 0.1, 3, 4), run(5, 1, 0.2, status="diverged"), failed(5, 2)]
    rows = results_table(outcomes).to_pylist()
    assert [row["final.loss"] for row in rows] == [0.1, None, None]
    assert [row["final.rank_lower"] for row in rows] == [3, None, None]
    assert [row["final.rank_upper"] for row in rows] == [4, None, None]
    assert [row["settings.seed"] for row in rows] == [0, 1, 2]
    assert rows[2]["cause"] == "too wide"
    assert results_table([failed(5, 0)]).num_rows == 1


HISTORY = {
    "status": "complete",
    "step": [0, 10, 20],
    "loss": [1.0, 0.05, 0.2],
    "test_loss": [1.1, None, 0.3],
    "test_accuracy": [0.1, 0.5, 0.75],
    "reachable": [0.5, 0.1, 0.1],
    "reading": ["between", None, "norm-limited"],
    "rank_lower": {"1e-06": [[4, 3], [4, 3], [5, 4]], "0.01": [[1, 1], [1, 1], [2, 2]]},
    "rank_upper": {"1e-06": [[4, 3], [4, 3], [5, 6]], "0.01": [[1, 1], [1, 1], [2, 2]]},
}


def measured(seed=0, **changed):
    trial = Trial("train", {"width": 5, "seed": seed})
    return Outcome(trial, "done", HISTORY | changed, None, 0.5)


def test_figures_of_a_whole_history():
    assert final_figures(measured(), [0.1, 0.01]) == {
        "loss": 0.2, "test_loss": 0.3, "test_accuracy": 0.75, "reachable": 0.1,
        "rank_lower": 4, "rank_upper": 6, "steps_to_0.1": 10, "steps_to_0.01": math.inf,
        "stairs": 0,
    }  # fmt: skip
    assert reading_of(measured()) == "norm-limited"
    # The worst of all, in either direction; where it had been before, it has been.
    wild = measured(status="diverged")
    assert final_figures(wild, [0.1]) == {
        "loss": math.inf, "test_loss": math.inf, "test_accuracy": -math.inf, "steps_to_0.1": 10,
    }  # fmt: skip
    assert reading_of(wild) is None
    assert steps_to([0, 1], [None, 1.0], [1.0]) == {"steps_to_1": 1}


def test_stairs_are_counted():
    levels = [10.0 ** -(at // 40) * (1 + 0.01 * math.sin(37 * at)) for at in range(120)]
    ranks = {"1e-06": [[4]] * 120}
    run = measured(step=list(range(120)), loss=levels, rank_lower=ranks, rank_upper=ranks)
    assert final_figures(run)["stairs"] == 2


def test_results_have_every_layer_readings_and_targets():
    outcomes = [measured(0), measured(1, reading=[None] * 3), measured(2, status="diverged")]
    rows = results_table(outcomes, [0.1, 0.01]).to_pylist()
    assert [row["final.reading"] for row in rows] == ["norm-limited", None, None]
    assert [row["final.rank_upper_layer2_1e-06"] for row in rows] == [6, 6, None]
    assert [row["final.rank_lower_layer1_0.01"] for row in rows] == [2, 2, None]
    assert [row["final.steps_to_0.1"] for row in rows] == [10, 10, 10]
    assert [row["final.steps_to_0.01"] for row in rows] == [None] * 3
    assert [row["final.test_accuracy"] for row in rows] == [0.75, 0.75, None]
    (summary,) = summarise(outcomes, [0.01])
    assert summary.readings == {"norm-limited": 1}
    assert summary.medians["steps_to_0.01"].value == math.inf
    assert summary.to_json()["readings"] == {"norm-limited": 1}
