"""Losses of K networks on their data: one data set for all where theirs are the same."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from epsrank.numerics.ensemble.forward import Forward, Parameters
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.objective import sample_factors, sample_losses
from epsrank.numerics.training.seeds import epoch_order


class StackedSamples:
    """L_k(θ_k) = Σ_i (w_i/c) ℓ(u_k(x_i), y_i), each network on its own samples."""

    def __init__(
        self, loss: str, tasks: Sequence[Task], dtype: torch.dtype, device: torch.device
    ) -> None:
        different: list[Task] = []
        which = []
        for task in tasks:
            for place, known in enumerate(different):
                if _same_data(task, known):
                    which.append(place)
                    break
            else:
                which.append(len(different))
                different.append(task)
        self.loss = loss
        self.n_samples = tasks[0].n_samples
        self.shared = len(different) == 1
        self.which = torch.tensor(which, device=device)
        self.x = torch.stack([task.x for task in different]).to(device)
        self.y = torch.stack([task.y for task in different]).to(device)
        factors = [_factors(task) for task in different]
        self.factors = None if factors[0] is None else _stack(factors).to(device, dtype)
        # Kept from step to step, since gathering each network's own samples copies them.
        self._whole: tuple[Tensor, Tensor, Tensor | None] | None = None

    def losses(self, forward: Forward, parameters: Parameters, index: Tensor | None) -> Tensor:
        """Return L_k(θ_k), or its unbiased estimate from a batch."""
        x, y, factors = self._batch(index)
        outputs = forward(parameters, x)
        count, size, n_outputs = outputs.shape
        # As one long batch: a loss of samples knows nothing of networks.
        each = sample_losses(
            self.loss, outputs.reshape(-1, n_outputs), y.reshape(-1, n_outputs)
        ).view(count, size)
        if factors is None:
            return each.mean(dim=1)
        return (each * factors).sum(dim=1) * (self.n_samples / size)

    def _batch(self, index: Tensor | None) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return inputs, targets and factors of a batch, each (K, M, …)."""
        if index is None:
            if self._whole is None:
                self._whole = self._all()
            return self._whole
        if self.shared:
            x, y = self.x[0][index], self.y[0][index]
            return x, y, None if self.factors is None else self.factors[0][index]
        rows = self.which[:, None]
        factors = None if self.factors is None else self.factors[rows, index]
        return self.x[rows, index], self.y[rows, index], factors

    def _all(self) -> tuple[Tensor, Tensor, Tensor | None]:
        """Return all samples; where they are shared, one matrix seen K times."""
        if not self.shared:
            factors = None if self.factors is None else self.factors[self.which]
            return self.x[self.which], self.y[self.which], factors
        count = len(self.which)
        x = self.x.expand(count, *self.x.shape[1:])
        y = self.y.expand(count, *self.y.shape[1:])
        factors = None if self.factors is None else self.factors.expand(count, -1)
        return x, y, factors

    def keep(self, kept: Tensor) -> None:
        """Drop all but some networks."""
        self.which = self.which[kept]
        self._whole = None


class StackedOrder:
    """Batches of K networks, each in the order that its own seed draws."""

    def __init__(
        self, seeds: Sequence[int], n_samples: int, batch_size: int | None, device: torch.device
    ) -> None:
        self.seeds = list(seeds)
        self.n_samples = n_samples
        self.batch_size = batch_size
        self.device = device
        self._epoch: int | None = None
        self._orders: Tensor | None = None

    def batch(self, step: int) -> Tensor | None:
        """Return the samples of a step, None for all."""
        size, n_samples = self.batch_size, self.n_samples
        if size is None or size >= n_samples:
            return None
        epoch, position = divmod(step, -(-n_samples // size))
        if self._orders is None or self._epoch != epoch:
            orders = [epoch_order(seed, n_samples, epoch) for seed in self.seeds]
            self._orders, self._epoch = torch.stack(orders).to(self.device), epoch
        return self._orders[:, position * size : (position + 1) * size]

    def keep(self, kept: Tensor) -> None:
        """Drop all but some networks."""
        self.seeds = [self.seeds[index] for index in kept.tolist()]
        if self._orders is not None:
            self._orders = self._orders[kept]


def _same_data(a: Task, b: Task) -> bool:
    """Whether two tasks have the same training samples in the same measure."""
    weights = (a.weights is None) == (b.weights is None) and (
        a.weights is None or b.weights is None or torch.equal(a.weights, b.weights)
    )
    return a.measure == b.measure and weights and torch.equal(a.x, b.x) and torch.equal(a.y, b.y)


def _factors(task: Task) -> Tensor | None:
    """Return w_i/c, None where all are 1/N."""
    factors = sample_factors(task.law)
    return None if factors is None else torch.as_tensor(factors)


def _stack(factors: Sequence[Tensor | None]) -> Tensor:
    return torch.stack([each for each in factors if each is not None])
