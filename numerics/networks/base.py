"""What every network of the suite offers: its hidden layers, and a linear head on the last one."""

from __future__ import annotations

from abc import ABC, abstractmethod

import torch
from torch import Tensor, nn

from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError


class FeatureNetwork(nn.Module, ABC):
    """Network u(x) = φ(x)·W + b whose features φ are the outputs of its last hidden layer.

    Subclasses set `head` (W and b) and implement `hidden` and `first_layer`.
    """

    def __init__(self, n_features: int, n_outputs: int) -> None:
        super().__init__()
        self.head = nn.Linear(
            as_whole(n_features, "width"), as_whole(n_outputs, "n_outputs"), bias=True
        )

    @abstractmethod
    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return the post-activation outputs of every hidden layer, first to last."""

    @property
    @abstractmethod
    def first_layer(self) -> nn.Module:
        """The layer that a structured initialisation sets (I3)."""

    @property
    def input_layers(self) -> tuple[nn.Module, ...]:
        """All layers that see the inputs themselves, `first_layer` first."""
        return (self.first_layer,)

    def set_others_(self, generator: torch.Generator) -> None:
        """Set parameters that belong to no linear or convolutional layer; mostly there are none."""

    def forward(self, x: Tensor) -> Tensor:
        """Return u(x) = φ(x)·W + b."""
        outputs: Tensor = self.head(self.hidden(x)[-1])
        return outputs


def as_rows(x: Tensor, n_inputs: int) -> Tensor:
    """Check inputs of a dense network and flatten everything behind the sample axis."""
    rows = x.reshape(x.shape[0], -1) if x.ndim > 1 else x.reshape(-1, 1)
    if rows.shape[1] != n_inputs:
        raise InputError(
            "x",
            f"has shape {tuple(x.shape)}, but the network takes {n_inputs} inputs",
            f"pass (N, {n_inputs})",
        )
    return rows


def samples_by_neurons(output: Tensor) -> Tensor:
    """Write a layer's output as a matrix: channels are neurons, positions are samples."""
    if output.ndim == 2:
        return output
    flat: Tensor = torch.movedim(output, 1, -1).reshape(-1, output.shape[1])
    return flat
