"""A folder of the user for what was compiled: whole entries only, safe between processes."""

from __future__ import annotations

import atexit
import contextlib
import hashlib
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from epsrank.numerics.files import user_cache
from epsrank.numerics.processes.scratch import new_scratch

try:
    import fcntl
except ImportError:  # pragma: no cover - no advisory locks on this system: work may be done twice
    fcntl = None  # type: ignore[assignment]

_NOTES = "compiled.json"
# Seconds: what nobody has made or touched for a month is removed.
_OLD = 30 * 24 * 3600.0


@dataclass(frozen=True)
class Found:
    """An entry that is whole."""

    #: Where it lies.
    folder: Path
    #: What was written down with it.
    notes: Mapping[str, Any]


def cache_folder() -> Path:
    """Return the folder of compiled developments, whether or not it exists."""
    return user_cache() / "coq"


class Entry:
    """One compilation in the cache, or in a temporary folder where there is no cache."""

    def __init__(self, root: Path, key: str, lasting: bool) -> None:
        self.root, self.place, self.lasting = root, root / key, lasting
        self._drafts: list[Path] = []

    def find(self) -> Found | None:
        """Return the entry if it is there and nothing in it has changed."""
        try:
            notes = json.loads((self.place / _NOTES).read_text(encoding="utf-8"))
            if notes["files"] != _digests(self.place):
                return None
            # Used today: `discard` goes by this time.
            os.utime(self.place)
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return Found(self.place, notes)

    def draft(self) -> Path:
        """Return a new folder to work in."""
        # Beside the entry, on one file system, so that renaming is all or nothing.
        folder = Path(tempfile.mkdtemp(prefix=".draft-", dir=self.root))
        self._drafts.append(folder)
        return folder

    def keep(self, draft: Path, notes: Mapping[str, Any]) -> Path:
        """Make a finished draft the entry; where a whole one stands already, leave that alone."""
        text = json.dumps({**notes, "files": _digests(draft)}, indent=1)
        (draft / _NOTES).write_text(text, encoding="utf-8")
        if self.find() is None:
            with contextlib.suppress(OSError):
                # What stands here is damaged, and a folder is not renamed onto one with files.
                shutil.rmtree(self.place, ignore_errors=True)
                os.rename(draft, self.place)
                self._drafts.remove(draft)
                return self.place
        self._drafts.remove(draft)
        # Kept as long as this process, which is to use it.
        atexit.register(shutil.rmtree, draft, ignore_errors=True)
        return draft

    def discard(self) -> None:
        """Remove drafts that were not kept, and what nobody has used for a month."""
        for draft in self._drafts:
            shutil.rmtree(draft, ignore_errors=True)
        if self.lasting:
            with contextlib.suppress(OSError):
                for other in self.root.iterdir():
                    if other.is_dir() and time.time() - other.stat().st_mtime > _OLD:
                        shutil.rmtree(other, ignore_errors=True)


@contextlib.contextmanager
def entry(key: str) -> Iterator[Entry]:
    """Open an entry; another process that wants the same one waits."""
    root, lasting = _writable_root()
    with _lock(root / f"{key}.lock"):
        opened = Entry(root, key, lasting)
        try:
            yield opened
        finally:
            opened.discard()


def _writable_root() -> tuple[Path, bool]:
    root = cache_folder()
    try:
        root.mkdir(parents=True, exist_ok=True)
        # mkdir is content with a folder that cannot be written to.
        with tempfile.TemporaryFile(dir=root):
            return root, True
    except OSError:
        return _temporary_root(), False


_temporary: dict[int, Path] = {}


def _temporary_root() -> Path:
    """Return a folder that lasts as long as this process."""
    # By process: a forked one must not use a folder that its parent removes.
    process = os.getpid()
    if process not in _temporary:
        _temporary[process] = new_scratch("coq")
    return _temporary[process]


@contextlib.contextmanager
def _lock(path: Path) -> Iterator[None]:
    """Hold an advisory lock; where there is none to be had, work may be done twice, not wrongly."""
    with contextlib.ExitStack() as stack:
        if fcntl is not None:
            with contextlib.suppress(OSError):
                # The file stays: a lock on a removed file holds off nobody.
                file = stack.enter_context(path.open("w"))
                fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _digests(folder: Path) -> dict[str, str]:
    """Return the digests of the sources and of what Coq made of them."""
    files = [path for path in folder.rglob("*") if path.suffix in {".v", ".vo", ".glob"}]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(files)
    }
