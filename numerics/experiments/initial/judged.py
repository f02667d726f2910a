"""How the experiments on initial stages come to a judgement, and how it stands in other views."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from epsrank.numerics.experiments.analysis import Finding, Judgement, Table, sign

#: A view's name → the findings that the same outcomes give in it; the first view is the usual one.
Views = Mapping[str, Callable[[], Sequence[Finding]]]


def judge(holds: Sequence[bool], against: Sequence[bool]) -> Judgement:
    """Judge comparisons: all hold, some do, the reverse is established in all, or neither."""
    if holds and all(holds):
        return "supported"
    if any(holds):
        return "regime"
    return "refuted" if against and all(against) else "undecided"


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
