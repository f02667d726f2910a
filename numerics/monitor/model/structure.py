"""Layers found from the structure of a model alone: activation modules, blocks, and the head."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal

from torch import nn

from epsrank.numerics.monitor.model.kinds import (
    CLOSED,
    MEASURED,
    is_block,
    kind_of,
    neurons_axis,
    why_not,
)
from epsrank.numerics.monitor.model.spots import Spot
from epsrank.numerics.monitor.model.wrappers import clean_name

_HEAD_NAME = re.compile(
    r"^(head|heads|lm_head|classifier|fc|fc_out|output|output_layer|out|out_proj|score|logits"
    r"|decoder|readout|last|linear)$"
)

_BLOCK_NAME = re.compile(r"(Block|Bottleneck|Layer)$")

# A stage is a chain of blocks under one name: it is looked into, like a Sequential.
_STAGE_NAME = re.compile(r"(^|[a-z0-9_])Stage(?![a-z])|^stage")


@dataclass(frozen=True, eq=False)
class Found:
    """A place that can be measured."""

    #: Dotted name of the module.
    name: str
    #: The module.
    module: nn.Module
    #: Which side; ``call`` is a call that this module makes.
    at: Literal["output", "input", "call"] = "output"
    #: Negative axis of the neurons.
    axis: int = -1
    #: Whether this is what enters the head.
    last: bool = False
    #: The function or module that is called.
    callee: str | nn.Module | None = None
    #: Which of the calls of `module` count; empty for all.
    spots: tuple[Spot, ...] = ()
    #: Whether `module` is called once in a pass, as far as is known.
    once: bool = False

    def joined(self, other: Found) -> Found:
        """Return the calls of both."""
        spots = tuple(dict.fromkeys((*self.spots, *other.spots)))
        return replace(self, spots=spots, last=self.last and other.last)


def find_head(names: Mapping[str, nn.Module]) -> nn.Module | None:
    """Return the output layer: the last ``Linear`` outside the blocks, or one that is named so."""
    inside = hidden_parts(names)
    linear = {
        name: module
        for name, module in names.items()
        if isinstance(module, nn.Linear) and id(module) not in inside
    }
    # What an activation acts on is a hidden layer.
    linear = {name: module for name, module in linear.items() if not _activated(names, module)}
    # A head that was registered before the layers below it still carries its name.
    for name in sorted(linear, key=lambda name: name.count(".")):
        if _HEAD_NAME.match(name.split(".")[0]) and "." not in name:
            return linear[name]
    return list(linear.values())[-1] if linear else None


def _activated(names: Mapping[str, nn.Module], module: nn.Module) -> bool:
    chains = [list(chain) for chain in names.values() if isinstance(chain, nn.Sequential)]
    return any(
        first is module and kind_of(second) == "activation"
        for chain in chains
        for first, second in itertools.pairwise(chain)
    )


def blocks(names: Mapping[str, nn.Module]) -> dict[str, nn.Module]:
    """Return the outermost repeated blocks: residual blocks, Transformer layers."""
    containers = (nn.Sequential, nn.ModuleList, nn.ModuleDict)
    children = {
        f"{name}.{key}" if name else key: child
        for name, module in names.items()
        if isinstance(module, containers)
        for key, child in module.named_children()
        if is_block(child) and not _STAGE_NAME.search(type(child).__name__)
    }
    times = Counter(type(child) for child in children.values())
    found: dict[str, nn.Module] = {}
    for name, module in names.items():
        if any(name.startswith(f"{outer}.") for outer in found):
            continue
        known = isinstance(module, (nn.TransformerEncoderLayer, nn.TransformerDecoderLayer))
        repeated = name in children and times[type(module)] > 1
        named = name in children and _BLOCK_NAME.search(type(module).__name__)
        if known or repeated or named:
            found[name] = module
    return found


def hidden_parts(names: Mapping[str, nn.Module]) -> set[int]:
    """Return the ids of what lies in a block, in attention or in a recurrence: none is a head."""
    closed = [module for module in names.values() if kind_of(module) in CLOSED]
    return {id(part) for whole in (*blocks(names).values(), *closed) for part in whole.modules()}


def discover(model: nn.Module, head: nn.Module | None) -> tuple[list[Found], dict[str, str]]:
    """Find the layers in order of registration, and why other modules are not measured."""
    names = {clean_name(name): module for name, module in model.named_modules()}
    whole = blocks(names)
    found: list[Found] = []
    skipped: dict[str, str] = {}
    before = _before(model, head)
    axis, unseen = -1, ""
    for name, module in names.items():
        own = neurons_axis(module)
        axis = own if own is not None else axis
        around = next((block for block in whole if name.startswith(f"{block}.")), None)
        if name in whole:
            inside = [neurons_axis(part) for part in module.modules()]
            axis = next((given for given in inside if given is not None), axis)
            found.append(Found(name, module, "output", axis))
            unseen = ""
        elif around is not None:
            if next(module.children(), None) is None:
                skipped[name] = f"inside the block {around!r}, whose output is measured"
        elif kind_of(module) in MEASURED:
            found.append(Found(name, module, "output", axis, last=module is before))
            unseen = ""
        elif kind_of(module) == "weights" and module is not head:
            skipped[name] = why_not(module)
            chained = name.rpartition(".")[0] == unseen.rpartition(".")[0]
            parent = names.get(name.rpartition(".")[0])
            if unseen and not (chained and isinstance(parent, nn.Sequential)):
                # Nothing between two layers of weights: the activation is a function.
                found.append(Found(f"{name} (input)", module, "input", axis))
            unseen = name
        elif next(module.children(), None) is None and module is not head:
            skipped[name] = why_not(module)
    return found, skipped


def _before(model: nn.Module, head: nn.Module | None) -> nn.Module | None:
    """Return the module whose output enters the head as it is, where the structure says so."""
    for chain in model.modules():
        if not isinstance(chain, nn.Sequential):
            continue
        parts = list(chain)
        for first, second in itertools.pairwise(parts):
            # One that is registered twice acts elsewhere, too.
            alone = sum(part is first for part in model_parts(model)) == 1
            if second is head and alone and kind_of(first) == "activation":
                return first
    return None


def model_parts(model: nn.Module) -> list[nn.Module]:
    """Return all modules, one that is registered twice also twice."""
    return [module for _, module in model.named_modules(remove_duplicate=False)]
