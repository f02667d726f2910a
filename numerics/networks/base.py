"""What every network of the suite offers: its hidden layers, and a linear head on the last one."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from epsrank.numerics.networks.activations import activation_function
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural


class FeatureNetwork(nn.Module, ABC):
    """Network u(x) = φ(x)·W + b whose features φ are the outputs of its last hidden layer.

    Subclasses set `head` (W and b) and implement `hidden` and `first_layer`.
    """

    #: Why u is not φ(x)·W + b, and has no floor; None where it is.
    no_floor: str | None = None

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


@contextmanager
def evaluating(model: nn.Module) -> Iterator[None]:
    """Put a network into evaluation mode for a block, and every module back into its own mode."""
    # Module by module: some may be frozen.
    modes = [(module, module.training) for module in model.modules()]
    model.eval()
    try:
        yield
    finally:
        for module, training in modes:
            module.training = training


class LiftedNetwork(FeatureNetwork):
    """Network of x ∈ R^d that begins with y_1 = σ(W_0 x + b_0)."""

    def __init__(self, n_inputs: int, width: int, n_outputs: int, activation: str) -> None:
        super().__init__(width, n_outputs)
        self.n_inputs = as_whole(n_inputs, "n_inputs")
        self._sigma = activation_function(activation)
        self.lifting = nn.Linear(n_inputs, width)

    @property
    def first_layer(self) -> nn.Linear:
        """The lifting layer x ↦ W_0 x + b_0."""
        return self.lifting


class ImageNetwork(FeatureNetwork):
    """Network of images x ∈ R^{C×H×W}: channels are neurons, positions are samples."""

    def __init__(
        self, image_shape: tuple[int, int, int], width: int, n_outputs: int, activation: str
    ) -> None:
        super().__init__(width, n_outputs)
        if len(image_shape) != 3:
            raise InputError("image_shape", f"is {image_shape!r}", "pass (channels, height, width)")
        channels, height, breadth = (as_whole(int(size), "image_shape") for size in image_shape)
        self.image_shape = (channels, height, breadth)
        self._sigma = activation_function(activation)

    def as_images(self, x: Tensor) -> Tensor:
        """Check images, given as such or flattened, and shape them."""
        if tuple(x.shape[1:]) not in {self.image_shape, (math.prod(self.image_shape),)}:
            raise InputError(
                "x",
                f"has shape {tuple(x.shape)}, but the images are {self.image_shape}",
                "pass (N, C, H, W) or the same numbers as (N, C·H·W)",
            )
        return x.reshape(x.shape[0], *self.image_shape)


def as_rows(x: Tensor, n_inputs: int) -> Tensor:
    """Check inputs of a dense network and flatten everything behind the sample axis."""
    rows = x.reshape(x.shape[0], -1) if x.ndim > 1 else x.reshape(-1, 1)
    if rows.shape[1] != n_inputs:
        raise InputError(
            "x",
            f"has shape {tuple(x.shape)}, but the network takes {plural(n_inputs, 'input')}",
            f"pass (N, {n_inputs})",
        )
    return rows


def samples_by_neurons(output: Tensor) -> Tensor:
    """Write a layer's output as a matrix: channels are neurons, positions are samples."""
    if output.ndim == 2:
        return output
    flat: Tensor = torch.movedim(output, 1, -1).reshape(-1, output.shape[1])
    return flat
