"""`train_many`: K networks of one shape as one batched program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch

from epsrank.numerics.ensemble.ensemble import Ensemble, ManyProgress
from epsrank.numerics.ensemble.grouping import check_alike, group_configs
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.build import build_task, resolve_device
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.folder import claimed
from epsrank.numerics.training.loop import train
from epsrank.numerics.training.process import reproducible
from epsrank.numerics.training.run import Run


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
        (`epsrank.numerics.ensemble.grouping.FREE`), and each has its own data where its seed draws
        them.
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
    ensemble = Ensemble(configs, load_tasks(configs), device)
    with claimed(out):
        ensemble.enter(None if out is None else Path(out).expanduser())
        with reproducible(configs[0].threads) as interrupts:
            ensemble.proceed(progress, interrupts)
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


def load_tasks(configs: Sequence[RunConfig]) -> list[Task]:
    """Load the task of every run; equal training data are kept once."""
    tasks: list[Task] = []
    # Of the settings in which the runs may differ, a task depends on the seed alone.
    by_seed: dict[int, Task] = {}
    for config in configs:
        task = by_seed.get(config.seed)
        if task is None:
            task = build_task(config)
            if tasks and torch.equal(task.x, tasks[0].x) and torch.equal(task.y, tasks[0].y):
                task = replace(task, x=tasks[0].x, y=tasks[0].y)
            by_seed[config.seed] = task
        tasks.append(task)
    return tasks
