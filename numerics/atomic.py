"""One file takes the place of another as a whole: a kill leaves the old one or the new one."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path

# Names of half-written files, which a kill may leave behind.
_PART_PREFIX, _PART_SUFFIX = ".epsrank-", ".part"


def replace_whole(
    path: Path,
    write: Callable[[Path], None],
    *,
    durable: bool = True,
    announce: Callable[[Path], None] | None = None,
) -> None:
    """Write a file beside its place, synchronise it, announce it, and move it there."""
    # Two processes may write the same file at a time; each has its own part.
    part = path.with_name(f"{_PART_PREFIX}{path.name}.{secrets.token_hex(4)}{_PART_SUFFIX}")
    try:
        write(part)
        if durable:
            # Before the move: after a power cut the new name could hold no data otherwise.
            # Opened for writing, since Windows flushes no file that is only read.
            with part.open("rb+") as handle:
                os.fsync(handle.fileno())
        if announce is not None:
            # Before the move, too: a kill in between then leaves a file that is known.
            announce(part)
        os.replace(part, path)
    # Ctrl-C, or an error of `write`, is to leave no part behind either.
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink(missing_ok=True)
        raise


def remove_parts(folder: Path) -> None:
    """Remove half-written files that a kill has left behind."""
    for part in folder.rglob(f"{_PART_PREFIX}*{_PART_SUFFIX}"):
        with contextlib.suppress(OSError):
            part.unlink()


def checksum(data: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(data).hexdigest()
