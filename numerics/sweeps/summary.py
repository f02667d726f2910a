"""What a sweep found: per setting, medians over the seeds with intervals from order statistics."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from epsrank.numerics.sweeps.figures import (
    STEPS_TO,
    diverged,
    final_figures,
    layer_ranks,
    reading_of,
)
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
    #: How many runs ended with each reading (F6).
    readings: Mapping[str, int] = field(default_factory=dict)

    def __str__(self) -> str:
        named = " ".join(f"{name}={value}" for name, value in self.settings.items())
        figures = "; ".join(f"{name} {median}" for name, median in self.medians.items())
        return f"{named}: {figures or 'no run done'}"

    def to_json(self) -> dict[str, Any]:
        """Return the summary as plain data."""
        medians = {name: median.to_json() for name, median in self.medians.items()}
        return {
            **vars(self),
            "settings": dict(self.settings),
            "medians": medians,
            "readings": dict(self.readings),
        }


def summarise(outcomes: Sequence[Outcome], targets: Sequence[float] = ()) -> list[SettingSummary]:
    """Take runs that differ in their seed only together; `targets` are losses to arrive at."""
    groups: dict[tuple[str, str], list[Outcome]] = {}
    for outcome in outcomes:
        settings = _without_seed(outcome)
        # Settings hold lists, which have no hash.
        name = repr(sorted(settings.items()))
        groups.setdefault((outcome.trial.kind, name), []).append(outcome)
    return [_summary(group, targets) for group in groups.values()]


def _without_seed(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in outcome.settings.items() if name != "seed"}


def _summary(group: Sequence[Outcome], targets: Sequence[float]) -> SettingSummary:
    figures = [final_figures(outcome, targets) for outcome in group]
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
        readings=Counter(filter(None, map(reading_of, group))),
    )


def results_table(outcomes: Sequence[Outcome], targets: Sequence[float] = ()) -> pa.Table:
    """Return the trials of a sweep as a table: settings, scalars, and ``final.*`` figures."""
    table = table_of(outcomes)
    trained = [outcome if outcome.trial.kind == "train" else None for outcome in outcomes]
    rows: list[dict[str, Any]] = [
        {} if outcome is None else final_figures(outcome, targets) | layer_ranks(outcome)
        | {"reading": reading_of(outcome)}
        for outcome in trained
    ]  # fmt: skip
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name) for row in rows]
        if name != "reading" or any(values):
            column = pa.array([nulled(value) for value in values], _type_of(name))
            table = table.append_column(f"final.{name}", column)
    return table


def _type_of(figure: str) -> pa.DataType:
    """Return what a column holds, whatever happened to the runs."""
    if figure == "reading":
        return pa.string()
    whole = figure.startswith(("rank_", STEPS_TO)) or figure == "stairs"
    return pa.int64() if whole else pa.float64()
