"""The trial of kind ``deep-small-weights``: L layers from small weights, and their leading order.

u = W_L tanh(W_{L−1} ⋯ tanh(W_1 x)) on normal samples, mean of squares, full-batch descent in
float64, all seeds at once. A seed has its own samples, teacher and draw, which every scale σ
multiplies.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.experiments.trials.many_seeds import rounded
from epsrank.theory.flows.leading_order import leading_order_blow_up
from epsrank.theory.numbers.arrays import Matrix

#: Targets of the projections t·x and s·x on two teachers; all have mean y x ≠ 0.
TARGETS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "tanh": lambda t, s: torch.tanh(t),
    "sine": lambda t, s: torch.sin(t) + 0.5 * torch.cos(2 * s),
    "product": lambda t, s: t + 0.5 * t * s,
}
ESCAPED = {"usual": 0.9, "early": 0.95, "late": 0.8}


def deep_small_weights_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train deep networks of several seeds from small weights until the loss has fallen.

    `settings`: ``target`` (`TARGETS`), ``layers`` (2, 3 or 4), ``width``, ``inputs``, ``samples``,
    ``sigma``, ``bias`` (of the second layer, drawn like weights; targets are then shifted by 1),
    ``learning_rate``, ``steps``, ``seed``, ``count``.
    """
    seeds = range(settings["seed"], settings["seed"] + settings["count"])
    drawn = [_draw(settings, seed) for seed in seeds]
    x, y = torch.stack([each[0] for each in drawn]), torch.stack([each[1] for each in drawn])
    weights = [
        settings["sigma"] * torch.stack(group)
        for group in zip(*(each[2] for each in drawn), strict=True)
    ]
    bias = settings["sigma"] * torch.stack([each[3] for each in drawn])
    drive = (x * y).mean(dim=1)
    times, cosines = _leading_order(weights, drive, settings)
    square = y.square().mean(dim=(1, 2))
    bars = torch.tensor(list(ESCAPED.values()), dtype=torch.float64)[:, None] * square
    passed = torch.full((len(ESCAPED), len(seeds)), -1)
    aligned = torch.zeros(len(seeds), dtype=torch.float64)
    losses, step = [], 0
    every = max(1, settings["steps"] // 200)
    for step in range(settings["steps"] + 1):
        hidden = [x]
        for place, weight in enumerate(weights[:-1]):
            inner = hidden[-1] @ weight
            hidden.append(torch.tanh(inner + bias if place == 1 and settings["bias"] else inner))
        residual = hidden[-1] @ weights[-1] - y
        loss = residual.square().mean(dim=(1, 2))
        if step % every == 0:
            losses.append(rounded(loss))
        new = (loss <= bars) & (passed < 0)
        passed[new] = step
        aligned[new[0]] = _alignment(weights[0], drive)[new[0]]
        if bool((passed >= 0).all()):
            break
        pull = 2 * residual / settings["samples"]
        gradients = []
        for place in range(len(weights) - 1, -1, -1):
            gradients.append(hidden[place].mT @ pull)
            if place == 1 and settings["bias"]:
                shift = pull.sum(dim=1, keepdim=True)
            if place:
                pull = (pull @ weights[place].mT) * (1 - hidden[place].square())
        for weight, gradient in zip(reversed(weights), gradients, strict=True):
            weight.sub_(gradient, alpha=settings["learning_rate"])
        if settings["bias"]:
            bias.sub_(shift, alpha=settings["learning_rate"])
    return {
        "escaped": {
            view: [s if s >= 0 else None for s in steps]
            for view, steps in zip(ESCAPED, passed.tolist(), strict=True)
        },
        "blow_up": times,
        "blow_up_cosine": cosines,
        "cosine": rounded(aligned),
        "every": every,
        "loss": losses,
        "square": square.tolist(),
    }


def _draw(settings: Mapping[str, Any], seed: int) -> tuple[Tensor, Tensor, list[Tensor], Tensor]:
    """Return samples, targets, the layers' weights and the second layer's bias of a seed."""
    random = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=random, dtype=torch.float64)

    x = normal(settings["samples"], settings["inputs"])
    t, s = (direction / direction.norm() for direction in normal(2, settings["inputs"]))
    y = TARGETS[settings["target"]](x @ t, x @ s)[:, None] + (1.0 if settings["bias"] else 0.0)
    widths = [settings["inputs"], *[settings["width"]] * (settings["layers"] - 1), 1]
    weights = [normal(*shape) for shape in pairwise(widths)]
    return x, y, weights, normal(1, settings["width"])


def beginning(settings: Mapping[str, Any], seed: int) -> tuple[list[Matrix], Matrix, Matrix]:
    """Return the layers at the start, samples and targets, of networks without biases."""
    x, y, weights, _ = _draw(settings, seed)
    return [settings["sigma"] * w.T.numpy() for w in weights], x.numpy(), y.numpy()


def _alignment(first: Tensor, drive: Tensor) -> Tensor:
    """Return the mean of |cos(w_k, v)| over the first layer's neurons, weighted by their norms."""
    sizes = first.norm(dim=1)
    inner = (first.mT @ drive[:, :, None])[:, :, 0].abs()
    found: Tensor = inner.sum(dim=1) / (sizes.sum(dim=1) * drive.norm(dim=1))
    return found


def _leading_order(
    weights: list[Tensor], drive: Tensor, settings: Mapping[str, Any]
) -> tuple[list[float | None], list[float | None]]:
    """Return t* of each seed and the least |cos| there; None where the leading order is linear."""
    if settings["layers"] < 3 or settings["bias"]:
        none: list[float | None] = [None] * settings["count"]
        return none, none
    found = [
        leading_order_blow_up(
            [w[place].T.numpy() for w in weights], np.asarray(drive[place]), factor=2.0
        )
        for place in range(settings["count"])
    ]
    times = [each.time if math.isfinite(each.time) else None for each in found]
    return times, [each.alignment for each in found]
