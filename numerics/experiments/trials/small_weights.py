"""The trial of kind ``small-weights``: two layers from small weights, watched at every step.

u(x) = Σ_k a_k tanh(w_k x + b_k) (+ c) on 60 points of [−1, 1], mean of squares, float64, all seeds
at once with gradients written out. A seed has the same draw at every scale σ, so that scales are
paired.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.experiments.trials.many_seeds import rounded
from epsrank.theory.flows.escape import affine_loss, escape_rate, escape_time, mean_gradient
from epsrank.theory.numbers.arrays import Matrix, Vector

#: Targets on [−1, 1]. The first two and the points are those of the probes, the third is ours;
#: ``even`` is that of A1, without a linearised gradient once an output bias has taken its mean.
TARGETS: dict[str, Callable[[Vector], Vector]] = {
    "sines": lambda x: np.sin(3 * x) + 0.5 * np.sin(8 * x),
    "waves": lambda x: np.sin(np.pi * x) + 0.3 * np.cos(4 * np.pi * x),
    "curved": lambda x: np.exp(x) - 1.5 * np.cos(5 * x),
    "even": lambda x: np.cos(x) + np.cos(2 * x) + np.cos(30 * x),
}
POINTS = 60
# Levels that a run passes, as they are and set otherwise: out of the first plateau, as shares of
# the first loss; onto the second one and out of it, as shares of what an affine function leaves.
LEVELS = {
    "escaped": {"usual": 0.9, "early": 0.95, "late": 0.8},
    "settled": {"usual": 1.05, "early": 1.1, "late": 1.03},
    "left": {"usual": 0.9, "early": 0.95, "late": 0.8},
}
_CHUNK = 500  # steps whose batches are drawn at once


@dataclass
class Networks:
    """The weights of all seeds, their velocities, and the outputs' derivatives."""

    #: seeds × 2 × n: slopes and biases.
    inner: Tensor
    #: seeds × n × 1.
    outer: Tensor
    #: seeds × 1, or None without an output bias.
    bias: Tensor | None
    velocity: list[Tensor] = field(default_factory=list)

    @property
    def weights(self) -> list[Tensor]:
        """All of them."""
        return [self.inner, self.outer, *([] if self.bias is None else [self.bias])]

    def residual(self, x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """Return hidden features and u − y."""
        hidden = torch.tanh(x @ self.inner)
        found = (hidden @ self.outer)[:, :, 0] - y
        return hidden, found if self.bias is None else found + self.bias

    def gradients(self, x: Tensor, hidden: Tensor, pull: Tensor) -> list[Tensor]:
        """Return the derivatives of Σ pull·u."""
        pulled = pull[:, :, None]
        outer = hidden.mT @ pulled
        inner = x.T @ ((1 - hidden * hidden) * (pulled * self.outer.mT))
        return [inner, outer, *([] if self.bias is None else [pull.sum(dim=1, keepdim=True)])]

    def step(self, gradients: list[Tensor], rate: float, momentum: float) -> None:
        """Make a step of heavy-ball descent."""
        if momentum:
            self.velocity = self.velocity or [torch.zeros_like(w) for w in self.weights]
            for velocity, gradient in zip(self.velocity, gradients, strict=True):
                velocity.mul_(momentum).add_(gradient)
            gradients = self.velocity
        for weight, gradient in zip(self.weights, gradients, strict=True):
            weight.sub_(gradient, alpha=rate)

    def amplitudes(self) -> Tensor:
        """Return |a_k| ‖(w_k, b_k)‖, sorted: seeds × n."""
        sizes = self.outer[:, :, 0].abs() * self.inner.norm(dim=1)
        ordered: Tensor = sizes.sort(dim=1).values
        return ordered


def start(settings: Mapping[str, Any], seeds: range) -> Networks:
    """Draw σ N(0, 1) weights; a structured first layer is tanh((n/2)(x − x_j)) instead."""
    width, scale = settings["width"], settings["sigma"]
    draws = []
    for seed in seeds:
        draw = torch.Generator().manual_seed(seed)
        draws.append(torch.randn(3, width, generator=draw, dtype=torch.float64))
    drawn = scale * torch.stack(draws)
    inner, outer = drawn[:, :2].clone(), drawn[:, 2, :, None].clone()
    if settings["first"] == "structured":
        centres = torch.linspace(-1, 1, width, dtype=torch.float64)
        inner[:] = width / 2 * torch.stack([torch.ones_like(centres), -centres])
    bias = torch.zeros(len(seeds), 1, dtype=torch.float64) if settings["output_bias"] else None
    return Networks(inner, outer, bias)


def beginning(settings: Mapping[str, Any], seed: int) -> tuple[list[Matrix], Vector, Vector]:
    """Return both layers at the start, (w, b) and a, samples and targets, without output bias."""
    networks = start(settings, range(seed, seed + 1))
    x = np.linspace(-1, 1, POINTS)
    layers = [networks.inner[0].T.numpy(), networks.outer[0].T.numpy()]
    return layers, x, TARGETS[settings["target"]](x)


class Batches:
    """How much every sample counts in a step: 1/N, or counts/B of B drawn ones, by seed."""

    def __init__(self, size: int | None, seeds: range) -> None:
        self.size = size
        # 9 gives batches a stream beside that of the weights.
        self._draws = [np.random.default_rng([seed, 9]) for seed in seeds]
        self._held: list[Tensor] = []

    def weights(self) -> Tensor | float:
        """Return those of the next step."""
        if self.size is None:
            return 1 / POINTS
        if not self._held:
            drawn = np.stack([r.integers(POINTS, size=(_CHUNK, self.size)) for r in self._draws])
            counts = torch.nn.functional.one_hot(torch.from_numpy(drawn), POINTS).sum(dim=2)
            self._held = list((counts.double() / self.size).unbind(dim=1))[::-1]
        return self._held.pop()


def small_weights_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train networks of several seeds from small weights, and say when their loss passes levels.

    `settings`: ``target`` (`TARGETS`), ``width``, ``sigma``, ``first`` (``"gaussian"`` or
    ``"structured"``), ``output_bias``, ``learning_rate``, ``momentum``, ``batch`` (None: all
    samples), ``steps``; ``rows``: measurements are made every rows[0] steps up to step rows[1], and
    every rows[2] after it, none for None; ``until``: ``"escaped"`` or ``"left"`` ends where all
    have passed those levels; ``seed``, ``count``.
    """
    seeds = range(settings["seed"], settings["seed"] + settings["count"])
    x = np.linspace(-1, 1, POINTS)
    y = TARGETS[settings["target"]](x)
    # An output bias takes the mean at a rate of its own: it is centred first.
    y = y - y.mean() if settings["output_bias"] else y
    networks, batches = start(settings, seeds), Batches(settings["batch"], seeds)
    inputs = torch.from_numpy(np.column_stack([x, np.ones(POINTS)]))
    target = torch.from_numpy(y)
    square, affine = float(np.mean(y**2)), affine_loss(x, y)
    levels = {
        (name, view): share * (square if name == "escaped" else affine)
        for name, shares in LEVELS.items()
        for view, share in shares.items()
    }
    bars = torch.tensor(list(levels.values()), dtype=torch.float64)[:, None]
    passed = torch.full((len(levels), len(seeds)), -1)
    ends = [place for place, (name, _) in enumerate(levels) if name == settings["until"]]
    predicted = _predicted(networks, x, y)
    rows = settings["rows"]
    table: dict[str, list[Any]] = {"step": [], "loss": [], "transport": []}
    before, last = networks.amplitudes(), 0
    for step in range(settings["steps"] + 1):
        hidden, residual = networks.residual(inputs, target)
        loss = residual.square().mean(dim=1)
        passed[(loss <= bars) & (passed < 0)] = step
        if rows is not None and _measured(step, rows):
            now = networks.amplitudes()
            # W₁ of as many equal masses: the mean distance in order, here per unit of time.
            time = max(1, step - last) * settings["learning_rate"] / (1 - settings["momentum"])
            table["step"].append(step)
            table["loss"].append(rounded(loss))
            table["transport"].append(rounded((now - before).abs().mean(dim=1) / time))
            before, last = now, step
        if ends and bool((passed[ends] >= 0).all()):
            break
        pull = 2 * residual * batches.weights()
        gradients = networks.gradients(inputs, hidden, pull)
        networks.step(gradients, settings["learning_rate"], settings["momentum"])
    steps: dict[str, dict[str, list[int | None]]] = {name: {} for name in LEVELS}
    for (name, view), found in zip(levels, passed.tolist(), strict=True):
        steps[name][view] = [s if s >= 0 else None for s in found]
    return {
        "square": square,
        "affine": affine,
        "rate": escape_rate(x, y),
        "predicted": predicted,
        **steps,
        **table,
        "final": rounded(loss),
    }


def _predicted(networks: Networks, x: Vector, y: Vector) -> list[float | None]:
    """Return the time of escape by the linearised flow, of each seed."""
    g = mean_gradient(x, y)
    size = float(np.linalg.norm(g))
    if size < 1e-12 * float(np.abs(y).max()):  # what rounding leaves of 0
        return [None] * len(networks.inner)
    along = torch.from_numpy(g / size) @ networks.inner
    growing = ((networks.outer[:, :, 0] + along) / math.sqrt(2)).numpy()
    return [escape_time(x, y, each) for each in growing]


def _measured(step: int, rows: list[int]) -> bool:
    early, until, late = rows
    return step % (early if step <= until else late) == 0
