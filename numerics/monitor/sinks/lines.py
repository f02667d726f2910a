"""Records as lines of CSV or JSON, and back; a line is whole, or it does not count."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pcsv

from numerics.monitor.columns import from_table, record_of, row_of, schema, to_table
from numerics.monitor.record import LayerRecord
from theory.errors import InputError

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
_PREFIX = "rank_lower_"


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


class CsvLines:
    """``# {metadata}``, a line of column names, and one line per record, as `History.to_csv`."""

    head_lines = 2

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return both head lines.

        Parameters
        ----------
        metadata : mapping
            Written as JSON.
        records : sequence of LayerRecord
            The first ones, which may have further thresholds.

        Returns
        -------
        bytes
            Two lines.
        """
        names = to_table(records, dict(metadata)).slice(0, 0)
        buffer = io.BytesIO()
        pcsv.write_csv(names, buffer)
        return f"# {json.dumps(metadata)}\n".encode() + buffer.getvalue()

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return one line per record.

        Parameters
        ----------
        records : sequence of LayerRecord
            Rows.
        head : bytes
            Of the file.

        Returns
        -------
        bytes
            The lines.

        Raises
        ------
        InputError
            If the file has other columns.
        """
        table = to_table(records, {"eps": _thresholds(_names(head))})
        if table.column_names != _names(head):
            raise InputError("path", "has columns of other thresholds", "choose another file")
        for index, field in enumerate(table.schema):
            if pa.types.is_string(field.type):
                column = pc.replace_substring_regex(table.column(index), r"[\r\n]+", " ")
                table = table.set_column(index, field, column)
        buffer = io.BytesIO()
        pcsv.write_csv(table, buffer, pcsv.WriteOptions(include_header=False))
        return buffer.getvalue()

    def metadata(self, head: bytes) -> dict[str, Any]:
        """Return the metadata.

        Parameters
        ----------
        head : bytes
            Of the file.

        Returns
        -------
        dict
            The metadata.

        Raises
        ------
        InputError
            If it is no head of a history.
        """
        first, _, names = head.partition(b"\n")
        if not first.startswith(b"# ") or b'"step"' not in names:
            raise InputError("path", "is not a history", "pass a file that a monitor wrote")
        return _object(first[2:])

    def records(self, block: bytes, head: bytes) -> list[LayerRecord]:
        """Return the records in some lines.

        Parameters
        ----------
        block : bytes
            Whole lines.
        head : bytes
            Of the file.

        Returns
        -------
        list of LayerRecord
            Rows.

        Raises
        ------
        InputError
            If a line is damaged.
        """
        if not block:
            return []
        names = _names(head)
        kinds = schema(_thresholds(names))
        try:
            table = pcsv.read_csv(
                io.BytesIO(block),
                read_options=pcsv.ReadOptions(use_threads=False, column_names=names),
                convert_options=pcsv.ConvertOptions(
                    column_types=kinds,
                    null_values=[""],
                    strings_can_be_null=True,
                    quoted_strings_can_be_null=False,
                ),
            )
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0]
            raise InputError("path", f"has a damaged line ({reason})", "write it again") from None
        return from_table(table.replace_schema_metadata({"epsrank": "{}"}))[1]


class JsonLines:
    """``{"metadata": …}``, then one object per record; NaN and infinities are words."""

    head_lines = 1

    def head(self, metadata: Mapping[str, Any], records: Sequence[LayerRecord]) -> bytes:
        """Return the head line.

        Parameters
        ----------
        metadata : mapping
            Plain values.
        records : sequence of LayerRecord
            Not used.

        Returns
        -------
        bytes
            One line.
        """
        return json.dumps({"metadata": dict(metadata)}).encode() + b"\n"

    def block(self, records: Sequence[LayerRecord], head: bytes) -> bytes:
        """Return one line per record.

        Parameters
        ----------
        records : sequence of LayerRecord
            Rows.
        head : bytes
            Not used.

        Returns
        -------
        bytes
            The lines.
        """
        rows = ({name: _worded(value) for name, value in row_of(r).items()} for r in records)
        return b"".join(json.dumps(row, allow_nan=False).encode() + b"\n" for row in rows)

    def metadata(self, head: bytes) -> dict[str, Any]:
        """Return the metadata.

        Parameters
        ----------
        head : bytes
            Of the file.

        Returns
        -------
        dict
            The metadata.

        Raises
        ------
        InputError
            If it is no head of a history.
        """
        found = _object(head).get("metadata")
        if not isinstance(found, dict):
            raise InputError("path", "is not a history", "pass a file that a monitor wrote")
        return found

    def records(self, block: bytes, head: bytes) -> list[LayerRecord]:
        """Return the records in some lines.

        Parameters
        ----------
        block : bytes
            Whole lines.
        head : bytes
            Not used.

        Returns
        -------
        list of LayerRecord
            Rows.

        Raises
        ------
        InputError
            If a line is damaged.
        """
        found = []
        for line in block.splitlines():
            row = _object(line)
            eps = _thresholds(list(row))
            kinds = schema(eps)
            try:
                filled = {n: _number(row.get(n), kinds.field(n).type) for n in kinds.names}
                found.append(record_of(filled, eps))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(
                    "path", f"has a damaged line ({error})", "write it again"
                ) from None
        return found


def _object(line: bytes) -> dict[str, Any]:
    try:
        found = json.loads(line)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise InputError("path", "is not a history", "pass a file that a monitor wrote")
    return found


def _names(head: bytes) -> list[str]:
    return head.split(b"\n")[1].decode().replace('"', "").strip().split(",")


def _thresholds(names: Sequence[str]) -> list[float]:
    return [float(name[len(_PREFIX) :]) for name in names if name.startswith(_PREFIX)]


def _worded(value: Any) -> Any:
    """Return a value that strict JSON can hold."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _number(value: Any, kind: pa.DataType) -> Any:
    """Undo `_worded` in columns of numbers."""
    if pa.types.is_floating(kind) and isinstance(value, str):
        return _WORDS[value]
    return float(value) if pa.types.is_floating(kind) and value is not None else value
