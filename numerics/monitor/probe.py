"""A pass over a fixed probe set that leaves the model and the random numbers as they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves, tree_map

from numerics.monitor.capture import Capture, Consume
from numerics.monitor.layers import LayerPlan
from numerics.monitor.wrappers import eagerly
from theory.errors import InputError


def probe_pass(
    plan: LayerPlan,
    probe: Any,
    consume: Consume,
    *,
    batch_size: int = 1024,
) -> Capture:
    """Run a probe set through the model and hand on the features of every planned layer.

    Evaluation mode, no gradients, eager code. Modes, random number generators and buffers are as
    before afterwards, whatever the model does, and also after an exception.

    Parameters
    ----------
    plan : LayerPlan
        From `find_layers`.
    probe : Tensor, tuple, dict, or iterable of them
        A tensor is the one argument of the model, a tuple its positional and a dict its named
        arguments; their first axis is cut into batches. Any other iterable gives batches as they
        are. They are moved to the device of the model.
    consume : callable
        ``consume(name, features)``, see `Capture`; rows are in the order of the probe.
    batch_size : int
        Samples per forward pass.

    Returns
    -------
    Capture
        Stopped; its `calls` and `problems` say what was seen.

    Raises
    ------
    InputError
        If the probe has no samples, or its parts differ in length.
    """
    capture = Capture(plan, consume, everything=True)
    place = _device(plan.model)
    ran = False
    with untouched(plan.model), eagerly(plan.wrapper), torch.no_grad(), capture:
        plan.model.eval()
        for args, kwargs in batches(probe, batch_size):
            moved, named = tree_map(
                lambda leaf: leaf.to(place) if place and isinstance(leaf, Tensor) else leaf,
                (args, kwargs),
            )
            plan.model(*moved, **named)
            ran = True
    if not ran:
        raise InputError("probe", "is empty", "pass at least one sample")
    return capture


def batches(probe: Any, batch_size: int) -> Iterator[tuple[tuple[Any, ...], dict[str, Any]]]:
    """Yield positional and named arguments of the forward passes over a probe set.

    Parameters
    ----------
    probe : Tensor, tuple, dict, or iterable of them
        See `probe_pass`.
    batch_size : int
        Samples per pass.

    Yields
    ------
    tuple of (tuple, dict)
        Arguments.

    Raises
    ------
    InputError
        If the probe is of another type, or its tensors differ in length.
    """
    if isinstance(batch_size, bool) or not isinstance(batch_size, int) or batch_size < 1:
        raise InputError("batch_size", f"is {batch_size!r}", "pass a whole number ≥ 1")
    if not isinstance(probe, (Tensor, tuple, Mapping)):
        if not isinstance(probe, Iterable):
            kind = type(probe).__name__
            raise InputError("probe", f"is {kind}", "pass a tensor, a tuple, a dict or a loader")
        for batch in probe:
            yield _arguments(batch)
        return
    lengths = {len(leaf) for leaf in tree_leaves(probe) if isinstance(leaf, Tensor) and leaf.ndim}
    if len(lengths) != 1:
        problem = f"has tensors of lengths {sorted(lengths)}" if lengths else "has no tensor"
        raise InputError("probe", problem, "pass tensors with one row per sample")
    for start in range(0, lengths.pop(), batch_size):
        rows = slice(start, start + batch_size)
        yield _arguments(
            tree_map(
                lambda leaf, rows=rows: (
                    leaf[rows] if isinstance(leaf, Tensor) and leaf.ndim else leaf
                ),
                probe,
            )
        )


def _arguments(batch: Any) -> tuple[tuple[Any, ...], dict[str, Any]]:
    if isinstance(batch, Mapping):
        return (), dict(batch)
    return (tuple(batch) if isinstance(batch, (tuple, list)) else (batch,)), {}


def _device(model: nn.Module) -> torch.device | None:
    tensor = next(iter([*model.parameters(), *model.buffers()]), None)
    return None if tensor is None else tensor.device


@contextmanager
def untouched(model: nn.Module) -> Iterator[None]:
    """Restore modes, buffers and random number generators at the end.

    Parameters
    ----------
    model : nn.Module
        The model.

    Yields
    ------
    None
        Inside, everything may be changed but weights.
    """
    modes = [(module, module.training) for module in model.modules()]
    buffers = [(buffer, buffer.detach().clone()) for buffer in model.buffers()]
    fast = torch.backends.mha.get_fastpath_enabled()
    devices = {leaf.device for leaf in model.parameters() if leaf.is_cuda}
    with ExitStack() as stack:
        stack.enter_context(torch.random.fork_rng(devices=sorted(devices, key=str)))
        # The fused Transformer path calls no submodule; and hooks would turn it off anyway.
        torch.backends.mha.set_fastpath_enabled(False)
        try:
            yield
        finally:
            torch.backends.mha.set_fastpath_enabled(fast)
            for module, training in modes:
                module.training = training
            with torch.no_grad():
                for buffer, before in buffers:
                    buffer.copy_(before)
