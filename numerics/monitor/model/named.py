"""Layers that the caller names: by pattern, by module, or by a mapping."""

from __future__ import annotations

import difflib
import fnmatch
from collections.abc import Iterable, Mapping
from typing import Any

from torch import nn

from epsrank.numerics.monitor.model.kinds import kind_of, neurons_axis
from epsrank.numerics.monitor.model.structure import Found
from epsrank.numerics.monitor.model.trace import Call
from epsrank.theory.errors import InputError


def nearest(name: str, names: Iterable[str]) -> str:
    """Return a remedy with the names that are closest."""
    known = [known for known in names if known]
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"did you mean {' or '.join(repr(match) for match in close)}?"
    return f"choose among {', '.join(known[:8])}{' …' if len(known) > 8 else ''}"


def named_layers(
    names: Mapping[str, nn.Module], layers: Any, calls: Iterable[Call]
) -> tuple[list[Found], dict[str, str]]:
    """Return the layers that the caller names, and why the others are not measured."""
    if isinstance(layers, Mapping):
        wanted = [(str(name), module) for name, module in layers.items()]
    else:
        given = [layers] if isinstance(layers, (str, nn.Module)) else layers
        if not isinstance(given, Iterable):
            raise InputError("layers", f"is {given!r}", "pass 'auto', names, modules, or a mapping")
        wanted = []
        for item in given:
            wanted += _matches(names, item)
    axes = _axes(names)
    axes |= {id(call.callee): call.axis for call in calls}
    chosen: dict[int, Found] = {}
    for name, module in wanted:
        if not isinstance(module, nn.Module) or id(module) not in axes:
            raise InputError(
                "layers", f"has {name!r}, which is outside the model", "pass modules of the model"
            )
        chosen.setdefault(id(module), Found(name, module, "output", axes[id(module)]))
    skipped = {
        name: "not among the layers asked for"
        for name, module in names.items()
        if next(module.children(), None) is None and id(module) not in chosen
    }
    return list(chosen.values()), skipped


def _matches(names: Mapping[str, nn.Module], item: Any) -> list[tuple[str, nn.Module]]:
    if isinstance(item, str):
        found = [(name, names[name]) for name in names if name and fnmatch.fnmatchcase(name, item)]
        if not found:
            raise InputError("layers", f"{item!r} matches no module", nearest(item, names))
        return found
    name = next((name for name, module in names.items() if module is item), None)
    return [(type(item).__name__ if name is None else name or "model", item)]


def _axes(names: Mapping[str, nn.Module]) -> dict[int, int]:
    """Return the neurons' axis of every module, in order of registration."""
    axes: dict[int, int] = {}
    current = -1
    for module in names.values():
        own = neurons_axis(module)
        current = own if own is not None else current
        axes[id(module)] = current
    for module in reversed(list(names.values())):
        # A container's output has the layout of the last thing in it.
        inside = [axes[id(child)] for child in module.modules() if neurons_axis(child) is not None]
        if inside and kind_of(module) == "other":
            axes[id(module)] = inside[-1]
    return axes
