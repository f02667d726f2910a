"""The residual-adaptive network: blocks that begin as the identity and open as they are needed."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from epsrank.numerics.networks.activations import activation_function
from epsrank.numerics.networks.base import LiftedNetwork, as_rows
from epsrank.theory.data.inputs import as_whole


class AdaptiveBlock(nn.Module):
    """y ↦ αh + (1 − α)y, where h is three layers of y, gated twice, and α = 0 before training."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self._sigma = activation_function(activation)
        self.first, self.second, self.third = (nn.Linear(width, width) for _ in range(3))
        self.alpha = nn.Parameter(torch.zeros(1))

    def forward(self, y: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """Return the output of the block."""
        # f⊙U + (1 − f)⊙V = f⊙(U − V) + V: one product in place of two.
        between = u - v
        z = self._sigma(self.first(y)) * between + v
        z = self._sigma(self.second(z)) * between + v
        return y + (self._sigma(self.third(z)) - y) * self.alpha


class AdaptiveNet(LiftedNetwork):
    """Physics-informed residual-adaptive network: y_1 = σ(W_0 x + b_0), then L − 1 adaptive blocks.

    U = σ(W_U y_1 + b_U) and V = σ(W_V y_1 + b_V). A block takes f = σ(W y + b),
    z = f⊙U + (1 − f)⊙V, again g = σ(W′z + b′), z′ = g⊙U + (1 − g)⊙V, and h = σ(W″z′ + b″), to
    y ↦ αh + (1 − α)y. As all α begin at 0, φ = y_1 before training, whatever the depth: the ε-rank
    of the network is that of its first layer.

    In the source y_1 are random Fourier features, and the head is fitted to data by least squares
    before training. Here y_1 is a trainable layer like that of the other networks, so that
    initialisations can be compared, and the head is drawn.

    Source: S. Wang, B. Li, Y. Chen, P. Perdikaris, PirateNets: physics-informed deep
    learning with residual adaptive networks, J. Mach. Learn. Res. 25 (2024) 1–51.
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
        self.encoder_u, self.encoder_v = nn.Linear(width, width), nn.Linear(width, width)
        self.blocks = nn.ModuleList(
            AdaptiveBlock(width, activation) for _ in range(as_whole(depth, "depth", least=2) - 1)
        )

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return y_1, …, y_L."""
        y = self._sigma(self.lifting(as_rows(x, self.n_inputs)))
        u, v = self._sigma(self.encoder_u(y)), self._sigma(self.encoder_v(y))
        outputs = [y]
        for block in self.blocks:
            y = block(y, u, v)
            outputs.append(y)
        return outputs

    def set_others_(self, generator: torch.Generator) -> None:
        """Set all α to 0."""
        for block in self.blocks:
            nn.init.zeros_(block.alpha)  # type: ignore[arg-type]
