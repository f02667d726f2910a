"""The trial of kind ``break-even``: curvature and gradient noise along plain descent."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import nn

from epsrank.numerics.experiments.diagnostics.trials.small import (
    LOSSES,
    Images,
    accuracy,
    batches,
    dense,
    images,
    measured_at,
    numbers,
)
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.phenomena.curvature import batch_sharpness, hessian_eigenvalues
from epsrank.numerics.phenomena.noise import gradient_noise
from epsrank.theory.errors import InputError

_EIGENVALUES = 10
_MOST_MEASURING = 600


def break_even_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train by plain descent, and measure on samples that are the same at every step.

    `settings`: ``loss``, ``rate``, ``batch`` (0 for all samples), ``time`` (η·t at the end),
    ``measurements``, ``samples``, ``measuring`` (the measuring batch of λ_K), ``width``, ``seed``.
    """
    seed, rate = settings["seed"], settings["rate"]
    data = images("digits", seed, settings["samples"], 300)
    # 2/η bounds the curvature of the loss that is descended: of all samples with full batches.
    many = _MOST_MEASURING if settings["batch"] else settings["samples"]
    held = QuantityData(data.train.inputs[:many], data.train.targets[:many])
    model = dense([64, settings["width"], settings["width"], 10], "tanh", seed)
    loss = LOSSES[settings["loss"]]
    steps = round(settings["time"] / rate)
    size = settings["batch"] or settings["samples"]
    at = set(measured_at(steps, settings["measurements"]))
    optimizer = torch.optim.SGD(model.parameters(), rate)
    rows: list[dict[str, float]] = []
    for step, batch in enumerate(batches(settings["samples"], size, steps + 1, seed)):
        if step in at:
            try:
                rows.append({"step": step, **_measured(model, loss, data, held, settings)})
            except InputError:  # it has diverged
                break
        value = loss(model(data.train.inputs[batch]), data.train.targets[batch])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {
        "diverged": len(rows) < len(at),
        "limit": 2 / rate,
        "test_accuracy": accuracy(model, data.test),
        "series": {name: numbers([row[name] for row in rows]) for name in rows[0]},
    }


def _measured(
    model: nn.Module, loss: Any, data: Images, held: QuantityData, settings: Mapping[str, Any]
) -> dict[str, float]:
    """Return what is recorded at a step; the same batches are drawn every time."""
    values, _ = hessian_eigenvalues(model, loss, held, count=_EIGENVALUES, tolerance=1e-2)
    noise = gradient_noise(model, loss, data.train, batch_size=settings["measuring"])
    own = noise if not settings["batch"] else gradient_noise(
        model, loss, data.train, batch_size=settings["batch"]
    )  # fmt: skip
    sharp = math.nan
    if settings["batch"]:
        sharp = batch_sharpness(
            model, loss, data.train, batch_size=settings["batch"], batches=10
        ).value
    with torch.no_grad():
        now = float(loss(data.train.outputs(model), data.train.targets))
    return {
        "loss": now,
        "hessian": float(values[0]),
        "hessian_ratio": float(values[-1] / values[0]),
        "noise": noise.top,
        "noise_bias": noise.bias,
        "noise_ratio": float(noise.eigenvalues[-1] / noise.top) if noise.top else math.nan,
        "noise_directions": noise.trace / noise.top if noise.top else math.nan,
        "noise_own_batch": own.top,
        "batch_sharpness": sharp,
    }
