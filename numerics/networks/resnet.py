"""The residual network of experiment A8."""

from __future__ import annotations

from torch import Tensor, nn

from epsrank.numerics.networks.base import LiftedNetwork, as_rows
from epsrank.theory.data.inputs import as_whole


class ResNet(LiftedNetwork):
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
        super().__init__(n_inputs, width, n_outputs, activation)
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
