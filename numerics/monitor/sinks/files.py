"""Sinks that append every measurement to a CSV or JSON Lines file."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.monitor.sinks.lines import CsvLines, JsonLines, Lines
from epsrank.numerics.monitor.sinks.protocol import WholeRecords
from epsrank.theory.errors import InputError


class AppendedFile:
    """Bytes appended in blocks of whole lines.

    A block goes to the operating system before `append` returns, so a killed process loses at most
    the block that it was writing. A block that does not fit (a full disk) is taken back.
    """

    def __init__(self, path: Path, *, resume: bool) -> None:
        self.path = path
        self._descriptor: int | None = None
        self._closed = False
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            size = path.stat().st_size if path.exists() else 0
            if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        except OSError as error:
            raise InputError(*_unwritable(path, error)) from None
        if size and not resume:
            raise InputError(
                "path",
                f"is {path}, which is not empty",
                "pass append=True to continue it, or choose another file",
            )
        # Opened with the first block: of several processes only the one that writes touches it.
        self.size = _whole_lines(path) if size else 0

    def head(self, lines: int) -> bytes:
        """Return the first lines of the file."""
        with self.path.open("rb") as stream:
            return b"".join(stream.readline() for _ in range(lines))

    def append(self, block: bytes) -> None:
        """Write a block of whole lines at the end."""
        if self._closed:
            raise InputError("path", f"is {self.path}, which is closed", "open it again")
        try:
            if self._descriptor is None:
                self._descriptor = self._open()
            os.lseek(self._descriptor, self.size, os.SEEK_SET)
            rest = memoryview(block)
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError as error:
            self._cut()
            raise InputError(*_unwritable(self.path, error)) from None
        self.size += len(block)

    def _open(self) -> int:
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0)
        self._descriptor = os.open(self.path, flags, 0o666)
        self._cut()
        return self._descriptor

    def _cut(self) -> None:
        """Take back what is not counted in `size`."""
        with contextlib.suppress(OSError):  # a device has no length
            if self._descriptor is not None:
                os.ftruncate(self._descriptor, self.size)

    def clear(self) -> None:
        """Take everything out of the file."""
        self.size = 0
        self._cut()

    def close(self) -> None:
        """Close the file; nothing happens if it is."""
        self._closed = True
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def _whole_lines(path: Path) -> int:
    """Return the length of a file without a last line that has no end."""
    with path.open("rb") as stream:
        end = stream.seek(0, os.SEEK_END)
        while end > 0:
            start = max(0, end - 65536)
            stream.seek(start)
            found = stream.read(end - start).rfind(b"\n")
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


class LineSink(WholeRecords):
    """Appends records as lines; a killed run loses at most the measurement being written."""

    def __init__(self, path: str | Path, *, append: bool = False, lines: Lines) -> None:
        self.path = Path(path)
        self._lines = lines
        self._file = AppendedFile(self.path, resume=append)
        self._head: bytes | None = None
        if self._file.size:
            head = self._file.head(lines.head_lines)
            try:
                lines.metadata(head)
            except InputError as error:
                self._file.close()
                raise InputError("path", f"is {self.path}, no history", error.remedy) from None
            self._head = head

    def write(self, records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> None:
        """Append the rows of one measurement."""
        head = self._lines.head(metadata, records) if self._head is None else self._head
        block = self._lines.block(records, head)
        self._file.append(head + block if self._head is None else block)
        self._head = head

    def close(self) -> None:
        """Close the file; nothing happens if it is."""
        self._file.close()


class CsvSink(LineSink):
    """Appends to a CSV file of the form of `History.to_csv`.

    Parameters
    ----------
    path : str or Path
        The file.
    append : bool
        Continue an existing file.
    """

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        super().__init__(path, append=append, lines=CsvLines())


class JsonLinesSink(LineSink):
    """Appends to a JSON Lines file: one line of metadata, then one object per record.

    Parameters
    ----------
    path : str or Path
        The file.
    append : bool
        Continue an existing file.
    """

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        super().__init__(path, append=append, lines=JsonLines())
