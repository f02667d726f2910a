"""A network from code that the user names: ``package.module:factory``.

Importing a module runs its code. That happens only because the user named it.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

from torch import nn

from epsrank.theory.errors import InputError


def make_model(spec: str, *, name: str = "--model") -> nn.Module:
    """Import a module and make the network that it describes.

    `spec` is ``package.module:factory``, where the factory is a function or class that can be
    called without arguments, or a network that exists already. The module is looked for in the
    working directory first.
    """
    module, mark, factory = spec.partition(":")
    if not mark or not module or not factory or module.startswith("."):
        raise InputError(name, f"is {spec!r}", "write it as package.module:factory")
    with _from_here():
        try:
            found: Any = importlib.import_module(module)
        # Code of the user may raise anything; it is reported in one line.
        except Exception as error:
            raise InputError(
                name, f"{module} cannot be imported ({_line(error)})", "check the name and the code"
            ) from None
        try:
            found = reduce(getattr, factory.split("."), found)
        except AttributeError:
            raise InputError(
                name, f"{module} has no {factory}", "name a function, a class or a network in it"
            ) from None
        if isinstance(found, nn.Module):
            return found
        if not callable(found):
            raise InputError(
                name, f"{spec} is a {type(found).__name__}", "name something that can be called"
            )
        try:
            made = found()
        except Exception as error:
            raise InputError(
                name, f"{spec}() failed ({_line(error)})", "make it callable without arguments"
            ) from None
    if not isinstance(made, nn.Module):
        raise InputError(
            name, f"{spec}() returned a {type(made).__name__}", "return a torch.nn.Module"
        )
    return made


@contextmanager
def _from_here() -> Iterator[None]:
    """Let the working directory come first where modules are looked for."""
    here = os.getcwd()
    sys.path.insert(0, here)
    try:
        yield
    finally:
        # The code that was imported may have changed the list itself.
        if here in sys.path:
            sys.path.remove(here)


def _line(error: BaseException) -> str:
    """Return an exception in one line."""
    first = (str(error).splitlines() or [""])[0]
    return f"{type(error).__name__}: {first}" if first else type(error).__name__
