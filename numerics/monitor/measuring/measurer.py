"""One measurement from beginning to end: features, sums, all processes, records."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from torch import Tensor

from epsrank.numerics.gram.few_rows import FewRows
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.measuring.background import Background
from epsrank.numerics.monitor.measuring.layer_numbers import (
    Moment,
    described,
    measured,
    whole_failure,
)
from epsrank.numerics.monitor.measuring.processes import Processes, Share
from epsrank.numerics.monitor.measuring.reading import Head, Rows, matched, read_last_layer
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.capture import Capture, probe_pass
from epsrank.numerics.monitor.model.passes import MOST, Shape, pass_size
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.records.record import LayerReading, LayerRecord
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array


class Collector:
    """Per layer a Gram matrix, and for the last layer the rows that a reading needs."""

    def __init__(self, plan: LayerPlan, settings: Settings) -> None:
        self._plan = plan
        self._settings = settings
        self._last = plan.last.name if plan.last is not None else None
        self.sums: dict[str, LayerAccumulator] = {}
        self.problems: dict[str, str] = {}
        self.rows: Rows | None = None

    def begin(self) -> None:
        """Prepare for one measurement: start anew, or let what was seen count less."""
        self.problems = {}
        if self._settings.forgetting:
            for accumulator in self.sums.values():
                accumulator.forget(self._settings.forgetting)
        else:
            self.sums = {}
        wanted = self._settings.loss is not None and self._last is not None
        self.rows = Rows(self._settings.max_samples) if wanted else None

    def consume(self, name: str, features: Tensor) -> None:
        """Take rows of a layer's features."""
        if name in self.problems or features.shape[0] == 0:
            return
        accumulator = self.sums.get(name)
        if accumulator is None:
            # A spectrum is wanted to the last digit; a count allows float32 where ε does.
            counts = not self._settings.spectrum(int(features.shape[1]))
            # One batch is often shorter than its layer is wide; forgetting adds up many.
            kind = LayerAccumulator if self._settings.forgetting else FewRows
            accumulator = self.sums[name] = kind(
                int(features.shape[1]),
                device=features.device,
                measure=self._settings.measure,
                eps=min(self._settings.eps) if counts else None,
                relative=self._settings.relative,
            )
        try:
            accumulator.update(features)
        except InputError as error:
            self.problems[name] = str(error)
            del self.sums[name]
            raise
        if name == self._last and self.rows is not None:
            self.rows.add(features)

    def note(self, problems: dict[str, str]) -> None:
        """Take over what a capture could not hand on."""
        self.problems = {**problems, **self.problems}

    def end(self) -> None:
        """Let go of what only this measurement needed."""
        self.rows = None
        if not self._settings.forgetting:
            self.sums = {}


class Measurer:
    """Turns passes through the model into records."""

    def __init__(
        self, plan: LayerPlan, settings: Settings, processes: Processes, batch_size: int | None
    ) -> None:
        self.plan = plan
        self.settings = settings
        self.processes = processes
        self.collector = Collector(plan, settings)
        #: Where set, only that thread touches the collector.
        self.background: Background | None = None
        self._batch_size = batch_size
        # Where the cross-entropy solver stopped: near where it will stop next time.
        self._start: Array | None = None

    def try_out(self, example: Any, n_samples: int | None) -> tuple[Shape, ...]:
        """Run a few probe samples, so that mistakes show at once and not in mid-training.

        Returns rows per sample and neurons of each layer that was reached; empty where the number
        of samples is not known.
        """
        try:
            self.run(example)
        except InputError:
            raise
        except Exception as error:
            raise InputError(
                "probe",
                f"does not run through the model ({described(error)})",
                "pass what the model's forward takes",
            ) from error
        else:
            if n_samples is None:
                return ()
            sums = self.collector.sums.values()
            shapes = tuple((own.n_samples / n_samples, own.n_features) for own in sums)
            if self._batch_size is None:
                self._batch_size = pass_size(shapes, on_cpu=self.processes.on_cpu)
            return shapes
        finally:
            self.collector.end()

    def run(self, inputs: Any) -> None:
        """Send samples through the model and sum its features."""
        self.begin()
        self.go_on(inputs)

    def go_on(self, inputs: Any) -> None:
        """Send further samples of the same measurement through the model."""
        size = MOST if self._batch_size is None else self._batch_size
        self.note(probe_pass(self.plan, inputs, self.consume, batch_size=size))

    def begin(self) -> None:
        """Prepare for one measurement."""
        self._do(self.collector.begin)

    def consume(self, name: str, features: Tensor) -> None:
        """Take rows of a layer's features, or a copy of them to the background."""
        if self.background is None:
            self.collector.consume(name, features)
        else:
            self.background.consume(partial(self.collector.consume, name), features)

    def note(self, capture: Capture) -> None:
        """Take over what a capture could not hand on."""
        problems = dict(capture.problems)
        self._do(lambda: self.collector.note(problems))

    def _do(self, action: Callable[[], None]) -> None:
        if self.background is None:
            action()
        else:
            self.background.submit(action)

    def head(self) -> Callable[[], Head] | None:
        """Return the head as it is now; what is wrong with it shows when it is asked for."""
        if self.settings.loss is None:
            return None
        try:
            own = Head.of(self.plan.head)
        except Exception as error:
            return partial(_raise, error)
        return lambda: own

    def records(
        self,
        moment: Moment,
        targets: Any,
        cause: str | None,
        head: Callable[[], Head] | None = None,
    ) -> list[LayerRecord]:
        """Return the records of what was summed, in all processes together; never raises."""
        try:
            return self._records(moment, targets, cause, head)
        except Exception as error:
            return whole_failure(self.plan, self.settings, moment, described(error))
        finally:
            self.collector.end()

    def _records(
        self,
        moment: Moment,
        targets: Any,
        cause: str | None,
        head: Callable[[], Head] | None,
    ) -> list[LayerRecord]:
        share, problem = self._share(targets, cause)
        union = self.processes.union(
            self.collector.sums, self.collector.problems, cause, share, problem
        )
        if not self.processes.first:
            return []
        if union.cause is not None:
            return whole_failure(self.plan, self.settings, moment, union.cause)

        def read() -> LayerReading | None:
            if union.share_problem is not None:
                raise ValueError(union.share_problem)
            return None if union.share is None else self._read(union.share, head)

        return measured(self.plan, union.sums, union.problems, self.settings, moment, read)

    def _share(self, targets: Any, cause: str | None) -> tuple[Share | None, str | None]:
        """Return features and targets of the last layer, or why there are none."""
        rows, kind = self.collector.rows, self.settings.loss
        if kind is None or rows is None or targets is None or cause is not None:
            return None, None
        last = self.plan.last
        if last is None or last.name in self.collector.problems:
            return None, None
        try:
            return matched(rows, targets, kind), None
        except Exception as error:
            return None, described(error)

    def _read(self, share: Share, head: Callable[[], Head] | None) -> LayerReading:
        """Return the reading of the last layer."""
        kind = self.settings.loss
        assert kind is not None
        reading, self._start = read_last_layer(
            *share,
            Head.of(self.plan.head) if head is None else head(),
            kind=kind,
            bias=self.settings.bias,
            start=self._start,
        )
        return reading


def _raise(error: Exception) -> Head:
    raise error
