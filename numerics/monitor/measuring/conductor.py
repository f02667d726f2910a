"""One measurement after another, here or in the background: guarded, timed, reported in order."""

from __future__ import annotations

import re
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial

from torch import Tensor

from epsrank.numerics.monitor.alarms.signatures import RankWarning, Signatures
from epsrank.numerics.monitor.measuring.background import Background, marker
from epsrank.numerics.monitor.measuring.layer_numbers import Moment, described
from epsrank.numerics.monitor.measuring.measurer import Measurer
from epsrank.numerics.monitor.measuring.probe_parts import Sample
from epsrank.numerics.monitor.measuring.processes import Processes
from epsrank.numerics.monitor.measuring.schedule import Schedule
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.monitor.sinks import Sink, as_sinks, deliver

# Different failures that are spoken of; after so many there is nothing new to say.
_MOST = 100


class Reporter:
    """Passes measurements on; nothing that a sink does reaches the training."""

    def __init__(
        self, history: History, sinks: Iterable[Sink], last: str | None, warn: bool
    ) -> None:
        self.history = history
        self.signatures = Signatures()
        self._sinks = as_sinks(sinks)
        self._last = last
        self._warn = warn
        self._told: set[str] = set()

    def report(self, records: list[LayerRecord]) -> None:
        """Pass one measurement on."""
        self.history.append(records)
        failed = [record for record in records if record.failure is not None]
        kinds = {_kind(record.failure or ""): record for record in reversed(failed)}
        for kind, record in kinds.items():
            count = sum(_kind(other.failure or "") == kind for other in failed)
            where = f"{count} layers, the first {record.layer}" if count > 1 else record.layer
            self.tell(f"{where}: {record.failure}", kind, record.step)
        for signature in self.signatures.update(records, self._last):
            if self._warn:
                warnings.warn(str(signature), RankWarning, stacklevel=5)
        if not self._sinks:
            return
        kept = []
        for sink in self._sinks:
            action = partial(deliver, sink, records, self.history.metadata)
            if self._safely("log", action, records[0].step):
                kept.append(sink)
        self._sinks = kept

    def close(self) -> None:
        """Close the sinks."""
        for sink in self._sinks:
            self._safely("close", sink.close, -1)
        self._sinks = []

    def tell(self, message: str, kind: str, step: int) -> None:
        """Warn of a failure, once for each kind."""
        if kind not in self._told and len(self._told) < _MOST:
            self._told.add(kind)
            warnings.warn(f"{message} (step {step}; said once)", RankWarning, stacklevel=6)

    def _safely(self, name: str, action: Callable[[], None], step: int) -> bool:
        """Call a sink, and say so if it fails."""
        try:
            action()
        except Exception as error:
            cause = described(error)
            self.tell(f"{name} of a sink failed, it is left out: {cause}", _kind(cause), step)
            return False
        return True


def _kind(cause: str) -> str:
    """Return a cause without its numbers."""
    return re.sub(r"\d+", "", cause)


class Conductor:
    """Has measurements made, accounts for their time, and reports them; nothing of it raises."""

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
        """Measure, whatever happens, and account for the time."""
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
        """Report what the background has finished since the last call."""
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
