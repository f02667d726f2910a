"""The panel: what stands in every view stays supported, what hangs on one is a regime, named."""

from __future__ import annotations

from functools import partial

import pytest

from epsrank.numerics.experiments.a05_deterministic_layer import EXPERIMENT, plan
from epsrank.numerics.experiments.analysis import Analysis, Effect, Finding
from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.registry import experiment
from epsrank.numerics.experiments.robustness import _ROWS, Measured, views, with_panel
from epsrank.numerics.sweeps.training import _COLUMNS
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.statistics import median_interval
from tests.numerics.experiments.pretraining_outcomes import planted

EPS = ["1e-06", "0.0001"]


def runs(loss=(1.0, 0.5, 0.3, 0.2, 0.1, 0.05), ranks=None):
    """Six runs with a history, and their rank by ε."""
    steps = list(range(0, 60, 10))
    table = ranks or {eps: [[k] for k in range(6)] for eps in EPS}
    return [
        Outcome(
            Trial("train", {"seed": seed, "eps": [1e-6, 1e-4]}),
            "done",
            {"step": steps, "loss": list(loss), "rank_lower": table, "rank_upper": table},
        )
        for seed in range(6)
    ]


def test_views_cut_every_column_of_the_history_of_a_training():
    # Written out in the panel, as its code is part of the instrument that records are of.
    assert (*_COLUMNS, "floors") == _ROWS


def judge(read, claim, outcomes):
    """Judge the median of one number per run against 0."""
    interval = median_interval([read(o) for o in outcomes])
    judged = "supported" if interval.low > 0 else "refuted" if interval.high < 0 else "undecided"
    return Analysis((Finding(claim, judged, "so it is", (Effect("effect", interval),)),))


def last_rank(outcome):
    return float(outcome.result["rank_lower"]["1e-06"][-1][0])


@pytest.mark.parametrize(
    ("read", "judged", "view"),
    [
        (lambda o: 1.0, "supported", None),
        # An effect of the first row alone.
        (lambda o: o.result["loss"][0] - 0.9, "regime", "without the first row"),
        # One of a single row, which thinning loses.
        (lambda o: 1.0 if 0.2 in o.result["loss"] else -1.0, "regime", "from every second row"),
        # One of the end, where runs are cut off.
        (lambda o: 0.2 - o.result["loss"][-1], "regime", "in the first half of the budget"),
        (
            lambda o: 1.0 if o.settings.get("scale") != "linear" else -1.0,
            "regime",
            "on a linear scale",
        ),
    ],
)
def test_a_claim_stands_in_every_view_or_names_the_view(read, judged, view):
    found = with_panel(partial(judge, read, "A"), runs())
    (finding,) = found.findings
    assert finding.judgement == judged
    assert ("not stable" in finding.statement) == (view is not None)
    assert view is None or view in finding.statement
    (table,) = found.tables
    assert (table.name, len(table.rows)) == ("robustness", 5)


def test_another_eps_may_turn_an_effect():
    ranks = {"1e-06": [[5]] * 6, "0.0001": [[-5]] * 6}
    found = with_panel(partial(judge, last_rank, "A"), runs(ranks=ranks))
    assert found.findings[0].judgement == "regime"
    assert "at ε = 0.0001" in found.findings[0].statement


def test_leaving_the_margin_is_not_stable_and_nothing_becomes_supported():
    def shift(outcome):
        return 1.0 if outcome.result["step"][0] == 0 else 3.5

    found = with_panel(partial(judge, shift, "staircase-steps"), runs())
    assert found.findings[0].judgement == "regime"
    # No margin is stated for this claim, so that only the side counts.
    assert with_panel(partial(judge, shift, "A"), runs()).findings[0].judgement == "supported"
    turned = with_panel(partial(judge, lambda o: 0.9 - o.result["loss"][0], "A"), runs())
    assert turned.findings[0].judgement == "refuted"


def test_views_leave_outcomes_without_a_history_alone():
    failed = Outcome(Trial("train", {"seed": 0}), "failed", cause="no memory")
    assert list(views([failed])) == []
    assert all(
        seen[-1] == failed for name, seen in views([*runs(), failed]) if "linear" not in name
    )


def test_experiments_of_training_have_the_panel():
    better = {"rank": 40, "rate": 4.0, "floor": 1e-4}
    done = [
        planted(t, **(better if t.settings["init"] == "structured" else {}))
        for t in plan(Request(seeds=8))
    ]
    found = EXPERIMENT.analyse(done)
    table = next(table for table in found.tables if table.name == "robustness")
    assert {row["view"] for row in table.rows} >= {"without the first row", "at ε = 0.01"}
    assert {f.claim: f.judgement for f in found.findings}["pretraining-rank"] == "supported"
    for name in ("A1", "A3", "A4", "A6", "A8", "A9", "A10"):
        assert experiment(name).analyse.func is with_panel


#: Where results of each kind keep their measurements: lists, tables of lists, and what was passed.
KEPT = {
    "lists": (Measured(("step", "loss")), {}),
    "a table": (Measured(("series",), table="series"), {}),
    "planned": (Measured(("series",), table="series", planned=True), {}),
    "levels": (
        Measured(("step", "loss"), planned=True, passed=("left",)),
        {"left": {"usual": [20, None, 51], "late": [50, 90, None]}},
    ),
}


@pytest.mark.parametrize("name", KEPT)
def test_fewer_measurements_are_seen_wherever_they_are_kept(name):
    measured, more = KEPT[name]
    rows = {"step": [0, 10, 20, 30, 40], "loss": {"a": {"b": [5, 4, 3, 2, 1]}}}
    result = {"final": [7], **more} | ({"series": rows} if measured.table else rows)
    settings = {"seed": 0, "steps": 100}
    outcome = Outcome(Trial("train", settings), "done", result)
    failed = Outcome(Trial("train", settings), "failed", cause="no memory")
    seen = dict(measured.views([outcome, failed]))
    assert {view: found[1] for view, found in seen.items()} == dict.fromkeys(seen, failed)
    held = {view: found[0].result for view, found in seen.items()}
    inner = {view: kept.get("series", kept) for view, kept in held.items()}
    steps = {view: (kept["step"], kept["loss"]["a"]["b"]) for view, kept in inner.items()}
    half = 5 if measured.planned else 3
    assert steps == {
        "without the first row": ([10, 20, 30, 40], [4, 3, 2, 1]),
        "from every second row": ([0, 20, 40], [5, 3, 1]),
        "in the first half of the budget": ([0, 10, 20, 30, 40][:half], [5, 4, 3, 2, 1][:half]),
    }
    assert {kept["final"][0] for kept in held.values()} == {7}
    if more:
        assert [kept["left"] for kept in held.values()] == [
            more["left"],
            more["left"],
            {"usual": [20, None, None], "late": [50, None, None]},
        ]
