"""What a module is, as far as its outputs can be features: weights, activation, norm, block."""

from __future__ import annotations

import re
from typing import Literal

from torch import nn
from torch.nn.modules import activation
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd
from torch.nn.modules.dropout import _DropoutNd
from torch.nn.modules.instancenorm import _InstanceNorm

Kind = Literal[
    "weights",
    "activation",
    "normalisation",
    "recurrent",
    "attention",
    "lookup",
    "probabilities",
    "loss",
    "other",
]

_PROBABILITIES = (nn.Softmax, nn.Softmin, nn.Softmax2d, nn.LogSoftmax)
_ACTIVATIONS = tuple(
    getattr(activation, name)
    for name in activation.__all__
    if name != "MultiheadAttention" and getattr(activation, name) not in _PROBABILITIES
)
_NORMS = (_BatchNorm, _InstanceNorm, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm, nn.LocalResponseNorm)
_LOOKUPS = (nn.Embedding, nn.EmbeddingBag)
_RECURRENT = (nn.RNNBase, nn.RNNCellBase)

# Activations that people and libraries write themselves, by the name of their class.
_ACTIVATION_NAME = re.compile(
    r"(activation|relu|elu|gelu|swish|silu|mish|sigmoid|tanh|siren|^sine?$|^cos(ine)?$|gaussian"
    r"|snake|softplus|^act$)",
    re.IGNORECASE,
)

#: Kinds whose output is features.
MEASURED: tuple[Kind, ...] = ("activation", "recurrent")

#: Kinds that have weights, so that what they give is no function of the layer before alone.
WEIGHTED: tuple[Kind, ...] = ("weights", "attention", "recurrent", "lookup")

#: Kinds with modules and functions inside that are no layers and no heads of the model's.
CLOSED: tuple[Kind, ...] = ("attention", "recurrent")

# Every kind that is not measured has its reason.
_WHY_NOT: dict[Kind, str] = {
    "weights": "before the activation",
    "normalisation": "normalisation, before or between activations",
    "attention": "attention output is linear in the values; the block around it is measured",
    "lookup": "a lookup table, no activation",
    "probabilities": "probabilities, not features",
    "loss": "a loss, no neurons",
    "other": "no activation",
}


def kind_of(module: nn.Module) -> Kind:
    """Say what a module is, from its class alone."""
    if isinstance(module, _ACTIVATIONS):
        return "activation"
    if isinstance(module, (nn.Linear, nn.Bilinear, _ConvNd)):
        return "weights"
    if isinstance(module, _NORMS):
        return "normalisation"
    if isinstance(module, _RECURRENT):
        return "recurrent"
    if isinstance(module, nn.MultiheadAttention):
        return "attention"
    if isinstance(module, _LOOKUPS):
        return "lookup"
    if isinstance(module, _PROBABILITIES):
        return "probabilities"
    if isinstance(module, nn.modules.loss._Loss):
        return "loss"
    childless = next(module.children(), None) is None
    foreign = not type(module).__module__.startswith("torch.nn.")
    # With a matrix of its own it is a layer, whatever it is called.
    matrices = any(parameter.ndim > 1 for parameter in module.parameters(recurse=False))
    if childless and foreign and not matrices and _ACTIVATION_NAME.search(type(module).__name__):
        return "activation"
    return "other"


def why_not(module: nn.Module) -> str:
    """Say why a module that is no activation is not measured."""
    if isinstance(module, _DropoutNd):
        return "dropout, noise on the layer before it"
    if isinstance(module, nn.Identity):
        return "identity, the layer before it again"
    return _WHY_NOT[kind_of(module)]


def neurons_axis(module: nn.Module) -> int | None:
    """Return the axis on which a module's output has its neurons, counted from the end.

    It is −1 for dense, recurrent and attention layers, −1 − d for convolutions in d dimensions, and
    None for a module that does not say, such as an activation: it keeps the axis before it.
    """
    if isinstance(module, _ConvNd):
        return -1 - len(module.kernel_size)
    for dimension, norms in ((2, (nn.BatchNorm2d, nn.InstanceNorm2d)), (3, (nn.BatchNorm3d,))):
        if isinstance(module, norms):
            return -1 - dimension
    last = (nn.Linear, nn.Bilinear, nn.LayerNorm, nn.RMSNorm, nn.MultiheadAttention)
    return -1 if isinstance(module, last + _RECURRENT + _LOOKUPS) else None


def is_block(module: nn.Module) -> bool:
    """Whether a module, met several times in a row, is a block of a deep network."""
    plain = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    if isinstance(module, plain) or kind_of(module) != "other":
        return False
    has_children = next(module.children(), None) is not None
    return has_children and any(parameter.ndim > 1 for parameter in module.parameters())
