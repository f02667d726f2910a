"""The three networks whose training is timed: an MLP, a small ResNet, a small Transformer."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_CLASSES = 10
# Batches made beforehand, and used over and over.
_POOL = 32


class ResidualBlock(nn.Module):
    """σ(x + BN(conv(σ(BN(conv(x)))))), with a 1 × 1 convolution where the shape changes."""

    def __init__(self, before: int, after: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(before, after, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(after)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(after, after, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(after)
        same = before == after and stride == 1
        self.skip = nn.Identity() if same else nn.Conv2d(before, after, 1, stride, bias=False)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        """Return the block's output."""
        inner = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        return torch.as_tensor(self.relu2(self.skip(x) + inner))


class TokenClassifier(nn.Module):
    """Embedding, Transformer encoder, mean over the tokens, linear output."""

    def __init__(self, tokens: int, length: int, width: int, depth: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(tokens, width)
        self.position = nn.Parameter(torch.randn(length, width) / width**0.5)
        layer = nn.TransformerEncoderLayer(width, 4, 4 * width, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, depth)
        self.head = nn.Linear(width, _CLASSES)

    def forward(self, x: Tensor) -> Tensor:
        """Return class scores."""
        encoded = self.encoder(self.embedding(x) + self.position)
        return torch.as_tensor(self.head(encoded.mean(1)))


@dataclass(frozen=True, eq=False)
class Workload:
    """A network and the batches that it is trained on."""

    #: For people.
    name: str
    #: Initialised; every copy starts from it.
    model: nn.Module
    #: Inputs and labels, made beforehand and gone through in turn, so that loading costs nothing
    #: and every share of a monitor counts in full.
    batches: tuple[tuple[Tensor, Tensor], ...]

    def copy(self) -> nn.Module:
        """Return a copy of the model to train."""
        return copy.deepcopy(self.model).train()

    def probe(self, n_samples: int) -> Tensor:
        """Return inputs of the first batches."""
        return torch.cat([x for x, _ in self.batches])[:n_samples]

    def loss(self, model: nn.Module, x: Tensor, y: Tensor) -> Tensor:
        """Return the training loss."""
        return functional.cross_entropy(model(x), y)


def workloads(*, quick: bool, seed: int) -> list[Workload]:
    """Return the three workloads; the same seed gives the same weights and batches."""
    # Layers draw from PyTorch's own generator, which stays as the caller has it.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return [_mlp(quick), _resnet(quick), _transformer(quick)]


def _mlp(quick: bool) -> Workload:
    sizes = (20, 16, 8) if quick else (784, 512, 256)
    size = 16 if quick else 128
    model = nn.Sequential(
        nn.Linear(sizes[0], sizes[1]),
        nn.ReLU(),
        nn.Linear(sizes[1], sizes[2]),
        nn.ReLU(),
        nn.Linear(sizes[2], _CLASSES),
    )
    name = f"MLP {'-'.join(map(str, sizes))}-{_CLASSES}, batch {size}"
    return Workload(name, model, _labelled([torch.randn(size, sizes[0]) for _ in range(_POOL)]))


def _resnet(quick: bool) -> Workload:
    channels = (4, 8) if quick else (16, 32, 64)
    size, side = (4, 8) if quick else (32, 32)
    blocks = [
        ResidualBlock(before, after, 1 if index == 0 else 2)
        for index, (before, after) in enumerate(
            zip((channels[0], *channels), channels, strict=False)
        )
    ]
    model = nn.Sequential(
        nn.Conv2d(3, channels[0], 3, 1, 1, bias=False),
        nn.BatchNorm2d(channels[0]),
        nn.ReLU(),
        *blocks,
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(channels[-1], _CLASSES),
    )
    name = f"ResNet-{2 * len(blocks) + 2}, {side} × {side}, batch {size}"
    batches = [torch.randn(size, 3, side, side) for _ in range(_POOL)]
    return Workload(name, model, _labelled(batches))


def _transformer(quick: bool) -> Workload:
    tokens, length, width, size = (20, 6, 8, 4) if quick else (1000, 64, 128, 32)
    depth = 1 if quick else 2
    model = TokenClassifier(tokens, length, width, depth)
    name = f"Transformer {depth} × {width}, {length} tokens, batch {size}"
    batches = [torch.randint(tokens, (size, length)) for _ in range(_POOL)]
    return Workload(name, model, _labelled(batches))


def _labelled(batches: list[Tensor]) -> tuple[tuple[Tensor, Tensor], ...]:
    """Label inputs by the largest of some random linear functions, which can be learnt."""
    maps = torch.randn(batches[0][0].numel(), _CLASSES)
    return tuple((x, (x.flatten(1).to(maps.dtype) @ maps).argmax(1)) for x in batches)


def optimizer_of(model: nn.Module) -> Any:
    """Return the optimiser of a copy."""
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
