"""Plateau, descent, second plateau of a loss: by the levels of B1, and by the detector."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from epsrank.numerics.stages.axis import RunAxis, Track
from epsrank.numerics.stages.passages import Passage, first
from epsrank.numerics.staircase import Staircase, detect_staircase

#: Levels of B1: out of the first plateau as a share of the first loss; onto the second plateau and
#: out of it as shares of its level.
ESCAPED, SETTLED, LEFT = 0.9, 1.05, 0.9


@dataclass(frozen=True)
class Phase:
    """A stage of the loss."""

    name: str
    #: Steps; an end of ∞ is not within the training.
    start: float
    end: float
    #: Level of the loss there, where it is a plateau.
    level: float | None = None

    @property
    def length(self) -> float:
        """In steps."""
        return self.end - self.start


@dataclass(frozen=True)
class Phases:
    """The stages of one training."""

    #: By levels; empty where the level of a second plateau is not known.
    by_levels: tuple[Phase, ...]
    #: Plateaus and descents of the detector.
    by_detector: tuple[Phase, ...]
    #: What the detector says, in one sentence.
    detector: str
    #: Level of the second plateau, where it is known.
    second: float | None

    @property
    def shown(self) -> tuple[Phase, ...]:
        """Those by levels, else those of the detector."""
        return self.by_levels or self.by_detector

    def to_json(self) -> dict[str, Any]:
        """Return both lists as plain data."""
        return asdict(self)


def phases_of(run: RunAxis, level: float | None = None) -> Phases | None:
    """Find the stages of the loss; `level` is that of its second plateau, if you know it."""
    loss = run.tracks.get("loss")
    if loss is None or loss.steps.size < 2:
        return None
    finite = np.isfinite(loss.values)
    scale = "log" if (loss.values[finite] > 0).all() else "linear"
    found = detect_staircase(loss.values, times=loss.steps, scale=scale)  # type: ignore[arg-type]
    second = level if level is not None else _second_level(loss, found)
    return Phases(_by_levels(loss, second), _by_detector(loss, found), _words(found), second)


def _words(found: Staircase) -> str:
    kind = "staircase" if found.is_staircase else "one step" if found.found else "no step"
    return f"{kind}: {found.reason}"


def _second_level(loss: Track, found: Staircase) -> float | None:
    """Return the level of the plateau after the first drop: the median of its first half."""
    if not found.found:
        return None
    drop = found.found[0]
    after = [p for p in found.plateaus if p.start >= drop.index]
    if not after:
        return None
    plateau = after[0]
    # It may end in a slow fall: its level is that of its first half.
    held = loss.values[plateau.start : (plateau.start + plateau.end) // 2 + 1]
    return float(np.median(held))


def _by_levels(loss: Track, second: float | None) -> tuple[Phase, ...]:
    """Return the stages by passages of levels."""
    start = loss.values[0]
    begin = float(loss.steps[0])
    if not (0 < start < np.inf):
        return ()
    escaped = first(loss.steps, loss.values <= ESCAPED * start)
    phases = [Phase("first plateau", begin, escaped.by, float(start))]
    # A level just below the first loss would be no second plateau.
    if second is None or not 0 < SETTLED * second < ESCAPED * start or escaped.censored:
        return tuple(phases) if escaped.censored else ()
    settled = first(loss.steps, loss.values <= SETTLED * second)
    phases.append(Phase("descent", escaped.by, settled.by))
    if not settled.censored:
        left: Passage = first(loss.steps, loss.values <= LEFT * second)
        phases.append(Phase("second plateau", settled.by, left.by, second))
    return tuple(phases)


def _by_detector(loss: Track, found: Staircase) -> tuple[Phase, ...]:
    """Return plateaus and the descents between them."""
    phases: list[Phase] = []
    names = ("first", "second", "third", "fourth", "fifth")
    for place, plateau in enumerate(found.plateaus):
        start, end = float(loss.steps[plateau.start]), float(loss.steps[plateau.end])
        if phases and start > phases[-1].end:
            phases.append(Phase("descent", phases[-1].end, start))
        word = names[place] if place < len(names) else f"{place + 1}th"
        phases.append(Phase(f"{word} plateau", start, end, plateau.level))
    return tuple(phases)
