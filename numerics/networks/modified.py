"""The modified multilayer perceptron: two encoders of the input gate every hidden layer."""

from __future__ import annotations

from torch import Tensor, nn

from epsrank.numerics.networks.base import LiftedNetwork, as_rows
from epsrank.theory.data.inputs import as_whole


class ModifiedMLP(LiftedNetwork):
    """U = σ(W_U x + b_U), V = σ(W_V x + b_V), y_1 = σ(W_1 x + b_1), and gates between them.

    Z_k = σ(W_k y_{k−1} + b_k) and y_k = (1 − Z_k) ⊙ U + Z_k ⊙ V for k = 2 … L; u = y_L·W + b.

    Source: S. Wang, Y. Teng, P. Perdikaris, SIAM J. Sci. Comput. 43 (2021) A3055–A3081.
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
        self.encoder_u = nn.Linear(n_inputs, width)
        self.encoder_v = nn.Linear(n_inputs, width)
        self.gates = nn.ModuleList(
            nn.Linear(width, width) for _ in range(as_whole(depth, "depth", least=2) - 1)
        )

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return y_1, …, y_L."""
        rows = as_rows(x, self.n_inputs)
        y, u, v = (
            self._sigma(layer(rows)) for layer in (self.lifting, self.encoder_u, self.encoder_v)
        )
        # (1 − Z)⊙U + Z⊙V = U + Z⊙(V − U): one product in place of two.
        outputs, between = [y], v - u
        for gate in self.gates:
            y = u + self._sigma(gate(y)) * between
            outputs.append(y)
        return outputs

    @property
    def input_layers(self) -> tuple[nn.Module, ...]:
        """W_1, and both encoders: y_L is made of U and V, so that they decide its ε-rank."""
        return self.lifting, self.encoder_u, self.encoder_v
