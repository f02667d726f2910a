"""From outcomes to comparisons: runs of equal settings but the initialisation, side by side."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from epsrank.numerics.experiments.histories import History
from epsrank.numerics.experiments.pretraining.claims import Comparison, compare
from epsrank.numerics.experiments.pretraining.runs import (
    Metric,
    PretrainingRun,
    read_features,
    read_run,
    read_runs,
)
from epsrank.numerics.sweeps.trial import Outcome

#: The arm that is pre-trained.
STRUCTURED = "structured"


@dataclass(frozen=True)
class Design:
    """How outcomes become comparisons."""

    #: What results are judged by.
    metric: Metric
    #: Threshold of the ranks.
    eps: float
    #: From the settings of a trial to the name of its cell: all but initialisation and seed.
    cell: Callable[[Mapping[str, Any]], str]


@dataclass(frozen=True, eq=False)
class SideBySide:
    """All runs by cell and arm, and the comparisons of the structured arm with each other one."""

    #: In the order of the plan.
    comparisons: tuple[Comparison, ...]
    #: By cell and arm, with ranks of φ.
    histories: Mapping[str, Mapping[str, list[History]]]
    #: Runs that failed or diverged.
    notes: tuple[str, ...]


def arm_of(settings: Mapping[str, Any]) -> str:
    """Name the initialisation of a trial."""
    scale = settings.get("init_scale")
    init = str(settings.get("init", "default"))
    if scale is None:
        return init
    return f"{init} ±{scale:g}" if init == "uniform" else f"{init}, scale {scale:g}"


def side_by_side(outcomes: Sequence[Outcome], design: Design) -> SideBySide:
    """Compare the structured arm of every cell with each other arm."""
    cells: dict[str, dict[str, list[PretrainingRun]]] = {}
    histories: dict[str, dict[str, list[History]]] = {}
    for outcome in outcomes:
        run = read_run(outcome, design.metric, design.eps)
        if run is None:
            continue
        cell, arm = design.cell(outcome.settings), arm_of(outcome.settings)
        cells.setdefault(cell, {}).setdefault(arm, []).append(run)
        histories.setdefault(cell, {}).setdefault(arm, []).append(read_features(outcome))
    found = [
        compare(f"{cell}: {STRUCTURED} against {arm}", runs, arms[STRUCTURED], design.metric)
        for cell, arms in cells.items()
        # A cell whose structured runs all failed has nothing to compare.
        if STRUCTURED in arms
        for arm, runs in arms.items()
        if arm != STRUCTURED
    ]
    notes = read_runs(outcomes, design.metric, design.eps)[1]
    comparisons = tuple(item for item in found if item is not None)
    return SideBySide(comparisons, histories, tuple(notes))
