"""How the experiments on initial stages come to a judgement, and how it stands in other views."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from epsrank.numerics.experiments.analysis import Effect, Finding, Judgement, Table, effect, sign
from epsrank.theory.statistics import equivalent

#: A view's name → the findings that the same outcomes give in it; the first view is the usual one.
Views = Mapping[str, Callable[[], Sequence[Finding]]]


def judge(holds: Sequence[bool], against: Sequence[bool]) -> Judgement:
    """Judge comparisons: all hold, some do, the reverse is established in all, or neither."""
    if holds and all(holds):
        return "supported"
    if any(holds):
        return "regime"
    return "refuted" if against and all(against) else "undecided"


class SlopesOfOne:
    """Slopes by seed that a law says are 1: ∞ of a run that never escapes votes against it."""

    def __init__(self, margin: float) -> None:
        self.margin = margin
        self.effects: list[Effect] = []
        self.votes: list[dict[int, float]] = []
        self.holds: list[bool] = []
        self.against: list[bool] = []
        #: Seeds with a run that never escapes.
        self.never = 0

    def add(self, name: str, slopes: Mapping[int, float]) -> None:
        """Judge one setting; where nothing was measured there is nothing to say."""
        item = effect(name, list(slopes.values()), null=1.0)
        if item is None:
            return
        low, high = 1 - self.margin, 1 + self.margin
        self.effects.append(item)
        self.never += sum(map(math.isinf, slopes.values()))
        self.holds.append(equivalent(item.interval, 1.0, self.margin))
        self.against.append(item.interval.low > high or item.interval.high < low)
        self.votes.append({seed: self.margin - abs(slope - 1) for seed, slope in slopes.items()})


def log_ratio(a: float | None, b: float | None) -> float:
    """Return log₁₀(a/b); None is never: ±∞ against a number, NaN of two of them."""
    if a is None or b is None:
        return math.nan if a is None and b is None else math.inf if a is None else -math.inf
    # What takes no step at all took less than one.
    return math.log10(max(a, 1e-12) / max(b, 1e-12))


def in_all_views(views: Views) -> tuple[list[Finding], Table]:
    """Return the usual findings, a regime where a claim does not stand in all views."""
    names = list(views)
    usual = list(views[names[0]]())
    rows: list[dict[str, Any]] = []
    moved: dict[int, list[str]] = {}
    for view in names[1:]:
        for place, (was, now) in enumerate(zip(usual, views[view](), strict=True)):
            later = {each.name: each for each in now.effects}
            which = [
                each.name
                for each in was.effects
                if each.name in later and sign(each) * sign(later[each.name]) < 0
            ]
            rows.append(
                {
                    "claim": was.claim if was.part is None else f"{was.claim}/{was.part}",
                    "view": view,
                    "judgement": was.judgement,
                    "judgement in this view": now.judgement,
                    "effects": len(was.effects),
                    "established the other way": len(which),
                    "which": "; ".join(which),
                }
            )
            if was.judgement == "supported" and now.judgement != "supported":
                moved.setdefault(place, []).append(view)
    for place, where in moved.items():
        words = f"{usual[place].statement} Not with {', '.join(where)}."
        usual[place] = replace(usual[place], judgement="regime", statement=words)
    title = "The findings in other views of the same outcomes"
    return usual, Table("robustness", title, rows)
