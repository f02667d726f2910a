"""A sink that keeps a parquet file whole at any time, and what is newer in a journal beside it."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.numerics.boundary import parsing
from epsrank.numerics.files import leave_room_for_seal, write_atomically
from epsrank.numerics.monitor.records.columns import LATER, Layout, other_columns
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.monitor.sinks.files import AppendedFile
from epsrank.numerics.monitor.sinks.lines import JsonLines, checked_line, parse_object
from epsrank.numerics.monitor.sinks.protocol import WholeRecords
from epsrank.numerics.seal import check_file, seal_file
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages

if TYPE_CHECKING:
    import pyarrow as pa

# Rows in the journal before it is folded into the parquet file, at first and at most, and rows
# copied at a time.
_FIRST_FOLD = 256
_LAST_FOLD = 4096
_COPIED = 16_384


def journal_of(path: Path) -> Path:
    """Return the journal of a parquet history."""
    return path.with_name(path.name + ".journal")


class ParquetSink(WholeRecords):
    """Keeps a parquet file of the form of `History.to_parquet`.

    Parquet cannot grow in place. New rows go to a journal of JSON lines, and whenever it is as long
    as the file, or has 4096 rows, both become a new file, written beside it and moved into its
    place. `close` folds the rest in and removes the journal. After a
    kill file and journal together are complete: `read_history` reads both, and a sink with
    `append` continues them.

    Parameters
    ----------
    path : str or Path
        The file, ending in .parquet; its folder is made.
    append : bool
        Continue an existing file.

    Raises
    ------
    InputError
        If pyarrow is not installed, or the file cannot be written, exists and `append` is False, or
        is no history.
    """

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        # Said before the training, not at the first fold.
        with optional_packages():
            import pyarrow.parquet  # noqa: F401

        self.path = Path(path)
        if self.path.exists() and not append:
            raise InputError(
                "path",
                f"is {self.path}, which exists",
                "pass append=True to continue it, or choose another file",
            )
        self._lines = JsonLines()
        self._folded = 0
        self._metadata: dict[str, Any] | None = None
        if self.path.exists():
            self._folded, self._metadata = read_footer(self.path)
        self._journal = AppendedFile(journal_of(self.path), resume=append)
        self._waiting = 0
        self._closed = False
        # A sink that got nothing (in all processes but the first) touches no file.
        self._used = False
        self._head = self._journal.head(1) if self._journal.size else b""
        if self._journal.size:
            self._metadata, rows = read_journal(self.path, self._folded)
            self._waiting = len(rows)

    def write(self, records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> None:
        """Append the rows of one measurement.

        Parameters
        ----------
        records : sequence of LayerRecord
            Rows.
        metadata : mapping
            Stored in a new file.
        """
        if self._metadata is None:
            self._metadata = dict(metadata)
        self._used = True
        if not self._journal.size:
            self._head = self._new_head()
        block = self._lines.block(records, self._head)
        self._journal.append(block if self._journal.size else self._head + block)
        self._waiting += len(records)
        if self._waiting >= min(max(_FIRST_FOLD, self._folded), _LAST_FOLD):
            self._fold()

    def close(self) -> None:
        """Fold the journal in and remove it; nothing happens the second time."""
        if self._closed:
            return
        self._closed = True
        try:
            if self._used and self._waiting:
                self._fold()
        finally:
            self._journal.close()
        if self._used:
            with contextlib.suppress(OSError):
                journal_of(self.path).unlink()

    def _new_head(self) -> bytes:
        return checked_line({"metadata": self._metadata, "after": self._folded}, b"")

    def _fold(self) -> None:
        """Write file and journal as one file, and empty the journal."""
        metadata, head, block, skipped = _journal(self.path, self._folded)
        new = self._lines.table(block, head, metadata or self._metadata or {}).slice(skipped)
        write_atomically(self.path, lambda part: _combine(self.path, new, part))
        # Killed here, the journal says which of its rows the file has already.
        self._folded += new.num_rows
        self._waiting = 0
        self._journal.clear()


def _combine(old: Path, new: pa.Table, part: Path) -> None:
    """Write the rows of a parquet file and further ones into a new one."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    before = None
    if old.exists():
        check_file(old)  # a damaged file would get a new seal
        before = pq.ParquetFile(old)
    kinds = new.schema if before is None else before.schema_arrow
    # A file from before a column goes on without it.
    new = new.drop_columns([name for name in LATER if name not in kinds.names])
    if new.schema.names != kinds.names:
        if new.num_rows:
            raise other_columns({*new.schema.names} ^ {*kinds.names})
        new = kinds.empty_table()
    with pq.ParquetWriter(part, kinds, compression="zstd") as writer:
        if before is not None:
            with before:
                for batch in before.iter_batches(batch_size=_COPIED, use_threads=False):
                    writer.write_table(pa.Table.from_batches([batch], kinds))
        writer.write_table(new.replace_schema_metadata(kinds.metadata))
        leave_room_for_seal(writer)
    seal_file(part)


def read_footer(path: Path) -> tuple[int, dict[str, Any]]:
    """Return the number of rows of a parquet history, and its metadata."""
    import pyarrow.parquet as pq

    check_file(path)
    with parsing(str(path), "check the file"), pq.ParquetFile(path) as file:
        kinds, count = file.schema_arrow, file.metadata.num_rows
    stored = (kinds.metadata or {}).get(b"epsrank")
    if stored is None or not {*Layout().columns()} - {*LATER} <= {*kinds.names}:
        raise InputError("path", f"is {path}, no history", "pass a file that a monitor wrote")
    with parsing(str(path), "check the file"):
        metadata: dict[str, Any] = json.loads(stored)
    return count, metadata


def read_journal(path: Path, folded: int) -> tuple[dict[str, Any], list[LayerRecord]]:
    """Return metadata and records of a journal that its parquet file does not have yet."""
    metadata, head, block, skipped = _journal(path, folded)
    return metadata, JsonLines().records(block, head)[skipped:]


def _journal(path: Path, folded: int) -> tuple[dict[str, Any], bytes, bytes, int]:
    """Return metadata, head and whole lines of a journal, and how many lines the file has too."""
    try:
        data = journal_of(path).read_bytes()
    except FileNotFoundError:
        return {}, b"", b"", 0
    data = data[: data.rfind(b"\n") + 1]
    first, end, block = data.partition(b"\n")
    if not first:
        return {}, b"", b"", 0
    metadata = JsonLines().metadata(first)
    after = parse_object(first).get("after")
    if not isinstance(after, int):
        raise InputError("path", f"is {path}, with a damaged journal", "remove the journal")
    return metadata, first + end, block, max(0, folded - after)
