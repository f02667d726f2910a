"""`train_many`: K networks of one shape as one batched program."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from numerics.ensemble.forward import stacked_forward
from numerics.ensemble.grouping import check_alike, group_configs
from numerics.ensemble.member import Member
from numerics.ensemble.optimizers import stacked_optimizer
from numerics.ensemble.parameters import ParameterStack
from numerics.ensemble.samples import StackedOrder, StackedSamples
from numerics.networks import FeatureNetwork
from numerics.tasks import Task, load_task
from numerics.training.build import build_network, check_loss, resolve_device
from numerics.training.config import RunConfig
from numerics.training.interrupts import Interrupts
from numerics.training.loop import train
from numerics.training.measure import NotFiniteError
from numerics.training.record import StepRecord
from numerics.training.run import Run
from numerics.training.threads import compute_threads

ManyProgress = Callable[[int, int, Mapping[int, StepRecord]], None]

_SAVE_SHARE, _SAVE_SECONDS = 20.0, 1.0


def train_many(
    configs: Sequence[RunConfig],
    *,
    out: str | Path | None = None,
    progress: ManyProgress | None = None,
) -> list[Run]:
    """Minimise L_k(θ_k) for K networks of one shape at once, each as `train` would alone.

    Parameters
    ----------
    configs : sequence of RunConfig
        The runs. They may differ in seed, rate, initialisation and in how they are measured
        (`numerics.ensemble.grouping.FREE`), and each has its own data where its seed draws them.
    out : path, optional
        Folder that gets one folder per run, ``000``, ``001``, …, as `train` would write them;
        an interrupted one goes on, one by one, with ``train(config, folder, resume=True)``.
    progress : callable, optional
        ``progress(step, total, records)`` after every update, with the measurements of that step
        by place in the list.

    Returns
    -------
    list of Run
        One per configuration, in their order, of the same form as those of `train`. A run that
        diverges is left at its last finite weights, and says so; the others do not notice.

    Raises
    ------
    InputError
        If the runs differ in another setting, which the error names, or cannot be batched.
    KeyboardInterrupt
        On Ctrl-C, after the states are saved. (SIGTERM: saved, then its usual effect.)

    Notes
    -----
    Begins at the weights of `train` bit for bit. Multilayer perceptrons and residual networks on
    the CPU with one thread also go on bit for bit in every case that the tests compare, whatever
    the others are; batched products owe nobody that, so only equality up to rounding is promised.
    Measurements are made network by network, and gain nothing.

    Examples
    --------
    >>> runs = [RunConfig(width=8, depth=1, steps=3, n_train=20, seed=seed) for seed in range(4)]
    >>> [run.status for run in train_many(runs)]
    ['complete', 'complete', 'complete', 'complete']
    """
    configs = list(configs)
    check_alike(configs)
    device = resolve_device(configs[0].device)
    ensemble = _Ensemble(configs, _tasks(configs), device)
    ensemble.enter(None if out is None else Path(out).expanduser())
    exact = torch.backends.cudnn.flags(
        enabled=torch.backends.cudnn.enabled,
        benchmark=False,
        deterministic=True,
        allow_tf32=False,
    )
    with Interrupts() as interrupts, exact, compute_threads(configs[0].threads):
        ensemble.proceed(progress, interrupts)
    interrupts.deliver()
    return [member.run() for member in ensemble.members]


def train_in_groups(configs: Sequence[RunConfig], *, at_most: int | None = None) -> list[Run]:
    """Train any list of runs: batched where they are alike, one by one where not.

    Parameters
    ----------
    configs : sequence of RunConfig
        The runs.
    at_most : int, optional
        Most networks of one batched program.

    Returns
    -------
    list of Run
        One per configuration, in their order.
    """
    grouping = group_configs(configs, at_most=at_most)
    done: dict[int, Run] = {}
    for group in grouping.groups:
        done |= zip(group, train_many([configs[place] for place in group]), strict=True)
    done |= {place: train(configs[place]) for place in grouping.single}
    return [done[place] for place in range(len(configs))]


def _tasks(configs: Sequence[RunConfig]) -> list[Task]:
    """Load the task of every run; equal training data are kept once."""
    tasks: list[Task] = []
    by_seed: dict[int, Task] = {}
    for config in configs:
        task = by_seed.get(config.seed)
        if task is None:
            task = load_task(
                config.task,
                n_train=config.n_train,
                data=config.data,
                seed=config.seed,
                dtype=config.torch_dtype,
                boundary_weight=config.boundary_weight,
            )
            if tasks and torch.equal(task.x, tasks[0].x) and torch.equal(task.y, tasks[0].y):
                task = replace(task, x=tasks[0].x, y=tasks[0].y)
            by_seed[config.seed] = task
        tasks.append(task)
    return tasks


class _Ensemble:
    """Runs in the making: stacked parameters, and what each run has of its own.

    Parameters
    ----------
    configs : sequence of RunConfig
        Their settings, alike where they must be.
    tasks : sequence of Task
        Their tasks.
    device : torch.device
        Where to compute.
    """

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
                self._update(step)
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

    def _update(self, step: int) -> None:
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
