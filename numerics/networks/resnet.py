"""The residual network of experiment A8."""

from __future__ import annotations

from torch import Tensor, nn

from epsrank.numerics.networks.activations import activation_function
from epsrank.numerics.networks.base import FeatureNetwork, as_rows
from epsrank.theory.data.inputs import as_whole


class ResNet(FeatureNetwork):
    """Residual network y_1 = σ(W_0 x + b_0), y_{k+1} = y_k + σ(W_k y_k + b_k), u = y_L·W + b.

    The output of a residual layer is the sum y_{k+1}, as in experiment A8; the ε-rank of the
    increment σ(W_k y_k + b_k) alone would be that of an `MLP` layer.
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
        self.lifting = nn.Linear(n_inputs, width)
        self.blocks = nn.ModuleList(
            nn.Linear(width, width) for _ in range(as_whole(depth, "depth") - 1)
        )

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return y_1, …, y_L."""
        y = self._sigma(self.lifting(as_rows(x, self.n_inputs)))
        outputs = [y]
        for block in self.blocks:
            y = y + self._sigma(block(y))
            outputs.append(y)
        return outputs

    @property
    def first_layer(self) -> nn.Linear:
        """The lifting layer x ↦ W_0 x + b_0."""
        return self.lifting
