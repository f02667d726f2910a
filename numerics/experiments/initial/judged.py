"""How the experiments on initial stages judge, runs that never arrive included, and their views."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from epsrank.numerics.experiments.analysis import Effect, Judgement, effect
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.theory.statistics import equivalent, median_interval

#: What is known of a number: it lies between two. Equal ones are the number itself; a run that has
#: not arrived when its training ends takes from then to ∞.
Span = tuple[float, float]
UNKNOWN: Span = (-math.inf, math.inf)


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


def log_ratio(a: Span, b: Span) -> Span:
    """Return what is known of log₁₀(a/b) for a, b ≥ 0."""
    low = -math.inf if a[0] == 0 or b[1] == math.inf else math.log10(a[0] / b[1])
    high = math.inf if a[1] == math.inf or b[0] == 0 else None
    if high is None:
        high = -math.inf if a[1] == 0 else math.log10(a[1] / b[0])
    return low, high


def difference(a: Span, b: Span) -> Span:
    """Return what is known of a − b."""
    return a[0] - b[1], a[1] - b[0]


def vote(span: Span) -> float:
    """Return a number of the sign that is known, 0 where none is."""
    return span[0] if span[0] > 0 else span[1] if span[1] < 0 else 0.0


def censored(name: str, spans: Sequence[Span], *, unit: str = "") -> Effect | None:
    """Return the median of numbers of which only so much is known, None where there is none.

    Its interval is from the low end, were all as low as they may be, to the high end, were all as
    high. Left out, runs that never arrive would leave the word to those that do.
    """
    if not spans:
        return None
    known = [_point(span) for span in spans if span != UNKNOWN]
    low, high = (median_interval([span[end] for span in spans]) for end in (0, 1))
    value = median_interval(known).value if known else 0.0
    value = min(max(value, low.low), high.high)
    return Effect(name, replace(low, value=value, high=high.high), 0.0, unit)


def _point(span: Span) -> float:
    """Return the number itself, or the end at which it is open."""
    if span[0] == span[1] or span[1] == math.inf:
        return span[1]
    return span[0] if span[0] == -math.inf else (span[0] + span[1]) / 2


def other_levels(
    outcomes: Sequence[Outcome], names: Sequence[str]
) -> Iterator[tuple[str, list[Outcome]]]:
    """Give outcomes as seen at the earlier and later levels that their trials kept."""
    for view in ("early", "late"):
        yield f"at {view} levels", [_at(o, names, view) for o in outcomes]


def _at(outcome: Outcome, names: Sequence[str], view: str) -> Outcome:
    if outcome.status != "done":
        return outcome
    held = outcome.result
    return replace(
        outcome, result={**held, **{n: {**held[n], "usual": held[n][view]} for n in names}}
    )
