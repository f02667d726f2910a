"""The samples of a quantity: those that count, and how much they do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from epsrank.numerics.monitor.model.passes import (
    Weighted,
    as_arguments,
    is_one_call,
    take_rows,
)
from epsrank.numerics.monitor.model.samples import (
    Weigh,
    WeightedBatches,
    row_weights,
    without_weights,
)
from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

Weights = Tensor | list[Tensor] | None


def counted(inputs: Any, targets: Any, weigh: Weigh | None) -> QuantityData:
    """Return samples with their weights; those that do not count go where each has one entry."""
    weights = _given(inputs, weigh)
    inputs = without_weights(inputs)
    if weights is None:
        return QuantityData(inputs, targets)
    several = isinstance(weights, list)
    pieces = [own.cpu() for own in _pieces(weights)]
    if any(own.ndim != 1 for own in pieces):
        return QuantityData(inputs, targets, weights)
    kept = [own > 0 for own in pieces]
    every = torch.cat(kept)
    if any(len(goal) != len(every) for goal in tree_leaves(targets) if isinstance(goal, Tensor)):
        return QuantityData(inputs, targets, weights)  # of tokens, in batches of other lengths
    if several:
        inputs = [take_rows(batch, own) for batch, own in zip(inputs, kept, strict=True)]
    else:
        inputs = take_rows(inputs, every)
    pieces = [own[rows] for own, rows in zip(pieces, kept, strict=True)]
    found = QuantityData(inputs, take_rows(targets, every), pieces if several else pieces[0])
    return replace(found, weights=None) if even(found) else found


def as_probe(data: QuantityData) -> Any:
    """Return samples as a pass takes them, with their weights."""
    if data.weights is None:
        return data.inputs
    if isinstance(data.weights, list):
        return WeightedBatches(data.inputs, data.weights)
    return Weighted(data.inputs, data.weights)


def even(data: QuantityData) -> bool:
    """Whether all samples that count do so alike."""
    if data.weights is None:
        return True
    counting = torch.cat([own[own > 0] for own in _pieces(data.weights)])
    return not counting.numel() or bool((counting == counting[0]).all())


def counted_targets(data: QuantityData) -> Tensor:
    """Return the targets of the samples that count."""
    assert isinstance(data.targets, Tensor)
    if data.weights is None:
        return data.targets
    pieces, goal = _pieces(data.weights), data.targets
    if len(pieces) == 1:
        kept = row_weights(pieces[0], goal.shape[: max(1, pieces[0].ndim)], "the targets") > 0
        return goal.flatten(0, max(0, pieces[0].ndim - 1))[kept.to(goal.device)]
    kept = torch.cat([own.reshape(-1) for own in pieces]) > 0
    if len(goal) != len(kept):
        problem = f"have {plural(len(goal), 'row')}, and the samples {len(kept)}"
        raise InputError("targets", problem, "pass one for every sample of every batch")
    return goal[kept.to(goal.device)]


def _pieces(weights: Tensor | list[Tensor]) -> list[Tensor]:
    """Return the weights of every batch; samples of one call are one."""
    return weights if isinstance(weights, list) else [weights]


def _given(inputs: Any, weigh: Weigh | None) -> Weights:
    if isinstance(inputs, Weighted):
        return inputs.weights
    if isinstance(inputs, WeightedBatches):
        return list(inputs.weights)
    if weigh is None:
        return None
    if is_one_call(inputs):
        return weigh(as_arguments(inputs))
    found = [weigh(as_arguments(batch)) for batch in inputs]
    return [own for own in found if own is not None]
