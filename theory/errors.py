"""The one error that bad input raises: it names the argument, the value and the remedy."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable
from dataclasses import fields
from typing import Any, TypeVar

T = TypeVar("T")


class InputError(ValueError):
    """An argument that cannot be used, described in one line.

    Parameters
    ----------
    argument : str
        Name of the offending argument, as the caller knows it (``"features"``, ``"--eps"``).
    problem : str
        What is wrong, with the value: ``"has 3 NaN entries, first at row 2, column 0"``.
    remedy : str
        What to do about it: ``"drop those samples or fix the layer that made them"``.

    Notes
    -----
    The command line prints ``str(error)`` and exits with code 2; nothing else is needed to obey
    the contract for bad input.
    """

    def __init__(self, argument: str, problem: str, remedy: str) -> None:
        # A name of blanks, as a file may have.
        self.argument = argument if argument.strip() else repr(argument)
        self.problem = problem
        self.remedy = remedy
        super().__init__(f"{argument} {problem}; {remedy}")

    def __reduce__(self) -> tuple[type[InputError], tuple[str, str, str]]:
        """Rebuild from the three parts, so that worker processes can hand the error back."""
        return (InputError, (self.argument, self.problem, self.remedy))


def described(error: BaseException) -> str:
    """Return an exception as one line, with its type where that says more than the line."""
    line = (str(error).splitlines() or [""])[0]
    return line if isinstance(error, InputError) else f"{type(error).__name__}: {line}"


def named_entries(what: str) -> Callable[[type[T]], type[T]]:
    """Return a decorator of data classes that refuses entries by the name of what there is not."""

    def checked(cls: type[T]) -> type[T]:
        make = cls.__init__
        known = [entry.name for entry in fields(cls)]  # type: ignore[arg-type]

        @functools.wraps(make)
        def init(self: Any, *values: Any, **given: Any) -> None:
            for name, value in given.items():
                if name not in known:
                    near = difflib.get_close_matches(name, known, 1)
                    remedy = f"did you mean {near[0]}?" if near else f"use {', '.join(known)}"
                    raise InputError(name, f"is {value!r}, and is no {what}", remedy)
            make(self, *values, **given)

        cls.__init__ = init  # type: ignore[method-assign]
        return cls

    return checked
