"""Values of records in text files: words for what JSON has no numbers for, columns of CSV."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.csv as pcsv

from epsrank.numerics.monitor.columns import from_table, row_of, schema
from epsrank.numerics.monitor.record import LayerRecord

_PREFIX = "rank_lower_"
_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def thresholds(names: Iterable[str]) -> list[float]:
    """Return the ε that the names of columns speak of.

    Parameters
    ----------
    names : iterable of str
        Columns of a history.

    Returns
    -------
    list of float
        In their order.
    """
    return [float(name[len(_PREFIX) :]) for name in names if name.startswith(_PREFIX)]


def json_row(record: LayerRecord) -> dict[str, Any]:
    """Return a record as an object of strict JSON; NaN and infinities are words.

    Parameters
    ----------
    record : LayerRecord
        One row.

    Returns
    -------
    dict
        One entry per column that the record fills.
    """
    return {name: _worded(value) for name, value in row_of(record).items()}


def floating_columns(eps: Sequence[float]) -> dict[str, bool]:
    """Tell which columns of a history hold floats.

    Parameters
    ----------
    eps : sequence of float
        Thresholds.

    Returns
    -------
    dict of str to bool
        By name, for all columns.
    """
    return {field.name: pa.types.is_floating(field.type) for field in schema(eps)}


def values_of(row: Mapping[str, Any], floating: Mapping[str, bool]) -> dict[str, Any]:
    """Undo `json_row`.

    Parameters
    ----------
    row : mapping
        An object.
    floating : mapping of str to bool
        From `floating_columns`.

    Returns
    -------
    dict
        One entry per column, None where the object has none.

    Raises
    ------
    KeyError, TypeError, ValueError
        If a column of floats holds anything else.
    """
    return {name: _number(row.get(name)) if f else row.get(name) for name, f in floating.items()}


def csv_names(line: bytes) -> list[str]:
    """Return the names of columns.

    Parameters
    ----------
    line : bytes
        The line of CSV that holds them.

    Returns
    -------
    list of str
        In their order.
    """
    return line.decode().replace('"', "").strip().split(",")


def csv_records(lines: bytes) -> list[LayerRecord]:
    """Return the records in lines of CSV.

    Parameters
    ----------
    lines : bytes
        The names of the columns first.

    Returns
    -------
    list of LayerRecord
        The records.

    Raises
    ------
    ArrowException
        If a line is damaged.
    InputError
        If columns are missing.
    """
    table = pcsv.read_csv(
        io.BytesIO(lines),
        read_options=pcsv.ReadOptions(use_threads=False),
        convert_options=pcsv.ConvertOptions(
            column_types=schema(thresholds(csv_names(lines.partition(b"\n")[0]))),
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return from_table(table.replace_schema_metadata({"epsrank": "{}"}))[1]


def _worded(value: Any) -> Any:
    """Return a value that strict JSON can hold."""
    if not isinstance(value, float) or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _number(value: Any) -> float | None:
    """Undo `_worded` in a column of floats."""
    if value is None:
        return None
    return _WORDS[value] if isinstance(value, str) else float(value)
