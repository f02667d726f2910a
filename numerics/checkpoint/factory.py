"""A network from code that the user names: ``package.module:factory``."""

from __future__ import annotations

from typing import Any

from torch import nn

from epsrank.numerics.named import find, is_name, user_code
from epsrank.theory.errors import InputError


def make_model(spec: str, *, name: str = "--model") -> nn.Module:
    """Import a module and make the network that it describes.

    `spec` is ``package.module:factory``, where the factory is a function or class that can be
    called without arguments, or a network that exists already. The module is looked for in the
    working directory first.
    """
    if not is_name(spec):
        raise InputError(name, f"is {spec!r}", "write it as package.module:factory")
    found: Any = find(spec, argument=name, remedy="name a function, a class or a network in it")
    if isinstance(found, nn.Module):
        return found
    if not callable(found):
        raise InputError(
            name, f"{spec} is a {type(found).__name__}", "name something that can be called"
        )
    with user_code(name, f"{spec}() failed", "make it callable without arguments"):
        made = found()
    if not isinstance(made, nn.Module):
        raise InputError(
            name, f"{spec}() returned a {type(made).__name__}", "return a torch.nn.Module"
        )
    return made
