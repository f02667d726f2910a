"""The robustness panel: findings made again from the same outcomes, seen in other ways.

Without the first row, from every second row, from the first half of the budget, at two other ε,
and on a linear scale where staircases are detected. An effect is *stable* in a view if its median
stays on its side of no effect, and within the margin of the rules of what it was. A claim that is
supported holds only in a regime if an effect of it is not stable under some view, and the statement
names the view. Nothing that is not supported becomes so.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis, Effect, Finding, Table
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

Analyse = Callable[[Sequence[Outcome]], Analysis]
Seen = Callable[[Sequence[Outcome]], Iterator[tuple[str, list[Outcome]]]]

#: Columns of a history: one entry per measurement.
_ROWS = (
    "step",
    "loss",
    "training_loss",
    "test_loss",
    "test_accuracy",
    "coefficient_norm",
    "reachable",
    "envelope",
    "reading",
    "chain",
    "floors",
)
#: Tables by ε, of one entry per measurement.
_BY_EPS = ("rank_lower", "rank_upper", "box_lower", "box_upper")
FIRST_ROW = "without the first row"
SECOND_ROWS = "from every second row"
FIRST_HALF = "in the first half of the budget"


def with_panel(
    analyse: Analyse, outcomes: Sequence[Outcome], seen_in: Seen | None = None
) -> Analysis:
    """Analyse outcomes, and again in every view; hold back what does not stand in all of them.

    Views are those of histories (`views`), or what else these outcomes can be seen in.
    """
    found = analyse(outcomes)
    rows: list[dict[str, Any]] = []
    unstable: dict[int, list[str]] = {}
    for view, seen in (seen_in or views)(outcomes):
        for place, (was, now) in enumerate(
            zip(found.findings, analyse(seen).findings, strict=True)
        ):
            # The initial rank *is* the first row.
            if view == FIRST_ROW and was.claim == "pretraining-rank":
                continue
            moved = _moved(was, now)
            rows.append(
                {
                    "claim": was.claim if was.part is None else f"{was.claim}/{was.part}",
                    "view": view,
                    "judgement": was.judgement,
                    "judgement in this view": now.judgement,
                    "effects": len(was.effects),
                    "not stable": len(moved),
                    "which": "; ".join(moved),
                }
            )
            if moved:
                unstable.setdefault(place, []).append(view)
    findings = tuple(
        _held_back(finding, unstable.get(place, [])) for place, finding in enumerate(found.findings)
    )
    if not rows:
        return found
    table = Table("robustness", "The findings in other views of the same outcomes", rows)
    return replace(found, findings=findings, tables=(*found.tables, table))


def _held_back(finding: Finding, views: Sequence[str]) -> Finding:
    """Return a finding; a regime where an effect of a supported claim is not stable."""
    if not views or finding.judgement != "supported":
        return finding
    words = f"{finding.statement}; not stable {', '.join(views)}"
    return replace(finding, judgement="regime", statement=words)


def _moved(was: Finding, now: Finding) -> list[str]:
    """Name the effects that change their side, or leave the margin."""
    rules = shared_rules("robustness")
    margin = float(rules["margins"].get(was.claim, math.inf))
    sides = was.claim not in rules["laws"]
    later = {_key(effect): effect for effect in now.effects}
    return [
        effect.name
        for effect in was.effects
        if (other := later.get(_key(effect))) is not None
        and not _stable(effect, other, margin, sides)
    ]


def _key(effect: Effect) -> str:
    return effect.name


def _stable(was: Effect, now: Effect, margin: float, sides: bool) -> bool:
    first, second = was.interval.value - was.null, now.interval.value - now.null
    # What has no side cannot leave it; equal infinities are equal.
    aside = sides and (first * second < 0 or (first != 0 and second == 0))
    return not aside and (first == second or abs(first - second) <= margin)


def views(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """Give the views that make sense of outcomes with a history."""
    eps = next((_thresholds(o) for o in outcomes if o.status == "done" and _has_rows(o)), None)
    if eps is None:
        return
    yield FIRST_ROW, [_rows(o, slice(1, None)) for o in outcomes]
    yield SECOND_ROWS, [_rows(o, slice(None, None, 2)) for o in outcomes]
    yield FIRST_HALF, [_half(o) for o in outcomes]
    for other in eps[1:3]:
        yield f"at ε = {other}", [_swapped(o, eps[0], other) for o in outcomes]
    yield "on a linear scale", [_linear(o) for o in outcomes]


def _has_rows(outcome: Outcome) -> bool:
    return bool(outcome.result.get("step"))


def _thresholds(outcome: Outcome) -> list[str]:
    """Return ε in the order in which they were asked for: the first is the one judged."""
    settings = outcome.settings.get("train", outcome.settings)
    held = list(outcome.result["rank_lower"])
    asked = [float(value) for value in settings.get("eps", ())]
    order = [key for value in asked for key in held if float(key) == value]
    return order or held


def _rows(outcome: Outcome, keep: slice) -> Outcome:
    """Return an outcome with some of its measurements."""
    if not _has_rows(outcome):
        return outcome
    result = dict(outcome.result)
    result |= {name: result[name][keep] for name in _ROWS if name in result}
    for name in _BY_EPS:
        if name in result:
            result[name] = {eps: values[keep] for eps, values in result[name].items()}
    if result.get("feature_ranks"):
        result["feature_ranks"] = {
            end: {eps: values[keep] for eps, values in table.items()}
            for end, table in result["feature_ranks"].items()
        }
    return replace(outcome, result=result)


def _half(outcome: Outcome) -> Outcome:
    if not _has_rows(outcome):
        return outcome
    steps = outcome.result["step"]
    return _rows(outcome, slice(0, sum(step <= steps[-1] / 2 for step in steps)))


def _swapped(outcome: Outcome, first: str, other: str) -> Outcome:
    """Return an outcome whose ranks at the first ε are those at another one, and back."""
    if not _has_rows(outcome):
        return outcome

    def turned(table: Mapping[str, Any]) -> dict[str, Any]:
        swap = {first: other, other: first}
        # Where an ε is missing nothing is turned.
        both = first in table and other in table
        return {eps: table[swap.get(eps, eps)] if both else table[eps] for eps in table}

    result = dict(outcome.result)
    result |= {name: turned(result[name]) for name in _BY_EPS if name in result}
    if result.get("feature_ranks"):
        result["feature_ranks"] = {k: turned(v) for k, v in result["feature_ranks"].items()}
    return replace(outcome, result=result)


def _linear(outcome: Outcome) -> Outcome:
    """Return an outcome that asks for detection on a linear scale."""
    trial, scale = outcome.trial, {"scale": "linear"}
    settings = dict(trial.settings)
    if "train" in settings:
        settings["train"] = {**settings["train"], **scale}
    else:
        settings |= scale
    return replace(outcome, trial=Trial(trial.kind, settings, trial.version))
