"""Records as lines of JSON, and back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from epsrank.numerics.monitor.columns import record_of, schema, to_table
from epsrank.numerics.monitor.record import LayerRecord
from epsrank.numerics.monitor.sinks.lines import parse_object
from epsrank.numerics.monitor.text_values import floating_columns, json_row, thresholds, values_of
from epsrank.theory.errors import InputError

_NEEDED = {"step", "layer", "n_samples", "n_features", "dtype", "measure"}


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
        rows = (json.dumps(json_row(record), allow_nan=False) for record in records)
        return b"".join(row.encode() + b"\n" for row in rows)

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
        found = parse_object(head).get("metadata")
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
        return [record_of(row, eps) for row, eps in _rows(block)]

    def table(self, block: bytes, metadata: Mapping[str, Any]) -> pa.Table:
        """Return some lines as a table, without records in between.

        Parameters
        ----------
        block : bytes
            Whole lines.
        metadata : mapping
            Of the history; its ``eps`` lists the thresholds.

        Returns
        -------
        Table
            As `columns.to_table` returns.
        """
        rows = _rows(block)
        eps = dict.fromkeys(value for _, own in rows for value in own)
        known = list(dict.fromkeys([*metadata.get("eps", []), *eps]))
        stored = to_table([], dict(metadata)).schema.metadata
        columns = schema(known).with_metadata(stored)
        arrays = [
            pa.array([row.get(field.name) for row, _ in rows], field.type) for field in columns
        ]
        return pa.table(arrays, schema=columns)


def _rows(block: bytes) -> list[tuple[dict[str, Any], list[float]]]:
    """Return the values and thresholds of some lines.

    Raises
    ------
    InputError
        If a line is damaged.
    """
    found = []
    kinds: dict[tuple[str, ...], tuple[dict[str, bool], list[float]]] = {}
    for line in block.splitlines():
        row = parse_object(line)
        key = tuple(row)
        if key not in kinds:
            eps = thresholds(key)
            kinds[key] = (floating_columns(eps), eps)
        floating, eps = kinds[key]
        if _NEEDED - row.keys():
            raise InputError("path", "has a damaged line", "write it again")
        try:
            found.append((values_of(row, floating), eps))
        except (KeyError, TypeError, ValueError) as error:
            problem = f"has a damaged line ({error})"
            raise InputError("path", problem, "write it again") from None
    return found
