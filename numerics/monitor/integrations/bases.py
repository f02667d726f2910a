"""Classes whose base lives in an optional package, found when the first object is made."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from epsrank.theory.errors import InputError

_MADE: dict[tuple[type[Any], tuple[type[Any], ...]], type[Any]] = {}


def find_bases(
    candidates: Iterable[tuple[str, str]], *, name: str, extra: str
) -> tuple[type[Any], ...]:
    """Return the base classes of those packages that the program uses.

    Parameters
    ----------
    candidates : iterable of (str, str)
        Module and class, the usual one first.
    name : str
        What the package is called.
    extra : str
        The extra of this project that installs it.

    Returns
    -------
    tuple of type
        The classes of all candidates imported already, or else the first that can be.

    Raises
    ------
    InputError
        If none is installed.
    """
    pairs = list(candidates)
    used = [(module, cls) for module, cls in pairs if module in sys.modules]
    for module, cls in used or pairs:
        try:
            bases = [getattr(import_module(module), cls)]
        except ImportError:
            continue
        bases += [getattr(import_module(m), c) for m, c in used if m != module]
        return tuple(dict.fromkeys(bases))
    raise InputError(name, "is not installed", f"pip install 'epsrank[{extra}]'")


def derived(cls: type[Any], bases: tuple[type[Any], ...]) -> type[Any]:
    """Return a class that is also one of the given bases, under its own name.

    Parameters
    ----------
    cls : type
        The class with the methods; they come first.
    bases : tuple of type
        Further bases.

    Returns
    -------
    type
        The same one for the same arguments.
    """
    if issubclass(cls, bases):
        return cls
    missing = tuple(base for base in bases if not issubclass(cls, base))
    if (cls, missing) not in _MADE:
        names = {"__module__": cls.__module__, "_plain": cls}
        _MADE[cls, missing] = type(cls.__name__, (cls, *missing), names)
    return _MADE[cls, missing]


def rebuilt(cls: type[Any], state: dict[str, Any]) -> Any:
    """Return an object as it was pickled: its class is derived anew.

    Parameters
    ----------
    cls : type
        The class with the methods.
    state : dict
        Its attributes.

    Returns
    -------
    object
        The object.
    """
    made: Any = cls.__new__(cls)  # type: ignore[call-overload]
    made.__dict__.update(state)
    return made
