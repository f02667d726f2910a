"""What stands around a model: torch.compile, data parallelism, sharding, checkpointing."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from epsrank.numerics.monitor.model.calls import has_compiled_call

# Class name of a wrapper, and the attribute that holds what it wraps. By name, so that none of
# torch.distributed needs to be imported (or to exist) for a look at a model.
_INNER = {
    "OptimizedModule": "_orig_mod",
    "DataParallel": "module",
    "DistributedDataParallel": "module",
    "FullyShardedDataParallel": "_fsdp_wrapped_module",
    "CheckpointWrapper": "_checkpoint_wrapped_module",
    "OffloadWrapper": "_checkpoint_wrapped_module",
    "DeepSpeedEngine": "module",
    "_FabricModule": "_forward_module",
}

_SHARDED = frozenset({"FullyShardedDataParallel", "FSDPModule", "DeepSpeedEngine"})

# Parts of a dotted name that wrappers inside a model add. A user's own ``module`` stays.
_ADDED = frozenset({"_orig_mod", "_fsdp_wrapped_module", "_checkpoint_wrapped_module"})


def inner(module: nn.Module) -> nn.Module | None:
    """Return what a wrapper wraps, and None for a module that is no wrapper."""
    # A class derived from a wrapper wraps in the same way.
    for ancestor in type(module).__mro__:
        attribute = _INNER.get(ancestor.__name__)
        wrapped = getattr(module, attribute, None) if attribute else None
        if isinstance(wrapped, nn.Module) and wrapped is not module:
            return wrapped
    return None


def unwrap(model: nn.Module) -> nn.Module:
    """Return the model inside all wrappers, such as ``compile(DDP(model))``."""
    while (wrapped := inner(model)) is not None:
        model = wrapped
    return model


def runnable(model: nn.Module) -> nn.Module:
    """Return what a pass beside training calls: without compilation and data parallelism.

    Sharding stays, since a sharded model can only run through its wrapper (in all processes).
    """
    while not is_sharded(model) and (wrapped := inner(model)) is not None:
        model = wrapped
    return model


def is_sharded(module: nn.Module) -> bool:
    """Whether the parameters of a module are spread over processes between two passes."""
    return any(kind.__name__ in _SHARDED for kind in type(module).__mro__)


def has_shards(model: nn.Module) -> bool:
    """Whether a part of a model is sharded."""
    return any(is_sharded(module) for module in model.modules())


def clean_name(name: str) -> str:
    """Return a dotted module name without the parts that wrappers inside the model add.

    >>> clean_name("blocks.0._checkpoint_wrapped_module.act")
    'blocks.0.act'
    """
    return ".".join(part for part in name.split(".") if part not in _ADDED)


def is_compiled(model: nn.Module) -> bool:
    """Whether the model, or a part of it, runs as compiled code, in which no hook can be put."""
    return any(has_compiled_call(module) for module in model.modules())


@contextmanager
def eagerly(model: nn.Module) -> Iterator[None]:
    """Run everything that was compiled as plain Python, for as long as the context lasts."""
    if not is_compiled(model):
        yield
        return
    with torch.compiler.set_stance("force_eager"):
        yield
