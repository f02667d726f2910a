"""What functions of modules have registered, as the modules are now."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterator
from typing import Any, Generic, TypeVar

Function = Callable[..., Any]

_Entry = TypeVar("_Entry")


class Registry(Generic[_Entry]):
    """Entries by the module of their function, and by a name that is unique there.

    A module that is imported anew has functions of its own: they replace those before.
    """

    def __init__(self) -> None:
        self._held: dict[str, dict[str, tuple[Function, _Entry]]] = {}

    def add(self, function: Function, name: str, entry: _Entry) -> bool:
        """Enter what a function states; False where another of its module has the name."""
        held = self._held.setdefault(_module_of(function), {})
        if any(_of_an_earlier_import(other, function) for other, _ in held.values()):
            held.clear()
        if name in held:
            return False
        held[name] = function, entry
        return True

    def of(self, function: Function) -> _Entry | None:
        """Return the entry of a function; None without one."""
        held = self._held.get(_module_of(function), {}).values()
        return next((entry for other, entry in held if other is function), None)

    def within(self, package: str) -> Iterator[tuple[str, str, _Entry]]:
        """Yield the entries of a module, or of a package with its modules."""
        for module, held in self._held.items():
            if module == package or module.startswith(f"{package}."):
                now = vars(sys.modules[module]) if module in sys.modules else {}
                for name, (function, entry) in held.items():
                    # Of a module that has been imported anew since, and no longer states it.
                    own = _globals(function)
                    if own is None or own is now:
                        yield module, name, entry


def stated_name(function: Function) -> str:
    """Return the name of a property or check: that of its function with hyphens."""
    return function.__name__.replace("_", "-")


def _module_of(function: Function) -> str:
    """Return the module of a function; text that is executed has none."""
    return getattr(function, "__module__", None) or "__main__"


def _of_an_earlier_import(function: Function, other: Function) -> bool:
    """Whether two functions of one module have other globals."""
    before, now = _globals(function), _globals(other)
    return before is not None and now is not None and before is not now


def _globals(function: Function) -> dict[str, Any] | None:
    """Return the globals of a function below its decorators; an object that is called has none."""
    found: dict[str, Any] | None = getattr(inspect.unwrap(function), "__globals__", None)
    return found
