"""Small models whose forward passes leave something behind, each in a way of its own."""

from __future__ import annotations

import random
from collections import deque
from types import SimpleNamespace

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import parametrizations, spectral_norm
from torch.utils.checkpoint import checkpoint


class Body(nn.Module):
    """Features and a head; subclasses do something in between."""

    def __init__(self, n=6):
        super().__init__()
        self.fc, self.act, self.head = nn.Linear(3, n), nn.Tanh(), nn.Linear(n, 2)
        self.prepare(n)

    def prepare(self, n):
        pass

    def between(self, h):
        return h

    def forward(self, x):
        return self.head(self.between(self.act(self.fc(x))))


class Plain(Body):
    pass


class Normalised(Body):
    def prepare(self, n):
        self.norm, self.drop = nn.BatchNorm1d(n), nn.Dropout(0.5)

    def between(self, h):
        return self.drop(F.relu(self.norm(h), inplace=True))


class Spectral(Body):
    def prepare(self, n):
        parametrizations.spectral_norm(self.head)


class OldSpectral(Body):
    def prepare(self, n):
        spectral_norm(self.head)


class WeightNorm(Body):
    def prepare(self, n):
        parametrizations.weight_norm(self.head)


class Initialised(Body):
    """Scales that the first batch sets, and a flag that says so, whatever the mode."""

    def prepare(self, n):
        self.scale, self.initialised = nn.Parameter(torch.zeros(n)), False

    def between(self, h):
        if not self.initialised:
            self.scale.data.copy_(1 / (1 + h.detach().std(0)))
            self.initialised = True
        return h * self.scale


class MovingAverage(Body):
    """Averages in attributes, which no state dict knows: a number, a tensor, an array, a list."""

    def prepare(self, n):
        self.mean, self.tensor = 0.0, torch.zeros(n)
        self.array, self.log, self.last = np.zeros(2), [], deque(maxlen=2)
        self.count = {"passes": 0}
        self.seen = set()

    def between(self, h):
        self.mean = 0.9 * self.mean + 0.1 * float(h.mean())
        self.tensor.mul_(0.9).add_(h.detach().mean(0), alpha=0.1)
        self.array += float(h.sum())
        self.log.append(len(h))
        self.last.append(self.mean)
        self.seen.add(len(h))
        self.count["passes"] += 1
        return h - self.mean - self.tensor


class Tracker:
    """An object that is no module."""

    def __init__(self):
        self.total, self.parts = 0.0, [torch.zeros(1)]

    def update(self, value):
        self.total += value
        self.parts[0] += value


class Tracked(Body):
    def prepare(self, n):
        self.tracker = Tracker()

    def between(self, h):
        self.tracker.update(float(h.mean()))
        return h + self.tracker.total


class Resized(Body):
    """A buffer that gets its size in the first pass, and one that is another tensor each time."""

    def prepare(self, n):
        self.register_buffer("m", torch.tensor([]))
        self.register_buffer("k", torch.zeros(()))

    def between(self, h):
        self.m.resize_(h.shape[1]).copy_(h.detach().mean(0))
        self.k = self.k + 1
        return h - self.m


class Differentiates(Body):
    """Adds the gradient of an energy to the features."""

    def between(self, h):
        h = h.detach().requires_grad_() if not h.requires_grad else h
        (slope,) = torch.autograd.grad(h.square().sum(), h, create_graph=True)
        return h - 0.1 * slope


class ByInputs(Body):
    """Differentiates by inputs that the caller marks."""

    def forward(self, x):
        u = super().forward(x)
        (slope,) = torch.autograd.grad(u.sum(), x, create_graph=True)
        return u + slope.sum(dim=1, keepdim=True)


class Backward(Body):
    """Test-time training: a backward pass inside of the forward pass, left in the gradients."""

    def between(self, h):
        with torch.enable_grad():
            self.act(self.fc(torch.ones(1, 3))).sum().backward()
        return h * (1 + self.fc.bias.grad.mean())


class Clamped(Body):
    """Projects its weights in each pass."""

    def forward(self, x):
        self.head.weight.data.clamp_(-0.1, 0.1)
        return super().forward(x)


class Transformed(Body):
    """A transform of torch.func inside of the forward pass."""

    def forward(self, x):
        slopes = torch.func.vmap(torch.func.jacrev(lambda z: self.act(self.fc(z)).sum()))(x)
        return super().forward(x) + slopes.sum(dim=1, keepdim=True)


class Draws(Body):
    """Noise from generators of its own and from all global ones."""

    def prepare(self, n):
        self.own = torch.Generator().manual_seed(1)
        self.numpy = np.random.default_rng(2)
        self.python = random.Random(3)

    def __deepcopy__(self, memo):
        raise TypeError("generators are not copied")

    def between(self, h):
        noise = torch.rand(h.shape, generator=self.own) + torch.rand(h.shape)
        scale = self.numpy.random() + self.python.random() + random.random() + np.random.rand()
        return h + noise * scale


class AuxiliaryLoss(Body):
    """Keeps a loss and the last features for whoever asks, with their graph."""

    def between(self, h):
        self.auxiliary, self.kept = h.square().mean(), [h]
        return h


class Checkpointed(Body):
    reentrant = False

    def forward(self, x):
        h = checkpoint(lambda z: self.act(self.fc(z)), x.requires_grad_(), use_reentrant=False)
        return self.head(h)


class Reentrant(Body):
    def forward(self, x):
        h = checkpoint(lambda z: self.act(self.fc(z)), x.requires_grad_(), use_reentrant=True)
        return self.head(h)


class Recurrent(Body):
    def prepare(self, n):
        self.cell, self.state = nn.GRUCell(n, n), None

    def between(self, h):
        if self.state is None or len(self.state) != len(h):
            self.state = torch.zeros_like(h)
        self.state = self.cell(h, self.state).detach()
        return self.cell(h, self.state)


class Scheduled(Body):
    """Settings in a namespace, which the forward pass changes."""

    def prepare(self, n):
        self.settings = SimpleNamespace(temperature=1.0, steps=[])

    def between(self, h):
        self.settings.temperature *= 0.9
        return h / self.settings.temperature


def log_norm(module, args, output):
    module.norms.append(float(output.detach().norm()))


class Hooked(Body):
    """A hook of the user's, which has to stay and to be called as often as without a monitor."""

    def prepare(self, n):
        self.act.norms = []
        self.act.register_forward_hook(log_norm)


class Frozen(Body):
    """A backbone without gradients."""

    def prepare(self, n):
        self.fc.requires_grad_(False)

    def forward(self, x):
        with torch.no_grad():
            h = self.act(self.fc(x))
        return self.head(h)


class Attends(Body):
    def prepare(self, n):
        self.layer = nn.TransformerEncoderLayer(n, 2, 8, batch_first=True)

    def between(self, h):
        return self.layer(h[None])[0]


class Tied(Body):
    def prepare(self, n):
        self.back = nn.Linear(n, 3)
        self.back.weight = nn.Parameter(self.fc.weight.T.detach().clone())
        self.again = self.fc

    def between(self, h):
        return h + self.act(self.again(self.back(h)))


def sequential():
    return nn.Sequential(nn.Linear(3, 6), nn.ReLU(inplace=True), nn.Linear(6, 2))


#: How each is built; those that need marked inputs are in `MARKED`.
MODELS = {
    build.__name__: build
    for build in (
        *(Plain, sequential, Normalised, Spectral, OldSpectral, WeightNorm, Initialised),
        *(MovingAverage, Tracked, Resized, Differentiates, ByInputs, Backward, Clamped),
        *(Transformed, Draws, AuxiliaryLoss, Checkpointed, Reentrant, Recurrent, Scheduled),
        *(Hooked, Frozen, Attends, Tied),
    )
}
MARKED = frozenset({"ByInputs"})
