"""Initialisations of a network by name, drawn from one generator."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from epsrank.numerics.networks.base import FeatureNetwork
from epsrank.theory.errors import InputError

INITIALISATIONS: dict[str, str] = {
    "default": "weights and biases uniform on ±1/√fan_in, as torch does",
    "xavier": "weights uniform on ±s·√(6/(fan_in + fan_out)), biases 0",
    "he": "weights normal with variance 2s²/fan_in, biases 0",
    "orthogonal": "weights s times a random matrix with orthonormal rows or columns, biases 0",
    "uniform": "hidden weights and biases uniform on ±s, head as by default",
    "normal": "all weights and biases normal with deviation s (1/√fan_in where s is not given)",
    "structured": "default, then the structured first layer (I3) with slopes times s",
    "transnet": "default, then TransNet's first layer, its slope tuned on random fields, times s",
}

#: Those that place the first layer over the inputs.
PLACED = ("structured", "transnet")

_Draws = tuple[Tensor, Tensor]


def _uniform(shape: tuple[int, ...], bound: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape, dtype=torch.float64).uniform_(-bound, bound, generator=generator)


def _normal(shape: tuple[int, ...], deviation: float, generator: torch.Generator) -> Tensor:
    return torch.empty(shape, dtype=torch.float64).normal_(0.0, deviation, generator=generator)


def _draw(
    layer: nn.Linear | nn.Conv2d, init: str, scale: float | None, generator: torch.Generator
) -> _Draws:
    """Draw weight and bias of one layer in float64."""
    shape = tuple(layer.weight.shape)
    receptive = math.prod(shape[2:])
    # Each entry of a kernel is an input of its own, and counts as an output, too.
    fan_in, fan_out = shape[1] * receptive, shape[0] * receptive
    s = 1.0 if scale is None else scale
    zero = torch.zeros(shape[0], dtype=torch.float64)
    if init == "xavier":
        return _uniform(shape, s * math.sqrt(6 / (fan_in + fan_out)), generator), zero
    if init == "he":
        return _normal(shape, s * math.sqrt(2 / fan_in), generator), zero
    if init == "orthogonal":
        weight = torch.empty(shape, dtype=torch.float64)
        return nn.init.orthogonal_(weight, gain=s, generator=generator), zero
    if init == "uniform":
        return _uniform(shape, s, generator), _uniform(shape[:1], s, generator)
    if init == "normal":
        deviation = 1 / math.sqrt(fan_in) if scale is None else scale
        return _normal(shape, deviation, generator), _normal(shape[:1], deviation, generator)
    # What PyTorch writes as kaiming_uniform_ with a = √5: √(6/((1 + 5)·fan_in)).
    bound = 1 / math.sqrt(fan_in)
    return _uniform(shape, bound, generator), _uniform(shape[:1], bound, generator)


def initialise_(
    model: FeatureNetwork, init: str, *, scale: float | None = None, generator: torch.Generator
) -> FeatureNetwork:
    """Set all weights and biases of a network, in place.

    Numbers are drawn in float64 on the CPU and rounded to the parameters' dtype, so that runs in
    float32 and float64, on any device, begin at the same weights; the global generator is not
    touched. ``structured`` and ``transnet`` set the default here, and the first layer by
    `first_layer.structured.structured_first_layer_` or `first_layer.transnet.transnet_first_layer_`
    afterwards.
    """
    check_initialisation(init, scale)
    with torch.no_grad():
        # In the order of registration, which is thus a part of what a seed means.
        for layer in model.modules():
            if not isinstance(layer, (nn.Linear, nn.Conv2d)):
                continue
            keep_default = init == "uniform" and layer is model.head
            name = "default" if keep_default or init in PLACED else init
            weight, bias = _draw(layer, name, scale, generator)
            layer.weight.copy_(weight)
            if layer.bias is not None:
                layer.bias.copy_(bias)
        model.set_others_(generator)
    return model


def check_initialisation(init: str, scale: float | None) -> None:
    """Check the name and the factor of an initialisation."""
    if not isinstance(init, str) or init not in INITIALISATIONS:
        known = ", ".join(INITIALISATIONS)
        raise InputError("init", f"is {init!r}", f"choose one of {known}")
    if scale is None:
        return
    if init == "default":
        raise InputError(
            "init_scale", f"is {scale!r} but init is 'default'", "choose init 'uniform' or 'normal'"
        )
    if isinstance(scale, bool) or not isinstance(scale, (int, float)):
        raise InputError("init_scale", f"is {scale!r}", "pass a positive number")
    if not (math.isfinite(scale) and scale > 0):
        raise InputError("init_scale", f"is {scale!r}", "pass a positive number")
