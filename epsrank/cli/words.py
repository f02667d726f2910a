"""Errors of functions in the words of the command line: arguments as the options that they are."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from epsrank.theory.errors import InputError


def in_options(
    error: InputError, params: Sequence[click.Parameter], names: Mapping[str, str]
) -> InputError:
    """Return an error that names options where the function named its arguments.

    `names` are options of arguments that are called otherwise there.
    """
    from epsrank.theory.errors import InputError

    options = {p.name: p for p in params if isinstance(p, click.Option) and p.name is not None}
    known = {name: max(option.opts, key=len) for name, option in options.items()} | dict(names)
    flags = {known[name] for name, option in options.items() if option.is_flag}
    first = re.match(r"\w+", error.argument)
    argument = error.argument
    if first is not None and first[0] in known and argument[first.end() :][:1] in ("", "["):
        argument = known[first[0]] + argument[first.end() :]
    return InputError(argument, error.problem, _remedy(error.remedy, known, flags))


def _remedy(text: str, known: Mapping[str, str], flags: set[str]) -> str:
    """Return a remedy in which ``resume=True`` is ``--resume``."""
    for name in known:
        # The same twice: the option, and in brackets the argument.
        text = text.replace(f" ({name}=)", "")
    # Calls are shown as they are: what stands in them is the function's.
    parts = re.split(r"(\w\([^()]*\))", text)
    return "".join(
        part if index % 2 else _replaced(part, known, flags) for index, part in enumerate(parts)
    )


def _replaced(text: str, known: Mapping[str, str], flags: set[str]) -> str:
    """Return a text with options in place of arguments."""
    for name, option in known.items():
        value = r"(?:'([^']*)'|\"([^\"]*)\"|([^\s,;()]+))?"

        def say(found: re.Match[str], option: str = option) -> str:
            given = next((part for part in found.groups() if part), "")
            return option if option in flags or not given else f"{option} {given}"

        text = re.sub(rf"(?<![\w.(-]){name}={value}", say, text)
        if "_" in name:
            text = re.sub(rf"(?<![\w.(-]){name}(?![\w=(])", option, text)
    return text
