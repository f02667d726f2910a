"""Inputs cut into batches that fit, and passes that leave the model and random numbers alone."""

from __future__ import annotations

import random
import warnings
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import register_pytree_node, tree_leaves, tree_map

from epsrank.numerics.monitor.model.calls import calls_beside_training
from epsrank.numerics.monitor.model.state import State
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError

# Samples of the pass that only looks at the structure: some, since a model may choose its way by
# what they are, or by how many.
_LOOK = 16


@dataclass(frozen=True, eq=False)
class Arguments:
    """Positional and named arguments of one call of a model."""

    #: Positional.
    args: tuple[Any, ...]
    #: Named.
    kwargs: dict[str, Any]
    #: How much every sample counts; None for all alike.
    weights: Tensor | None = None


@dataclass(frozen=True, eq=False)
class Weighted:
    """The inputs of one call with the weights of their samples, cut into batches together."""

    #: A tensor, a tuple or a mapping.
    inputs: Any
    #: Of shape (N,), or (N, …) for the positions of each.
    weights: Tensor


register_pytree_node(
    Weighted,
    lambda whole: ([whole.inputs, whole.weights], None),
    lambda parts, _: Weighted(*parts),
)


def batches(probe: Any, batch_size: int) -> Iterator[Arguments]:
    """Yield the arguments of the forward passes over a probe set."""
    batch_size = as_whole(batch_size, "batch_size")
    if not is_one_call(probe):
        if not isinstance(probe, Iterable) or isinstance(probe, (str, bytes)):
            kind = type(probe).__name__
            raise InputError("probe", f"is {kind}", "pass a tensor, a tuple, a dict or a loader")
        if isinstance(probe, Iterator):
            raise InputError("probe", "can be read only once", "pass a list or a loader")
        for batch in probe:
            yield as_arguments(batch)
        return
    lengths = {len(leaf) for leaf in tree_leaves(probe) if isinstance(leaf, Tensor) and leaf.ndim}
    if len(lengths) != 1:
        problem = f"has tensors of lengths {sorted(lengths)}" if lengths else "has no tensor"
        raise InputError(
            "probe", problem, "pass tensors with one row per sample, or a list of batches"
        )
    for start in range(0, lengths.pop(), batch_size):
        yield as_arguments(take_rows(probe, slice(start, start + batch_size)))


def take_rows(tree: Any, rows: Any) -> Any:
    """Return some rows, a slice, places or a mask, of every tensor of a tree that has rows."""

    def cut(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor) or not leaf.ndim:
            return leaf
        return leaf[rows.to(leaf.device) if isinstance(rows, Tensor) else rows]

    return tree_map(cut, tree)


def as_arguments(batch: Any) -> Arguments:
    """Return a batch as the arguments of one call."""
    if isinstance(batch, Arguments):
        return batch
    if isinstance(batch, Weighted):
        own = as_arguments(batch.inputs)
        return Arguments(own.args, own.kwargs, batch.weights)
    if isinstance(batch, Mapping):
        return Arguments((), dict(batch))
    return Arguments(tuple(batch) if isinstance(batch, (tuple, list)) else (batch,), {})


def first_batch(probe: Any) -> Arguments:
    """Return the arguments of one small forward pass."""
    for arguments in batches(probe, _LOOK):
        return arguments
    raise InputError("probe", "is empty", "pass at least one sample")


def is_one_call(inputs: Any) -> bool:
    """Whether inputs are the arguments of one call, and not a list of batches."""
    return isinstance(inputs, (Tensor, tuple, Mapping, Weighted))


def call(model: nn.Module, batch: Any) -> Any:
    """Call a model on a tensor, a tuple of arguments, or a mapping of named ones."""
    arguments = as_arguments(batch)
    return model(*arguments.args, **arguments.kwargs)


def copied(model: nn.Module, batch: Any) -> Any:
    """Copy the tensors of a nest to the device of a model: whoever gets them may overwrite them."""
    tensor = next(iter([*model.parameters(), *model.buffers()]), None)

    def copy(leaf: Any) -> Any:
        if not isinstance(leaf, Tensor):
            return leaf
        place = leaf.device if tensor is None else tensor.device
        return leaf.detach().to(place, copy=True)

    return tree_map(copy, dict(batch) if isinstance(batch, Mapping) else batch)


def run(
    model: nn.Module, arguments: Arguments, *, gradients: bool = False, by_inputs: bool = False
) -> Any:
    """Call a model on copies of arguments, which it may differentiate by where it does so."""
    given = arguments.args, arguments.kwargs
    args, kwargs = copied(model, given[0]), copied(model, given[1])
    if gradients:
        for leaf, own in zip(tree_leaves(given), tree_leaves((args, kwargs)), strict=True):
            if isinstance(own, Tensor) and own.is_floating_point():
                own.requires_grad_(by_inputs or leaf.requires_grad)
    return model(*args, **kwargs)


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Restore modes, buffers, Python attributes and random number generators at the end."""
    state = State(model)
    devices = sorted({leaf.device for leaf in model.parameters() if leaf.is_cuda}, key=str)
    python, legacy = random.getstate(), np.random.get_state()
    fast = torch.backends.mha.get_fastpath_enabled()
    caching = torch.is_autocast_cache_enabled()
    with torch.random.fork_rng(devices=devices), warnings.catch_warnings():
        # What the model warns about belongs to the user's own passes.
        warnings.simplefilter("ignore")
        # The fused Transformer path calls no submodule that could be looked at.
        torch.backends.mha.set_fastpath_enabled(False)
        # Weights that autocast converts without gradients must not serve the next training step.
        torch.set_autocast_cache_enabled(False)
        try:
            with calls_beside_training():
                yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            torch.set_autocast_cache_enabled(caching)
            random.setstate(python)
            np.random.set_state(legacy)
            state.put_back()


#: Rows per sample and neurons of a layer.
Shape = tuple[float, int]

#: Most and fewest samples of one pass whose size was not asked for.
MOST, LEAST = 1024, 16

# Bytes of the widest layer's features in one pass. On a CPU 4 MiB stay in the caches, and memory is
# used again and not asked for anew: convolutions on 1024 images at once take three times as long
# as on 64. A GPU wants large batches.
_CPU_BYTES = 2**22
_GPU_BYTES = 2**28

_FLOAT = 4  # bytes in float32


def pass_size(shapes: Iterable[Shape], *, on_cpu: bool) -> int:
    """Return the samples b of one forward pass:  b · max_l (rows_l · n_l) · 4 bytes ≤ 4 MiB."""
    widest = max((rows * n for rows, n in shapes), default=0.0)
    room = _CPU_BYTES if on_cpu else _GPU_BYTES
    size = MOST
    while size > LEAST and size * widest * _FLOAT > room:
        size //= 2
    return size
