"""How records become lines of a file; a line is whole, or it does not count."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

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


def parse_object(line: bytes) -> dict[str, Any]:
    """Return the JSON object in a line."""
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError("path", "is not a history", "pass a file that a monitor wrote")
    return found


class CsvLines:
    """``# {metadata}``, a line of column names, and one line per record, as `History.to_csv`."""

    head_lines = 2

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return both head lines."""
        return csv_head(list(Layout.of(records, metadata).columns()), metadata).encode()

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return one line per record."""
        names = csv_names(head.split(b"\n")[1])
        known = {*names, *LATER}  # a file from before a column goes on without it
        lines = []
        for record in records:
            row = row_of(record)
            if not known.issuperset(row):
                raise other_columns(row.keys() - known)
            lines.append(csv_line(row, names, one_line=True))
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
            return csv_records(head.partition(b"\n")[2] + block)
        except InputError:
            raise
        except ValueError as error:
            reason = str(error).splitlines()[0]
            raise InputError("path", f"has a damaged line ({reason})", "write it again") from None


_NEEDED = {"step", "layer", "n_samples", "n_features", "dtype", "measure"}


class JsonLines:
    """``{"metadata": …}``, then one object per record; NaN and infinities are words."""

    head_lines = 1

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return the head line."""
        return json.dumps({"metadata": dict(metadata)}).encode() + b"\n"

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return one line per record."""
        rows = (json.dumps(json_row(record), allow_nan=False) for record in records)
        return b"".join(row.encode() + b"\n" for row in rows)

    def metadata(self, head: bytes) -> dict[str, Any]:
        """Return the metadata."""
        found = parse_object(head).get("metadata")
        if not isinstance(found, dict):
            raise InputError("path", "is not a history", "pass a file that a monitor wrote")
        return found

    def records(self, block: bytes, head: bytes) -> list[LayerRecord]:
        """Return the records in some lines."""
        return [record_of(row, layout) for row, layout in _rows(block)]

    def table(self, block: bytes, metadata: Mapping[str, Any]) -> pa.Table:
        """Return some lines as a table, without records in between."""
        rows = _rows(block)
        eps = (value for _, layout in rows for value in layout.eps)
        own = (name for _, layout in rows for name in layout.own)
        known = Layout.united(metadata, eps, own)
        return arrow_table([row for row, _ in rows], known, metadata)


def _rows(block: bytes) -> list[tuple[dict[str, Any], Layout]]:
    """Return the values and layouts of some lines."""
    found = []
    kinds: dict[tuple[str, ...], tuple[dict[str, bool], Layout]] = {}
    for line in block.splitlines():
        row = parse_object(line)
        key = tuple(row)
        if key not in kinds:
            layout = Layout.named(key)
            kinds[key] = (floating_columns(layout), layout)
        floating, layout = kinds[key]
        if _NEEDED - row.keys():
            raise InputError("path", "has a damaged line", "write it again")
        try:
            found.append((values_of(row, floating), layout))
        except (KeyError, TypeError, ValueError) as error:
            problem = f"has a damaged line ({error})"
            raise InputError("path", problem, "write it again") from None
    return found
