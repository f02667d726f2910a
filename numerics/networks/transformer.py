"""A small Transformer encoder for images: patches are tokens, features the mean over them."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from epsrank.numerics.networks.activations import activation_function
from epsrank.numerics.networks.base import ImageNetwork
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError

# From which size on patches are 4×4 rather than 2×2 pixels, and the deviation of what is learned
# for positions before training (as for the vision Transformer).
_LARGE, _POSITION = 16, 0.02


class EncoderBlock(nn.Module):
    """t ↦ t + attention(norm t), then t ↦ t + W₂σ(W₁ norm t + b₁) + b₂."""

    def __init__(self, width: int, activation: str) -> None:
        super().__init__()
        self._sigma = activation_function(activation)
        self._heads = next(count for count in (4, 3, 2, 1) if width % count == 0)
        self.query, self.key, self.value, self.mixing = (nn.Linear(width, width) for _ in range(4))
        self.widening, self.narrowing = nn.Linear(width, 2 * width), nn.Linear(2 * width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the tokens after the block."""
        tokens = tokens + self._attention(_normalised(tokens))
        inner: Tensor = self.narrowing(self._sigma(self.widening(_normalised(tokens))))
        return tokens + inner

    def _attention(self, tokens: Tensor) -> Tensor:
        """Return softmax(QKᵀ/√m)V of all heads, mixed; written out to be the same on any day."""
        n, p, width = tokens.shape
        query, key, value = (
            layer(tokens).reshape(n, p, self._heads, -1).transpose(1, 2)
            for layer in (self.query, self.key, self.value)
        )
        scores = query @ key.transpose(2, 3) / math.sqrt(width / self._heads)
        mixed: Tensor = self.mixing((scores.softmax(dim=3) @ value).transpose(1, 2).flatten(2))
        return mixed


def _normalised(tokens: Tensor) -> Tensor:
    """Return tokens of mean 0 and variance 1."""
    return torch.nn.functional.layer_norm(tokens, tokens.shape[2:])


class SmallTransformer(ImageNetwork):
    """Patches σ(W ∗ x + b) as tokens, L − 2 encoder blocks, and σ of a dense layer of their mean.

    As in a convolutional network channels are neurons and positions are samples.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        width: int,
        depth: int,
        n_outputs: int = 1,
        activation: str = "tanh",
    ) -> None:
        super().__init__(image_shape, width, n_outputs, activation)
        channels, height, breadth = self.image_shape
        patch = 4 if min(height, breadth) >= _LARGE else 2
        if height % patch or breadth % patch:
            raise InputError(
                "image_shape",
                f"is {height}×{breadth}, which patches of {patch}×{patch} do not tile",
                "crop the images",
            )
        self.patches = nn.Conv2d(channels, width, patch, stride=patch)
        self.grid = (height // patch, breadth // patch)
        self.position = nn.Parameter(torch.zeros(self.grid[0] * self.grid[1], width))
        self.blocks = nn.ModuleList(
            EncoderBlock(width, activation) for _ in range(as_whole(depth, "depth", least=3) - 2)
        )
        self.dense = nn.Linear(width, width)

    def hidden(self, x: Tensor) -> list[Tensor]:
        """Return the patches, the tokens after every block, and the dense hidden layer."""
        image = self._sigma(self.patches(self.as_images(x)))
        outputs: list[Tensor] = [image]
        tokens = image.flatten(2).transpose(1, 2) + self.position
        for block in self.blocks:
            tokens = block(tokens)
            # As images (N, C, H, W), so that channels are neurons as in a convolutional network.
            outputs.append(tokens.transpose(1, 2).unflatten(2, self.grid))
        outputs.append(self._sigma(self.dense(_normalised(tokens).mean(dim=1))))
        return outputs

    @property
    def first_layer(self) -> nn.Conv2d:
        """The layer of the patches."""
        return self.patches

    def set_others_(self, generator: torch.Generator) -> None:
        """Draw what is learned for positions, normal with deviation 0.02."""
        drawn = torch.empty(self.position.shape, dtype=torch.float64)
        self.position.copy_(drawn.normal_(0.0, _POSITION, generator=generator))
