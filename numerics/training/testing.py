"""The test samples that every measurement of a run looks at."""

from __future__ import annotations

from dataclasses import replace

import torch

from epsrank.numerics.tasks import Task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.seeds import Stream, generator
from epsrank.theory.errors import InputError


def with_test_samples(config: RunConfig, task: Task, device: torch.device) -> Task:
    """Return a task whose test samples are those of a run: all, or a draw by its seed.

    Parameters
    ----------
    config : RunConfig
        Settings, with ``n_test``.
    task : Task
        The task.
    device : torch.device
        Where the test samples shall be.

    Returns
    -------
    Task
        The task; its training samples are as they were.

    Raises
    ------
    InputError
        If more samples are asked for than there are.
    """
    x, y, size = task.x_test, task.y_test, config.n_test
    if size is not None and size > len(x):
        raise InputError("n_test", f"is {size}", f"there are {len(x)} test samples")
    if size is not None and size < len(x):
        order = torch.randperm(len(x), generator=generator(config.seed, Stream.TEST))
        chosen = order[:size].sort().values
        x, y = x[chosen], y[chosen]
    return replace(task, x_test=x.to(device), y_test=y.to(device))
