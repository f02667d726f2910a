"""The weights that a layer computes with, read without a trace."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.monitor.model.state import State


def effective_weight(layer: nn.Module, name: str = "weight") -> Tensor | None:
    """Return the weight W that a layer computes with in evaluation mode; None without one.

    It is detached. A parametrisation may do work when it is read: that of a spectral norm goes one
    step further in training mode. Here it is evaluated in evaluation mode, and all that it changes
    is put back. The norms and masks of ``torch.nn.utils`` that work by hooks renew ``layer.weight``
    in the next forward pass only; they are evaluated on the parameters of now. ``name="bias"``
    reads b.
    """
    plain = layer._parameters.get(name)
    if plain is not None:
        return plain.detach()
    with torch.no_grad(), torch.random.fork_rng(devices=[]):
        for hook in layer._forward_pre_hooks.values():
            if getattr(hook, "name", getattr(hook, "_tensor_name", None)) == name:
                found = _by_hook(hook, layer)
                if found is not None:
                    return found.detach()
        state = State(layer)
        try:
            layer.eval()
            # Called, and not read: inside `parametrize.cached` the attribute may be older.
            made = getattr(layer, "parametrizations", {})
            value = made[name]() if name in made else getattr(layer, name, None)
            # A copy, since what is put back may be its memory.
            return value.detach().clone() if isinstance(value, Tensor) else None
        finally:
            state.put_back()


def _by_hook(hook: Any, layer: nn.Module) -> Tensor | None:
    """Evaluate a spectral norm, weight norm or pruning mask of the kind that works by hooks."""
    kinds = {kind.__name__ for kind in type(hook).__mro__}
    found: Tensor | None = None
    if "SpectralNorm" in kinds:
        found = hook.compute_weight(layer, do_power_iteration=False)
    elif "WeightNorm" in kinds:
        found = hook.compute_weight(layer)
    elif "BasePruningMethod" in kinds:
        found = hook.apply_mask(layer)
    return found
