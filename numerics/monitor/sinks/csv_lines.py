"""Records as lines of CSV, and back."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv

from epsrank.numerics.monitor.columns import LATER, row_of, to_table
from epsrank.numerics.monitor.record import LayerRecord
from epsrank.numerics.monitor.sinks.lines import parse_object
from epsrank.numerics.monitor.text_values import csv_names, csv_records
from epsrank.theory.errors import InputError


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
        names = csv_names(head.split(b"\n")[1])
        known = {*names, *LATER}  # a file from before a column goes on without it
        lines = []
        for record in records:
            row = row_of(record)
            if not known.issuperset(row):
                raise InputError("path", "has columns of other thresholds", "choose another file")
            lines.append(",".join(_cell(row.get(name)) for name in names) + "\n")
        return "".join(lines).encode()

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
        return parse_object(first[2:])

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
        try:
            return csv_records(head.partition(b"\n")[2] + block)
        except pa.ArrowException as error:
            reason = str(error).splitlines()[0]
            raise InputError("path", f"has a damaged line ({reason})", "write it again") from None


def _cell(value: Any) -> str:
    """Return a value as Arrow writes it to CSV, without line breaks."""
    if value is None:
        return ""
    if isinstance(value, str):
        return '"' + " ".join(value.splitlines()).replace('"', '""') + '"'
    return str(value).lower() if isinstance(value, bool) else repr(value)
