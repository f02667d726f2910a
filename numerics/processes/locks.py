"""Locks on folders that end with their process, however it ends, and leave no file behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from epsrank.theory.errors import InputError

try:
    import fcntl
except ImportError:  # Windows: there is no lock there
    fcntl = None  # type: ignore[assignment]

#: Whether this system has them.
LOCKS = fcntl is not None


class FolderLock:
    """A lock on a folder itself, by the system: it is gone with the last process that holds it.

    Where the system gives none, as on some network file systems, it counts as had.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._handle: int | None = None

    def take(self, *, shared: bool = False, wait: bool = False) -> bool:
        """Take it, or change the kind held; False where another process is in the way."""
        if fcntl is None:
            return True
        if self._handle is None:
            try:
                self._handle = os.open(self.folder, os.O_RDONLY)
            except OSError:  # whoever writes there says what is wrong
                return True
        kind = fcntl.LOCK_SH if shared else fcntl.LOCK_EX
        try:
            fcntl.flock(self._handle, kind if wait else kind | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return True
        return True

    def release(self) -> None:
        """Let it go."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


@contextlib.contextmanager
def only_writer(folder: Path | None, argument: str = "out") -> Iterator[None]:
    """Hold a folder as the one process that writes there; None holds nothing."""
    if folder is None:
        yield
        return
    lock = FolderLock(folder)
    if not lock.take():
        lock.release()
        raise InputError(
            argument,
            f"is {folder}, where another process is writing",
            "wait until it has ended, or choose another folder",
        )
    try:
        yield
    finally:
        lock.release()
