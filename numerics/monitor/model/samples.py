"""Which rows of a layer are samples, and how much each counts: masks and weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from epsrank.numerics.monitor.model.features import sample_shape
from epsrank.numerics.monitor.model.passes import Arguments, Weighted, as_arguments
from epsrank.theory.errors import InputError

#: What the weights of a batch are computed from: what the model is called on.
Weigh = Callable[[Arguments], Tensor | None]

_REMEDY = (
    "pass one entry per sample, or per token as (samples, tokens), in the order of the inputs; or "
    "leave the layer out: layers=[…]"
)


@dataclass(frozen=True, eq=False)
class WeightedBatches:
    """Batches with the weights of their samples."""

    #: The batches.
    inputs: Sequence[Any]
    #: One tensor for each.
    weights: Sequence[Tensor]

    def __iter__(self) -> Iterator[Arguments]:
        for batch, weights in zip(self.inputs, self.weights, strict=True):
            own = as_arguments(batch)
            yield Arguments(own.args, own.kwargs, weights)


def without_weights(inputs: Any) -> Any:
    """Return the inputs alone."""
    return inputs.inputs if isinstance(inputs, (Weighted, WeightedBatches)) else inputs


def combined(mask: Tensor | None, weights: Tensor | None) -> Tensor | None:
    """Return w_i where the mask is true, and 0 elsewhere."""
    for name, own in (("mask", mask), ("weights", weights)):
        if own is None:
            continue
        if own.ndim == 0:
            raise InputError(name, "is one number", "pass one entry per sample")
        if own.is_complex():
            raise InputError(name, "has complex numbers", "pass real numbers ≥ 0")
        if own.is_floating_point() and not bool((torch.isfinite(own) & (own >= 0)).all()):
            raise InputError(name, "has negative, NaN or infinite entries", "pass numbers ≥ 0")
    if mask is None:
        return None if weights is None else weights.detach().double()
    kept = mask.detach() != 0
    if weights is None:
        return kept
    both = kept.shape[: min(kept.ndim, weights.ndim)]
    if weights.shape[: len(both)] != both:
        shapes = f"has shape {tuple(mask.shape)}, and weights {tuple(weights.shape)}"
        raise InputError("mask", shapes, "pass both for the same samples")
    one, other = _same_axes(kept, weights.detach().double())
    return one * other


def _same_axes(*tensors: Tensor) -> list[Tensor]:
    most = max(tensor.ndim for tensor in tensors)
    return [tensor.reshape(tensor.shape + (1,) * (most - tensor.ndim)) for tensor in tensors]


def of_batch(mask: Any, weights: Any) -> Weigh | None:
    """Return what gives the weights of a batch from callables; None without any."""
    if mask is None and weights is None:
        return None

    def weigh(arguments: Arguments) -> Tensor | None:
        batch = _as_given(arguments)
        return combined(_called("mask", mask, batch), _called("weights", weights, batch))

    return weigh


def _as_given(arguments: Arguments) -> Any:
    """Return a batch as its maker knows it: a tensor, a tuple, or a mapping."""
    if arguments.kwargs and not arguments.args:
        return arguments.kwargs
    if len(arguments.args) == 1 and not arguments.kwargs:
        return arguments.args[0]
    return arguments.args


def _called(name: str, function: Any, batch: Any) -> Tensor | None:
    if function is None:
        return None
    try:
        return torch.as_tensor(function(batch))
    except Exception as error:
        problem = f"fails on a batch ({type(error).__name__}: {error})"
        raise InputError(name, problem, "pass a function of what the model is called on") from error


def spread(weights: Tensor | None, features: Tensor, axis: int, what: str) -> Tensor | None:
    """Return the weight of every row of a layer's features; None where all count alike."""
    if weights is None:
        return None
    return row_weights(weights, sample_shape(features, axis), what).to(features.device)


def row_weights(weights: Tensor, samples: Sequence[int], what: str) -> Tensor:
    """Return the weight of every row, in order, for values whose axes of samples are given.

    One weight per sample counts for all its positions. Where positions were pooled away, a sample
    counts as its heaviest one.
    """
    shape, own = tuple(samples), tuple(weights.shape)
    if own == shape[: len(own)]:
        spread = weights.reshape(own + (1,) * (len(shape) - len(own)))
        return spread.expand(shape).reshape(-1)
    if shape == own[: len(shape)]:
        return weights.reshape(*shape, -1).amax(-1).reshape(-1)
    if len(shape) == 1 and shape[0] == weights.numel():
        return weights.reshape(-1)
    raise InputError("mask", f"has shape {own}, and {what} has samples {shape}", _REMEDY)
