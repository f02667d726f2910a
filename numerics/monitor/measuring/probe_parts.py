"""How much of a probe is measured when: a first part that costs little, later all of it.

Under a budget a measurement is paid for afterwards, and nothing is earned when the first one is
made. So it takes a part of the probe, drawn once by a seed, that says as much as can be said for
little: N_1 samples with at least 4n rows in every layer of n neurons, so that no count is held down
by the number of rows, or as many more as are repaid within `REPAID` seconds. After `SERIES`
measurements of one part, which are comparable with each other, the next part is eight times as long
at most, and in the end the whole probe. Each part contains the one before.

If a measurement of N samples costs C(N) ≤ cN seconds and the share is s, training has taken at
least T = SERIES · cN/s when the part grows, and one of 8N samples is repaid within T/6.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from epsrank.numerics.monitor.alarms.signatures import SAMPLES, WINDOW
from epsrank.numerics.monitor.measuring.measurer import Measurer
from epsrank.numerics.monitor.measuring.probe_set import ProbeSet
from epsrank.numerics.monitor.measuring.schedule import OverheadBudget, Schedule
from epsrank.numerics.monitor.measuring.seen import Sample
from epsrank.numerics.monitor.model.passes import Shape
from epsrank.theory.errors import InputError

#: Measurements of one part before it grows: two windows of the signatures.
SERIES = 2 * WINDOW

#: Most that a part grows by.
GROWTH = 8

#: Seconds of training that may go by until the forward pass of the first part is repaid, where the
#: rows that a rank needs do not ask for more.
REPAID = 10.0

#: Fewest samples of a part: rows of one sample resemble each other.
FEWEST = 64


class ProbeParts:
    """Sends the part of a probe through the model whose turn it is."""

    def __init__(
        self, probe: ProbeSet, measurer: Measurer, shapes: Iterable[Shape], share: float | None
    ) -> None:
        self.probe = probe
        self._measurer = measurer
        self._allowed = REPAID * (share or 0.0)
        self._made = 0
        self._least = 1.0
        count = probe.n_samples
        if share is not None and count is not None:
            self._least = least_part(shapes, count, measurer.processes.size)
        #: Share of the probe that is measured next; None before the first measurement.
        self.part: float | None = None if share is not None and count is not None else 1.0

    def due(self, step: int) -> Sample:
        """Make the measurement that the schedule asks for after a step."""
        if self.part is None:
            return self._first(step)
        if self.part < 1 and self._made >= SERIES:
            self.part = grown(self.part)
            self._made = 0
        # Counted also where the pass fails: the processes of a group must not differ.
        self._made += 1
        if self.part == 1:
            return self.whole(step)
        self._measurer.run(self.probe.slice(0, self._count(self.part)))
        return self._sample(step, self.part)

    def whole(self, step: int) -> Sample:
        """Measure the whole probe."""
        self._measurer.run(self.probe.inputs)
        return self._sample(step, 1.0)

    def _first(self, step: int) -> Sample:
        """Measure the least part, and as much more as costs little.

        All processes of a group agree on it; each takes part, whatever happens to it, and where one
        of them fails, all begin anew the next time.
        """
        processes = self._measurer.processes
        [least] = processes.highest(self._least)
        # Between a half and the whole there is no part.
        if least > 0.5:
            self.part = 1.0
            return self.whole(step)
        begun = self._count(least)
        failed, seconds, sample = None, math.inf, Sample(part=least)
        start = time.perf_counter()
        try:
            self._measurer.run(self.probe.slice(0, begun))
            sample = self._sample(step, least)
            processes.settle()
            seconds = time.perf_counter() - start
        except Exception as error:
            failed = error
        [seconds] = processes.highest(seconds)
        if failed is not None:
            raise failed
        if seconds == math.inf:
            return sample
        self.part, self._made = affordable(least, seconds, self._allowed), 1
        if self._count(self.part) > begun:
            self._measurer.go_on(self.probe.slice(begun, self._count(self.part)))
            # Quantities do not add up: those of the least part have said what they cost.
            sample = self._sample(step, self.part)
        return replace(sample, part=self.part)

    def _count(self, part: float) -> int:
        """Return the number of samples of a part."""
        count = self.probe.n_samples
        assert count is not None
        # In floats k/N · N may be a little more than k, and is k.
        return min(count, math.ceil(part * count * (1 - 1e-12)))

    def _sample(self, step: int, part: float) -> Sample:
        """Return the targets of a part, and the quantities of its samples."""
        inputs, targets = self.probe.samples, self.probe.targets
        if part < 1:
            inputs = self.probe.slice(0, self._count(part))
            targets = self.probe.first_targets(self._count(part))
        own = self._measurer.quantities(step, inputs, targets)
        return Sample(targets, part, own=own)


def least_part(shapes: Iterable[Shape], n_samples: int, processes: int = 1) -> float:
    """Return the least share of a probe that shows a rank: 4n rows in every layer."""
    wanted = [SAMPLES * n / rows if rows > 0 else math.inf for rows, n in shapes]
    needed = max([FEWEST, *wanted]) / processes
    return min(1.0, needed / n_samples)


def affordable(least: float, seconds: float, allowed: float) -> float:
    """Return the largest of p, 2p, 4p, … ≤ 1/2 and 1 that should cost little; `least` is p."""
    if seconds <= allowed * least:
        return 1.0
    part = least
    while 2 * part <= 0.5 and 2 * part * seconds <= allowed * least:
        part *= 2
    return part


def grown(part: float) -> float:
    """Return the part that follows: eight times as much at most, 1 in the end."""
    return 1.0 if GROWTH * part >= 1 else min(0.5, GROWTH * part)


def as_parts(
    probe: ProbeSet,
    measurer: Measurer,
    example: Any,
    schedule: Schedule,
    choice: object,
    seed: int,
) -> ProbeParts:
    """Try a probe out, and return its parts."""
    if choice not in ("auto", "whole"):
        raise InputError("probe_part", f"is {choice!r}", "choose 'auto' or 'whole'")
    count = probe.n_samples
    shapes = measurer.try_out(example, None if count is None else min(count, 2))
    share = schedule.share if isinstance(schedule, OverheadBudget) else None
    if choice == "whole" or count is None:
        share = None
    elif share is not None and least_part(shapes, count, measurer.processes.size) <= 0.5:
        probe = probe.shuffled(seed)
    return ProbeParts(probe, measurer, shapes, share)
