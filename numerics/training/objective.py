"""The loss of a run, as the optimiser sees it and as float64 features give it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.operators.stacked import StackedOperator
from epsrank.numerics.tasks import Task
from epsrank.numerics.training.config import RunConfig
from epsrank.theory.data.measure import Measure
from epsrank.theory.numbers.arrays import Array, Matrix, Vector


def sample_losses(loss: str, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return ℓ(u(x_i), y_i) per sample: ‖u − y‖² summed over outputs, or the cross-entropy."""
    if loss == "mse":
        return (outputs - targets).square().sum(dim=1)
    return torch.nn.functional.cross_entropy(outputs, targets.argmax(dim=1), reduction="none")


@dataclass(frozen=True, eq=False)
class Objective:
    """L(θ) = ∫ ℓ(u, u*) dμ = Σ_i (w_i/c) ℓ(u(x_i), y_i), on samples that stay on one device."""

    #: Which ℓ.
    loss: str
    #: Samples.
    x: Tensor
    y: Tensor
    #: w_i/c where the measure has weights or is not the mean; None means 1/N.
    factors: Tensor | None
    #: For a PINN: what is compared with y in place of u (L1).
    operator: StackedOperator | None = None

    def __call__(self, model: torch.nn.Module, index: Tensor | None = None) -> Tensor:
        """Return L(θ), or its unbiased estimate from a batch."""
        losses = self.losses(model, index)
        if self.factors is None:
            return losses.mean()
        factors = self.factors if index is None else self.factors[index]
        # Factors are those of all N samples; M of them, drawn evenly, stand for N.
        return (losses * factors).sum() * (self.x.shape[0] / losses.shape[0])

    def losses(self, model: torch.nn.Module, index: Tensor | None = None) -> Tensor:
        """Return ℓ at the samples of a batch, unweighted."""
        x = self.x if index is None else self.x[index]
        y = self.y if index is None else self.y[index]
        outputs = model(x) if self.operator is None else self.operator(model, x, index)
        return sample_losses(self.loss, outputs, y)


def task_objective(config: RunConfig, task: Task, device: torch.device) -> Objective:
    """Return the training loss L(θ) of a task over all of its training samples."""
    factors = sample_factors(task.law)
    return Objective(
        config.loss,
        task.x.to(device),
        task.y.to(device),
        None if factors is None else torch.as_tensor(factors).to(device, task.x.dtype),
        task.operator,
    )


def sample_factors(measure: Measure) -> Vector | None:
    """Return w_i/c, or None where all are 1/N."""
    if measure.weights is None and measure.name == "mean":
        return None
    weights = np.ones(measure.n_samples) if measure.weights is None else measure.weights
    factors: Array = weights / float(measure.normaliser)
    return factors


def float64_loss(loss: str, outputs: Matrix, targets: Matrix, measure: Measure) -> float:
    """Return L = Σ_i (w_i/c) ℓ(u_i, y_i) in float64.

    `outputs`, `targets` are u = φW + b recomputed from the captured features, and u*.
    """
    losses = sample_losses(loss, torch.from_numpy(outputs), torch.from_numpy(targets)).numpy()
    factors = sample_factors(measure)
    return float(losses.mean() if factors is None else losses @ factors)
