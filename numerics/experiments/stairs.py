"""Staircases of training runs: detected, judged arm by arm, and what their plateaus read (F6)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from epsrank.numerics.experiments.across_claims import arrivals, judge_across
from epsrank.numerics.experiments.analysis import Analysis, Picture, Table
from epsrank.numerics.experiments.coupling_claims import (
    CoupledSetting,
    coupled_settings,
    judge_together,
)
from epsrank.numerics.experiments.drop_claims import drop_findings, proved_drops
from epsrank.numerics.experiments.fitting import (
    arm_rows,
    draw_comparison,
    draw_staircases,
    loss_ratio,
)
from epsrank.numerics.experiments.histories import History, grouped, read_histories
from epsrank.numerics.experiments.stair_claims import (
    RunStaircase,
    judge_steps,
    run_staircase,
    staircase_rows,
)
from epsrank.numerics.plots.drop_proofs import draw_drop_proofs
from epsrank.numerics.staircase.together import Together
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.floor.reading import word_of_ratio

CLAIMS = ("staircase-steps", "coupling-together")
#: Claims that need what runs keep of their last layers, and seeds that differ in nothing else.
DROPS = ("coupling-change", "coupling-rank", "coupling-across")
# More columns than this make a figure unreadable.
_MOST_ARMS = 4


def detected(arms: Mapping[str, Sequence[History]]) -> list[RunStaircase]:
    """Return the staircase of every run: its loss, with the ε-rank of the last layer beside it."""
    found = []
    for name, runs in arms.items():
        for run in runs:
            if run.status == "complete":
                eps = run.eps[0]
                ends = np.stack([run.lower[eps][:, -1], run.upper[eps][:, -1]], axis=1)
                scale = run.settings.get("scale", "log")
                found.append(run_staircase(name, run.seed, run.steps, run.loss, ends, scale))
    return found


def coupled(found: Sequence[RunStaircase]) -> list[CoupledSetting]:
    """Return what the runs of each arm say of drops and rank together."""
    return coupled_settings([(item.setting, item.together) for item in found])


def plateau_rows(
    arms: Mapping[str, Sequence[History]], found: Sequence[RunStaircase]
) -> list[dict[str, Any]]:
    """Return what loss/V(‖β‖) says about every plateau that was found."""
    runs = {(name, run.seed): run for name, mine in arms.items() for run in mine}
    rows = []
    for item in found:
        run = runs[item.setting, item.seed]
        for plateau in item.staircase.plateaus:
            inside = slice(plateau.start, plateau.end + 1)
            ratios = loss_ratio(run)[inside]
            known = ratios[np.isfinite(ratios)]
            ratio = float(np.median(known)) if known.size else None
            rows.append(
                {
                    "arm": item.setting,
                    "seed": item.seed,
                    "from step": int(run.steps[plateau.start]),
                    "to step": int(run.steps[plateau.end]),
                    "loss": plateau.level,
                    "rank": float(np.median(run.rank()[inside])),
                    "loss/V": ratio,
                    "reading": word_of_ratio(ratio),
                }
            )
    return rows


def _run_rows(found: Sequence[RunStaircase]) -> list[dict[str, Any]]:
    return [
        {
            "arm": item.setting,
            "seed": item.seed,
            "staircase": item.staircase.is_staircase,
            "p": item.staircase.steps_pvalue,
            "steps": len(item.staircase.steps),
            "p of one": item.staircase.step_pvalue,
            **_linked(item.together),
            "why": item.staircase.reason,
        }
        for item in found
    ]


def _linked(run: Together | None) -> dict[str, Any]:
    """Return what a run says of drops and rank together."""
    known = run is not None and run.statistic is not None
    return {
        "lags": ", ".join(f"{lag:+.3f}" for lag in run.lags) if run is not None else "",
        "coupling p": run.pvalue if known and run is not None else None,
        "its power": run.power if known and run is not None else None,
        "least p": run.best_pvalue if known and run is not None else None,
        "coupling": "no rank" if run is None else run.reason,
    }


def staircase_tables(
    arms: Mapping[str, Sequence[History]],
    found: Sequence[RunStaircase],
    linked: Sequence[CoupledSetting],
) -> tuple[Table, ...]:
    """Return the tables of staircases by arm, run and plateau, those that have rows."""
    tables = [
        Table("staircases", "Staircases by arm", staircase_rows(found)),
        Table(
            "coupling",
            "Drops and growth of the rank together, by arm, with the power of the test",
            [item.row() for item in linked],
        ),
        Table("runs", "Staircases run by run", _run_rows(found)),
        Table("plateaus", "Plateaus, and how they read (F6)", plateau_rows(arms, found)),
    ]
    return tuple(table for table in tables if table.rows)


def staircase_pictures(
    arms: Mapping[str, Sequence[History]],
    found: Sequence[RunStaircase],
    title: str,
    measure: str = "mean",
) -> tuple[Picture, ...]:
    """Return the figures of loss, bound, ε-rank and reading, four arms in each."""
    names = [name for name, runs in arms.items() if runs]
    marks: dict[str, list[float]] = {}
    for item in found:
        first = arms[item.setting][0]
        # Figures draw the first seed strong: the marks are of its steps.
        if item.seed == first.seed:
            marks[item.setting] = [float(first.steps[at]) for at in item.staircase.steps]
    pictures = []
    for start in range(0, len(names), _MOST_ARMS):
        part = {name: arms[name] for name in names[start : start + _MOST_ARMS]}
        number = f"-{start // _MOST_ARMS + 1}" if len(names) > _MOST_ARMS else ""
        pictures.append(
            Picture(
                f"staircases{number}",
                "Loss with the least loss V(‖β‖) that its features allow, ε-rank of the last "
                "hidden layer, and their ratio, on one time axis; steps that were found in the "
                "first seed are marked. Decides staircase-steps and -coupling",
                partial(draw_staircases, part, title, marks, measure),
            )
        )
    return tuple(pictures)


def analysis(
    outcomes: Sequence[Outcome],
    arm_of: Callable[[History], str],
    title: str,
    steps_of: Callable[[str], bool] = lambda arm: True,
) -> Analysis:
    """Judge the claims on staircases from runs by arm.

    `steps_of`: Whether the steps of an arm are judged: not if its losses are those of another one
    too.
    """
    runs, notes = read_histories(outcomes)
    arms = grouped(runs, arm_of)
    found = detected(arms)
    # Of two views of one training the steps are the same, and would count twice.
    steps = judge_steps([item for item in found if steps_of(item.setting)])
    linked = coupled(found)
    runs_of = {(name, run.seed): run for name, mine in arms.items() for run in mine}
    drops = [
        drop
        for item in found
        if steps_of(item.setting)
        for drop in proved_drops(item.setting, runs_of[item.setting, item.seed], item.staircase)
    ]
    # The box of a narrow layer has a rank of its own, which may go with the same losses.
    across = [arrivals(name, mine) for name, mine in arms.items()]
    findings = (
        steps,
        judge_together(linked),
        *drop_findings(drops),
        judge_across(across),
    )
    if not arms:
        return Analysis(findings, notes=tuple(notes))
    tables = Table("arms", "Ranks, losses and readings, medians over seeds", arm_rows(arms))
    comparison = Picture(
        "comparison",
        "Loss and ε-rank of the last hidden layer, arm against arm",
        partial(draw_comparison, arms, title),
    )
    rows = [drop.row() for drop in drops]
    proved = Table("drops", "What every detected drop proves of the features (F8, R)", rows)
    seeds = Table("across", "Across seeds: rank times and loss times", [a.row() for a in across])
    proofs = Picture(
        "drops",
        "What drops prove: V of the features before against T within the old number of directions, "
        "over the loss after. Decides coupling-change and coupling-rank",
        partial(draw_drop_proofs, rows, title),
    )
    return Analysis(
        findings,
        (tables, *staircase_tables(arms, found, linked), *((proved,) if rows else ()), seeds),
        (*((proofs,) if rows else ()), *staircase_pictures(arms, found, title), comparison),
        tuple(notes),
    )
