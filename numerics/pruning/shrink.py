"""A network with some neurons of its last hidden layer taken out, and a head to match."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.networks import MLP, FeatureNetwork, ResNet, SmallCNN
from epsrank.numerics.networks.base import as_rows
from epsrank.theory.errors import InputError


class _NarrowResNet(ResNet):
    """Residual network of which only the neurons S of the last sum y_L are computed."""

    kept: Tensor

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return y_1, …, y_{L−1}, and the neurons S of y_L."""
        y = self._sigma(self.lifting(as_rows(x, self.n_inputs)))
        outputs = [y]
        for number, block in enumerate(self.blocks, start=1):
            skipped = y[:, self.kept] if number == len(self.blocks) else y
            y = skipped + self._sigma(block(y))
            outputs.append(y)
        return outputs


def shrink(
    model: FeatureNetwork, neurons: Sequence[int], coefficients: Tensor | None = None
) -> FeatureNetwork:
    """Return u_p = φ_S·C + b: the network with the neurons S of its last hidden layer only.

    `neurons` is S, at least one; `coefficients` is C, by default the rows of W that stay.
    """
    kept = sorted({int(j) for j in neurons})
    width = model.head.in_features
    if len(kept) != len(list(neurons)) or not kept or kept[0] < 0 or kept[-1] >= width:
        raise InputError(
            "neurons", f"are {list(neurons)!r}", f"name at least one of 0…{width - 1}, each once"
        )
    index = torch.tensor(kept, device=model.head.weight.device)
    if coefficients is None:
        coefficients = model.head.weight.detach()[:, index].T
    if tuple(coefficients.shape) != (len(kept), model.head.out_features):
        raise InputError(
            "coefficients",
            f"have shape {tuple(coefficients.shape)}",
            f"pass ({len(kept)}, {model.head.out_features})",
        )
    small = copy.deepcopy(model)
    _narrow_last_layer(small, index)
    small.head = _linear(coefficients.T, model.head.bias)
    return small


def _narrow_last_layer(small: FeatureNetwork, index: Tensor) -> None:
    """Keep the rows S of the layer that makes φ."""
    modules: Any = small
    if isinstance(small, MLP):
        modules.layers[-1] = _rows(modules.layers[-1], index)
    elif isinstance(small, SmallCNN):
        modules.dense = _rows(modules.dense, index)
    elif isinstance(small, ResNet) and len(small.blocks) == 0:
        modules.lifting = _rows(modules.lifting, index)
    elif isinstance(small, ResNet) and not isinstance(small, _NarrowResNet):
        modules.blocks[-1] = _rows(modules.blocks[-1], index)
        modules.__class__ = _NarrowResNet  # same state, one other method
        # A buffer moves with the network, and is saved with its weights.
        modules.register_buffer("kept", index)
    else:
        raise InputError(
            "model", f"is a {type(small).__name__}", "pass an MLP, a ResNet or a SmallCNN"
        )


def _rows(layer: nn.Linear, index: Tensor) -> nn.Linear:
    """Return the linear layer with some of its outputs."""
    return _linear(layer.weight[index], layer.bias[index])


def _linear(weight: Tensor, bias: Tensor) -> nn.Linear:
    """Return a linear layer with the given numbers, apart from where they came from."""
    # On the meta device, so that no random numbers are drawn only to be overwritten.
    layer = nn.Linear(weight.shape[1], weight.shape[0], device="meta", dtype=weight.dtype)
    layer = layer.to_empty(device=weight.device)
    with torch.no_grad():
        layer.weight.copy_(weight)
        layer.bias.copy_(bias)
    return layer
