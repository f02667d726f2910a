"""Sinks that append every measurement to a CSV or JSON Lines file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from epsrank.numerics.monitor.record import LayerRecord
from epsrank.numerics.monitor.sinks.appending import AppendedFile
from epsrank.numerics.monitor.sinks.csv_lines import CsvLines
from epsrank.numerics.monitor.sinks.json_lines import JsonLines
from epsrank.numerics.monitor.sinks.lines import Lines
from epsrank.numerics.monitor.sinks.protocol import WholeRecords
from epsrank.theory.errors import InputError


class LineSink(WholeRecords):
    """Appends records as lines; a killed run loses at most the measurement being written.

    Parameters
    ----------
    path : str or Path
        The file; its folder is made.
    append : bool
        Continue an existing file, after its last whole line.
    lines : Lines
        The format.

    Raises
    ------
    InputError
        If the file cannot be written, holds something and `append` is False, or is no history.
    """

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
        """Append the rows of one measurement.

        Parameters
        ----------
        records : sequence of LayerRecord
            Rows.
        metadata : mapping
            Written at the head of a new file.
        """
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
