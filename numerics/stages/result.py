"""What `training_stages` returns."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from epsrank.numerics.stages.axis import RunAxis
from epsrank.numerics.stages.order import EventTimes, PairOrder
from epsrank.numerics.stages.phases import Phases
from epsrank.theory.shown import Shown
from epsrank.theory.strict_json import nulled
from epsrank.theory.words import plural

#: Level at which, after Holm's correction, an order is said to be one.
LEVEL = 0.05


@dataclass(frozen=True, eq=False)
class Stages(Shown):
    """All quantities of trainings of one setting on one axis, and the order of their changes.

    From `training_stages`; ``epsrank stages`` prints and draws it.

    Attributes
    ----------
    source : str
        Where the runs come from.
    settings : mapping
        Settings of the runs, without the seed.
    runs : tuple of RunAxis
        One per seed: ``tracks`` has the quantities by name, ``notes`` what is odd about it.
    phases : tuple of Phases or None
        Plateaus and descents of each run's loss.
    events : tuple of EventTimes
        First passages of every run, earlier medians first.
    pairs : tuple of PairOrder
        For each two events in how many runs one came before the other, with p-values.
    absent : tuple of str
        Quantities that are nowhere.

    Examples
    --------
    >>> from epsrank import training_stages
    >>> loss, rank = [4.0, 4.0, 1.0, 0.1, 0.1], [1, 3, 5, 5, 5]
    >>> found = training_stages({"step": range(5), "loss": loss, "rank": rank})
    >>> [row.event.name for row in found.events][:2]
    ['ε-rank at half of its growth', 'loss ≤ 0.9 L₀']
    """

    source: str
    settings: Mapping[str, Any]
    runs: tuple[RunAxis, ...] = field(repr=False)
    phases: tuple[Phases | None, ...] = field(repr=False)
    events: tuple[EventTimes, ...] = field(repr=False)
    pairs: tuple[PairOrder, ...] = field(repr=False)
    absent: tuple[str, ...] = ()

    @property
    def span(self) -> tuple[float, float]:
        """First and last step of all runs."""
        ends = [run.span for run in self.runs]
        return min(first for first, _ in ends), max(last for _, last in ends)

    @property
    def least_pvalue(self) -> float:
        """The least adjusted p-value that so many runs and pairs can have."""
        return min(1.0, len(self.pairs) * 2.0 ** (1 - len(self.runs)))

    @property
    def established(self) -> tuple[tuple[str, str], ...]:
        """Pairs (earlier, later) whose order is established at the level 0.05 after Holm."""
        return tuple(
            (pair.first, pair.second) if pair.before > pair.after else (pair.second, pair.first)
            for pair in self.pairs
            if pair.adjusted <= LEVEL
        )

    def __str__(self) -> str:
        head = f"{self.source}: {plural(len(self.runs), 'run')}"
        known = [row for row in self.events if row.reached and row.median is not None]
        order = ", ".join(
            f"{row.event.name} ({row.middle})"
            for row in known
            if row.median is not None and math.isfinite(row.median.value)
        )
        return f"{head}; medians of first passages: {order or 'none'}"

    def to_json(self) -> dict[str, Any]:
        """Return everything but the histories as plain data.

        Returns
        -------
        dict
            ``source``, ``settings``, ``runs``, ``events``, ``pairs``, ``established``, ``absent``.
        """
        runs = [
            {
                "name": run.name,
                "seed": run.seed,
                "quantities": {name: int(t.steps.size) for name, t in run.tracks.items()},
                "notes": list(run.notes),
                "unused": list(run.unused),
                "phases": None if phases is None else phases.to_json(),
            }
            for run, phases in zip(self.runs, self.phases, strict=True)
        ]
        plain: dict[str, Any] = nulled(
            {
                "source": self.source,
                "settings": dict(self.settings),
                "runs": runs,
                "events": [row.to_json() for row in self.events],
                "pairs": [pair.to_json() for pair in self.pairs],
                "established": [list(pair) for pair in self.established],
                "least_pvalue": self.least_pvalue,
                "absent": list(self.absent),
            }
        )
        return plain
