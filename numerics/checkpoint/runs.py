"""Layers of the suite's own runs, at any of their measurements."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from epsrank.numerics.checkpoint.layer import CheckpointLayer
from epsrank.numerics.training import Run, load_run
from epsrank.numerics.training.build import resolve_device
from epsrank.numerics.training.measure import captured, last_layer
from epsrank.numerics.training.probe import choose_probe, rank_probe
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import BiasName


def layer_of_run(folder: Path, record: int = -1, layer: str | None = None) -> CheckpointLayer:
    """Return the features of one hidden layer at one measurement of a run, on its probe.

    They are computed anew from the checkpoint: on the device of the run the very numbers that were
    measured.
    """
    run = load_run(folder)
    if not run.records:
        raise InputError(
            str(folder), "has no measurement yet", "wait for the first, or train it further"
        )
    if run.config.recorded:
        return _kept_layer(run, folder, record, layer)
    # Whoever asks for the last one gets the last that is whole, and is told so.
    record = run.last_whole() if record == -1 else record
    model = run.network(record)
    config = run.config
    device = resolve_device("cpu" if config.device == "cpu" else "auto")
    chosen = choose_probe(config, run.task, device)
    probe = rank_probe(chosen)
    # Only for a nonlinear problem are features measured on other samples than the loss.
    linear = probe is chosen
    hidden = captured(model.to(device), probe)
    number = _layer_number(layer, len(hidden))
    features = hidden[number - 1]
    if config.dtype == "float32":
        features = features.astype(np.float32)  # exact: they were float32 before
    step = run.records[record].step
    found = CheckpointLayer(
        label=f"{folder} at step {step}, hidden layer {number}",
        features=features,
        measure=probe.measure.spread(len(features)),
        # Rows of a convolution are positions, which have no targets of their own.
        target=probe.target if linear and len(features) == probe.measure.n_samples else None,
        loss=config.loss,
    )
    if number < len(hidden) or not linear:
        return found
    last = last_layer(model, probe, hidden[-1])
    return replace(
        found,
        coefficients=last.coefficients,
        bias_value=last.bias,
        bias=cast(BiasName, config.bias),
        constant=last.constant,
    )


def _kept_layer(run: Run, folder: Path, record: int, layer: str | None) -> CheckpointLayer:
    """Return a last layer that a recorded run has kept: what makes its network is not known."""
    count = run.n_layers
    if _layer_number(layer, count) < count:
        raise InputError(
            "--layer",
            f"is {layer!r}, and of a recorded run the last layers alone are kept",
            f"leave it out, or make the network and load {folder / 'checkpoints'}",
        )
    last, config = run.last_layer(record), run.config
    features = last.features.astype(np.float32) if config.dtype == "float32" else last.features
    return CheckpointLayer(
        label=f"{folder} at step {run.records[record].step}, hidden layer {count}",
        features=features,
        measure=last.measure,
        target=last.target,
        loss=config.loss,
        coefficients=last.coefficients,
        bias_value=last.bias,
        bias=cast(BiasName, config.bias),
    )


def _layer_number(layer: str | None, count: int) -> int:
    """Return the number of a hidden layer."""
    if layer is None:
        return count
    try:
        number = int(layer)
    except ValueError:
        number = 0
    if not 1 <= number <= count:
        raise InputError(
            "--layer", f"is {layer!r}", f"the run has hidden layers 1 to {count}; pass a number"
        )
    return number
