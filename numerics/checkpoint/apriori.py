"""The a-priori floor of a trained network on the line, held against its loss (N2, N3)."""

from __future__ import annotations

import math

import numpy as np
import torch

from epsrank.numerics.named import is_name
from epsrank.numerics.training import Run
from epsrank.numerics.training.build import resolve_device
from epsrank.numerics.training.measure import LastLayer
from epsrank.numerics.training.objective import float64_loss
from epsrank.numerics.training.probe import choose_probe
from epsrank.theory.apriori import AprioriFloor, apriori_floor
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.numbers.rounding import unit_roundoff, upward
from epsrank.theory.numbers.scaled import frobenius
from epsrank.theory.words import plural


def floor_of_run(
    run: Run, index: int = -1, neurons: int | None = None
) -> tuple[AprioriFloor, float]:
    """Return the floor max_p (E_p − √((1 + p(n−p)) λ_{p+1}) ‖W‖)_+ of a run, and its √loss.

    E_p comes from the target by `relu_distances`, never from a trained network. The run is one of
    one hidden ReLU layer on an interval, trained on the squared error. The floors, for p = 0…n, are
    certified; √loss is as measured.
    """
    config = run.config
    if (
        config.network == "cnn"
        or is_name(config.network)
        or config.depth != 1
        or config.activation != "relu"
    ):
        raise InputError(
            "run",
            f"is a {config.network} of {config.depth} hidden {config.activation} layers",
            "E_p is known for one hidden ReLU layer: train with --net mlp:1xN --activation relu",
        )
    if run.task.n_inputs != 1:
        raise InputError(
            "run", f"has {plural(run.task.n_inputs, 'input')}", "choose a task on an interval"
        )
    last = run.last_layer(index)
    floor = apriori_floor(
        last.features,
        run_points(run),
        last.target,
        coefficients=last.coefficients,
        neurons=neurons,
        measure=last.measure,
        feature_error=_feature_error(run, index, last),
    )
    return floor, root_loss(last)


def _feature_error(run: Run, index: int, last: LastLayer) -> float:
    """Bound ‖φ̂ − φ‖_F in the measure: |fl(wx + b) − (wx + b)| ≤ 3u(|wx| + |b|), relu adds none."""
    layer = run.network(index).first_layer
    assert isinstance(layer, torch.nn.Linear)
    points = np.abs(run_points(run))[:, None]
    slopes, offsets = (
        np.abs(values.detach().double().numpy().reshape(1, -1))
        for values in (layer.weight, layer.bias)
    )
    u = unit_roundoff(run.config.dtype)
    sizes = (points * slopes + offsets) * last.measure.row_factors()[:, None]
    # A fourth u for the roundings of this bound itself.
    return upward(4 * u * frobenius(sizes))


def run_points(run: Run) -> Vector:
    """Return the inputs x of a run on an interval, in the order of its features."""
    probe = choose_probe(run.config, run.task, resolve_device("cpu"))
    points: Array = probe.x.double().numpy().reshape(-1)
    return points


def root_loss(last: LastLayer) -> float:
    """Return ‖u − u*‖ as measured."""
    return math.sqrt(float64_loss("mse", last.outputs, last.target, last.measure))
