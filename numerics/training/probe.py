"""The fixed samples that every measurement of a run looks at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from epsrank.numerics.operators.stacked import StackedOperator
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.config import RunConfig
from epsrank.numerics.training.seeds import Stream, generator
from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix

# Probe sizes where none is given: ranks cost N·n², and a convolution has many positions a sample.
_MOST, _MOST_WITH_POSITIONS = 2000, 500


@dataclass(frozen=True, eq=False)
class Probe:
    """Samples x_i with targets and measure, a subset of a task's training samples."""

    #: Samples, on the device of the run.
    x: Tensor
    y: Tensor
    #: u* at the samples.
    target: Matrix
    #: Their measure.
    measure: Measure
    #: For a PINN: what is done to u before it is compared (L1).
    operator: StackedOperator | None = None

    @property
    def weights(self) -> Array | None:
        """Sample weights w_i, None for 1 each."""
        return self.measure.weights


def rank_probe(probe: Probe) -> Probe:
    """Return the samples that ranks are of: for a nonlinear problem the interior, φ in L²(Ω)."""
    if probe.operator is None or probe.operator.no_floor is None:
        return probe
    inside = probe.operator.inside
    rows, where = inside.numpy(), inside.to(probe.x.device)
    return Probe(probe.x[where], probe.y[where], probe.target[rows], probe.measure.at(rows))


def choose_probe(config: RunConfig, task: Task, device: torch.device) -> Probe:
    """Take the probe of a run: all training samples where they are few, else a draw by seed."""
    n_samples = task.n_samples
    # A network of the user's may have positions where there are images.
    positions = config.network in ("cnn", "transformer")
    positions |= config.own_network and task.image_shape is not None
    most = _MOST_WITH_POSITIONS if positions else _MOST
    size = min(n_samples, most) if config.probe is None else config.probe
    # Some nodes of a quadrature rule are no rule.
    if task.weights is not None and config.probe is None:
        size = n_samples
    if size > n_samples:
        raise InputError("probe", f"is {size}", f"there are {n_samples} training samples")
    if size < n_samples and task.weights is not None:
        raise InputError(
            "probe", f"is {size}, but {task.name} has a quadrature rule", f"pass {n_samples}"
        )
    x, y = task.x, task.y
    if size < n_samples:
        order = torch.randperm(n_samples, generator=generator(config.seed, Stream.PROBE))
        chosen = order[:size].sort().values
        x, y = x[chosen], y[chosen]
    target: Array = y.double().numpy()
    # A draw is one of unit weights: a quadrature rule is taken whole.
    law = task.law if size == n_samples else Measure(task.measure, size)
    return Probe(x.to(device), y.to(device), target, law, task.operator)


def with_test_samples(config: RunConfig, task: Task, device: torch.device) -> Task:
    """Return a task whose test samples are those of a run: all, or a draw by its seed."""
    x, y, size = task.x_test, task.y_test, config.n_test
    if size is not None and size > len(x):
        raise InputError("n_test", f"is {size}", f"there are {len(x)} test samples")
    if size is not None and size < len(x):
        order = torch.randperm(len(x), generator=generator(config.seed, Stream.TEST))
        chosen = order[:size].sort().values
        x, y = x[chosen], y[chosen]
    return replace(task, x_test=x.to(device), y_test=y.to(device))
