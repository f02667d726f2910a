"""`RankMonitor`: the ε-rank and the floor in anyone's training loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from torch import Tensor, nn

from epsrank.numerics.monitor.alarms.signatures import Signature
from epsrank.numerics.monitor.gate import (
    RankTooLow,
    RankUndecided,
    RankVerdict,
    Requirement,
)
from epsrank.numerics.monitor.measuring.measurer import Measurer
from epsrank.numerics.monitor.measuring.price import PUT_OFF
from epsrank.numerics.monitor.measuring.probe_parts import ProbeParts, as_parts
from epsrank.numerics.monitor.measuring.probe_set import as_probe_set
from epsrank.numerics.monitor.measuring.readings import (
    as_heads,
    refuse_together,
    refuse_unknown_heads,
)
from epsrank.numerics.monitor.measuring.schedule import OverheadBudget, Schedule, as_schedule
from epsrank.numerics.monitor.measuring.seen import Moment, Sample
from epsrank.numerics.monitor.measuring.settings import as_settings, environment, planned
from epsrank.numerics.monitor.measuring.watch import BatchWatch, LossMeter
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.named import nearest
from epsrank.numerics.monitor.model.plan import LayerPlan, SkippedLayer
from epsrank.numerics.monitor.quantity.contract import Quantity
from epsrank.numerics.monitor.records.history import MAX_RECORDS, History
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.monitor.report import Reporter, warn_of_ignored
from epsrank.numerics.monitor.sinks.protocol import Sink
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epsrank.theory.floor.change.explain import DropExplanation


class RankMonitor:
    """Measures r_ε = #{k : λ_k(G) > ε}, G = ∫ φφᵀ dμ, of a network's layers while it trains (D1).

    With a `probe`, the same samples are sent through the model at every measurement, in evaluation
    mode; without one, the training batches themselves are looked at as they pass. Between
    measurements nothing is computed, and at no moment does anything live on the modules. Outputs,
    gradients, modes, buffers, attributes and random numbers are the same as without a monitor, bit
    for bit.

    Parameters
    ----------
    model : nn.Module
        Any model; wrappers such as DDP and ``torch.compile`` are looked through.
    layers : "auto", str, nn.Module, iterable of both, or mapping of names to modules
        What to measure; see `find_layers`.
    probe : Tensor, tuple or mapping of tensors, or list of batches, optional
        Inputs of the model; None looks at training batches.
    targets : Tensor or mapping of head names to tensors, optional
        Targets of the probe, one per sample: the last layer's floor is read as well then.
    loss : None, str, nn.Module, callable, or mapping of head names to these
        Loss of that reading; needed with targets. What the training uses, such as
        ``nn.CrossEntropyLoss(label_smoothing=0.1)``, ``F.huber_loss``, or `functools.partial` of a
        function: mean squared errors, cross-entropies, binary ones with logits, Huber, smooth L1,
        L1, and Gaussian likelihoods of a mean; its reduction is kept, and what is not understood is
        refused. A name, ``"mse"``, ``"cross_entropy"``, ``"bce"``, ``"huber"``, ``"smooth_l1"`` or
        ``"l1"``, stands for a sum over outputs, such as ‖u − u*‖², and a mean over samples.
    head : "auto", str, nn.Module or None
        The output layer; its input is φ. Where several layers give the output, one has to be named.
    heads : iterable of str or nn.Module, optional
        Several output layers, each with a reading of its own.
    output : str, int or mapping of head names to these, optional
        The entry of a tuple or dict output that has the targets, where several depend on the head.
    axes : mapping of layer names to int, optional
        The axis of the neurons of layers where it cannot be followed.
    mask, weights : array_like or callable, optional
        Which samples count, and how much: one entry per sample of the probe, or one per token,
        ``(samples, tokens)``. A callable is given what the model is called on, and returns that for
        the batch. What is masked out counts nowhere: in no rank, no reading, no loss.
    bias : {"free", "feature", "fixed"}
        The head's bias in the reading: free, so that shifts of the target change nothing; one more
        feature, so that the norm is ‖(W; b)‖_F; or held fixed.
    eps : float or iterable of float
        Thresholds ε > 0; warnings and plots use the first.
    relative : bool
        Thresholds are ε·λ_1.
    measure : {"mean", "raw"}
        Measure of the Gram matrices: samples weigh 1/N or 1 each.
    quantities : {"auto", "all", "ranks"}, mapping of names to `Quantity`, or list of both
        Whether spectra are computed: up to 1024 neurons, always, never. Counts need none. And
        quantities of your own, measured on the probe at every measurement: ``{"name": f}`` alone
        means ``["auto", {"name": f}]``; not with `process_group`.
    every : "auto", int or Schedule
        ``"auto"`` spends at most `overhead`; an integer k measures after steps k, 2k, 3k, …
    overhead : float
        Share of the training time that ``"auto"`` may spend.
    forgetting : float, optional
        Without a probe: earlier measured batches count by this factor less at each measurement;
        None looks at the newest batch alone.
    max_samples : int
        Most samples of a probe (drawn by `seed`), and most rows of the last layer's reading.
    batch_size : int, optional
        Samples per forward pass of a probe; None fits them to the caches, see `pass_size`.
    keep_features : int
        Measurements whose last layer is kept for `explain`, evenly spread over the training, the
        latest always among them: at most so many times `max_samples` rows of features.
    probe_part : {"auto", "whole"}
        ``"auto"`` begins with a part where ``every="auto"``, see `ProbeParts`; else whole always.
    process_group : torch.distributed.ProcessGroup, optional
        Sums are added over its processes, each of which needs a monitor; rank 0 keeps the history.
        None measures this process alone.
    sinks : iterable of Sink
        Get every measurement as it is made.
    warn : bool
        Whether the failure signatures warn; they are in `warnings` in any case.
    max_records : int or None
        Rows kept in the history.
    seed : int
        Of the draw of probe samples.
    at_exit : bool, optional
        Whether the whole probe is measured once more on leaving the ``with`` block without an
        exception, so that `latest` is of the last step; by default where there is a probe. The
        training is over then, and its time is no part of `overhead`.
    first_step : int
        Steps made before this monitor, of a resumed training: records go on counting from there.
    background : bool or "auto"
        Whether a thread of its own computes from copies of the features, on CUDA with a stream of
        its own: `step` then returns what was finished meanwhile, and `close` waits for the rest.
        ``"auto"`` does so where the model is on a GPU, or PyTorch leaves a core free.

    Raises
    ------
    InputError
        If an argument cannot be used, the probe does not run through the model, or nothing in the
        model can be measured.

    Notes
    -----
    Once constructed, a monitor raises nothing for numerical reasons: NaN, a solver that fails, or a
    full memory become a record with its cause and one warning.

    Examples
    --------
    >>> import torch
    >>> model = torch.nn.Sequential(torch.nn.Linear(2, 8), torch.nn.Tanh(), torch.nn.Linear(8, 1))
    >>> with RankMonitor(model, probe=torch.randn(100, 2), every=1) as monitor:
    ...     _ = monitor.step(loss=0.5)
    >>> monitor.layers
    ('1',)
    """

    def __init__(
        self,
        model: nn.Module,
        *,
        layers: Any = "auto",
        probe: Any = None,
        targets: Any = None,
        loss: Any = None,
        head: Any = "auto",
        heads: Any = None,
        output: Any = None,
        axes: Any = None,
        mask: Any = None,
        weights: Any = None,
        bias: str = "free",
        eps: float | Iterable[float] = (1e-6,),
        relative: bool = False,
        measure: str = "mean",
        quantities: str | Mapping[str, Quantity] | Sequence[str | Mapping[str, Quantity]] = "auto",
        every: str | int | Schedule = "auto",
        overhead: float = 0.01,
        forgetting: float | None = None,
        max_samples: int = 2048,
        batch_size: int | None = None,
        probe_part: str = "auto",
        keep_features: int = 0,
        process_group: Any = None,
        sinks: Iterable[Sink] = (),
        warn: bool = True,
        max_records: int | None = MAX_RECORDS,
        seed: int = 0,
        at_exit: bool | None = None,
        first_step: int = 0,
        background: bool | str = False,
    ) -> None:
        self.settings = as_settings(
            eps=eps, relative=relative, measure=measure, quantities=quantities, loss=loss,
            bias=bias, forgetting=forgetting, max_samples=max_samples, mask=mask, weights=weights,
        )  # fmt: skip
        own = self.settings
        refuse_together(
            own, probe=probe, targets=targets, loss=loss, mask=mask, weights=weights,
            process_group=process_group, at_exit=at_exit,
        )  # fmt: skip
        given = None if probe is None else as_probe_set(
            probe, targets, own.max_samples, seed,
            model=model, reading=own.loss is not None, mask=mask, weights=weights,
        )  # fmt: skip
        if warn and given is not None and mask is None and weights is None:
            warn_of_ignored(own, given.targets)
        # Two samples show what the head gives; `find_layers` takes what shows the model's ways.
        two = None if given is None else given.first(2)
        chosen = head if heads is None else as_heads(head, heads)
        plan = find_layers(
            model, layers, head=chosen, output=output, axes=axes,
            example=None if given is None else given.inputs, reads=own.loss is not None,
        )  # fmt: skip
        kept = as_whole(keep_features, "keep_features", least=0)
        self._measurer = Measurer(plan, own, process_group, batch_size, kept)
        if own.loss is not None:
            refuse_unknown_heads(plan, own, given)
            known = (None, None) if given is None else (given.targets, given.labelled)
            self._measurer.look(two, *known)
        schedule = as_schedule(every, overhead, first_step=first_step)
        self._parts: ProbeParts | None = None
        if given is not None:
            self._parts = as_parts(given, self._measurer, two, schedule, probe_part, seed)
        self.history = History(environment(self.plan, own, given), max_records)
        self._names = self.plan.names
        self._reporter = Reporter(self.history, sinks, warn)
        self._losses = LossMeter()
        self._watch = BatchWatch(self._measurer)
        # The step of the latest measurement, in all processes of a group.
        self._steps = self._last_step = first_step
        self._closed = False
        self._spent: float | None = None
        self._at_exit = probe is not None if at_exit is None else at_exit
        self._budget = schedule if isinstance(schedule, OverheadBudget) else None
        self._schedule = self._measurer.processes.schedule(schedule)
        # What a thread has finished; looking whether there is something costs `step` no call.
        self._done = self._measurer.start(background)
        self._start = time.perf_counter()

    @property
    def plan(self) -> LayerPlan:
        """What is measured, and why not the rest.

        It grows where a pass of the probe reaches what none before did, such as an expert, and says
        what the latest pass has shown of the heads.
        """
        return self._measurer.plan

    @property
    def layers(self) -> tuple[str, ...]:
        """Names of the layers measured."""
        return self.plan.names

    @property
    def skipped(self) -> tuple[SkippedLayer, ...]:
        """Every other layer, with the reason."""
        return self.plan.skipped

    @property
    def latest(self) -> dict[str, LayerRecord]:
        """The latest measurement, by layer; empty before the first."""
        if not self.history:
            return {}
        step = self.history[-1].step
        return {record.layer: record for record in self.history if record.step == step}

    @property
    def overhead(self) -> float:
        """Time spent on measuring, as a share of the training time so far.

        After `close` it stays what it was; a measurement on leaving the block is not in it.
        """
        return self._schedule.overhead if self._spent is None else self._spent

    @property
    def warnings(self) -> list[Signature]:
        """The failure signatures seen so far, with the numbers behind them."""
        return self._reporter.signatures.seen

    def step(
        self, loss: Tensor | float | None = None, targets: Any = None, *, inputs: Any = None
    ) -> list[LayerRecord]:
        """Count one training step, and measure if it is time; call it after ``optimizer.step()``.

        Parameters
        ----------
        loss : Tensor or float, optional
            Training loss of the step; never waited for on a GPU.
        targets : Tensor, optional
            Without a probe: targets of the batch of this step, for the reading of the last layer.
        inputs : Tensor, tuple or mapping, optional
            Without a probe: inputs of the batch. Then a due measurement sends them through the
            model again in evaluation mode.

        Returns
        -------
        list of LayerRecord
            The measurement, if one was completed; empty otherwise. In the background, all that were
            completed since the last call.

        Raises
        ------
        InputError
            If the monitor is closed, or the loss is no number.
        """
        if self._closed:
            raise InputError("monitor", "is closed", "call step() inside the with block")
        self._losses.add(loss)  # with cold caches: every further call costs microseconds
        self._steps += 1
        records = self._finished() if self._done else []
        watch = self._watch
        if watch.active:
            watch.end()  # its features are those of the step before
            records += self._measured(self._steps - 1, lambda: watch.note(targets), watch.cost)
        if self._schedule.step():
            if self._parts is not None:
                records += self._measured(self._steps, partial(self._parts.due, self._steps))
            elif inputs is not None:
                batch = self._measurer.batch
                records += self._measured(self._steps, lambda: batch(inputs, targets))
            else:
                watch.begin()
        return records

    def measure(self) -> list[LayerRecord]:
        """Measure the whole probe now, whatever the schedule says.

        Returns
        -------
        list of LayerRecord
            One for each layer.

        Raises
        ------
        InputError
            If there is no probe.
        """
        if self._parts is None:
            raise InputError("probe", "is missing", "pass probe= to measure at any time")
        whole = partial(self._parts.whole, self._steps)
        return self._measured(self._steps, whole, asked=True) + self.wait()

    def wait(self) -> list[LayerRecord]:
        """Wait for what is measured in the background.

        Returns
        -------
        list of LayerRecord
            What was completed since the last call; none without a background.
        """
        return self._finished(wait=True)

    def require(
        self,
        rank: float,
        *,
        layer: str | None = None,
        eps: float | None = None,
        definition: str = "epsilon",
        at_step: int | None = None,
        raises: bool = True,
    ) -> RankVerdict:
        """Ask for a least rank, and stop where it is missing: in the loop, or after it for CI.

        Decided by certified ends: those of the latest measurement, or of the first one from
        `at_step` on. Before that step the verdict is ``"not due"``, and nothing is raised. A part
        of a probe decides nothing: where there is a probe and no measurement of the whole of it,
        one is made.

        Parameters
        ----------
        rank : float
            Least rank.
        layer : str, optional
            One of `layers`; the last one before the head where that is known.
        eps : float, optional
            One of the monitor's ε; the first by default.
        definition : str
            ``"epsilon"``, ``"stable_rank"``, ``"participation_ratio"``, ``"effective_rank"``,
            ``"rankme"`` or ``"entropy_rank"``, as in `LayerRecord.quantities`.
        at_step : int, optional
            Step by which the rank must be there.
        raises : bool
            False returns every verdict.

        Returns
        -------
        RankVerdict
            True where the rank is there.

        Raises
        ------
        InputError
            If an argument cannot be used.
        RankTooLow
            If the rank is certified to be lower.
        RankUndecided
            If it is neither: an interval that holds both, a failed measurement, or none.
        """
        asked = Requirement.of(
            rank, layer, definition, eps, at_step, layers=self.layers,
            last=None if self.plan.last is None else self.plan.last.name,
            measured=self.settings.eps,
        )  # fmt: skip
        verdict = self._verdict(asked)
        if raises and verdict.state in ("missed", "undecided"):
            raise (RankTooLow if verdict.state == "missed" else RankUndecided)(verdict)
        return verdict

    def _verdict(self, asked: Requirement) -> RankVerdict:
        """Find the measurement that decides, or make it."""
        due = asked.at_step is None or self._steps >= asked.at_step
        group = self._measurer.processes
        if not group.first:
            return asked.without("not due", "process 0 has the history, and decides")
        if not due and not self._closed:
            return asked.without("not due", f"step {self._steps} of {asked.at_step}")
        if not self._closed:
            self._finished(wait=True)
        record = asked.find(self.history)
        # In a group every process would have to measure.
        alone = self._parts is not None and not group.grouped
        if record is None and due and alone and not self._closed:
            self.measure()
            record = asked.find(self.history)
        if record is not None:
            return asked.judge(record)
        if asked.at_step is not None and not self._closed:
            return asked.without("not due", f"the next measurement after {asked.at_step} decides")
        since = "" if asked.at_step is None else f" at step {asked.at_step} or later"
        return asked.without("undecided", f"nothing was measured on all samples{since}")

    def close(self) -> None:
        """Measure no more and close the sinks; the history stays readable."""
        if self._closed:
            return
        self._closed = True
        self._watch.end()
        self._finished(wait=True)
        self._spent = self.overhead
        self._measurer.close()
        self._reporter.close()

    def __enter__(self) -> RankMonitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self.finish()
        finally:
            self.close()

    def finish(self) -> list[LayerRecord]:
        """Measure the last step, where `at_exit` asks for that, and close.

        What leaving the ``with`` block does, for loops that have none, such as callbacks.

        Returns
        -------
        list of LayerRecord
            The measurement; none where the last step was measured already, or none is wanted.
        """
        if self._closed:
            return []
        records = self.wait()
        try:
            if self._at_exit and self._last_step < self._steps:
                self._spent = self.overhead
                records += self.measure()
        finally:
            self.close()
        return records

    def explain(
        self, step_a: int, step_b: int, *, eps: float | None = None, head: str | None = None
    ) -> DropExplanation:
        """Say whether the drop between two steps needed other features, and more directions.

        Proved from the features kept (F8, R): no head of the later norm on the earlier features
        reaches the later loss; the leading directions of the later features, as many as the
        ε-rank was before, do not reach it either.

        Parameters
        ----------
        step_a, step_b : int
            Two of `kept_steps`, the earlier one first.
        eps : float, optional
            ε of the ranks; the monitor's first by default.
        head : str, optional
            The head whose loss fell; needed where there are several.

        Returns
        -------
        DropExplanation
            Both answers with their numbers; ``print`` gives one paragraph.

        Raises
        ------
        InputError
            If a step was not kept, both were measured on other samples, or the head is not clear.
        """
        self._finished(wait=True)
        name = self._head(head)
        return self._measurer.kept[name].explain(
            step_a, step_b, loss=self.settings.loss_of(name),
            eps=self.settings.eps[0] if eps is None else eps, measure=self.settings.measure,
        )  # fmt: skip

    def _head(self, head: str | None) -> str:
        """Return the name of the head that is meant."""
        names = [own.name for own in self.plan.heads]
        if head is None and len(names) > 1:
            several = " and ".join(map(repr, names))
            raise InputError("head", f"is not clear: {several} have a reading", "pass head='…'")
        if head is not None and head not in names:
            raise InputError("head", f"is {head!r}", nearest(head, names))
        return head or (names[0] if names else "")

    @property
    def kept_steps(self) -> tuple[int, ...]:
        """Steps that `explain` knows, of all heads."""
        kept = (own.steps for own in self._measurer.kept.values())
        return tuple(sorted({step for steps in kept for step in steps}))

    def plot(self, path: str | Path | None = None, *, head: str | None = None) -> Figure:
        """Draw losses, ε-ranks, readings and own quantities over the steps; no display is needed.

        Parameters
        ----------
        path : str or Path, optional
            Also written there, as .svg, .png or .pdf.
        head : str, optional
            The head whose reading is drawn; of several, the first by default, which is named.

        Returns
        -------
        Figure
            A figure of its own, outside pyplot.

        Raises
        ------
        InputError
            If nothing was measured yet, the head is not known, the file cannot be written, or
            matplotlib is missing.
        """
        with optional_packages():
            from epsrank.numerics.plots.monitor_figures import monitor_figure
            from epsrank.numerics.plots.save import save_figure

        figure = monitor_figure(self.history, eps=self.settings.eps[0], head=head)
        if path is not None:
            save_figure(figure, path)
        return figure

    def __repr__(self) -> str:
        where = "training batches" if self._parts is None else "probe"
        model = f"{plural(len(self.layers), 'layer')} of {type(self.plan.model).__name__}"
        steps = f"{plural(self._steps, 'step')}, {len(self.history.steps)} measured"
        return f"RankMonitor({model}, {where}, {steps})"

    def _measured(
        self, step: int, gather: Callable[[], Sample], cost: float = 0.0, *, asked: bool = False
    ) -> list[LayerRecord]:
        """Measure whatever happens, account for the time, and report what is finished."""
        self._last_step = step
        self._measurer.settle()
        began = time.perf_counter() - cost
        loss, seconds = self._losses.mean(), time.perf_counter() - self._start
        allows = None if asked or self._budget is None else self._budget.affords
        moment = Moment(step, loss, seconds, Sample.of(gather), allows)
        records = self._measurer.end(moment, began)
        if self.plan.names != self._names:
            self._names = self.plan.names
            self.history.metadata |= planned(self.plan)
        self._report(records)
        # Sinks, warnings and the history are part of the price.
        self._schedule.spent(time.perf_counter() - began)
        return records + self._finished()

    def _finished(self, *, wait: bool = False) -> list[LayerRecord]:
        """Report what the background has finished since the last call."""
        found: list[LayerRecord] = []
        for records, seconds in self._measurer.finished(wait=wait):
            began = time.perf_counter()
            self._report(records)
            # Schedules of the user's own know one kind of time.
            getattr(self._schedule, "beside", self._schedule.spent)(seconds)
            self._schedule.spent(time.perf_counter() - began)
            found += records
        return found

    def _report(self, records: list[LayerRecord]) -> None:
        """Report a measurement, and save for a reading that had to wait."""
        self._measurer.note_records(records)
        last = self.plan.last
        self._reporter.report(records, None if last is None else last.name)
        if records and self._budget is not None:
            waits = (record.failure or "" for record in records)
            self._budget.saving = any(why.startswith(PUT_OFF) for why in waits)
