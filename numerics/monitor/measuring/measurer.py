"""One measurement from features to records: summed as they come, ended here or in a thread."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from torch import Tensor
from torch.utils._pytree import tree_leaves

from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.heads.share import Gathered, NoReading, Share, chosen_targets
from epsrank.numerics.monitor.measuring.background import Background, as_background
from epsrank.numerics.monitor.measuring.kept import KeptFeatures
from epsrank.numerics.monitor.measuring.layer_numbers import NO_READING, measured
from epsrank.numerics.monitor.measuring.price import PutOff, ReadingPrice
from epsrank.numerics.monitor.measuring.processes import Processes
from epsrank.numerics.monitor.measuring.readings import (
    check_targets,
    head_readers,
    refuse_other_loss,
    without_targets,
)
from epsrank.numerics.monitor.measuring.seen import Moment, Sample, Seen, nothing_summed
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.passes import MOST, Shape, first_batch, pass_size
from epsrank.numerics.monitor.model.plan import LayerPlan
from epsrank.numerics.monitor.model.probing import learned, probe_pass
from epsrank.numerics.monitor.model.together import go_together
from epsrank.numerics.monitor.quantity.counted import counted
from epsrank.numerics.monitor.quantity.evaluate import evaluate
from epsrank.numerics.monitor.quantity.losses import loss_function
from epsrank.numerics.monitor.records.record import LayerReading, LayerRecord, QuantityRecord
from epsrank.theory.errors import InputError, described


class Measurer:
    """Sums the features of every layer of a plan, and turns the sums into records.

    A measurement goes `begin`, `consume` for all that passes, `note`, and `end`.
    """

    def __init__(
        self,
        plan: LayerPlan,
        settings: Settings,
        process_group: Any,
        batch_size: int | None,
        kept: int = 0,
    ) -> None:
        self.plan = plan
        self.settings = settings
        self.processes = Processes(process_group, plan, settings)
        # With a thread copies of features go there, and nothing else touches what is summed.
        self._thread: Background | None = None
        #: Per layer a Gram matrix.
        self.sums: dict[str, LayerAccumulator] = {}
        self._problems: dict[str, str] = {}
        # Layers that were measured on a part of their samples, and why.
        self._lost: dict[str, str] = {}
        #: What reads the rows of every head; none without a loss.
        self.readers = head_readers(plan, settings)
        self._batch_size = batch_size
        # Whether samples of a batch depend on each other, once one was given to `batch`.
        self._together: bool | None = None
        # Samples of the measurement under way.
        self._sent: list[Any] = []
        self._price = ReadingPrice()
        #: What enters the heads, for explanations, by their names.
        self.kept = {head.name: KeptFeatures(kept) for head in plan.heads}
        self.kept = self.kept or {"": KeptFeatures(kept)}

    def start(self, background: bool | str) -> Collection[object]:
        """Measure in a thread from now on, where that is wanted; what it has finished comes back.

        Until then a probe is tried out here, and what is refused leaves no thread behind.
        """
        self._thread = as_background(background, self.plan.model, self.processes.grouped)
        return () if self._thread is None else self._thread.done

    def finished(self, *, wait: bool = False) -> list[tuple[list[LayerRecord], float]]:
        """Return what the thread has finished since the last call, and its seconds."""
        return [] if self._thread is None else self._thread.fetch(wait=wait)

    def close(self) -> None:
        """End the thread."""
        if self._thread is not None:
            self._thread.close()

    def settle(self) -> None:
        """Wait for what training has queued on the device, which is no cost of measuring here."""
        if self._thread is None:
            self.processes.settle()

    def try_out(self, example: Any, n_samples: int | None) -> tuple[Shape, ...]:
        """Run a few probe samples, so that mistakes show at once and not in mid-training.

        The shapes of the layers that were reached come back; none where the number of samples is
        not known.
        """
        try:
            if self.settings.weigh is not None:
                self.settings.weigh(first_batch(example))
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
            sums = self.sums.values()
            shapes = tuple((own.n_samples / n_samples, own.n_features) for own in sums)
            if self._batch_size is None:
                self._batch_size = pass_size(shapes, on_cpu=self.processes.on_cpu)
            return shapes
        finally:
            self._let_go()

    def look(self, example: Any, targets: Any, labelled: Any) -> None:
        """Note in the plan what every head's output is on a few samples, and check targets.

        `labelled` is a batch of inputs and targets, where the model takes both.
        """
        if example is None:
            return
        if labelled is not None and len(self.readers) == 1:
            [only] = self.readers.values()
            refuse_other_loss(self.plan, only, labelled)
        planned = []
        for head in self.plan.heads:
            reader = self.readers.get(head.layer)
            if reader is not None:
                reader.begin()
                reader.probe(example, MOST)
                if reader.has_rows:
                    check_targets(reader, chosen_targets(targets, head.name))
                # The range of D on two samples says nothing.
                form = (reader.form() or "").partition(", D from")[0]
                if reader.problem is not None:
                    form = f"{NO_READING} {reader.problem}"
                head = replace(head, form=form or None)
                reader.begin()
            elif self.settings.loss is not None:
                head = replace(head, form=f"{NO_READING} loss= has none for it")
            planned.append(head)
        self.plan = replace(self.plan, heads=tuple(planned))

    def batch(self, inputs: Any, targets: Any) -> Sample:
        """Send one batch of the training through the model again."""
        count = next((len(t) for t in tree_leaves(inputs) if isinstance(t, Tensor) and t.ndim), 0)
        if self._together is None and count > 1:
            self._together = go_together(self.plan.wrapper, inputs, count)
        self.run([inputs] if self._together else inputs)
        return Sample(targets)

    def run(self, inputs: Any) -> None:
        """Send samples through the model and sum its features."""
        self.begin()
        self.go_on(inputs)

    def go_on(self, inputs: Any) -> None:
        """Send further samples of the same measurement through the model.

        Where it goes a way that the plan does not know, the measurement begins anew by a plan that
        does.
        """
        size = MOST if self._batch_size is None else self._batch_size
        weigh, plan = self.settings.weigh, self.plan
        self._sent.append(inputs)
        waiting = [inputs]
        while waiting:
            capture = probe_pass(plan, waiting[0], self.consume, batch_size=size, weigh=weigh)
            better = learned(plan, capture)
            if better is None:
                self.note(capture)
                waiting = waiting[1:]
                continue
            plan, waiting = better, list(self._sent)
            if plan.further is not None:
                self._plan_anew(plan)
            self.begin()
            self._sent = list(waiting)
        # What a new plan has left without rows is read anew as well.
        for reader in self.readers.values():
            for given in self._sent if reader.blank else [inputs]:
                reader.probe(given, size)

    def _plan_anew(self, plan: LayerPlan) -> None:
        """Take a new plan of the same model, with what is known of its heads."""
        known = {head.name: head for head in self.plan.heads}
        heads = tuple(replace(head, form=known[head.name].form) for head in plan.heads)
        readers = {reader.name: reader for reader in self.readers.values()}
        self.plan = replace(plan, heads=heads)
        self.readers = {head.layer: readers[head.name] for head in heads if head.name in readers}

    def quantities(self, step: int, inputs: Any, targets: Any) -> tuple[QuantityRecord, ...]:
        """Return the user's own quantities; here, since a thread would find another model."""
        if not self.settings.own:
            return ()
        data = counted(inputs, targets, self.settings.weigh)
        axes = {reader.name: reader.axis for reader in self.readers.values()}
        loss = loss_function(self.settings.loss, data.weights, axes)
        return evaluate(self.settings.own, self.plan.wrapper, loss, data, step)

    def begin(self) -> None:
        """Prepare for one measurement."""
        self._sent = []
        for reader in self.readers.values():
            reader.begin()
        self._do(self._begin)

    def consume(self, name: str, features: Tensor, weights: Tensor | None = None) -> None:
        """Take rows of a layer's features, with their weights where they have some."""
        if self._thread is None:
            self._add(name, features, weights)
        else:
            own = {} if weights is None else {"weights": weights.clone()}
            self._thread.consume(partial(self._add, name, **own), features)

    def note(self, capture: Capture) -> None:
        """Take over what a capture could not hand on."""
        # A copy: the capture starts anew before the thread comes to it.
        self._do(partial(self._note, {**capture.missing(), **capture.problems}, capture.partial()))

    def end(self, moment: Moment, began: float) -> list[LayerRecord]:
        """Return the records of a measurement; none yet where the thread makes them."""
        if self._thread is not None:
            self._end_in(self._thread, moment, began)
            return []
        records = self._records(moment, self._gathered(moment), self.plan)
        return _at_cost(records, time.perf_counter() - began)

    def _end_in(self, thread: Background, moment: Moment, began: float) -> None:
        """Let the thread end a measurement, with the samples and the heads of this moment."""
        # The plan of this moment, too: the next measurement may find a better one.
        gathered, plan = self._gathered(moment), self.plan

        def end(error: BaseException | None, spent: float) -> list[LayerRecord]:
            # An error of the thread comes first: it is about features that did arrive.
            sample = moment.sample
            own = sample if error is None else replace(sample, cause=described(error))
            start = time.perf_counter()
            records = self._records(replace(moment, sample=own), gathered, plan)
            return _at_cost(records, here + spent + time.perf_counter() - start)

        here = time.perf_counter() - began
        thread.finish(end)

    def _gathered(self, moment: Moment) -> Gathered:
        """Return the samples of every reading, with their targets; or why there are none."""
        shares: dict[str, Share] = {}
        problems: dict[str, str] = {}
        for layer, reader in self.readers.items():
            if moment.sample.cause is not None:
                continue
            targets = chosen_targets(moment.sample.targets, reader.name)
            if targets is None:
                problems[layer] = without_targets(moment.sample, reader.name)
                continue
            try:
                shares[layer] = reader.share(targets)
            except NoReading as error:
                problems[layer] = str(error)
            except Exception as error:
                problems[layer] = described(error)
        return Gathered(shares, problems)

    def note_records(self, records: Sequence[LayerRecord]) -> None:
        """Let the plan say of every head what a measurement has shown."""
        found = {record.layer: record for record in records}
        heads = []
        for head in self.plan.heads:
            record = found.get(head.layer)
            if record is not None and record.reading is not None:
                head = replace(head, form=record.reading.form)
            elif record is not None and (record.failure or "").startswith(NO_READING):
                head = replace(head, form=record.failure)
            heads.append(head)
        if [head.form for head in heads] != [head.form for head in self.plan.heads]:
            self.plan = replace(self.plan, heads=tuple(heads))

    def _do(self, action: Callable[[], None]) -> None:
        if self._thread is None:
            action()
        else:
            self._thread.submit(action)

    def _begin(self) -> None:
        """Start the sums anew, or let what was seen count less."""
        self._problems, self._lost = {}, {}
        if self.settings.forgetting:
            for sums in self.sums.values():
                sums.forget(self.settings.forgetting)
        else:
            self.sums = {}

    def _add(self, name: str, features: Tensor, weights: Tensor | None = None) -> None:
        """Add rows to the sums of a layer; the first that are refused end them."""
        if name in self._problems or features.shape[0] == 0:
            return
        sums = self.sums.get(name)
        if sums is None:
            width = int(features.shape[1])
            sums = self.sums[name] = nothing_summed(self.settings, width, features.device)
        try:
            sums.update(features, weights)
        except Exception as error:
            # Of this layer alone: the others go on, and so does the training.
            self._problems[name] = described(error)
            del self.sums[name]

    def _note(self, problems: dict[str, str], lost: dict[str, str]) -> None:
        self._problems = {**problems, **self._problems}
        self._lost |= lost

    def _let_go(self) -> None:
        """Let go of what only one measurement needs."""
        if not self.settings.forgetting:
            self.sums = {}

    def _records(self, moment: Moment, gathered: Gathered, plan: LayerPlan) -> list[LayerRecord]:
        """Return the records of what was summed, in all processes together; never raises."""
        try:
            seen = Seen(
                self.sums, self._problems, moment.sample.cause, gathered=gathered, lost=self._lost
            )
            seen = self.processes.union(seen)
            if not self.processes.first:
                return []
            read = partial(self._read, seen, moment)
            return measured(plan, self.settings, moment, seen, read)
        except Exception as error:
            failed = Seen(cause=described(error))
            return measured(plan, self.settings, moment, failed, lambda layer: None)
        finally:
            self._let_go()

    def _read(self, seen: Seen, moment: Moment, layer: str) -> LayerReading | None:
        """Return the reading of a head; None where no targets are known."""
        if layer in seen.gathered.problems:
            raise NoReading(seen.gathered.problems[layer])
        share, reader = seen.gathered.shares.get(layer), self.readers.get(layer)
        if share is None or reader is None:
            return None
        self.kept[reader.name].add(moment.step, share)
        shape, allows = (len(share.rows), *share.rows.weight.shape), moment.allows
        # Of the squared error it is one decomposition, as a rank is.
        price = 0.0 if reader.loss.squares else self._price.expected(*shape)
        if allows is not None and not allows(price):
            raise PutOff(price)
        # Loaded by the first reading, and not on its time: a monitor of ranks does without.
        from epsrank.numerics.monitor.measuring.reading import read_last_layer, with_rank

        began = time.perf_counter()
        try:
            found = read_last_layer(share, reader.name, loss=reader.loss, bias=self.settings.bias)
            return with_rank(found, share.rows, self.settings)
        finally:
            self._price.paid(time.perf_counter() - began, *shape)


def _at_cost(records: list[LayerRecord], seconds: float) -> list[LayerRecord]:
    return [replace(record, cost=seconds) for record in records]
