"""Runs in the making: one stack of parameters, and what each run has of its own."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch

from epsrank.numerics.ensemble.forward import stacked_forward
from epsrank.numerics.ensemble.optimizers import StackedOptimizer, stacked_optimizer
from epsrank.numerics.ensemble.parameters import ParameterStack
from epsrank.numerics.ensemble.samples import StackedOrder, StackedSamples
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.processes.signals import Interrupts
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import build_network, build_optimizer
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.making import RunInMaking, SaveClock
from epsrank.numerics.training.measure import NotFiniteError
from epsrank.numerics.training.record import StepRecord
from epsrank.numerics.training.state import Progress, Status


class Member(RunInMaking):
    """One run of an ensemble, whose network lies in the stack."""

    def __init__(self, place: int, config: RunConfig, task: Task, device: torch.device) -> None:
        super().__init__(config, task, device)
        self.place = place

    def end(self, step: int, status: Status, cause: str) -> None:
        """Say how far the run has come."""
        self.progress = Progress(step, status, cause)

    def save_stacked(
        self, model: FeatureNetwork, optimizer: StackedOptimizer, position: int
    ) -> None:
        """Bring the folder up to date, so that `train` could resume the run."""
        if not self.folder.kept:
            return
        own = build_optimizer(self.config, model)
        whole = own.state_dict()
        whole["state"] = dict(enumerate(optimizer.state_of(position)))
        own.load_state_dict(whole)
        self.save(model, own)


ManyProgress = Callable[[int, int, Mapping[int, StepRecord]], None]


class Ensemble:
    """Runs in the making: stacked parameters, and what each run has of its own."""

    def __init__(
        self, configs: Sequence[RunConfig], tasks: Sequence[Task], device: torch.device
    ) -> None:
        # What all have in common is read off the first (`check_alike`).
        first = configs[0]
        self.steps = first.steps
        self.device = device
        self.members = [
            Member(place, config, task, device)
            for place, (config, task) in enumerate(zip(configs, tasks, strict=True))
        ]
        # As `train` builds them, one by one on the CPU: the same weights, bit for bit.
        models = [build_network(one.config, one.task).to(device) for one in self.members]
        self.alive = list(self.members)
        self.forward = stacked_forward(models[0], first.activation, tasks[0].operator)
        self.stack = ParameterStack([dict(model.named_parameters()) for model in models])
        rates = [config.rate for config in configs]
        self.optimizer = stacked_optimizer(first.optimizer, self.stack, rates)
        self.samples = StackedSamples(first.loss, tasks, first.torch_dtype, device)
        seeds = [config.seed for config in configs]
        self.order = StackedOrder(seeds, tasks[0].n_samples, first.batch_size, device)
        self._scratch = copy.deepcopy(models[0])
        self._clock = SaveClock()

    def enter(self, out: Path | None) -> None:
        """Make the folders."""
        for member in self.members:
            member.open(None if out is None else out / f"{member.place:03d}")
        self._kept = out is not None

    def network(self, position: int) -> FeatureNetwork:
        """Return one network of the stack, unstacked; valid until the next call."""
        with torch.no_grad():
            state = self.stack.state_of(position)
            for name, parameter in self._scratch.named_parameters():
                parameter.copy_(state[name])
        return self._scratch

    def proceed(self, progress: ManyProgress | None, interrupts: Interrupts) -> None:
        """Update and measure until the end, a signal, or until all have diverged."""
        step, total = 0, self.steps
        while True:
            records = self._measure(step)
            if progress is not None:
                progress(step, total, records)
            if step >= total:
                self._save(step, "all steps done")
                return
            if interrupts.pending:
                self._save(step, "interrupted by a signal")
                return
            if self.alive:
                self.update(step)
            # Those that diverged were saved as they did.
            if not self.alive:
                return
            step += 1
            if self._kept and self._clock.due:
                self._save(step, "running, or killed")

    def _measure(self, step: int) -> dict[int, StepRecord]:
        """Measure the networks whose turn it is; drop those whose numbers are not finite."""
        records: dict[int, StepRecord] = {}
        causes: dict[int, str] = {}
        for position, member in enumerate(self.alive):
            if step in member.schedule:
                try:
                    records[member.place] = member.measure(self.network(position), step)
                except NotFiniteError as error:
                    causes[position] = str(error)
        self._drop(causes, step)
        return records

    def update(self, step: int) -> None:
        """Make one update of all whose loss is finite; drop the others before it."""
        index = self.order.batch(step)
        losses = self.samples.losses(self.forward, self.stack.named(), index)
        grad = self.stack.gradient(losses)
        # One wait for the device, for all losses at once.
        values = losses.tolist()
        causes = {
            position: f"the loss is {value} at step {step}"
            for position, value in enumerate(values)
            if not math.isfinite(value)
        }
        if causes:
            grad = self._drop(causes, step, grad)
        if self.alive:
            self.optimizer.step(grad)

    def _drop(
        self, causes: Mapping[int, str], step: int, grad: torch.Tensor | None = None
    ) -> torch.Tensor:
        """End diverged runs at their last finite weights, and take them out of the stack."""
        empty = self.stack.flat.new_empty(0)
        if not causes:
            return empty
        for position, cause in causes.items():
            member = self.alive[position]
            member.end(step, "diverged", cause)
            member.save_stacked(self.network(position), self.optimizer, position)
        left = [position for position in range(len(self.alive)) if position not in causes]
        self.alive = [self.alive[position] for position in left]
        if not left:
            return empty
        kept = torch.tensor(left, device=self.device)
        if grad is not None:
            # Before `keep`, which changes the layout of the buffers.
            grad = self.stack.selected(kept, grad)
        self.optimizer.keep(kept)
        self.samples.keep(kept)
        self.order.keep(kept)
        return empty if grad is None else grad

    def _save(self, step: int, cause: str) -> None:
        """Say how far the runs have come, and bring their folders up to date."""
        done = cause == "all steps done"
        with self._clock.saving():
            for position, member in enumerate(self.alive):
                member.end(step, "complete" if done else "stopped", cause)
                if self._kept:
                    member.save_stacked(self.network(position), self.optimizer, position)
