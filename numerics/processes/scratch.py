"""Temporary folders that go with their process; of one that was killed, the next removes them."""

from __future__ import annotations

import atexit
import contextlib
import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from epsrank.numerics.processes.locks import LOCKS, FolderLock

_NAME = re.compile(r"epsrank-tmp-(\d+)-.*")
# A folder is locked right after it is made: without a lock at this age it has lost its process.
_ABANDONED_SECONDS = 60.0


class _Root:
    """The folder of a process in the folder for temporary files, with its lock."""

    def __init__(self, place: str) -> None:
        self.process = os.getpid()
        self.path = Path(tempfile.mkdtemp(prefix=f"epsrank-tmp-{self.process}-", dir=place))
        self.lock = FolderLock(self.path)
        self.lock.take()

    def remove(self) -> None:
        """Remove it with all that is in it; a forked process leaves it to its parent."""
        if self.process == os.getpid():
            shutil.rmtree(self.path, ignore_errors=True)
        self.lock.release()


# By the folder for temporary files, which a test or a user may change.
_roots: dict[str, _Root] = {}


def new_scratch(name: str) -> Path:
    """Make a new temporary folder; `remove_scratch` removes it, or the end of the process."""
    place = tempfile.gettempdir()
    root = _roots.get(place)
    # A forked process makes its own: that of its parent may go at any time.
    if root is None or root.process != os.getpid() or not root.path.is_dir():
        remove_abandoned()
        root = _roots[place] = _Root(place)
    return Path(tempfile.mkdtemp(prefix=f"{name}-", dir=root.path))


def remove_scratch(folder: Path) -> None:
    """Remove a folder of `new_scratch`, and with the last one all trace of them."""
    shutil.rmtree(folder, ignore_errors=True)
    root = _roots.get(os.fspath(folder.parent.parent))
    if root is not None and root.path == folder.parent and root.process == os.getpid():
        with contextlib.suppress(OSError):
            root.path.rmdir()
            root.lock.release()
            del _roots[os.fspath(folder.parent.parent)]


@contextlib.contextmanager
def scratch(name: str) -> Iterator[Path]:
    """Make a temporary folder for a block."""
    folder = new_scratch(name)
    try:
        yield folder
    finally:
        remove_scratch(folder)


@atexit.register
def _remove_all() -> None:
    for root in _roots.values():
        root.remove()
    _roots.clear()


def remove_abandoned() -> None:
    """Remove the folders of ours, of this user, whose process is gone."""
    # Without locks nobody can tell.
    if not LOCKS:
        return
    with contextlib.suppress(OSError):
        for folder in Path(tempfile.gettempdir()).glob("epsrank-tmp-*"):
            found = _NAME.fullmatch(folder.name)
            with contextlib.suppress(OSError):
                if found is None or folder.is_symlink() or folder.stat().st_uid != os.getuid():
                    continue
                age = time.time() - folder.stat().st_mtime
                if age < _ABANDONED_SECONDS and _lives(int(found[1])):
                    continue
                lock = FolderLock(folder)
                if lock.take():
                    shutil.rmtree(folder, ignore_errors=True)
                lock.release()


def _lives(process: int) -> bool:
    """Tell whether there is a process of this number."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
