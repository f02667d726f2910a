"""A file that only grows, block by block, and is whole up to its last line after a kill."""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

from theory.errors import InputError


class AppendedFile:
    """Bytes appended in blocks of whole lines.

    A block goes to the operating system before `append` returns, so a killed process loses at most
    the block that it was writing. A block that does not fit (a full disk) is taken back.

    Parameters
    ----------
    path : Path
        The file; its folder is made.
    resume : bool
        Whether an existing file is continued, after its last whole line.

    Raises
    ------
    InputError
        If it cannot be written, or holds something and is not to be continued.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self._descriptor: int | None = None
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0), 0o666)
        except OSError as error:
            raise InputError(*_unwritable(path, error)) from None
        size = os.fstat(descriptor).st_size
        if size and not resume:
            os.close(descriptor)
            raise InputError(
                "path",
                f"is {path}, which is not empty",
                "pass append=True to continue it, or choose another file",
            )
        self._descriptor = descriptor
        self.size = _whole_lines(descriptor, size)
        if self.size < size:
            os.ftruncate(descriptor, self.size)

    def head(self, lines: int) -> bytes:
        """Return the first lines of the file.

        Parameters
        ----------
        lines : int
            How many.

        Returns
        -------
        bytes
            Fewer, if it has fewer.
        """
        with self.path.open("rb") as stream:
            return b"".join(stream.readline() for _ in range(lines))

    def append(self, block: bytes) -> None:
        """Write a block of whole lines at the end.

        Parameters
        ----------
        block : bytes
            Ends in a line feed.

        Raises
        ------
        InputError
            If it cannot be written, or the file is closed.
        """
        if self._descriptor is None:
            raise InputError("path", f"is {self.path}, which is closed", "open it again")
        try:
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            with contextlib.suppress(OSError):  # a device has no length
                os.ftruncate(self._descriptor, self.size)
            raise InputError(*_unwritable(self.path, error)) from None
        self.size += len(block)

    def clear(self) -> None:
        """Take everything out of the file."""
        if self._descriptor is not None:
            os.ftruncate(self._descriptor, 0)
            self.size = 0

    def close(self) -> None:
        """Close the file; nothing happens if it is."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _whole_lines(descriptor: int, size: int) -> int:
    """Return the length of a file without a last line that has no end.

    Parameters
    ----------
    descriptor : int
        The open file.
    size : int
        Its length.

    Returns
    -------
    int
        The length.
    """
    end = size
    while end > 0:
        start = max(0, end - 65536)
        os.lseek(descriptor, start, os.SEEK_SET)
        found = os.read(descriptor, end - start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        end = start
    return 0


def _unwritable(path: Path, error: OSError) -> tuple[str, str, str]:
    return (
        "path",
        f"cannot be written ({path}: {error.strerror or error})",
        "make room there, or choose another file",
    )
