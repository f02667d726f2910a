"""Runs in the making: one stack of parameters, and what each run has of its own."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from epsrank.numerics.ensemble.forward import stacked_forward
from epsrank.numerics.ensemble.optimizers import StackedOptimizer, stacked_optimizer
from epsrank.numerics.ensemble.parameters import ParameterStack
from epsrank.numerics.ensemble.samples import StackedOrder, StackedSamples
from epsrank.numerics.files import write_table
from epsrank.numerics.networks import FeatureNetwork
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import build_network, build_optimizer, check_loss
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import HISTORY, SPECTRA, WEIGHTS, open_folder
from epsrank.numerics.training.loop import measurement_steps
from epsrank.numerics.training.measure import NotFiniteError, measure
from epsrank.numerics.training.probe import choose_probe, with_test_samples
from epsrank.numerics.training.process import Interrupts
from epsrank.numerics.training.record import StepRecord, history_table, spectra_table
from epsrank.numerics.training.run import Run
from epsrank.numerics.training.state import Progress, Status, save_state
from epsrank.numerics.training.tensors import write_tensors


class Member:
    """One run of an ensemble: its data, probe, schedule, records and folder."""

    def __init__(self, place: int, config: RunConfig, task: Task, device: torch.device) -> None:
        self.place = place
        self.config = config
        self.task = task
        self.probe = choose_probe(config, task, device)
        self.testing = with_test_samples(config, task, device)
        self.schedule = set(measurement_steps(config.steps, config.measure_every))
        self.records: list[StepRecord] = []
        self.progress = Progress(0, "stopped", "not begun")
        self.device = device

    def enter(self, out: Path | None) -> None:
        """Make the folder of the run."""
        self.folder = open_folder(out, self.config, resume=False)

    def measure(self, model: FeatureNetwork, step: int) -> StepRecord:
        """Measure as `train` does, and keep the weights of the measurement."""
        record = measure(model, self.config, self.testing, self.probe, step)
        self.folder.save_checkpoint(step, model.state_dict())
        self.records.append(record)
        return record

    def end(self, step: int, status: Status, cause: str) -> None:
        """Say how far the run has come."""
        self.progress = Progress(step, status, cause)

    def save(self, model: FeatureNetwork, optimizer: StackedOptimizer, position: int) -> None:
        """Bring the folder up to date, so that `train` could resume the run."""
        if not self.folder.kept:
            return
        path, config = self.folder.path, self.config
        write_table(path / SPECTRA, spectra_table(self.records))
        write_table(path / HISTORY, history_table(self.records, config.eps, config.depth))
        write_tensors(path / WEIGHTS, model.state_dict())
        environment: dict[str, Any] = {
            "data": self.task.fingerprint(),
            "device": self.device.type,
        }
        own = build_optimizer(config, model)
        whole = own.state_dict()
        whole["state"] = dict(enumerate(optimizer.state_of(position)))
        own.load_state_dict(whole)
        save_state(self.folder, model, own, self.progress, environment)

    def run(self) -> Run:
        """Return the run as it stands."""
        return Run(self.config, self.records, self.progress, self.folder, self.task)


ManyProgress = Callable[[int, int, Mapping[int, StepRecord]], None]

# As in `train`: saving may take a twentieth of the time, and a kill may cost a second or so.
_SAVE_SHARE, _SAVE_SECONDS = 20.0, 1.0


class Ensemble:
    """Runs in the making: stacked parameters, and what each run has of its own."""

    def __init__(
        self, configs: Sequence[RunConfig], tasks: Sequence[Task], device: torch.device
    ) -> None:
        first = configs[0]
        self.steps = first.steps
        self.device = device
        models: list[FeatureNetwork] = []
        for config, task in zip(configs, tasks, strict=True):
            check_loss(config, task)
            models.append(build_network(config, task).to(device))
        self.members = [
            Member(place, config, task, device)
            for place, (config, task) in enumerate(zip(configs, tasks, strict=True))
        ]
        self.alive = list(self.members)
        self.forward = stacked_forward(models[0], first.activation, tasks[0].operator)
        self.stack = ParameterStack([dict(model.named_parameters()) for model in models])
        rates = [config.rate for config in configs]
        self.optimizer = stacked_optimizer(first.optimizer, self.stack, rates)
        self.samples = StackedSamples(first.loss, tasks, first.torch_dtype, device)
        seeds = [config.seed for config in configs]
        self.order = StackedOrder(seeds, tasks[0].n_samples, first.batch_size, device)
        self._scratch = copy.deepcopy(models[0])
        self._saved_at, self._save_cost = -math.inf, 0.0

    def enter(self, out: Path | None) -> None:
        """Make the folders."""
        for member in self.members:
            member.enter(None if out is None else out / f"{member.place:03d}")
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
            if not self.alive:
                return
            step += 1
            if self._save_is_due():
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
            member.save(self.network(position), self.optimizer, position)
        left = [position for position in range(len(self.alive)) if position not in causes]
        self.alive = [self.alive[position] for position in left]
        if not left:
            return empty
        kept = torch.tensor(left, device=self.device)
        if grad is not None:
            grad = self.stack.selected(kept, grad)
        self.optimizer.keep(kept)
        self.samples.keep(kept)
        self.order.keep(kept)
        return empty if grad is None else grad

    def _save(self, step: int, cause: str) -> None:
        """Say how far the runs have come, and bring their folders up to date."""
        begun = time.monotonic()
        done = cause == "all steps done"
        for position, member in enumerate(self.alive):
            member.end(step, "complete" if done else "stopped", cause)
            if self._kept:
                member.save(self.network(position), self.optimizer, position)
        self._saved_at = time.monotonic()
        self._save_cost = self._saved_at - begun

    def _save_is_due(self) -> bool:
        """Whether enough time has passed since the last save."""
        elapsed = time.monotonic() - self._saved_at
        return self._kept and elapsed > max(_SAVE_SECONDS, _SAVE_SHARE * self._save_cost)
