"""The output layer of a forward pass, and the modules that have to be followed in the next ones."""

from __future__ import annotations

from collections.abc import Mapping

from torch import nn

from epsrank.numerics.monitor.kinds import kind_of
from epsrank.numerics.monitor.structure import blocks
from epsrank.numerics.monitor.trace import Call, Trace


def head_executed(names: Mapping[str, nn.Module], trace: Trace) -> nn.Module | None:
    """Return the ``Linear`` that was called last, unless weights or an activation came after it.

    Parameters
    ----------
    names : mapping of str to nn.Module
        All modules.
    trace : Trace
        One pass.

    Returns
    -------
    nn.Module or None
        The output layer.
    """
    inside = {id(part) for block in blocks(names).values() for part in block.modules()}
    for call in reversed(trace.calls):
        module = call.callee
        if isinstance(module, str):
            continue
        if id(module) in inside or kind_of(module) in ("attention", "recurrent"):
            return None
        if kind_of(module) == "weights":
            linear = isinstance(module, nn.Linear) and gives_the_output(trace, module)
            return module if linear else None
    return None


def gives_the_output(trace: Trace, head: nn.Module) -> bool:
    """Whether no activation acts on the head, so that u = φ·W + b is what the model gives.

    Parameters
    ----------
    trace : Trace
        One pass.
    head : nn.Module
        The output layer.

    Returns
    -------
    bool
        False for a network that ends in, say, a sigmoid.
    """
    return not any(
        trace.calls[source].callee is head
        for call in trace.calls
        if call.callee not in ("add", "dropout")
        and (isinstance(call.callee, str) or kind_of(call.callee) == "activation")
        for source in call.sources
    )


def callers(calls: list[Call]) -> tuple[nn.Module, ...]:
    """Return the modules that call activation functions, or activation modules in many places.

    Parameters
    ----------
    calls : list of Call
        From one pass.

    Returns
    -------
    tuple of nn.Module
        The modules that have to be followed for a call to be recognised.
    """
    owners = {
        id(call.owner): call.owner
        for call in calls
        if isinstance(call.callee, str) or kind_of(call.callee) in ("activation", "other")
    }
    return tuple(owners.values())
