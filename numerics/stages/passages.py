"""First passages: when a quantity first does something, known up to the measurements around it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.numerics.stages.axis import RunAxis, Track, whole
from epsrank.theory.numbers.arrays import Vector

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Passage:
    """An event in (after, by]: it had not happened at `after`, and had at `by`."""

    #: The last measurement before it; −∞ where it had happened at the first one.
    after: float
    #: The first measurement at which it has happened; ∞ where it has not within the training.
    by: float

    @property
    def censored(self) -> bool:
        """Whether it never happened in the training, so that only `after` is known."""
        return math.isinf(self.by)

    @property
    def at_start(self) -> bool:
        """Whether it had happened when measurements began."""
        return math.isinf(self.after)

    def precedes(self, other: Passage) -> bool:
        """Whether it certainly came first; intervals that overlap say nothing."""
        return self.by <= other.after

    def __str__(self) -> str:
        if self.censored:
            return f"not by {whole(self.after)}"
        return f"at or before {whole(self.by)}" if self.at_start else whole(self.by)

    def to_json(self) -> dict[str, Any]:
        """Return both ends, null where there is none, and which it is."""
        return {
            "after": None if self.at_start else self.after,
            "by": None if self.censored else self.by,
            "at_start": self.at_start,
            "censored": self.censored,
        }


# Of fewer measurements one is no exception.
_FEW = 5

#: What asks a quantity for a passage: a text says why there is no such event.
Finder = Callable[[Track, RunAxis], "Passage | str"]


@dataclass(frozen=True)
class Event:
    """A moment that is looked for in one quantity."""

    #: Words, with the condition that is met.
    words: str
    #: `Track.name`.
    track: str
    #: Events of one chain follow each other by definition, and their order says nothing.
    chain: str

    @property
    def name(self) -> str:
        """The text by which it is known in tables, such as ``loss ≤ 0.9 L₀``."""
        return self.words


def first(steps: Vector, holds: Mask) -> Passage:
    """Return the first step at which something holds."""
    if not holds.any():
        return Passage(float(steps[-1]), math.inf)
    at = int(np.argmax(holds))
    return Passage(float(steps[at - 1]) if at else -math.inf, float(steps[at]))


def lasting(steps: Vector, holds: Mask) -> Passage:
    """Return the first step at which something holds and from which on it holds, but for spikes.

    From every later step s on it holds at most measurements of [s, 2s], or of a twentieth of the
    record. Late in a training Adam makes spikes of an error that has long been small; these end
    nothing.
    """
    count = np.concatenate([[0], np.cumsum(holds)])
    begin = np.arange(steps.size)
    least = min(max(_FEW, steps.size // 20), steps.size)
    end = np.maximum(np.searchsorted(steps, 2 * steps, side="right"), begin + least)
    end = np.minimum(end, steps.size)
    mostly = 2 * (count[end] - count[begin]) > end - begin
    # Where a spike may be all that is left, what came just before it counts as well.
    mostly |= (begin > steps.size - least) & (2 * int(holds[-least:].sum()) > least)
    broken = np.flatnonzero(~mostly)
    return first(steps, holds & (begin > (broken[-1] if broken.size else -1)))


def _falls(share: float, track: Track, run: RunAxis) -> Passage | str:
    """Find when values are at most a share of the first one."""
    start = track.values[0]
    if not (0 < start < math.inf):
        return f"starts at {start:g}, of which there is no share"
    return first(track.steps, track.values <= share * start)


def _halves(near: float, track: Track, run: RunAxis) -> Passage | str:
    """Find when values are at most half of the first one, if that is not nearly 0."""
    start, largest = float(track.values[0]), float(np.abs(track.values).max())
    if 0 < start < near:
        return f"starts at {start:.3g}, which is near 0"
    if 0 < start < _NEARLY_NOTHING * largest:
        return f"starts at {start:.3g}, which is near 0 beside its largest, {largest:.3g}"
    return _falls(0.5, track, run)


def _grows(share: float, least: float, track: Track, run: RunAxis) -> Passage | str:
    """Find when a share of the whole growth is reached; by both ends of intervals."""
    found = []
    for values in (track.values, track.values if track.upper is None else track.upper):
        growth = values[-1] - values[0]
        if not (least <= growth < math.inf):
            return f"does not grow (from {values[0]:g} to {values[-1]:g})"
        # Rounding of the sum must not put the last value below its own level.
        level = min(values[0] + share * growth, values[-1])
        found.append(first(track.steps, values >= level))
    return Passage(min(p.after for p in found), max(p.by for p in found))


def _meets(other: str, track: Track, run: RunAxis) -> Passage | str:
    """Find when values reach those of another quantity, as it was last measured."""
    limit = run.tracks.get(other)
    if limit is None:
        return f"has no {other} beside it"
    places = np.searchsorted(limit.steps, track.steps, side="right") - 1
    bar = limit.values[np.maximum(places, 0)]
    return first(track.steps, track.values >= bar)


def _below(level: float, track: Track, run: RunAxis) -> Passage | str:
    """Find from when on values stay below a level."""
    return lasting(track.steps, track.values < level)


def _turns(track: Track, run: RunAxis) -> Passage | str:
    """Find when values are first at most 0."""
    return first(track.steps, track.values <= 0)


def _least(track: Track, run: RunAxis) -> Passage | str:
    """Find when the least value is first reached."""
    if track.values.min() == track.values.max():
        return "is constant"
    return first(track.steps, track.values <= track.values.min())


def _peak(of_span: bool, track: Track, run: RunAxis) -> Passage | str:
    """Find the largest value: between its neighbours, or in its own span."""
    if track.values.min() == track.values.max():
        return "is constant"
    at = int(np.argmax(track.values))
    steps = track.steps
    after = float(steps[at - 1]) if at else -math.inf
    if of_span:
        return Passage(after, float(steps[at]))
    return Passage(after, float(steps[at + 1]) if at + 1 < steps.size else math.inf)


# Half of a start that later values exceed tenfold is passed by chance, and so is that of a cosine
# of less than 0.05.
_NEARLY_NOTHING, _NEARLY_ORTHOGONAL = 0.1, 0.05
#: Ranks grow by whole directions; other quantities by anything.
_ONE_DIRECTION, _ANY = 1.0, 1e-12

#: Events by kind: words after the name of the quantity, what finds them, and their chain.
EVENTS: Mapping[str, Sequence[tuple[str, Finder, str]]] = {
    "loss": (
        ("≤ 0.9 L₀", partial(_falls, 0.9), "level"),
        ("≤ 0.1 L₀", partial(_falls, 0.1), "level"),
    ),
    "test_loss": (("least", _least, "least"),),
    "rank": (
        ("at half of its growth", partial(_grows, 0.5, _ONE_DIRECTION), "growth"),
        ("at 90 % of its growth", partial(_grows, 0.9, _ONE_DIRECTION), "growth"),
    ),
    "lambda_h": (
        ("≥ 2/η", partial(_meets, "limit"), "limit"),
        ("largest", partial(_peak, False), "peak"),
    ),
    "batch_sharpness": (("≥ 2/η", partial(_meets, "limit"), "limit"),),
    "lambda_k": (("largest", partial(_peak, False), "peak"),),
    "noise_scale": (("largest", partial(_peak, False), "peak"),),
    "stiffness": (("≤ half of its start", partial(_halves, _NEARLY_ORTHOGONAL), "level"),),
    "coherence": (("≤ half of its start", partial(_halves, 0.0), "level"),),
    "frequency": (("stays below 0.2", partial(_below, 0.2), "level"),),
    "orientations": (("fewest", _least, "least"),),
    "weight_rank": (("least", _least, "least"),),
    # A W₁ is of the way since the measurement before.
    "transport": (("largest", partial(_peak, True), "peak"),),
    "path": (("at half of its end", partial(_grows, 0.5, _ANY), "growth"),),
    "distance": (("at half of its end", partial(_grows, 0.5, _ANY), "growth"),),
    "signs": (("at half of their end", partial(_grows, 0.5, _ANY), "growth"),),
    "turning": (("≤ 0", _turns, "level"),),
    "gradient_norm": (("largest", partial(_peak, False), "peak"),),
    "product_rank": (("least", _least, "least"),),
    "barrier": (("largest", partial(_peak, False), "peak"),),
    "accuracy": (
        ("at half of its growth", partial(_grows, 0.5, _ANY), "growth"),
        ("at 90 % of its growth", partial(_grows, 0.9, _ANY), "growth"),
    ),
}


def passages(run: RunAxis) -> dict[Event, Passage | str]:
    """Return all events of a training, by both the quantity and the condition."""
    found: dict[Event, Passage | str] = {}
    for track in run.tracks.values():
        for words, finder, chain in EVENTS.get(track.kind.name, ()):
            event = Event(f"{track.words} {words}", track.name, f"{track.name} {chain}")
            if track.steps.size < 2:
                found[event] = "was measured once"
            else:
                found[event] = finder(track, run)
    return found
