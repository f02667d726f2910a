"""Where the modules and files of a user are looked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path

# None is the working directory.
_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


def folder() -> Path:
    """Return where modules and files of the user are looked for."""
    return _FOLDER.get() or Path.cwd()


@contextmanager
def looking_from(place: Path | None) -> Iterator[None]:
    """Look for modules and files in another folder, as a worker does that runs elsewhere."""
    token = _FOLDER.set(place)
    try:
        yield
    finally:
        _FOLDER.reset(token)


@contextmanager
def from_here() -> Iterator[None]:
    """Let the user's folder come first where modules are looked for."""
    here = os.fspath(folder())
    sys.path.insert(0, here)
    try:
        yield
    finally:
        # The code that was imported may have changed the list itself.
        if here in sys.path:
            sys.path.remove(here)
