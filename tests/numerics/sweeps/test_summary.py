"""Medians over seeds: diverged runs have no limit, failed ones no figures."""

from __future__ import annotations

import json
import math

import pytest

from epsrank.numerics.sweeps import Outcome, Trial
from epsrank.numerics.sweeps.summary import final_figures, results_table, summarise


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
