"""A network before training whose first layer is dense or convolutional, drawn from one seed."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from epsrank.numerics.first_layer.structured import structured_first_layer_
from epsrank.numerics.networks import FeatureNetwork, activation_function, initialise_
from epsrank.theory.numbers.arrays import Array


class LayeredNetwork(FeatureNetwork):
    """σ of a first layer, and of depth − 1 layers that mix its neurons at every position.

    With a dense first layer it is an `MLP`, drawn to the same numbers.
    """

    def __init__(self, first: nn.Linear | nn.Conv2d, depth: int, activation: str) -> None:
        width = first.weight.shape[0]
        super().__init__(width, 1)
        self._sigma = activation_function(activation)
        self._first = first
        others = [
            nn.Linear(width, width) if isinstance(first, nn.Linear) else nn.Conv2d(width, width, 1)
            for _ in range(depth - 1)
        ]
        self.layers = nn.ModuleList([first, *others])

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of all layers, first to last."""
        y, outputs = x, []
        for layer in self.layers:
            y = self._sigma(layer(y))
            outputs.append(y)
        return outputs

    @property
    def first_layer(self) -> nn.Module:
        """The layer that sees the inputs."""
        return self._first


def drawn_network(
    inputs: int,
    kernel: tuple[int, int] | None,
    width: int,
    depth: int,
    activation: str,
    *,
    init: str,
    scale: float | None,
    box: Any,
    data: Array | None,
    seed: int,
) -> LayeredNetwork:
    """Draw a network in float64; `inputs` are channels where there is a kernel."""
    # Without numbers: all are drawn below, from one generator.
    with torch.device("meta"):
        first = nn.Linear(inputs, width) if kernel is None else nn.Conv2d(inputs, width, kernel)
        bare = LayeredNetwork(first, depth, activation)
    model = bare.double().to_empty(device="cpu")
    rng = torch.Generator().manual_seed(seed)
    initialise_(model, init, scale=scale, generator=rng)
    if init == "structured":
        structured_first_layer_(model.first_layer, box, data, activation=activation, generator=rng)
    return model
