"""A history file read while it grows: partial lines wait, and files may not exist yet."""

from __future__ import annotations

import os
from itertools import groupby
from pathlib import Path

from epsrank.numerics.monitor.records.files import read_records, reading_history
from epsrank.numerics.monitor.records.history import MAX_RECORDS, History
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.monitor.sinks.lines import CsvLines, JsonLines, Lines
from epsrank.numerics.monitor.sinks.parquet import journal_of, read_journal
from epsrank.theory.errors import InputError

_LINES: dict[str, Lines] = {".csv": CsvLines(), ".jsonl": JsonLines()}

#: Endings of files that can be followed.
SUFFIXES = (".csv", ".jsonl", ".json", ".parquet")

# What tells that a file changed: device, inode, length, time of the last write.
_Stamp = tuple[int, int, int, int] | None


class HistoryFile:
    """Follows a file that a sink or `History` writes.

    Of CSV and JSON Lines only the new lines are read; other files are read anew when they changed.
    Memory is bounded as in `History`.

    Parameters
    ----------
    path : str or Path
        Ends in .csv, .jsonl, .json or .parquet; need not exist yet.
    max_records : int or None
        Rows kept.

    Attributes
    ----------
    history : History
        What was read so far.
    fresh : list of LayerRecord
        What the latest `refresh` added to it, all of it after `restarted`.
    restarted : bool
        Whether the latest `refresh` began anew, since the file was replaced or is read as a whole.

    Raises
    ------
    InputError
        If the name ends otherwise.
    """

    def __init__(self, path: str | Path, *, max_records: int | None = MAX_RECORDS) -> None:
        self.path = Path(path)
        self._max_records = max_records
        suffix = self.path.suffix.lower()
        if suffix not in SUFFIXES:
            raise InputError("path", f"is {path}", f"end it in one of {', '.join(SUFFIXES)}")
        self._lines = _LINES.get(suffix)
        self._stamps: tuple[_Stamp, _Stamp] = (None, None)
        self._offset = 0
        self._head = b""
        self.history = History(max_records=max_records)
        self.fresh: list[LayerRecord] = []
        self.restarted = False

    @property
    def exists(self) -> bool:
        """Whether there is anything to read yet."""
        return self.path.exists() or journal_of(self.path).exists()

    def refresh(self) -> bool:
        """Read what is new.

        Returns
        -------
        bool
            Whether anything changed.
        """
        stamps = (_stamp(self.path), _stamp(journal_of(self.path)))
        if stamps == self._stamps:
            return False
        previous, self._stamps = self._stamps[0], stamps
        self.fresh, self.restarted = [], False
        now = stamps[0]
        with reading_history(self.path):
            if self._lines is None:
                return self._reread()
            if now is None:
                return self._restart()
            replaced = previous is not None and now[:2] != previous[:2]
            if replaced or now[2] < self._offset:
                self._restart()
            return self._read_on(self._lines)

    def _restart(self) -> bool:
        """Forget everything, since the file was replaced."""
        self._offset, self._head = 0, b""
        self.history = History(max_records=self._max_records)
        self.restarted = True
        return True

    def _read_on(self, lines: Lines) -> bool:
        """Read the whole lines after those known."""
        with self.path.open("rb") as stream:
            stream.seek(self._offset)
            data = stream.read()
        data = data[: data.rfind(b"\n") + 1]
        if not self._head:
            parts = data.split(b"\n", lines.head_lines)
            if len(parts) <= lines.head_lines:
                return self.restarted
            head = data[: len(data) - len(parts[-1])]
            metadata = lines.metadata(head)
            self.history = History(metadata, self._max_records)
            self._head, data = head, parts[-1]
            self._offset += len(head)
        self._add(lines.records(data, self._head))
        self._offset += len(data)
        return True

    def _reread(self) -> bool:
        """Read the file, and its journal, from the beginning."""
        metadata: dict[str, object] = {}
        rows: list[LayerRecord] = []
        if self.path.exists():
            metadata, rows = read_records(self.path)
        newer, more = read_journal(self.path, len(rows))
        self.history = History(metadata or newer, self._max_records)
        self.restarted = True
        self._add(rows + more)
        return True

    def _add(self, rows: list[LayerRecord]) -> None:
        self.fresh = rows
        for _, measurement in groupby(rows, key=lambda record: record.step):
            self.history.append(list(measurement))


def read_history(path: str | Path) -> History:
    """Read a history whole or cut short: all that `History` and the file sinks write.

    Parameters
    ----------
    path : str or Path
        Ends in .csv, .jsonl, .json or .parquet.

    Returns
    -------
    History
        Every whole row.

    Raises
    ------
    InputError
        If there is no such file, or it is no history.
    """
    file = HistoryFile(path, max_records=None)
    if not file.exists:
        raise InputError("path", f"{path} does not exist", "check the name")
    file.refresh()
    return file.history


def _stamp(path: Path) -> _Stamp:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
