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
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from epsrank.numerics.experiments.analysis import Analysis, Effect, Finding, Table
from epsrank.numerics.experiments.rules import shared_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

Analyse = Callable[[Sequence[Outcome]], Analysis]
Seen = Callable[[Sequence[Outcome]], Iterator[tuple[str, list[Outcome]]]]

# Columns of a history: one entry per measurement.
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
# Tables by ε, of one entry per measurement.
_BY_EPS = ("rank_lower", "rank_upper", "box_lower", "box_upper")
FIRST_ROW = "without the first row"
SECOND_ROWS = "from every second row"
FIRST_HALF = "in the first half of the budget"
_KEPT = {FIRST_ROW: slice(1, None), SECOND_ROWS: slice(None, None, 2)}


@dataclass(frozen=True)
class Measured:
    """What of a result has one entry per measurement: how it is seen with some of them alone."""

    #: Lists of one entry per measurement, and tables of such lists of any depth.
    keys: tuple[str, ...]
    #: The table that has the list ``step``; None where this is an entry of the result itself.
    table: str | None = None
    #: Whether the budget is all steps that were planned, or those up to the last measurement.
    planned: bool = False
    #: Tables of steps at which a level was passed, None for never.
    passed: tuple[str, ...] = ()

    def steps(self, outcome: Outcome) -> Sequence[float]:
        """Return the steps of the measurements; a trial that failed has none."""
        held = outcome.result if self.table is None else outcome.result.get(self.table)
        found: Sequence[float] = (held or {}).get("step") or ()
        return found

    def cut(self, outcome: Outcome, keep: slice) -> Outcome:
        """Return an outcome with some of its measurements."""
        if not self.steps(outcome):
            return outcome
        kept = {
            name: _listwise(outcome.result[name], lambda values: values[keep])
            for name in self.keys
            if name in outcome.result
        }
        return replace(outcome, result={**outcome.result, **kept})

    def half(self, outcome: Outcome) -> Outcome:
        """Return an outcome as it was after half of its budget: what came later never came."""
        steps = self.steps(outcome)
        if not steps:
            return outcome
        end = (outcome.settings["steps"] if self.planned else steps[-1]) / 2
        seen = self.cut(outcome, slice(0, sum(step <= end for step in steps)))

        def by_then(values: Sequence[float | None]) -> list[float | None]:
            return [None if step is None or step > end else step for step in values]

        passed = {name: _listwise(outcome.result[name], by_then) for name in self.passed}
        return replace(seen, result={**seen.result, **passed})

    def views(
        self, outcomes: Sequence[Outcome], names: Sequence[str] = (*_KEPT, FIRST_HALF)
    ) -> Iterator[tuple[str, list[Outcome]]]:
        """Give outcomes with fewer measurements, in the views that are named."""
        for name in names:
            seen = self.half if name == FIRST_HALF else partial(self.cut, keep=_KEPT[name])
            yield name, [seen(outcome) for outcome in outcomes]


def _listwise(value: Any, change: Callable[[Any], Any]) -> Any:
    """Return a table whose lists are changed, whatever tables they lie in."""
    if isinstance(value, Mapping):
        return {name: _listwise(held, change) for name, held in value.items()}
    return change(value) if isinstance(value, list | tuple) else value


#: Results of trials of kind ``train``.
HISTORY = Measured((*_ROWS, *_BY_EPS, "feature_ranks"))


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
    measured = (o for o in outcomes if o.status == "done" and HISTORY.steps(o))
    eps = next(map(_thresholds, measured), None)
    if eps is None:
        return
    yield from HISTORY.views(outcomes)
    for other in eps[1:3]:
        yield f"at ε = {other}", [_swapped(o, eps[0], other) for o in outcomes]
    yield "on a linear scale", [_linear(o) for o in outcomes]


def _thresholds(outcome: Outcome) -> list[str]:
    """Return ε in the order in which they were asked for: the first is the one judged."""
    settings = outcome.settings.get("train", outcome.settings)
    held = list(outcome.result["rank_lower"])
    asked = [float(value) for value in settings.get("eps", ())]
    order = [key for value in asked for key in held if float(key) == value]
    return order or held


def _swapped(outcome: Outcome, first: str, other: str) -> Outcome:
    """Return an outcome whose ranks at the first ε are those at another one, and back."""
    if not HISTORY.steps(outcome):
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
