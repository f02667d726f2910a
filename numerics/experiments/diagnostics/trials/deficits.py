"""Trials ``deficit`` and ``deficit-linear``: training with a deficit for some time."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from epsrank.numerics.experiments.diagnostics.trials.small import (
    accuracy,
    batches,
    images,
    network,
    shape_of,
)
from epsrank.numerics.monitor.quantity.contract import QuantityData

_BATCH, _MOMENTUM = 64, 0.9


def blurred(x: Tensor) -> Tensor:
    """Return flat images whose side is divided by four by averages, and multiplied again."""
    colours, *sides = shape_of(x.shape[1])
    small = F.avg_pool2d(x.reshape(-1, colours, *sides), 4)
    return F.interpolate(small, size=sides, mode="nearest").reshape(len(x), -1)


def flipped(x: Tensor) -> Tensor:
    """Return flat images upside down."""
    return x.reshape(-1, *shape_of(x.shape[1])).flip(2).reshape(len(x), -1)


def deficit_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train with a deficit from one step to another, and without one before and after.

    `settings`: ``task``, ``network``, ``width``, ``samples``, ``deficit`` (``"blur"``, ``"flip"``),
    ``start``, ``stop``, ``steps``, ``rate``, ``schedule`` (``"constant"``, ``"cyclic"``),
    ``period``, ``seed``.
    """
    seed = settings["seed"]
    data = images(settings["task"], seed, settings["samples"], 1000)
    x = data.train.inputs
    spoiled = (blurred if settings["deficit"] == "blur" else flipped)(x)
    model = network(settings["network"], x.shape[1], settings["width"], seed)
    optimizer = torch.optim.SGD(model.parameters(), settings["rate"], momentum=_MOMENTUM)
    for step, batch in enumerate(batches(len(x), _BATCH, settings["steps"], seed)):
        if settings["schedule"] == "cyclic":
            phase = (step % settings["period"]) / settings["period"]
            optimizer.param_groups[0]["lr"] = settings["rate"] * (1 + math.cos(math.pi * phase)) / 2
        now = spoiled if settings["start"] <= step < settings["stop"] else x
        value = F.cross_entropy(model(now[batch]), data.train.targets[batch])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {
        "error": 1 - accuracy(model, data.test),
        "train_error": 1 - accuracy(model, QuantityData(x, data.train.targets)),
    }


def deficit_linear_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Complete a matrix of rank 3 by a deep linear network that first had one of rank 5.

    `settings`: ``side``, ``depth``, ``observed``, ``deficit`` (steps), ``steps`` after, ``seed``.
    """
    n, depth = settings["side"], settings["depth"]
    draw = torch.Generator().manual_seed(settings["seed"])

    def task(rank: int) -> tuple[Tensor, Tensor]:
        m = torch.randn(n, rank, generator=draw) @ torch.randn(rank, n, generator=draw)
        return m * n / m.norm(), torch.randperm(n * n, generator=draw)[: settings["observed"]]

    before, after = task(5), task(3)
    scale = 1e-3 ** (1 / depth) / math.sqrt(n)
    factors = [(scale * torch.randn(n, n, generator=draw)).requires_grad_() for _ in range(depth)]
    optimizer = torch.optim.Adam(factors, 1e-3)

    def product() -> Tensor:
        found: Tensor = factors[0]
        for factor in factors[1:]:
            found = factor @ found
        return found

    for step in range(settings["deficit"] + settings["steps"]):
        goal, seen = before if step < settings["deficit"] else after
        value = (product() - goal).reshape(-1)[seen].square().mean()
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        apart = (product() - after[0]).square()
    return {"error": float(apart.mean()), "train_loss": float(apart.reshape(-1)[after[1]].mean())}
