"""What a sweep found: per setting, medians over the seeds with intervals from order statistics."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from epsrank.numerics.sweeps.rows import table_of
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.shown import Shown
from epsrank.theory.statistics import MedianInterval, median_interval
from epsrank.theory.strict_json import nulled


@dataclass(frozen=True)
class SettingSummary(Shown):
    """The runs of one setting that differ in their seed only."""

    #: The settings without the seed.
    settings: Mapping[str, Any]
    #: Runs, those that failed included.
    runs: int
    #: How many of them could not be carried out, and how many diverged.
    failed: int
    diverged: int
    #: Per figure of `final_figures` its median over the runs that have it. A run that diverged has
    #: the loss +∞ and no rank.
    medians: Mapping[str, MedianInterval]

    def __str__(self) -> str:
        named = " ".join(f"{name}={value}" for name, value in self.settings.items())
        figures = "; ".join(f"{name} {median}" for name, median in self.medians.items())
        return f"{named}: {figures or 'no run done'}"

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        medians = {name: median.to_json() for name, median in self.medians.items()}
        return {**vars(self), "settings": dict(self.settings), "medians": medians}


def diverged(outcome: Outcome) -> bool:
    """Tell whether a run was carried out and diverged."""
    return outcome.status == "done" and outcome.result.get("status") == "diverged"


def final_figures(outcome: Outcome) -> dict[str, float]:
    """Return the figures of a trial that a sweep compares."""
    if outcome.status != "done":
        return {}
    if diverged(outcome):
        # Above every number, so that a median over seeds counts it as the worst.
        return {"loss": math.inf}
    result = outcome.result
    if outcome.trial.kind != "train":
        return {name: float(value) for name, value in result.items() if _is_number(value)}
    found: dict[str, float] = {}
    if result["loss"] and result["loss"][-1] is not None:
        found["loss"] = result["loss"][-1]
    for end in ("rank_lower", "rank_upper"):
        # At the first ε that was asked for, of the last layer at the last measurement.
        ranks = next(iter(result[end].values()))
        if ranks and ranks[-1]:
            found[end] = ranks[-1][-1]
    return found


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def summarise(outcomes: Sequence[Outcome]) -> list[SettingSummary]:
    """Take runs that differ in their seed only together."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        settings = _without_seed(outcome)
        # Settings hold lists, which have no hash.
        name = repr(sorted(settings.items()))
        groups.setdefault((outcome.trial.kind, name), []).append(outcome)
    return [_summary(group) for group in groups.values()]


def _without_seed(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in outcome.settings.items() if name != "seed"}


def _summary(group: Sequence[Outcome]) -> SettingSummary:
    figures = [final_figures(outcome) for outcome in group]
    names = dict.fromkeys(name for entry in figures for name in entry)
    return SettingSummary(
        settings=_without_seed(group[0]),
        runs=len(group),
        failed=sum(outcome.status == "failed" for outcome in group),
        diverged=sum(map(diverged, group)),
        medians={
            name: median_interval([entry[name] for entry in figures if name in entry])
            for name in names
        },
    )


def results_table(outcomes: Sequence[Outcome]) -> pa.Table:
    """Return the trials of a sweep as a table."""
    table = table_of(outcomes)
    figures = [
        final_figures(outcome) if outcome.trial.kind == "train" else {} for outcome in outcomes
    ]
    for name, kind in (
        ("loss", pa.float64()),
        ("rank_lower", pa.int64()),
        ("rank_upper", pa.int64()),
    ):
        if any(name in entry for entry in figures):
            values = [nulled(entry.get(name)) for entry in figures]
            table = table.append_column(f"final.{name}", pa.array(values, kind))
    return table
