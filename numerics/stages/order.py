"""In which order events come, over runs: medians, and for each pair a sign test."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

from epsrank.numerics.stages.axis import whole
from epsrank.numerics.stages.passages import Event, Passage
from epsrank.theory.statistics import (
    MedianInterval,
    Proportion,
    holm,
    median_interval,
    proportion,
)


@dataclass(frozen=True)
class EventTimes:
    """One event in all runs."""

    event: Event
    #: One entry per run, None where the quantity is not there or has no such event.
    passages: tuple[Passage | None, ...]
    #: Why not, where it is so in a run that has the quantity.
    reasons: tuple[str, ...] = ()

    @property
    def known(self) -> list[Passage]:
        """Passages of the runs that have the event."""
        return [passage for passage in self.passages if passage is not None]

    @property
    def reached(self) -> int:
        """Runs in which it happened."""
        return sum(not passage.censored for passage in self.known)

    @property
    def median(self) -> MedianInterval | None:
        """Median of the first measured step at which it has happened; ∞ is never.

        The interval is of the median of the times themselves, which lie in (after, by]: of order
        statistics k and l it goes from the k-th `after` to the l-th `by`.
        """
        if not self.known:
            return None
        ends = median_interval([passage.by for passage in self.known])
        return replace(ends, low=median_interval([passage.after for passage in self.known]).low)

    @property
    def gap(self) -> tuple[float, float] | None:
        """Both middle steps, where half of the runs passed in one cluster and half in another.

        Between these two there is more room than in both together, and no run may have passed
        halfway: a median there would be a moment of no run.
        """
        if not self.known:
            return None
        ordered = sorted(passage.by for passage in self.known)
        low, high = (ordered[k] for k in ((len(ordered) - 1) // 2, len(ordered) // 2))
        if not low < high:
            return None
        if math.isinf(high):
            return low, high
        # Of a run that never got there as far as it is known.
        last = max(p.after if p.censored else p.by for p in self.known)
        middle = (low + high) / 2
        between = any(passage.after < middle <= passage.by for passage in self.known)
        return (low, high) if 2 * (high - low) > last - ordered[0] and not between else None

    @property
    def middle(self) -> str:
        """The median for people, or both middle steps where there is nothing between them."""
        if self.gap is not None:
            return " or ".join(map(whole, self.gap))
        median = self.median
        return "–" if median is None else whole(median.value)

    def to_json(self) -> dict[str, Any]:
        """Return the event, its passages by run, and the median."""
        median = self.median
        return {
            "event": self.event.name,
            "quantity": self.event.track,
            "runs": len(self.known),
            "reached": self.reached,
            "median": None if median is None else median.to_json(),
            "gap": self.gap,
            "passages": [None if p is None else p.to_json() for p in self.passages],
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class PairOrder:
    """Whether one event comes before another: a sign test over runs."""

    first: str
    second: str
    #: Runs in which the first certainly came before, and after.
    before: int
    after: int
    #: Runs in which the intervals overlap, and in which neither happened.
    tied: int
    neither: int
    #: 2·P(Bin(m, ½) ≥ max(before, after)) at most 1, m = before + after; and by Holm over pairs.
    pvalue: float
    adjusted: float

    @property
    def share(self) -> Proportion | None:
        """Share of the runs that tell in which the first came before, with an exact interval."""
        told = self.before + self.after
        return proportion(self.before, told) if told else None

    def to_json(self) -> dict[str, Any]:
        """Return counts, share and p-values."""
        share = self.share
        return dict(vars(self)) | {"share": None if share is None else share.to_json()}


def sign_test(before: int, after: int) -> float:
    """Return the two-sided p-value of a sign test: runs that tell nothing are left out."""
    told = before + after
    tail = sum(math.comb(told, k) for k in range(max(before, after), told + 1))
    return min(1.0, 2 * tail / float(2**told))


def compared(
    first: Sequence[Passage | None], second: Sequence[Passage | None]
) -> tuple[int, int, int, int]:
    """Return in how many runs the first comes before, after, at the same time, and neither does."""
    before = after = tied = neither = 0
    for a, b in zip(first, second, strict=True):
        if a is None or b is None:
            continue
        if a.censored and b.censored:
            neither += 1
        elif a.precedes(b):
            before += 1
        elif b.precedes(a):
            after += 1
        else:
            tied += 1
    return before, after, tied, neither


def pairs_of(rows: Sequence[EventTimes], anchors: Sequence[str] = ()) -> tuple[PairOrder, ...]:
    """Compare all pairs, or those with an anchor; of one chain the order holds by definition."""
    counts: dict[tuple[str, str], tuple[int, int, int, int]] = {}
    for a, b in combinations(rows, 2):
        if a.event.chain == b.event.chain:
            continue
        if anchors and not {a.event.track, b.event.track} & set(anchors):
            continue
        if anchors and {a.event.track, b.event.track} <= set(anchors):
            continue
        found = compared(a.passages, b.passages)
        if sum(found[:3]):
            counts[a.event.name, b.event.name] = found
    pvalues = [sign_test(found[0], found[1]) for found in counts.values()]
    return tuple(
        PairOrder(*names, *found, pvalue, adjusted)
        for (names, found), pvalue, adjusted in zip(
            counts.items(), pvalues, holm(pvalues), strict=True
        )
    )


def times_of(runs: Sequence[Mapping[Event, Passage | str]]) -> tuple[EventTimes, ...]:
    """Return every event with its passages in all runs, earlier medians first."""
    events = dict.fromkeys(event for run in runs for event in run)
    rows = []
    for event in events:
        found = [run.get(event) for run in runs]
        reasons = tuple(dict.fromkeys(each for each in found if isinstance(each, str)))
        rows.append(
            EventTimes(event, tuple(None if isinstance(p, str) else p for p in found), reasons)
        )
    return tuple(sorted(rows, key=_place))


def _place(row: EventTimes) -> tuple[float, float]:
    median = row.median
    if median is None:
        return math.inf, math.inf
    return median.value, min(p.after for p in row.known)
