"""The multilayer perceptron."""

from __future__ import annotations

from itertools import pairwise

from torch import Tensor, nn

from epsrank.numerics.networks.activations import activation_function
from epsrank.numerics.networks.base import FeatureNetwork, as_rows
from epsrank.theory.data.inputs import as_whole


class MLP(FeatureNetwork):
    """Multilayer perceptron y_0 = x, y_k = σ(W_k y_{k−1} + b_k), u = y_L·W + b.

    >>> import torch
    >>> network = MLP(n_inputs=1, width=50, depth=2)
    >>> [tuple(layer.shape) for layer in network.hidden(torch.zeros(7, 1))]
    [(7, 50), (7, 50)]
    """

    def __init__(
        self,
        n_inputs: int,
        width: int,
        depth: int,
        n_outputs: int = 1,
        activation: str = "tanh",
    ) -> None:
        super().__init__(width, n_outputs)
        self.n_inputs = as_whole(n_inputs, "n_inputs")
        self._sigma = activation_function(activation)
        sizes = [n_inputs] + [width] * as_whole(depth, "depth")
        self.layers = nn.ModuleList(
            nn.Linear(fan_in, fan_out) for fan_in, fan_out in pairwise(sizes)
        )

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return y_1, …, y_L."""
        y = as_rows(x, self.n_inputs)
        outputs: list[Tensor] = []
        for layer in self.layers:
            y = self._sigma(layer(y))
            outputs.append(y)
        return outputs

    @property
    def first_layer(self) -> nn.Linear:
        """The layer x ↦ W_1 x + b_1."""
        layer = self.layers[0]
        assert isinstance(layer, nn.Linear)
        return layer
