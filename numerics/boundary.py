"""The boundary to other people's parsers: what they raise is one line, what they ask for must fit.

A damaged file can make NumPy, zipfile, Arrow, safetensors or tomllib raise nearly anything, and
declare any size. Every reader calls them inside `parsing`, after asking `refuse_beyond_memory`.
"""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from epsrank.theory.errors import InputError

# What is read is held as the parser's own values, as an array, and as the float64 copy that a
# result is computed from.
_COPIES = 3
# Below this nobody asks: the question takes longer than it is worth.
_NEVER_TOO_MUCH = 1 << 26

# A mistake of ours, and no property of a file. (A TypeError may be either: a parser written in C
# has no frame of its own.)
_MISTAKES = (NameError, AssertionError, ImportError)


@contextmanager
def parsing(label: str, remedy: str, what: str = "cannot be read") -> Iterator[None]:
    """Turn whatever a parser raises about a file into one line with the file's name."""
    try:
        yield
    except InputError:
        raise
    except MemoryError as error:
        raise InputError(
            label, "does not fit into memory, or its header is damaged", "store fewer samples"
        ) from error
    except BaseException as error:
        # Parsers written in Rust panic with an exception that is none of `Exception`.
        panic = type(error).__name__ == "PanicException"
        if not (isinstance(error, Exception) or panic) or _ours(error):
            raise
        raise InputError(label, f"{what} ({reason_of(error)})", remedy) from error


def reason_of(error: BaseException) -> str:
    """Return the first line of an exception; its type where it says nothing."""
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line[:200] or type(error).__name__


def _ours(error: BaseException) -> bool:
    """Tell whether an exception is a mistake in this package, raised by its own code."""
    if not isinstance(error, _MISTAKES):
        return False
    frames = [frame for frame, _ in traceback.walk_tb(error.__traceback__)]
    return bool(frames) and str(frames[-1].f_globals.get("__name__")).startswith("epsrank")


def available_memory() -> int | None:
    """Return the bytes that this process may still take; None where the system does not say."""
    found = [*_of_system(), *_of_container(), *_of_process()]
    return min(found, default=None)


def _of_system() -> Iterator[int]:
    for line in _lines("/proc/meminfo"):
        if line.startswith("MemAvailable:"):
            yield int(line.split()[1]) << 10


def _of_container() -> Iterator[int]:
    limit, used = (_lines(f"/sys/fs/cgroup/memory.{name}") for name in ("max", "current"))
    if limit and used and limit[0].isdigit():
        yield max(0, int(limit[0]) - int(used[0]))


def _of_process() -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows
        return
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    if limit != resource.RLIM_INFINITY:
        pages = _lines("/proc/self/statm")
        used = int(pages[0].split()[0]) * resource.getpagesize() if pages else 0
        yield max(0, limit - used)


def _lines(path: str) -> list[str]:
    try:
        return Path(path).read_text(encoding="ascii").splitlines()
    except OSError:
        return []


def refuse_beyond_memory(size: int, label: str) -> None:
    """Refuse a file that declares more bytes than there is memory for, before it is read."""
    if size < _NEVER_TOO_MUCH:
        return
    free = available_memory()
    if free is not None and _COPIES * size > free:
        raise InputError(
            label,
            f"declares {_readable(size)}, which take some {_COPIES} times as much to work with, "
            f"and {_readable(free)} of memory are free",
            "store fewer samples or features, or see whether its header is damaged",
        )


def refuse_working_set(argument: str, count: int, what: str, each: int) -> None:
    """Refuse to keep so many things of a size at once, before the first of them is made."""
    size = count * each
    free = None if size < _NEVER_TOO_MUCH else available_memory()
    if free is not None and size > free:
        raise InputError(
            argument,
            f"is {count}, which keeps as many {what} ({_readable(size)}, and {_readable(free)} of "
            "memory are free)",
            "pass less",
        )


def _readable(size: int) -> str:
    return f"{size / 2**30:.3g} GiB" if size >= 2**30 else f"{size / 2**20:.3g} MiB"
