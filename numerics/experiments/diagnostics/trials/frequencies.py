"""Trials ``frequency`` and ``frequency-images``: when each frequency of a target is fitted."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from epsrank.numerics.experiments.diagnostics.trials.small import (
    batches,
    dense,
    images,
    measured_at,
    network,
    numbers,
)
from epsrank.numerics.experiments.diagnostics.trials.stiff import log_spaced
from epsrank.numerics.first_layer.structured import structured_first_layer_
from epsrank.numerics.phenomena.frequency import frequency_errors, principal_coordinates

_POINTS = 201


def frequency_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fit Σ a_k sin(kx + φ_k) on ±π or ±5, and measure Δ(k) on the way.

    `settings`: ``frequencies``, ``amplitudes``, ``phases`` (``"zero"`` or ``"random"``), ``half``
    (the interval is ±half), ``widths``, ``init`` (``"default"``, ``"structured"``, or a standard
    deviation of all weights), ``loss`` (``"value"`` or ``"derivative"``), ``rate``, ``steps``,
    ``measurements``, ``seed``.
    """
    seed, half = settings["seed"], settings["half"]
    frequencies = settings["frequencies"]
    random = np.random.default_rng([seed, 4])
    phases = (
        random.uniform(0, 2 * math.pi, len(frequencies))
        if settings["phases"] == "random"
        else np.zeros(len(frequencies))
    )
    x = torch.linspace(-half, half, _POINTS)[:, None]
    waves = list(zip(frequencies, settings["amplitudes"], phases.tolist(), strict=True))
    y = torch.stack([a * torch.sin(k * x + p) for k, a, p in waves]).sum(dim=0)
    slope = torch.stack([a * k * torch.cos(k * x + p) for k, a, p in waves]).sum(dim=0)
    model = dense([1, *settings["widths"], 1], "tanh", seed)
    _initialise(model, settings["init"], half, seed)
    optimizer = torch.optim.Adam(model.parameters(), settings["rate"])
    at = set(measured_at(settings["steps"], settings["measurements"]))
    rows: list[dict[str, float]] = []
    for step in range(settings["steps"] + 1):
        if step in at:
            with torch.no_grad():
                outputs = model(x)
            loss = float((outputs - y).square().mean())
            rows.append({"step": step, "loss": loss, **_errors(x, y, outputs, frequencies)})
        if settings["loss"] == "value":
            value = (model(x) - y).square().mean()
        else:
            value = _derivative_loss(model, x, y, slope)
        optimizer.zero_grad()
        value.backward()
        optimizer.step()
    return {"series": {name: numbers([row[name] for row in rows]) for name in rows[0]}}


def _errors(x: Tensor, y: Tensor, outputs: Tensor, frequencies: Sequence[int]) -> dict[str, float]:
    found = frequency_errors(x, y, outputs, frequencies, method="least-squares")
    return {f"error_{k}": float(e) for k, e in zip(frequencies, found, strict=True)}


def _derivative_loss(model: nn.Module, x: Tensor, y: Tensor, slope: Tensor) -> Tensor:
    """Return ‖u′ − y′‖² and the mean value: a loss that weighs frequency k by k²."""
    points = x.clone().requires_grad_(True)
    outputs = model(points)
    (own,) = torch.autograd.grad(outputs.sum(), points, create_graph=True)
    loss: Tensor = (own - slope).square().mean() + (outputs.mean() - y.mean()).square()
    return loss


def _initialise(model: nn.Sequential, init: Any, half: float, seed: int) -> None:
    if init == "structured":
        layer = model[0]
        assert isinstance(layer, nn.Linear)
        structured_first_layer_(layer, domain=(-half, half), activation="tanh")
    elif init != "default":
        draw = torch.Generator().manual_seed(seed)
        for module in model.modules():
            if isinstance(module, nn.Linear):
                nn.init.normal_(module.weight, 0.0, float(init), generator=draw)
                nn.init.normal_(module.bias, 0.0, float(init), generator=draw)


def frequency_images_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Classify images, and measure Δ(γ) along the first principal component on the way.

    The frequencies are peaks of |F[y](γ)| among γ = 0, 1/2, 1, …, as the source marks them, and
    found from the samples before training. `settings`: ``task``, ``samples``, ``peaks``, ``steps``,
    ``batch``, ``rate``, ``width``, ``measurements``, ``seed``; ``network`` where it is not the MLP.
    """
    seed = settings["seed"]
    data = images(settings["task"], seed, settings["samples"], 10)
    x, labels = data.train.inputs, data.train.targets
    y = F.one_hot(labels, 10).double().numpy()
    peaks = spectral_peaks(x.double().numpy(), y, settings["peaks"])
    if settings.get("network", "mlp") == "mlp":
        model: nn.Module = dense(
            [x.shape[1], settings["width"], settings["width"], 10], "tanh", seed
        )
    else:
        model = network(settings["network"], x.shape[1], settings["width"], seed)
    optimizer = torch.optim.Adam(model.parameters(), settings["rate"])
    at = set(log_spaced(settings["steps"], settings["measurements"]))
    rows: list[dict[str, float]] = []
    drawn = batches(len(labels), settings["batch"], settings["steps"] + 1, seed)
    for step, batch in enumerate(drawn):
        if step in at:
            with torch.no_grad():
                outputs = model(x)
            errors = frequency_errors(x, y, outputs.softmax(dim=-1), peaks, method="principal")
            row = {"step": step, "loss": float(F.cross_entropy(outputs, labels))}
            rows.append(row | {f"error_{i}": float(e) for i, e in enumerate(errors)})
        value = F.cross_entropy(model(x[batch]), labels[batch])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {
        "frequencies": peaks,
        "series": {name: numbers([row[name] for row in rows]) for name in rows[0]},
    }


def spectral_peaks(x: Any, y: Any, count: int) -> list[float]:
    """Return the frequencies, ascending, at which |F[y](γ)| has its largest local maxima."""
    gamma = np.arange(1, 60) / 2
    waves = np.exp(-2j * math.pi * np.outer(gamma, principal_coordinates(x)))
    # Without the mean, whose spectrum is that of the density of the samples.
    size = np.linalg.norm(waves @ (y - y.mean(axis=0)) / len(y), axis=-1)
    inner = (size[1:-1] >= size[:-2]) & (size[1:-1] >= size[2:])
    places = np.flatnonzero(inner) + 1
    kept = places[np.argsort(-size[places])][:count]
    return [float(value) for value in np.sort(gamma[kept])]
