"""What callbacks share: bases found when the first object is made, and shares of a probe."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from importlib import import_module
from typing import Any

import torch.distributed as dist
from torch import Tensor, nn

from epsrank.theory.errors import InputError
from epsrank.theory.extras import remedy

# Each class is derived once, so that objects of one kind are of one class.
_MADE: dict[tuple[type[Any], tuple[type[Any], ...]], type[Any]] = {}


def find_bases(
    candidates: Iterable[tuple[str, str]], *, name: str, extra: str
) -> tuple[type[Any], ...]:
    """Return the bases in all candidates that are imported already, or in the first that can be."""
    pairs = list(candidates)
    used = [(module, cls) for module, cls in pairs if module in sys.modules]
    for module, cls in used or pairs:
        try:
            bases = [getattr(import_module(module), cls)]
        except ImportError:
            continue
        bases += [getattr(import_module(m), c) for m, c in used if m != module]
        return tuple(dict.fromkeys(bases))
    raise InputError(name, "is not installed", remedy(extra))


def derived(cls: type[Any], bases: tuple[type[Any], ...]) -> type[Any]:
    """Return a class that is also one of the given bases, under its own name."""
    if issubclass(cls, bases):
        return cls
    missing = tuple(base for base in bases if not issubclass(cls, base))
    if (cls, missing) not in _MADE:
        names = {"__module__": cls.__module__, "_plain": cls}
        _MADE[cls, missing] = type(cls.__name__, (cls, *missing), names)
    return _MADE[cls, missing]


def rebuilt(cls: type[Any], state: dict[str, Any]) -> Any:
    """Return an object as it was pickled: its class is derived anew."""
    made: Any = cls.__new__(cls)  # type: ignore[call-overload]
    made.__dict__.update(state)
    return made


def part_of(model: nn.Module, wanted: str | nn.Module | None, whole: str) -> nn.Module:
    """Return the module to watch."""
    if wanted is None:
        return model
    if isinstance(wanted, nn.Module):
        return wanted
    try:
        return model.get_submodule(wanted)
    except AttributeError:
        names = ", ".join(name for name, _ in model.named_children())
        raise InputError(
            "module", f"{wanted!r} is no part of {whole}", f"choose among {names}"
        ) from None


def world(size: int) -> Any:
    """Return the group of all processes, if there are several."""
    if size > 1 and dist.is_available() and dist.is_initialized():
        return dist.group.WORLD
    return None


def shared(settings: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the settings of this process's monitor, with its share of a probe in a group."""
    group = world(size)
    if group is None or "process_group" in settings:
        return dict(settings)
    own = {**settings, "process_group": group}
    rank, count = dist.get_rank(), dist.get_world_size()
    for name in ("probe", "targets"):
        if name in own:
            own[name] = _share(own[name], rank, count)
    return own


def _share(values: Any, rank: int, count: int) -> Any:
    """Return every count-th sample or batch; all where there are fewer than that."""
    if isinstance(values, Mapping):
        return {name: _share(value, rank, count) for name, value in values.items()}
    if isinstance(values, tuple):
        return tuple(_share(value, rank, count) for value in values)
    sized = isinstance(values, list) or (isinstance(values, Tensor) and values.ndim > 0)
    return values[rank::count] if sized and len(values) >= count else values
