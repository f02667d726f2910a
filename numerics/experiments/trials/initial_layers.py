"""The trial of kind ``initial-layers``: ε-ranks of all hidden layers before training."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import torch
from torch import nn

from epsrank.numerics.first_layer.initial_rank import initial_network
from epsrank.numerics.networks import MLP, capture
from epsrank.numerics.tasks import load_task
from epsrank.theory.data.inputs import as_eps, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.input_measure import InputMeasure, box_measure, data_measure
from epsrank.theory.kernels.placed import Placement, placement
from epsrank.theory.rank import epsilon_ranks

#: Samples of a data set, and of a box of more than three dimensions.
SAMPLES = 512
_BOX = "box-"
_SETTINGS = ("inputs", "activation", "width", "depth", "first", "scale", "eps", "seed", "count")


# Neighbouring trials of a plan share their inputs.
@lru_cache(maxsize=4)
def inputs_of(name: str) -> InputMeasure:
    """Return the inputs of a trial.

    `name`: ``box-d`` for the uniform measure of [−1, 1]^d, or ``digits``, ``mnist``: their first
    training images in the order of seed 0, under the mean measure.
    """
    if name in {"digits", "mnist"}:
        task = load_task(name, n_train=SAMPLES)
        if task.notice is not None:
            raise InputError("inputs", task.notice, "name its file in EPSRANK_DATA")
        return data_measure(task.x.numpy(), text=task.name)
    dimension = name.removeprefix(_BOX)
    if not name.startswith(_BOX) or not dimension.isdecimal() or not 1 <= int(dimension) <= 1000:
        raise InputError("inputs", f"are {name!r}", "choose box-1, box-2, …, digits or mnist")
    d = int(dimension)
    return box_measure([(-1.0, 1.0)] * d, n_points=SAMPLES if d > 3 else None)


def scale_hidden_(model: MLP, scale: float, *, first: bool) -> MLP:
    """Multiply weights and biases of the hidden layers by s, in place.

    `scale` is s.
    """
    with torch.no_grad():
        for layer in model.layers[0 if first else 1 :]:
            assert isinstance(layer, nn.Linear)
            for parameter in layer.parameters():
                # Weights and biases alike, so that the whole default law is stretched.
                parameter.mul_(scale)
    return model


def initial_layers_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Draw networks, and count the ε-rank of every hidden layer.

    `settings`: ``inputs`` (see `inputs_of`), ``activation``, ``width``, ``depth``; ``first``:
    ``"default"``, or ``"structured"`` for a first layer by I3; ``scale``: the factor s on the
    default law (uniform on ±1/√fan_in) of all hidden layers, of those behind a structured one;
    ``eps``: thresholds; ``seed``, ``count``: the seeds are seed, …, seed + count − 1.
    """
    if set(settings) != set(_SETTINGS):
        wrong = sorted(set(settings) ^ set(_SETTINGS))
        raise InputError("settings", f"lack or do not know {wrong}", f"use {', '.join(_SETTINGS)}")
    first, scale = settings["first"], settings["scale"]
    if first not in {"default", "structured"}:
        raise InputError("first", f"is {first!r}", "choose default or structured")
    # Python counts True as a number.
    if isinstance(scale, bool) or not isinstance(scale, (int, float)) or not 0 < scale < 1e6:
        raise InputError("scale", f"is {scale!r}", "pass a positive number")
    inputs, activation = inputs_of(settings["inputs"]), settings["activation"]
    width, depth = as_whole(settings["width"], "width"), as_whole(settings["depth"], "depth")
    eps = [as_eps(value) for value in settings["eps"]]
    place = _place(settings["inputs"], inputs, activation, width) if first != "default" else None
    x = torch.as_tensor(inputs.points)
    ends: dict[str, dict[str, list[list[int]]]] = {"lower": {}, "upper": {}}
    for number in range(as_whole(settings["count"], "count")):
        seed = as_whole(settings["seed"], "seed", least=0) + number
        model = initial_network(inputs, activation, width, depth, place=place, seed=seed)
        scale_hidden_(model, float(scale), first=place is None)
        found = [
            epsilon_ranks(layer.numpy(), eps, measure=inputs.measure) for layer in capture(model, x)
        ]
        for index, value in enumerate(eps):
            for end, table in ends.items():
                row = [int(getattr(ranks[index], end)) for ranks in found]
                table.setdefault(str(value), []).append(row)
    return {
        "task": inputs.text,
        "n_inputs": inputs.dimension,
        "n_features": width,
        "n_layers": depth,
        "measure": inputs.measure.name,
        "rank_lower": ends["lower"],
        "rank_upper": ends["upper"],
    }


def _place(name: str, inputs: InputMeasure, activation: str, width: int) -> Placement:
    """Return where the structured first layer goes: over the box, or over the data."""
    if name.startswith(_BOX):
        return placement(activation, width, domain=[(-1.0, 1.0)] * inputs.dimension)
    return placement(activation, width, data=inputs.points)
