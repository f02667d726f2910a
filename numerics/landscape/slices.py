"""The loss on lines and planes of weights: L(θ + a·d₁ + b·d₂)."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from epsrank.theory.numbers.arrays import Array

Direction = Mapping[str, Tensor]
LossFunction = Callable[[nn.Module], Tensor]


def losses_on_plane(
    model: nn.Module,
    loss: LossFunction,
    first: Direction,
    second: Direction,
    a: Sequence[float],
    b: Sequence[float],
) -> Array:
    """Return L(θ + a_i·d₁ + b_j·d₂); the model is left as it was."""
    centre = {name: value.detach().clone() for name, value in model.state_dict().items()}
    values = np.empty((len(a), len(b)))
    try:
        for i, alpha in enumerate(a):
            for j, beta in enumerate(b):
                _move(model, centre, [(alpha, first), (beta, second)])
                values[i, j] = _value(model, loss)
    finally:
        model.load_state_dict(centre)
    return values


def losses_on_lines(
    model: nn.Module, loss: LossFunction, directions: Sequence[Direction], a: Sequence[float]
) -> Array:
    """Return L(θ + a_j·d_i); the model is left as it was."""
    centre = {name: value.detach().clone() for name, value in model.state_dict().items()}
    values = np.empty((len(directions), len(a)))
    try:
        for i, direction in enumerate(directions):
            for j, alpha in enumerate(a):
                _move(model, centre, [(alpha, direction)])
                values[i, j] = _value(model, loss)
    finally:
        model.load_state_dict(centre)
    return values


@torch.no_grad()
def _move(
    model: nn.Module, centre: Mapping[str, Tensor], by: Sequence[tuple[float, Direction]]
) -> None:
    for name, value in model.state_dict().items():
        value.copy_(centre[name])
        if value.is_floating_point():
            for amount, direction in by:
                value.add_(direction[name].to(value), alpha=amount)


def _value(model: nn.Module, loss: LossFunction) -> float:
    # PINN losses differentiate by the inputs, so gradients stay on.
    value = float(loss(model).detach())
    # A loss that overflows on the way may come out NaN; it counts as infinite.
    return value if math.isfinite(value) else math.inf
