"""One measurement after another, here or in the background: guarded, timed, reported in order."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

from torch import Tensor

from epsrank.numerics.monitor.background import Background, marker
from epsrank.numerics.monitor.measure import Moment, described
from epsrank.numerics.monitor.measurer import Measurer
from epsrank.numerics.monitor.probe_parts import Sample
from epsrank.numerics.monitor.processes import Processes
from epsrank.numerics.monitor.record import LayerRecord
from epsrank.numerics.monitor.reporter import Reporter
from epsrank.numerics.monitor.schedule import Schedule


class Conductor:
    """Has measurements made, accounts for their time, and reports them; nothing of it raises.

    Parameters
    ----------
    measurer : Measurer
        Makes them.
    processes : Processes
        Where.
    reporter : Reporter
        Is told, always in the training's own thread.
    schedule : Schedule
        Is told what they cost: of a measurement in the background, the seconds of both threads.
    background : Background or None
        A thread for what the training need not wait for.
    """

    def __init__(
        self,
        measurer: Measurer,
        processes: Processes,
        reporter: Reporter,
        schedule: Schedule,
        background: Background | None,
    ) -> None:
        self._measurer = measurer
        self._processes = processes
        self._reporter = reporter
        self._schedule = schedule
        self._background = background
        measurer.background = background

    def measure(
        self,
        gather: Callable[[], Sample],
        moment: Callable[[], Moment],
        cost: float = 0.0,
    ) -> list[LayerRecord]:
        """Measure, whatever happens, and account for the time.

        Parameters
        ----------
        gather : callable
            Has the features summed, and returns of which samples they were.
        moment : callable
            When this is.
        cost : float
            Seconds that were spent before.

        Returns
        -------
        list of LayerRecord
            Of this measurement; in the background, of those that were finished by now.
        """
        if self._background is not None:
            return self._behind(self._background, gather, moment, cost)
        self._processes.settle()
        began = time.perf_counter() - cost
        now = moment()
        sample, cause = _caught(gather)
        now = replace(now, part=sample.part)
        records = self._measurer.records(now, sample.targets, cause)
        spent = time.perf_counter() - began
        records = [replace(record, cost=spent) for record in records]
        if records:
            self._reporter.report(records)
        # Sinks, warnings and the history are part of the price.
        self._schedule.spent(time.perf_counter() - began)
        return records

    def _behind(
        self,
        background: Background,
        gather: Callable[[], Sample],
        moment: Callable[[], Moment],
        cost: float,
    ) -> list[LayerRecord]:
        """Hand a measurement to the thread, and report what it has finished."""
        began = time.perf_counter() - cost
        now = moment()
        sample, cause = _caught(gather)
        now, targets = replace(now, part=sample.part), sample.targets
        head = self._measurer.head()  # the weights of this moment
        kept = targets.detach().clone() if isinstance(targets, Tensor) else targets
        ready = marker(kept) if isinstance(kept, Tensor) and kept.is_cuda else None

        def numbers(error: BaseException | None, gathered: float) -> list[LayerRecord]:
            if ready is not None:
                ready.synchronize()
            why = cause if error is None else described(error)
            start = time.perf_counter()
            records = self._measurer.records(now, kept, why, head)
            spent = here + gathered + time.perf_counter() - start
            return [replace(record, cost=spent) for record in records]

        here = time.perf_counter() - began
        background.finish(numbers)
        self._schedule.spent(here)
        return self.finished()

    def finished(self, *, wait: bool = False) -> list[LayerRecord]:
        """Report what the background has finished since the last call.

        Parameters
        ----------
        wait : bool
            Until all of it is.

        Returns
        -------
        list of LayerRecord
            In order; none without a background.
        """
        if self._background is None:
            return []
        found: list[LayerRecord] = []
        for records, seconds in self._background.fetch(wait=wait):
            began = time.perf_counter()
            if records:
                self._reporter.report(records)
            # Schedules of the user's own know one kind of time.
            getattr(self._schedule, "beside", self._schedule.spent)(seconds)
            self._schedule.spent(time.perf_counter() - began)
            found += records
        return found

    def close(self) -> None:
        """Wait for the background, report what it finished, and end it; close the sinks."""
        if self._background is not None:
            self.finished(wait=True)
            self._background.close()
        self._reporter.close()


def _caught(gather: Callable[[], Sample]) -> tuple[Sample, str | None]:
    """Run what gathers features, and return its samples, and why it failed, if it did."""
    try:
        return gather(), None
    except Exception as error:
        return Sample(), described(error)
