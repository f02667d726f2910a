"""Trials ``rate-grid`` and ``early-path``: accuracy over rate and momentum, and early trajectories.

For figures of the survey that no claim of C1 to C6 covers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from epsrank.numerics.experiments.diagnostics.trials.small import (
    Images,
    accuracy,
    batches,
    images,
    network,
    numbers,
)
from epsrank.numerics.experiments.diagnostics.trials.stiff import log_spaced
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.phenomena.curvature import hessian_top, top_space_share
from epsrank.numerics.phenomena.noise import noise_top
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix

_CLASSES = 10
# Products of the Lanczos iteration, and samples on which curvature and noise are measured.
_PRODUCTS, _MEASURED = 40, 300


def rate_grid_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train from the same start in the same order at every rate and momentum.

    `settings`: ``task``, ``network``, ``width``, ``samples``, ``batch``, ``steps``, ``rates``,
    ``momenta``, ``seed``. Accuracy and loss have one row per momentum.
    """
    seed = settings["seed"]
    data = images(settings["task"], seed, settings["samples"], 1000)
    found: dict[str, list[list[float | None]]] = {"accuracy": [], "loss": []}
    for momentum in settings["momenta"]:
        ends = [_trained(settings, data, rate, momentum) for rate in settings["rates"]]
        found["accuracy"].append(numbers([end[0] for end in ends]))
        found["loss"].append(numbers([end[1] for end in ends]))
    return found


def _trained(
    settings: Mapping[str, Any], data: Images, rate: float, momentum: float
) -> tuple[float, float]:
    """Return accuracy on samples never seen and training loss at the end, NaN if it diverges."""
    x, y = data.train.inputs, data.train.targets
    model = network(settings["network"], x.shape[1], settings["width"], settings["seed"])
    optimizer = torch.optim.SGD(model.parameters(), rate, momentum=momentum)
    for batch in batches(len(x), settings["batch"], settings["steps"], settings["seed"]):
        value = F.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    with torch.no_grad():
        loss = float(F.cross_entropy(model(x), y))
    return (accuracy(model, data.test), loss) if math.isfinite(loss) else (math.nan, math.nan)


def early_path_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Descend from one start at two rates; measure curvature, noise, and the step itself.

    `settings`: ``task``, ``network``, ``width``, ``samples``, ``batch``, ``rates``, ``time`` (η·t
    at the end), ``measurements``, ``measuring`` (the batch of λ_K), ``accuracy`` (of the end of the
    trajectories), ``seed``. ``fall`` is L(θ_t) − L(θ_{t+1}) on all samples, negative where a step
    raises the loss; ``x`` and ``y`` are places in the plane of the two leading principal components
    of both trajectories up to that accuracy.
    """
    data = images(settings["task"], settings["seed"], settings["samples"], 10)
    runs, paths = [], []
    for rate in settings["rates"]:
        rows, path = _path(settings, data, rate)
        runs.append({"rate": rate, "series": {n: numbers([r[n] for r in rows]) for n in rows[0]}})
        paths.append(path)
    places, shares = _plane(paths)
    for run, place in zip(runs, places, strict=True):
        run |= {"x": place[:, 0].tolist(), "y": place[:, 1].tolist()}
    return {"runs": runs, "plane": shares}


def _path(
    settings: Mapping[str, Any], data: Images, rate: float
) -> tuple[list[dict[str, float]], Matrix]:
    """Return what is measured, and the weights at measurements up to the accuracy asked for."""
    x, y = data.train.inputs, data.train.targets
    held = QuantityData(x[:_MEASURED], y[:_MEASURED])
    model = network(settings["network"], x.shape[1], settings["width"], settings["seed"])
    optimizer = torch.optim.SGD(model.parameters(), rate)
    steps = round(settings["time"] / rate)
    at = set(log_spaced(steps, settings["measurements"]))
    rows: list[dict[str, float]] = []
    path: list[Tensor] = []
    arrived = False
    for step, batch in enumerate(batches(len(x), settings["batch"], steps + 1, settings["seed"])):
        row: dict[str, float] | None = None
        if step in at:
            try:
                row = _measured(model, held, settings)
            except InputError:  # it has diverged
                break
            row |= {"step": float(step), "loss": _loss(model, data.train),
                    "accuracy": accuracy(model, data.train)}  # fmt: skip
            if not arrived:
                path.append(torch.cat([p.detach().reshape(-1) for p in model.parameters()]))
            arrived = arrived or row["accuracy"] >= settings["accuracy"]
        value = F.cross_entropy(model(x[batch]), y[batch])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if row is not None:
            rows.append(row | {"fall": row["loss"] - _loss(model, data.train)})
    return rows, torch.stack(path).double().numpy()


def _measured(
    model: nn.Module, held: QuantityData, settings: Mapping[str, Any]
) -> dict[str, float]:
    """Return λ_H, λ_K and the share of the gradient in the top space."""
    share = top_space_share(
        model, F.cross_entropy, held, count=_CLASSES, steps=_PRODUCTS, tolerance=1e-2
    )
    curvature = hessian_top(model, F.cross_entropy, held, steps=_PRODUCTS, tolerance=1e-2)
    noise = noise_top(model, F.cross_entropy, held, batch_size=settings["measuring"])
    return {
        "hessian": curvature.value,
        "noise": float(noise.value),
        "share": share.value,
        "share_low": float(share.low if share.low is not None else 0.0),
    }


@torch.no_grad()
def _loss(model: nn.Module, data: QuantityData) -> float:
    return float(F.cross_entropy(model(data.inputs), data.targets))


def _plane(paths: list[Matrix]) -> tuple[list[Matrix], list[float]]:
    """Return both paths in the plane of their principal components, and what this has of both."""
    every = np.concatenate(paths)
    _, sizes, axes = np.linalg.svd(every - every.mean(axis=0), full_matrices=False)
    shares = sizes**2 / (sizes**2).sum()
    # The common start is the origin.
    return [(path - paths[0][0]) @ axes[:2].T for path in paths], shares[:2].tolist()
