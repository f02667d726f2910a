"""A network from code that the user names: ``package.module:factory``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from epsrank.numerics.named import call_named, find, is_name, required
from epsrank.theory.errors import InputError


def find_model(spec: str, *, name: str = "--model") -> Any:
    """Import a module, from the working directory first, and return a network or its factory."""
    if not is_name(spec):
        raise InputError(name, f"is {spec!r}", "write it as package.module:factory")
    found: Any = find(spec, argument=name, remedy="name a function, a class or a network in it")
    if not isinstance(found, nn.Module) and not callable(found):
        raise InputError(
            name, f"{spec} is a {type(found).__name__}", "name something that can be called"
        )
    return found


def make_model(
    spec: str, *, name: str = "--model", sizes: Mapping[str, int] | None = None, seed: int = 0
) -> nn.Module:
    """Import a module and make the network that it describes.

    `spec` is ``package.module:factory``, where the factory is a function or class that is given
    those of `sizes` and ``seed`` that it names, or a network that exists already. What it draws, it
    draws by the seed. The module is looked for in the working directory first.
    """
    found = find_model(spec, name=name)
    if isinstance(found, nn.Module):
        return found
    offered = {**(sizes or {}), "seed": seed}
    missing = sorted(required(found) - offered.keys())
    if missing:
        known = " and ".join(sizes or {}) or "nothing but a seed"
        raise InputError(
            name, f"{spec} wants {', '.join(missing)}, and {known} can be told from the data",
            "give the others defaults",
        )  # fmt: skip
    made = call_named(spec, found, offered, argument=name, seed=seed)
    if not isinstance(made, nn.Module):
        raise InputError(
            name, f"{spec}() returned a {type(made).__name__}", "return a torch.nn.Module"
        )
    return made
