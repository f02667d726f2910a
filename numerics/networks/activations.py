"""Activation functions σ by name, acting entrywise."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from epsrank.theory.errors import InputError

Activation = Callable[[Tensor], Tensor]


def _gaussian(z: Tensor) -> Tensor:
    return torch.exp(-z.square())


ACTIVATIONS: dict[str, Activation] = {
    "tanh": torch.tanh,
    "relu": torch.relu,
    "elu": torch.nn.functional.elu,
    "cosine": torch.cos,
    "sine": torch.sin,
    "sigmoid": torch.sigmoid,
    "gelu": torch.nn.functional.gelu,
    "gaussian": _gaussian,
    "erf": torch.erf,
}


def activation_function(name: str) -> Activation:
    """Return σ: R → R of that name.

    ``gaussian`` is exp(−z²), ``elu`` has α = 1, ``gelu`` is z·Φ(z) with the exact normal
    distribution function.
    """
    try:
        return ACTIVATIONS[name]
    except (KeyError, TypeError):
        known = ", ".join(ACTIVATIONS)
        raise InputError("activation", f"is {name!r}", f"choose one of {known}") from None
