"""Small networks on images, trained by plain loops whose every random number is the seed's.

Samples, weights, order and labels have streams of their own: one generator for all would tie what a
network starts from to what it is shown.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.tasks.cifar import cifar10
from epsrank.numerics.tasks.images import LabelledImages, digits, mnist

ACTIVATIONS: dict[str, type[nn.Module]] = {"tanh": nn.Tanh, "relu": nn.ReLU}


@dataclass(frozen=True, eq=False)
class Images:
    """Samples to train on and samples never trained on."""

    train: QuantityData
    test: QuantityData


def stream_seed(seed: int, purpose: str, index: int = 0) -> int:
    """Return the seed of one stream: of a purpose, and of which of several."""
    # SeedSequence mixes, so that neighbouring seeds and purposes give unrelated numbers.
    mixed = np.random.SeedSequence([seed, index, *purpose.encode()]).generate_state(1, np.uint64)[0]
    return int(mixed) >> 1


def stream(seed: int, purpose: str, index: int = 0) -> torch.Generator:
    """Return the generator of one stream."""
    return torch.Generator().manual_seed(stream_seed(seed, purpose, index))


def images(
    task: str, seed: int, train: int, test: int, dtype: torch.dtype = torch.float32
) -> Images:
    """Return flat images from 0 to 1 with their labels, drawn by the seed; colours one by one."""
    found = digits(seed) if task == "digits" else _FROM_FILES[task](None)
    draw = stream(seed, "samples")
    return Images(
        _drawn(found, found.x_train, found.y_train, train, draw, dtype),
        _drawn(found, found.x_test, found.y_test, test, draw, dtype),
    )


#: Where they lie is said by the environment, and never by a trial.
_FROM_FILES: dict[str, Callable[[None], LabelledImages]] = {"mnist": mnist, "cifar10": cifar10}


def shape_of(inputs: int) -> tuple[int, int, int]:
    """Return the colours, height and width of a flat square image, which is grey or has three."""
    colours = 1 if math.isqrt(inputs) ** 2 == inputs else 3
    side = math.isqrt(inputs // colours)
    return colours, side, side


def _drawn(
    of: LabelledImages, x: Any, y: Any, count: int, draw: torch.Generator, dtype: torch.dtype
) -> QuantityData:
    rows = torch.randperm(len(x), generator=draw)[:count].numpy()
    flat = torch.as_tensor(x[rows].reshape(len(rows), -1), dtype=torch.float64) / of.white
    return QuantityData(flat.to(dtype), torch.as_tensor(y[rows], dtype=torch.int64))


def dense(widths: Sequence[int], activation: str, seed: int, index: int = 0) -> nn.Sequential:
    """Return a dense network with PyTorch's initialisation, one of several drawn by the seed."""
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "weights", index))
        for inputs, outputs in pairwise(widths[:-1]):
            layers += [nn.Linear(inputs, outputs), ACTIVATIONS[activation]()]
        return nn.Sequential(*layers, nn.Linear(widths[-2], widths[-1]))


class _Block(nn.Module):
    """y = relu(x + conv(relu(conv(x)))), with batch normalisation."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.inside = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
            nn.ReLU(),
            nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Return y."""
        return F.relu(x + self.inside(x))


def network(name: str, inputs: int, width: int, seed: int, index: int = 0) -> nn.Module:
    """Return a network on flat images: `mlp` of two hidden layers, `cnn` of two, or `resnet`.

    The last one has two residual blocks.
    """
    if name == "mlp":
        return dense([inputs, width, width, 10], "relu", seed, index)
    colours, side, _ = shape = shape_of(inputs)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(stream_seed(seed, "weights", index))
        first = nn.Unflatten(1, shape)
        if name == "cnn":
            return nn.Sequential(
                first,
                nn.Conv2d(colours, width, 3, padding=1),
                nn.ReLU(),
                nn.MaxPool2d(2),
                nn.Conv2d(width, width, 3, padding=1),
                nn.ReLU(),
                nn.AdaptiveAvgPool2d(2),
                nn.Flatten(),
                nn.Linear(4 * width, 10),
            )
        return nn.Sequential(
            first,
            nn.Conv2d(colours, width, 3, padding=1, stride=1 if side < 16 else 2, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            _Block(width),
            nn.MaxPool2d(2),
            _Block(width),
            nn.AdaptiveAvgPool2d(2),
            nn.Flatten(),
            nn.Linear(4 * width, 10),
        )


def half_squares(outputs: Tensor, labels: Tensor) -> Tensor:
    """Return  mean ½‖u − e_y‖²,  e_y the unit vector of the label."""
    goal = F.one_hot(labels, outputs.shape[-1]).to(outputs)
    return (outputs - goal).square().sum(dim=-1).mean() / 2


LOSSES: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "mse": half_squares,
    "cross-entropy": F.cross_entropy,
}


def batches(samples: int, size: int, steps: int, seed: int, index: int = 0) -> Iterator[Tensor]:
    """Yield the rows of each step: epochs without repetition, the last short batch left out.

    `index`: Which of several orders that the seed draws.
    """
    draw = stream(seed, "order", index)
    order, place = torch.randperm(samples, generator=draw), 0
    for _ in range(steps):
        if place + size > samples:
            order, place = torch.randperm(samples, generator=draw), 0
        yield order[place : place + size]
        place += size


def measured_at(steps: int, count: int) -> list[int]:
    """Return so many steps, evenly spaced, the first and the last included."""
    return sorted({round(k * steps / (count - 1)) for k in range(count)})


@torch.no_grad()
def accuracy(model: nn.Module, data: QuantityData) -> float:
    """Return the share of samples whose largest output is at the label, in evaluation mode."""
    model.eval()
    found = float((data.outputs(model).argmax(dim=-1) == data.targets).double().mean())
    model.train()
    return found


def numbers(values: Sequence[float]) -> list[float | None]:
    """Return values for JSON: None where they are not finite."""
    return [float(value) if math.isfinite(value) else None for value in values]
