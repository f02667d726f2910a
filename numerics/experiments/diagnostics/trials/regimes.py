"""Trials ``step-regimes`` and ``large-rate``: what rates found by bisection and momentum do."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from epsrank.numerics.experiments.diagnostics.trials.small import (
    Images,
    accuracy,
    batches,
    dense,
    images,
    stream,
)
from epsrank.numerics.monitor.quantity.contract import QuantityData

#: (rate, momentum) by step.
Schedule = Callable[[int], tuple[float, float]]
_BATCH = 64
# Of ln(classes), the loss of a network that says nothing: where rates are too large for ReLU, units
# die and the loss stays just there, so that "below the loss of the start" would call that training.
_TRAINS = 0.5
# Weights and orders of a seed: those that are judged, and those with which rates are found.
_JUDGED, _TUNING = 0, 1


def descend(
    model: nn.Module,
    data: QuantityData,
    schedule: Schedule,
    steps: int,
    every: int,
    seed: int,
    order: int = 0,
) -> list[float]:
    """Train by heavy-ball descent; return the loss on all samples every so many steps.

    Ends with ∞ where the loss is not finite.
    """
    optimizer = torch.optim.SGD(model.parameters(), 1.0)
    losses = []
    drawn = batches(len(data.targets), min(_BATCH, len(data.targets)), steps, seed, order)
    for step, batch in enumerate(drawn):
        rate, momentum = schedule(step)
        optimizer.param_groups[0].update(lr=rate, momentum=momentum)
        value = F.cross_entropy(model(data.inputs[batch]), data.targets[batch])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if (step + 1) % every == 0:
            with torch.no_grad():
                losses.append(float(F.cross_entropy(model(data.inputs), data.targets)))
            if not math.isfinite(losses[-1]):
                losses[-1] = math.inf
                break
    return losses


def bisected(holds: Callable[[float], bool], low: float, high: float, rounds: int) -> float | None:
    """Return the largest rate between two that holds, in log; None where none does.

    An end is tried where no rate within told of it: the largest where all hold, else the least.
    """
    first, last = low, high
    for _ in range(rounds):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if holds(middle) else (low, middle)
    if high == last and holds(last):
        return last
    if low == first and not holds(first):
        return None
    return low


def step_regimes_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Find both rates, and train at them with and without momentum; no runs where there are none.

    Rates are found with weights and an order of batches other than those that are judged: at the
    largest rate at which one training just ends well, whatever else is done to it ends worse.

    *Large*: the largest rate that ends below half the loss of a network that says nothing;
    *small*: the largest at which the loss falls from every epoch to the next. `settings`:
    ``samples``, ``width``, ``epochs``, ``rounds`` of bisection, ``momentum``, ``switches`` (shares
    of the training), ``seed``.
    """
    seed, mu = settings["seed"], settings["momentum"]
    data = images("digits", seed, settings["samples"], 350)
    every = settings["samples"] // _BATCH
    steps = settings["epochs"] * every

    def run(schedule: Schedule, draw: int = _JUDGED) -> dict[str, Any]:
        model = dense([64, settings["width"], settings["width"], 10], "relu", seed, draw)
        losses = descend(model, data.train, schedule, steps, every, seed, draw)
        ok = math.isfinite(losses[-1])
        return {
            "losses": [value if math.isfinite(value) else None for value in losses],
            "loss": losses[-1] if ok else None,
            "error": 1 - accuracy(model, data.test) if ok else None,
        }

    def ends_below(rate: float) -> bool:
        found = run(_constant(rate, 0.0), _TUNING)
        return found["loss"] is not None and found["loss"] < _TRAINS * math.log(10)

    def falls(rate: float) -> bool:
        losses = run(_constant(rate, 0.0), _TUNING)["losses"]
        return None not in losses and all(b < a for a, b in pairwise(losses))

    large = bisected(ends_below, 0.01, 30.0, settings["rounds"])
    small = None if large is None else bisected(falls, 1e-4, large, settings["rounds"])
    found: dict[str, Any] = {"large": large, "small": small, "runs": {}}
    if large is None or small is None:
        return found
    for name, rate in (("small", small), ("large", large)):
        arms = {
            "plain": (rate, 0.0),
            "equal rate": (rate, mu),
            "equal rate/(1−μ)": (rate * (1 - mu), mu),
            # Heavy ball is stable up to 2(1 + μ)/λ: the same share of the own limit.
            "equal share of the limit": (rate * (1 + mu), mu),
        }
        for arm, (own, momentum) in arms.items():
            found["runs"][f"{name}, {arm}"] = run(_constant(own, momentum))
    for share in settings["switches"]:
        found["runs"][f"two phases, switch at {share:g}"] = run(
            _stepped(steps, [(0.0, large, 0.0), (share, small, mu)])
        )
    thirds = [(0.0, large, mu), (1 / 3, large / 10, mu), (2 / 3, large / 100, mu)]
    found["runs"]["three steps"] = run(_stepped(steps, thirds))
    return found


def _constant(rate: float, momentum: float) -> Schedule:
    return lambda step: (rate, momentum)


def _stepped(steps: int, parts: Sequence[tuple[float, float, float]]) -> Schedule:
    """Return a schedule of (from which share on, rate, momentum)."""

    def at(step: int) -> tuple[float, float]:
        started = [(rate, momentum) for share, rate, momentum in parts if step >= share * steps]
        return started[-1]

    return at


def large_rate_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train with a large rate that is annealed, over a sweep of it, and with a small rate.

    The largest rate is found as in `step_regimes_trial`.

    `settings`: ``task`` (``"mixture"`` or ``"patched"``), ``samples``, ``width``, ``steps``,
    ``rounds``, ``shares`` (of the largest rate that converges), ``small`` (share), ``seed``.
    """
    seed, steps = settings["seed"], settings["steps"]
    data = (mixture if settings["task"] == "mixture" else patched)(seed, settings["samples"])
    inputs, classes = data.train.inputs.shape[1], int(data.train.targets.max()) + 1

    def run(schedule: Schedule, draw: int = _JUDGED) -> tuple[float, float | None]:
        model = dense([inputs, settings["width"], classes], "relu", seed, draw)
        losses = descend(model, data.train, schedule, steps, steps, seed, draw)
        ok = math.isfinite(losses[-1])
        return losses[-1], 1 - accuracy(model, data.test) if ok else None

    limit = bisected(
        lambda rate: run(_constant(rate, 0.0), _TUNING)[0] < _TRAINS * math.log(classes),
        0.01,
        100.0,
        settings["rounds"],
    )
    if limit is None:
        return {"limit": None, "small": None, "annealed": {}}
    small = settings["small"] * limit
    annealed = {
        str(share): run(_stepped(steps, [(0.0, share * limit, 0.0), (0.5, small, 0.0)]))[1]
        for share in settings["shares"]
    }
    return {"limit": limit, "small": run(_constant(small, 0.0))[1], "annealed": annealed}


_HALF, _MARGIN, _SPREAD = 20, 0.5, 0.05


def mixture(seed: int, samples: int) -> Images:
    """Return the mixture of two parts: one linear and noisy, one clustered and free of noise.

    Each sample has the linear part (x₁ = margin·y·w + noise), the clustered one (x₂ = z for one
    class and z ± ζ for the other), or both; what is missing is zero.
    """
    draw = stream(seed, "samples")
    w, z, turn = (F.normalize(torch.randn(_HALF, generator=draw), dim=0) for _ in range(3))
    zeta = _SPREAD * 4 * F.normalize(turn - (turn @ z) * z, dim=0)

    def drawn(count: int) -> QuantityData:
        labels = torch.randint(0, 2, (count,), generator=draw)
        y = (2 * labels - 1).float()[:, None]
        first = _MARGIN * y * w + torch.randn(count, _HALF, generator=draw) / math.sqrt(_HALF)
        side = torch.where(torch.rand(count, generator=draw) < 0.5, 1.0, -1.0)[:, None]
        second = z + (y > 0) * side * zeta
        kind = torch.rand(count, generator=draw)[:, None]
        first, second = first * (kind > 0.2), second * (kind < 0.8)
        return QuantityData(torch.cat([first, second], dim=1), labels)

    return Images(drawn(samples), drawn(2000))


def patched(seed: int, samples: int) -> Images:
    """Return digits, of which four fifths carry a row of pixels that is their class in code.

    The patch is easy to memorise and absent from the samples held out.
    """
    data = images("digits", seed, samples, 350)
    draw = stream(seed, "patches")
    codes = torch.rand(10, 8, generator=draw)
    rows = torch.rand(samples, generator=draw) < 0.8
    x: Tensor = data.train.inputs.clone()
    x[rows, :8] = codes[data.train.targets[rows]]
    return Images(QuantityData(x, data.train.targets), data.test)
