"""The trial of kind ``stiffness``: alignment of sample gradients along a training that overfits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import nn
from torch.nn import functional as F

from epsrank.numerics.experiments.diagnostics.trials.small import (
    accuracy,
    batches,
    dense,
    images,
    numbers,
    stream,
)
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.phenomena.derivatives import part
from epsrank.numerics.phenomena.stiffness import m_coherence, stiffness_matrix

_CLASSES = 10
# The parameter whose gradient p − e_y is alike within a class before anything is learned.
_BIAS = ("4.bias",)
_OUTPUT = ("4.bias", "4.weight")
_REST = ("0.weight", "0.bias", "2.weight", "2.bias", "4.weight")


def log_spaced(steps: int, count: int) -> list[int]:
    """Return step 0 and others about evenly spaced in logarithms, the last included."""
    found = {round(steps ** (k / (count - 2))) for k in range(count - 1)}
    return sorted({0, *found})


def stiffness_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Train with Adam, with a share of labels drawn anew, and measure stiffness.

    `settings`: ``samples``, ``noise`` (share of labels that are drawn anew, uniformly), ``steps``,
    ``batch``, ``rate``, ``width``, ``pairs`` (samples per set), ``measurements``, ``seed``.
    """
    seed, count = settings["seed"], settings["samples"]
    data = images("digits", seed, count, 300)
    draw = stream(seed, "labels")
    wrong = torch.rand(count, generator=draw) < settings["noise"]
    labels = data.train.targets.clone()
    labels[wrong] = torch.randint(0, _CLASSES, (int(wrong.sum()),), generator=draw)
    train = QuantityData(data.train.inputs, labels)
    model = dense([64, settings["width"], settings["width"], _CLASSES], "tanh", seed)
    optimizer = torch.optim.Adam(model.parameters(), settings["rate"])
    sets = _sets(train, data.test, labels == data.train.targets, settings["pairs"])
    at = set(log_spaced(settings["steps"], settings["measurements"]))
    rows: list[dict[str, float]] = []
    drawn = batches(count, min(settings["batch"], count), settings["steps"] + 1, seed)
    for step, batch in enumerate(drawn):
        if step in at:
            with torch.no_grad():
                losses = {
                    "loss": float(F.cross_entropy(model(train.inputs), train.targets)),
                    "test_loss": float(F.cross_entropy(model(data.test.inputs), data.test.targets)),
                }
            rows.append({"step": step, **losses, **_measured(model, sets)})
        value = F.cross_entropy(model(train.inputs[batch]), train.targets[batch])
        optimizer.zero_grad()
        value.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    return {
        "test_accuracy": accuracy(model, data.test),
        "series": {name: numbers([row[name] for row in rows]) for name in rows[0]},
    }


def _sets(
    train: QuantityData, test: QuantityData, right: torch.Tensor, most: int
) -> dict[str, QuantityData]:
    """Return the samples that are paired: to train on, rightly labelled ones, some held out."""
    every = torch.arange(len(right))
    return {
        "train": part(train, every[:most]),
        "right": part(train, every[right][:most]),
        "held out": part(test, torch.arange(min(most, len(test.targets)))),
    }


def _measured(model: nn.Module, sets: Mapping[str, QuantityData]) -> dict[str, float]:
    train, right, held = sets["train"], sets["right"], sets["held out"]
    own = stiffness_matrix(model, F.cross_entropy, train)
    val = stiffness_matrix(model, F.cross_entropy, train, other=held)
    rightly = stiffness_matrix(model, F.cross_entropy, right, other=held)
    bare = stiffness_matrix(model, F.cross_entropy, train, without=_BIAS)
    hidden = stiffness_matrix(model, F.cross_entropy, train, without=_OUTPUT)
    bias = stiffness_matrix(model, F.cross_entropy, train, without=_REST)
    bare_val = stiffness_matrix(model, F.cross_entropy, train, other=held, without=_BIAS)
    return {
        "within": own.mean(),
        "between": own.mean("cos", "between"),
        "sign_within": own.mean("sign"),
        "sign_between": own.mean("sign", "between"),
        "bare_within": bare.mean(),
        "bare_between": bare.mean("cos", "between"),
        "bare_sign_within": bare.mean("sign"),
        "hidden_within": hidden.mean(),
        "bias_within": bias.mean(),
        "val_within": val.mean(),
        "val_between": val.mean("cos", "between"),
        "val_bare_within": bare_val.mean(),
        "val_right_within": rightly.mean(),
        "length": own.length,
        "coherence": m_coherence(model, F.cross_entropy, train),
    }
