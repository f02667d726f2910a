"""What experiments C share: arms by setting, numbers by seed, curves of every run, other views."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Judgement,
    family_pvalue,
    paired,
    sign,
)
from epsrank.numerics.experiments.robustness import Analyse, Measured, with_panel
from epsrank.numerics.plots.over_seeds import Curve
from epsrank.numerics.sweeps.trial import Outcome

Arms = Mapping[str, Sequence[Outcome]]
Read = Callable[[Outcome], float]

#: Results with what was measured on the way.
SERIES = Measured(("series",), table="series")


def arms_of(
    outcomes: Sequence[Outcome], name: Callable[[Outcome], str]
) -> dict[str, list[Outcome]]:
    """Return the trials that were carried out, by arm."""
    found: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        if outcome.status == "done":
            found.setdefault(name(outcome), []).append(outcome)
    return found


def failures(outcomes: Sequence[Outcome]) -> tuple[str, ...]:
    """Return a note on trials that could not be carried out."""
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    if not failed:
        return ()
    return (f"{len(failed)} of {len(outcomes)} trials failed, the first by: {failed[0].cause}",)


def by_seed(outcomes: Sequence[Outcome], read: Read) -> dict[int, float]:
    """Return one number per seed; NaN leaves a seed out."""
    found = {outcome.settings["seed"]: read(outcome) for outcome in outcomes}
    return {seed: value for seed, value in found.items() if not math.isnan(value)}


def series(outcome: Outcome, name: str) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Return what was measured on the way, NaN where it was not finite."""
    held = outcome.result["series"][name]
    return np.array([math.nan if value is None else value for value in held], dtype=np.float64)


class Comparisons:
    """Paired differences between arms, each with its effect and its votes by seed."""

    def __init__(self) -> None:
        self.effects: list[Effect] = []
        self.votes: list[dict[int, float]] = []

    def add(
        self, name: str, first: Mapping[int, float], second: Mapping[int, float], unit: str = ""
    ) -> None:
        """Compare two arms; the claim says that the first has the larger number."""
        item = paired(name, first, second, unit=unit)
        if item is not None:
            self.effects.append(item)
            common = set(first) & set(second)
            self.votes.append({seed: first[seed] - second[seed] for seed in common})

    def judgement(self) -> Judgement:
        """Supported where every interval is on the claim's side, a regime where some are."""
        return judged(self.effects)

    def finding(self, claim: str, statement: str, part: str | None = None, **more: Any) -> Finding:
        """Return what these comparisons say on a claim."""
        return Finding(
            claim,
            self.judgement(),
            f"{statement} {said(self.effects)}",
            self.effects,
            len(self.effects),
            part=part,
            pvalue=family_pvalue(self.votes),
            **more,
        )


def in_both(first: Mapping[int, float], second: Mapping[int, float]) -> dict[int, float]:
    """Return the votes on "both hold" by seed: positive where both are."""
    return {seed: min(first[seed], second[seed]) for seed in set(first) & set(second)}


def judged(effects: Sequence[Effect]) -> Judgement:
    """Return supported, regime, refuted or undecided from the signs of effects."""
    signs = [sign(item) for item in effects]
    if signs and min(signs) > 0:
        return "supported"
    if 1 in signs:
        return "regime"
    return "refuted" if -1 in signs else "undecided"


def said(effects: Sequence[Effect]) -> str:
    """Return effects with their intervals in words."""
    words = [
        f"{item.name}: {item.interval.value:+.3g} "
        f"({item.interval.low:+.3g} to {item.interval.high:+.3g})"
        for item in effects
    ]
    return "; ".join(words) if words else "nothing was compared"


def curve(name: str, outcomes: Sequence[Outcome], what: str) -> Curve:
    """Return what was measured in the runs of an arm; those that ended early have gaps."""
    longest = max(outcomes, key=lambda outcome: len(outcome.result["series"]["step"]))
    steps = series(longest, "step")
    rows = np.full((len(outcomes), len(steps)), np.nan)
    for row, outcome in zip(rows, outcomes, strict=True):
        values = series(outcome, what)
        row[: len(values)] = values
    return Curve(name, steps, rows)


def medians(arms: Arms, columns: Mapping[str, Read]) -> list[dict[str, Any]]:
    """Return one row per arm: the median over seeds of every column."""
    found = []
    for name, outcomes in arms.items():
        row: dict[str, Any] = {"arm": name, "runs": len(outcomes)}
        for column, read in columns.items():
            values = list(by_seed(outcomes, read).values())
            row[column] = float(np.median(values)) if values else None
        found.append(row)
    return found


def with_views(analyse: Analyse, outcomes: Sequence[Outcome]) -> Analysis:
    """Analyse outcomes, and again as seen in other ways; hold back what does not stand in all."""
    # Without a series there is nothing that could be seen otherwise.
    some = any(SERIES.steps(outcome) for outcome in outcomes)
    return with_panel(analyse, outcomes, SERIES.views) if some else analyse(outcomes)
