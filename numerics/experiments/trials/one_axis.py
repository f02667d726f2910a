"""The trial of kind ``one-axis``: one network, and every quantity at the same moments.

u(x) = W tanh(… tanh(wx + b)) + c on 64 equispaced points of [−π, π), mean of squares, full-batch
heavy-ball descent in float64. The quantities are the public ones, as a monitor would take them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn.functional import mse_loss

from epsrank.numerics.experiments.diagnostics.trials.small import numbers
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.phenomena.amplitudes import AmplitudeTransport
from epsrank.numerics.phenomena.curvature import hessian_top
from epsrank.numerics.phenomena.derivatives import beside_training, gradient
from epsrank.numerics.phenomena.frequency import frequency_errors
from epsrank.numerics.phenomena.neurons import condensation, neuron_amplitudes, neuron_weights
from epsrank.numerics.phenomena.noise import noise_top
from epsrank.numerics.phenomena.stiffness import stiffness
from epsrank.numerics.phenomena.weights import InitialDistance, PathLength
from epsrank.theory.dimension.soft_ranks import effective_rank
from epsrank.theory.rank.epsilon import epsilon_ranks

POINTS = 64
#: Amplitudes of sin kx by k: equal, and the larger the lower (C4's confounding, named).
TARGETS: Mapping[str, Mapping[int, float]] = {
    "equal": {1: 1.0, 2: 1.0, 4: 1.0},
    "falling": {1: 1.0, 2: 0.5, 4: 0.25},
    "rising": {1: 0.25, 2: 0.5, 4: 1.0},
}
#: Thresholds of the ranks; the first is the one judged.
EPS = (1e-6, 1e-4, 1e-2)
# Samples of a measuring batch of λ_K, products of the Lanczos iteration.
_MEASURING, _PRODUCTS = 16, 40


def one_axis_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train one network, and measure everything at moments even in the logarithm of steps.

    `settings`: ``target`` (`TARGETS`), ``hidden`` layers, ``width``, ``sigma`` of all weights and
    biases (None: PyTorch's own), ``learning_rate``, ``momentum``, ``steps``, ``measurements``,
    ``seed``.
    """
    x = torch.arange(POINTS, dtype=torch.float64)[:, None] * (2 * math.pi / POINTS) - math.pi
    waves = TARGETS[settings["target"]]
    y = sum((a * torch.sin(k * x) for k, a in waves.items()), torch.zeros_like(x))
    model = _network(settings)
    last = 2 * (settings["hidden"] - 1)
    data = QuantityData(x, y)
    at = moments(settings["steps"], settings["measurements"])
    optimizer = torch.optim.SGD(
        model.parameters(), settings["learning_rate"], momentum=settings["momentum"]
    )
    now = 0
    transport = AmplitudeTransport(model, str(last), str(last + 2), clock=lambda: float(now))
    path, distance = PathLength(str(last + 1)), InitialDistance(model)
    rows: list[dict[str, float]] = []
    for step in range(settings["steps"] + 1):
        if step in at:
            now = step
            if not math.isfinite(_loss(model, data)):
                break
            row = _measured(model, data, waves, last) | {
                "transport": math.nan if step == 0 else transport(model, mse_loss, data),
                "path": path(model, mse_loss, data),
                "distance": float(distance(model, mse_loss, data)),
            }
            rows.append({"step": float(step), **row})
        value = mse_loss(model(x), y)
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    limit = 2 * (1 + settings["momentum"]) / settings["learning_rate"]
    # Six digits: no level is decided by these, and records stay small.
    series = {
        name: numbers([float(f"{row[name]:.6g}") for row in rows]) for name in (rows or [{}])[0]
    }
    return {"diverged": len(rows) < len(at), "limit": limit, "series": series}


def moments(steps: int, count: int) -> frozenset[int]:
    """Return 0, and about so many steps that are even in the logarithm, the last included."""
    return frozenset({0, *np.unique(np.geomspace(1, steps, count).round()).astype(int).tolist()})


def _network(settings: Mapping[str, Any]) -> nn.Sequential:
    """Draw a network by its seed, σ N(0, 1) or as PyTorch does."""
    widths = [1, *[settings["width"]] * settings["hidden"], 1]
    layers: list[nn.Module] = []
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(settings["seed"])
        for inputs, outputs in pairwise(widths):
            layers += [nn.Linear(inputs, outputs, dtype=torch.float64), nn.Tanh()]
        model = nn.Sequential(*layers[:-1])
        if settings["sigma"] is not None:
            for parameter in model.parameters():
                nn.init.normal_(parameter, std=settings["sigma"])
    return model


@torch.no_grad()
def _loss(model: nn.Module, data: QuantityData) -> float:
    return float(mse_loss(model(data.inputs), data.targets))


def _measured(
    model: nn.Sequential, data: QuantityData, waves: Mapping[int, float], last: int
) -> dict[str, float]:
    """Return what is recorded at a step, of weights as they are."""
    with torch.no_grad():
        features = [data.inputs]
        for layer in model:
            features.append(layer(features[-1]))
    row = {"loss": _loss(model, data)}
    for number, place in enumerate(range(2, last + 3, 2), start=1):
        for found in epsilon_ranks(features[place], EPS):
            row[f"rank_lower_layer{number}_{found.eps!r}"] = float(found.lower)
            row[f"rank_upper_layer{number}_{found.eps!r}"] = float(found.upper)
    errors = frequency_errors(
        data.inputs, data.targets, features[-1], list(waves), method="least-squares"
    )
    row |= {f"frequency_{k}": float(error) for k, error in zip(waves, errors, strict=True)}
    for number, place in enumerate(range(0, last + 1, 2), start=1):
        layer, following = model[place], model[place + 2]
        weights = neuron_weights(layer)
        groups = condensation(weights, neuron_amplitudes(layer, following), odd=True)
        # The first layer's are those that the rule is about.
        name = "orientations" if number == 1 else f"orientations_layer{number}"
        row |= {
            name: float(groups.count),
            f"weight_rank_layer{number}": effective_rank(weights),
        }
    # Every sample is a class of its own, so that pairs between classes are all pairs.
    own = QuantityData(data.inputs, torch.arange(POINTS))
    with beside_training(model):
        slope = gradient(model, mse_loss, data)
    return row | {
        "lambda_h": hessian_top(model, mse_loss, data, steps=_PRODUCTS, tolerance=1e-2).value,
        "lambda_k": float(noise_top(model, mse_loss, data, batch_size=_MEASURING).value),
        "stiffness": stiffness(
            model, lambda u, k: mse_loss(u, data.targets[k]), own, pairs="between"
        ),
        "gradient_norm": float(slope.norm()),
    }
