"""A small convolutional network for images."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from epsrank.numerics.networks.base import ImageNetwork
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError

Pooling = Literal["average", "flatten"]


class SmallCNN(ImageNetwork):
    """Convolutions y_k = σ(W_k ∗ y_{k−1} + b_k) of stride 2, pooled into one dense hidden layer.

    Channels are neurons and positions are samples: the Gram matrix of a convolutional layer is the
    average over images and positions, C×C whatever the image size.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        width: int,
        depth: int,
        n_outputs: int = 1,
        activation: str = "tanh",
        pooling: Pooling = "average",
    ) -> None:
        super().__init__(image_shape, width, n_outputs, activation)
        channels, height, breadth = self.image_shape
        if pooling not in ("average", "flatten"):
            raise InputError("pooling", f"is {pooling!r}", "choose 'average' or 'flatten'")
        self.pooling = pooling
        self.convolutions = nn.ModuleList()
        for _ in range(as_whole(depth, "depth", least=2) - 1):
            self.convolutions.append(nn.Conv2d(channels, width, 3, stride=2, padding=1))
            # Kernel 3, padding 1, stride 2: ⌊(h + 2 − 3)/2⌋ + 1 = ⌈h/2⌉.
            channels, height, breadth = width, (height + 1) // 2, (breadth + 1) // 2
        self.dense = nn.Linear(width * (height * breadth if pooling == "flatten" else 1), width)

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return the outputs of every convolution and of the dense hidden layer."""
        y = self.as_images(x)
        outputs: list[Tensor] = []
        for convolution in self.convolutions:
            y = self._sigma(convolution(y))
            outputs.append(y)
        pooled = y.mean(dim=(2, 3)) if self.pooling == "average" else torch.flatten(y, 1)
        outputs.append(self._sigma(self.dense(pooled)))
        return outputs

    @property
    def first_layer(self) -> nn.Conv2d:
        """The first convolution."""
        layer = self.convolutions[0]
        assert isinstance(layer, nn.Conv2d)
        return layer
