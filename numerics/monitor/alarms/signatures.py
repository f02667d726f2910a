"""Three signatures of training that has failed to progress, and the numbers behind each.

They look at windows of m = 24 measurements of the last layer, the first one also at 2m and 4m:

* ``plateau``: the loss fell by less than 5 % of its median, by the far end of the interval of its
  Theil–Sen trend at level 1e-4, correlated noise allowed for (`trend`), and the ε-rank stagnated:
  no quarter of the window has a median above an earlier quarter's by 1 and by 3 % (less 1, lost to
  whole numbers). More ε-rank is what a lower loss would need, and it does not come. Noise that
  hides a plateau in one window is averaged out in a longer one.
* ``optimiser``: the ε-rank stagnated, and in every measurement of the window loss/V ≥ 2 (F6): the
  features allow half of the loss, the head does not use them.
* ``floor``: loss/V ≥ 4 in the latest m/2 measurements, whatever the ε-rank does.

Losses are those of the reading where there are targets, else mean training losses. loss/V is the
certified lower end of the ratio, so the second and the third cannot be fooled by rounding; readings
of fewer than 4n samples do not count, for any head fits n samples or less. A window holds only
measurements of the same part of a probe (`probe_parts`): a rank that rises because there are more
samples is no progress, and a loss on other samples is another loss.

How often they are wrong is measured on simulated series of 200 measurements by
`tests/numerics/monitor/alarms/test_signatures.py`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from statistics import median
from typing import Any, Literal

import numpy as np

from epsrank.numerics.monitor.alarms.trend import trend
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.theory.floor.reading import OPTIMISER_LIMITED
from epsrank.theory.numbers.arrays import Array

SignatureName = Literal["plateau", "optimiser", "floor"]

#: Measurements of a window, and the level of the interval of the loss over it.
WINDOW = 24
LEVEL = 1e-4

#: Lengths over which a plateau is looked for, in windows, the shortest first.
SPANS = (1, 2, 4)

#: Least relative fall of the loss over a window, and relative rise of the ε-rank between the
#: middles of its quarters, that count as progress.
FALL = 0.05
RISE = 0.03

#: Samples per neuron that a reading needs to count.
SAMPLES = 4

#: loss/V that counts as far above the floor.
FAR = 4.0


class RankWarning(UserWarning):
    """What a monitor has to say while a training runs: a failure signature, or a failure."""


@dataclass(frozen=True)
class Signature:
    """One episode of a failure signature."""

    #: Which.
    name: SignatureName
    #: The last layer.
    layer: str
    #: The window in which it was seen, at the beginning of the episode.
    first_step: int
    step: int
    #: What it rests on: ``loss`` (median), ``loss_change`` with ``loss_low``, ``loss_high``
    #: (relative) and ``correlation`` (that the interval allows for), ``rank`` (median),
    #: ``rank_rise`` (between quarters of the window), ``ratio`` (least loss/V), as far as they
    #: enter.
    numbers: dict[str, float] = field(default_factory=dict)

    def __str__(self) -> str:
        n = self.numbers
        when = f"steps {self.first_step} to {self.step}, layer {self.layer}"
        if self.name == "plateau":
            return (
                f"loss plateau without rank growth ({when}): loss {n['loss']:.4g} changed by "
                f"{n['loss_change']:+.1%} [{n['loss_low']:+.1%}, {n['loss_high']:+.1%}], ε-rank "
                f"{n['rank']:g} rose by {n['rank_rise']:+.2g} at most"
            )
        if self.name == "optimiser":
            return (
                f"optimiser-limited ({when}): ε-rank {n['rank']:g} does not grow "
                f"({n['rank_rise']:+.2g} at most), and the loss stays at {n['ratio']:.3g} times or "
                "more what these features allow at this norm of the head"
            )
        return (
            f"loss far above its floor ({when}): {n['ratio']:.3g} times or more what these "
            "features allow at this norm of the head"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the episode as plain data."""
        return asdict(self)


@dataclass(frozen=True)
class _Point:
    step: int
    loss: float | None
    rank: float
    slack: float
    ratio: float | None
    part: float | None


# The number of measurements that show a signature, and the numbers behind it.
_Seen = tuple[int, dict[str, float]]


class Signatures:
    """Watches the last layer's records; memory is bounded by the window and the episodes kept."""

    def __init__(self, window: int = WINDOW) -> None:
        self.window = window
        self.seen: list[Signature] = []
        self._points: deque[_Point] = deque(maxlen=max(SPANS) * window)
        self._count = 0
        self._quiet: dict[SignatureName, int] = {}

    def update(self, records: Sequence[LayerRecord], layer: str | None) -> list[Signature]:
        """Look at one measurement, and return the episodes that begin with it."""
        own = [record for record in records if layer is None or record.layer == layer]
        point = _point(own[-1]) if own else None
        if point is None or (self._points and point.step <= self._points[-1].step):
            return []
        self._points.append(point)
        self._count += 1
        alike = [other for other in self._points if other.part == point.part]
        found = []
        for name, seen in self._conditions(alike).items():
            if seen is None:
                self._quiet[name] = self._quiet.get(name, self.window) + 1
                continue
            # An episode is over when nothing was seen for half a window.
            if self._quiet.get(name, self.window) >= self.window // 2:
                length, figures = seen
                first = alike[-length].step
                found.append(Signature(name, own[-1].layer, first, point.step, figures))
            self._quiet[name] = 0
        self.seen = [*self.seen, *found][-1000:]
        return found

    def _conditions(self, points: list[_Point]) -> dict[SignatureName, _Seen | None]:
        """Return for each signature what it rests on, or None where it is not seen.

        One that the points are too few for is left out: its episode goes on.
        """
        found: dict[SignatureName, _Seen | None] = {}
        if half := _last(points, self.window // 2):
            far = _least_ratio(half)
            high = far is not None and far >= FAR
            found["floor"] = (len(half), {"ratio": far}) if far is not None and high else None
        if window := _last(points, self.window):
            # A trend costs the square of its length: longer windows have their turn less often.
            due = (span for span in SPANS if self._count % span == 0)
            spans = (_last(points, span * self.window) for span in due)
            found["optimiser"] = _optimiser(window)
            found["plateau"] = next(filter(None, map(_plateau, spans)), None)
        return found


def _last(points: list[_Point], count: int) -> list[_Point]:
    """Return the latest measurements; none where there are not so many."""
    return points[-count:] if len(points) >= count else []


def _optimiser(points: Sequence[_Point]) -> _Seen | None:
    """Return the numbers of a stagnant rank under a loss far above V."""
    stagnant = _stagnant_rank(points) if points else None
    least = None if stagnant is None else _least_ratio(points)
    if stagnant is None or least is None or least < OPTIMISER_LIMITED:
        return None
    return len(points), {**stagnant, "ratio": least}


def _plateau(points: Sequence[_Point]) -> _Seen | None:
    """Return the numbers of a loss that does not fall while the rank does not rise."""
    stagnant = _stagnant_rank(points) if points else None
    flat = None if stagnant is None else _flat_loss(points)
    return None if stagnant is None or flat is None else (len(points), {**flat, **stagnant})


def _point(record: LayerRecord) -> _Point | None:
    """Return what matters of a record; None where nothing was measured."""
    if not record.ranks:
        return None
    rank = record.ranks[0]
    reading = record.reading
    loss = record.loss if reading is None else reading.loss
    enough = reading is not None and reading.n_samples >= SAMPLES * record.n_features
    return _Point(
        step=record.step,
        loss=loss if loss is not None and np.isfinite(loss) else None,
        rank=(rank.lower + rank.upper) / 2,
        slack=(rank.upper - rank.lower) / 2,
        ratio=reading.ratio_lower if reading is not None and enough else None,
        part=record.probe_part,
    )


def _least_ratio(points: Sequence[_Point]) -> float | None:
    """Return the least loss/V; None if one is not known."""
    ratios = [point.ratio for point in points]
    return None if None in ratios else min(ratio for ratio in ratios if ratio is not None)


def _stagnant_rank(points: Sequence[_Point]) -> dict[str, float] | None:
    """Return the largest rise of the ε-rank between quarters, where it is no growth."""
    uppers = [point.rank + point.slack for point in points]
    lowers = [point.rank - point.slack for point in points]
    quarter = len(points) // 4
    # Where counts are open, growth within their intervals cannot be excluded.
    high = [median(uppers[i * quarter : (i + 1) * quarter]) for i in range(4)]
    low = [median(lowers[i * quarter : (i + 1) * quarter]) for i in range(4)]
    rise = max(high[j] - low[i] for i in range(4) for j in range(i + 1, 4))
    middle = median(point.rank for point in points)
    if rise >= max(1.0, RISE * middle - 1):
        return None
    return {"rank": middle, "rank_rise": rise}


def _flat_loss(points: Sequence[_Point]) -> dict[str, float] | None:
    """Return the relative trend of the loss where it certainly does not fall."""
    losses = np.array([np.nan if point.loss is None else point.loss for point in points])
    middle = median(abs(float(loss)) for loss in losses)
    if not (middle > 0 and np.isfinite(losses).all()):  # unknown, or nothing left to gain
        return None
    found = trend(_times(points), losses / middle, LEVEL)
    if found.low <= -FALL:
        return None
    return {
        "loss": median(float(loss) for loss in losses),
        "loss_change": found.change,
        "loss_low": found.low,
        "loss_high": found.high,
        "correlation": found.correlation,
    }


def _times(points: Sequence[_Point]) -> Array:
    return np.array([point.step for point in points], dtype=np.float64)
