"""How records become lines of a file; a line is whole, or it does not count."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

from epsrank.numerics.boundary import reason_of
from epsrank.numerics.monitor.records.columns import (
    LATER,
    Layout,
    arrow_table,
    other_columns,
    record_of,
    row_of,
)
from epsrank.numerics.monitor.records.csv_text import csv_head, csv_line, csv_names, csv_records
from epsrank.numerics.monitor.records.files import floating_columns, json_row, values_of
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.seal import line_check
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    import pyarrow as pa


class Lines(Protocol):
    """How records become lines: head lines with the metadata first, then blocks of rows."""

    head_lines: int

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return the first lines of a file."""
        ...

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return the lines of some records, in a file with that head."""
        ...

    def metadata(self, head: bytes) -> dict[str, Any]:
        """Return the metadata in a head."""
        ...

    def records(self, block: bytes, head: bytes) -> list[LayerRecord]:
        """Return the records in some whole lines."""
        ...


_RESTORE = "restore it from a copy, or take the damaged lines out"

# The last entry of an object of ours: a checksum of what stands before it, under the file's head.
_CHECKED = re.compile(rb', "check": "([0-9a-f]{16})"\}$')


def checked_line(values: Mapping[str, Any], head: bytes) -> bytes:
    """Return an object as a line with a checksum."""
    text = json.dumps(values, allow_nan=False)
    return f'{text[:-1]}, "check": "{line_check(text, head)}"}}\n'.encode()


def is_checked(line: bytes) -> bool:
    """Tell whether a line was written with a checksum; lines from before there were any are not."""
    return _CHECKED.search(line.rstrip(b"\n")) is not None


def parse_object(line: bytes, head: bytes = b"", *, checked: bool = False) -> dict[str, Any]:
    """Return the JSON object in a line, if it is what was written."""
    found = _CHECKED.search(line.rstrip(b"\n"))
    if found is not None:
        line = line[: found.start()] + b"}"
        intact = line_check(line.decode(errors="replace"), head) == found[1].decode()
    if not intact if found is not None else checked:
        raise InputError("path", "has a damaged line (its checksum is another)", _RESTORE)
    try:
        values = json.loads(line)
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict):
        raise InputError("path", "is not a history", "pass a file that a monitor wrote")
    return values


class CsvLines:
    """``# {metadata}``, a line of column names, and one line per record, as `History.to_csv`."""

    head_lines = 2

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return both head lines."""
        return csv_head(list(Layout.of(records, metadata).columns()), metadata).encode()

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return one line per record."""
        known = {*csv_names(head), *LATER}  # a file from before a column goes on without it
        lines = []
        for record in records:
            row = row_of(record)
            if not known.issuperset(row):
                raise other_columns(row.keys() - known)
            lines.append(csv_line(row, head, one_line=True))
        return "".join(lines).encode()

    def metadata(self, head: bytes) -> dict[str, Any]:
        """Return the metadata."""
        first, _, names = head.partition(b"\n")
        if not first.startswith(b"# ") or b'"step"' not in names:
            raise InputError("path", "is not a history", "pass a file that a monitor wrote")
        return parse_object(first[2:])

    def records(self, block: bytes, head: bytes) -> list[LayerRecord]:
        """Return the records in some lines."""
        if not block:
            return []
        try:
            return csv_records(head, block)
        except InputError:
            raise
        except (ValueError, OverflowError) as error:
            problem = f"has a damaged line ({reason_of(error)})"
            raise InputError("path", problem, _RESTORE) from None


_NEEDED = {"step", "layer", "n_samples", "n_features", "dtype", "measure"}


class JsonLines:
    """``{"metadata": …}``, then one object per record; NaN and infinities are words."""

    head_lines = 1

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return the head line."""
        return checked_line({"metadata": dict(metadata)}, b"")

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return one line per record."""
        rows = map(json_row, records)
        if is_checked(head):
            return b"".join(checked_line(row, head) for row in rows)
        return b"".join(json.dumps(row, allow_nan=False).encode() + b"\n" for row in rows)

    def metadata(self, head: bytes) -> dict[str, Any]:
        """Return the metadata."""
        found = parse_object(head).get("metadata")
        if not isinstance(found, dict):
            raise InputError("path", "is not a history", "pass a file that a monitor wrote")
        return found

    def records(self, block: bytes, head: bytes) -> list[LayerRecord]:
        """Return the records in some lines."""
        return [record_of(row, layout) for row, layout in _rows(block, head)]

    def table(self, block: bytes, head: bytes, metadata: Mapping[str, Any]) -> pa.Table:
        """Return some lines as a table, without records in between."""
        rows = _rows(block, head)
        eps = (value for _, layout in rows for value in layout.eps)
        own = (name for _, layout in rows for name in layout.own)
        known = Layout.united(metadata, eps, own)
        return arrow_table([row for row, _ in rows], known, metadata)


def _rows(block: bytes, head: bytes) -> list[tuple[dict[str, Any], Layout]]:
    """Return the values and layouts of some lines."""
    found = []
    kinds: dict[tuple[str, ...], tuple[dict[str, bool], Layout]] = {}
    checked = is_checked(head)
    # At \n alone: of what others take for the end of a line, nothing stands in ours.
    for line in filter(None, block.split(b"\n")):
        row = parse_object(line, head, checked=checked)
        key = tuple(row)
        if key not in kinds:
            layout = Layout.named(key)
            kinds[key] = (floating_columns(layout), layout)
        floating, layout = kinds[key]
        if _NEEDED - row.keys():
            raise InputError("path", "has a damaged line", _RESTORE)
        try:
            found.append((values_of(row, floating), layout))
        except (KeyError, TypeError, ValueError, OverflowError) as error:
            problem = f"has a damaged line ({reason_of(error)})"
            raise InputError("path", problem, _RESTORE) from None
    return found
