"""Calls of a user's code: what it raises is one line that says where, and seeds are its own."""

from __future__ import annotations

import inspect
import random
import sys
import sysconfig
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from epsrank.numerics.named.places import from_here
from epsrank.theory.errors import InputError


def named_line(error: BaseException) -> str:
    """Return an exception in one line, with the place in the user's code that it comes from."""
    first = (str(error).splitlines() or [""])[0]
    line = f"{type(error).__name__}: {first}" if first else type(error).__name__
    # A syntax error says its place itself.
    if isinstance(error, SyntaxError) and error.filename:
        return f"{type(error).__name__}: {error.msg} at {Path(error.filename).name}:{error.lineno}"
    place = _place(error)
    return line if place is None else f"{line} at {place}"


def _place(error: BaseException) -> str | None:
    """Return file and line of the innermost frame that is neither ours nor of a package."""
    not_theirs = {Path(sysconfig.get_path(name)).resolve() for name in ("stdlib", "purelib")}
    not_theirs.add(Path(__file__).resolve().parents[1])
    own = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        # Frozen modules have no file, and functions of ours their globals' name.
        file = Path(frame.f_code.co_filename)
        ours = str(frame.f_globals.get("__name__", "")).partition(".")[0] == "epsrank"
        if file.is_file() and not ours and not not_theirs & set(file.resolve().parents):
            own = f"{file.name}:{line}"
    return own


@contextmanager
def user_code(argument: str, what: str, remedy: str) -> Iterator[None]:
    """Turn whatever a user's code raises into one line with its place."""
    try:
        with from_here():
            yield
    except (Exception, SystemExit) as error:
        raise InputError(argument, f"{what} ({named_line(error)})", remedy) from None


def takes(function: Callable[..., Any]) -> tuple[set[str], int]:
    """Return the names that a callable can be given, and how many arguments it must be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # written in C: taken for a function of x
        return set(), 1
    named = {p.name for p in parameters if p.kind in (p.POSITIONAL_OR_KEYWORD, p.KEYWORD_ONLY)}
    kinds = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    return named, sum(p.default is p.empty and p.kind not in kinds for p in parameters)


def required(function: Callable[..., Any]) -> set[str]:
    """Return the names of the arguments that a callable must be given."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except (TypeError, ValueError):
        return set()
    kinds = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    return {p.name for p in parameters if p.default is p.empty and p.kind in kinds}


def call_named(
    spec: str,
    function: Callable[..., Any],
    offered: Mapping[str, Any],
    *,
    argument: str,
    seed: int,
    remedy: str = "see to it that it can be called like this",
) -> Any:
    """Call a factory with those of the offered arguments that it names, under a seed of its own."""
    given = {name: value for name, value in offered.items() if name in takes(function)[0]}
    shown = ", ".join(f"{name}={value!r}" for name, value in given.items() if _is_short(value))
    with user_code(argument, f"{spec}({shown}) failed", remedy), seeded(seed):
        return function(**given)


def _is_short(value: Any) -> bool:
    return isinstance(value, (int, float, str))


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed the global generators for a block, and put them back: whatever draws, draws the same."""
    python, numpy = random.getstate(), np.random.get_state()
    torch = sys.modules.get("torch")
    state = None if torch is None else torch.random.get_rng_state()
    random.seed(seed)
    np.random.seed(seed % 2**32)
    if torch is not None:
        # The CPU's alone: seeding CUDA's would begin a context for it.
        torch.random.default_generator.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
        if torch is not None:
            torch.random.set_rng_state(state)
