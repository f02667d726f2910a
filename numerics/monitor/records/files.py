"""Histories as files: parquet, CSV and JSON, written whole or not at all, read without pickle."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from epsrank.numerics.boundary import parsing
from epsrank.numerics.files import (
    read_bytes,
    read_json,
    read_table,
    write_bytes,
    write_json,
    write_table,
)
from epsrank.numerics.monitor.records.columns import (
    Layout,
    from_table,
    record_of,
    row_of,
    to_table,
)
from epsrank.numerics.monitor.records.csv_text import csv_head, csv_line, csv_records
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.theory.errors import InputError

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def json_row(record: LayerRecord) -> dict[str, Any]:
    """Return a record as an object of strict JSON; NaN and infinities are words."""
    return {name: _worded(value) for name, value in row_of(record).items()}


def floating_columns(layout: Layout) -> dict[str, bool]:
    """Tell which columns of a history hold floats."""
    return {name: kind == "float64" for name, kind in layout.columns().items()}


def values_of(row: Mapping[str, Any], floating: Mapping[str, bool]) -> dict[str, Any]:
    """Undo `json_row`: one entry per column, None where the object has none."""
    return {name: _number(row.get(name)) if f else row.get(name) for name, f in floating.items()}


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


def write_parquet(path: Path, records: Sequence[LayerRecord], metadata: dict[str, Any]) -> Path:
    """Write records as parquet."""
    write_table(path, to_table(records, metadata))
    return path


def write_csv(path: Path, records: Sequence[LayerRecord], metadata: dict[str, Any]) -> Path:
    """Write records as CSV behind one line of ``# {metadata}``."""
    head = csv_head(list(Layout.of(records, metadata).columns()), metadata).encode()
    lines = "".join(csv_line(row_of(record), head) for record in records)
    write_bytes(path, head + lines.encode())
    return path


def write_json_file(path: Path, records: Sequence[LayerRecord], metadata: dict[str, Any]) -> Path:
    """Write records as JSON, one flat object each."""
    rows = [json_row(record) for record in records]
    write_json(path, {"metadata": metadata, "records": rows})
    return path


def read_records(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    """Return metadata and rows of a file that one of the functions above wrote."""
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("path", f"is {path}", "end it in .parquet, .csv or .json")
    with reading_history(path):
        return reader(path)


@contextmanager
def reading_history(path: Path) -> Iterator[None]:
    """Turn whatever a file holds instead of a history into one line with its name."""
    try:
        with parsing(str(path), "pass a file that a monitor wrote", "is not a history"):
            try:
                yield
            except OSError as error:
                raise InputError(
                    "path", f"cannot be read ({path}: {error.strerror or error})", "check the name"
                ) from None
    except InputError as error:
        if error.argument == "path" and str(path) in error.problem:
            raise
        # Callers know the file as the argument `path`.
        raise InputError("path", f"is {path}, which {error.problem}", error.remedy) from None


def _read_parquet(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    return from_table(read_table(path))


def _read_csv(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    head, end, rest = read_bytes(path).partition(b"\n")
    if not head.startswith(b"# "):
        raise InputError("path", "has no line of metadata", "pass a file that History wrote")
    names, _, body = rest.partition(b"\n")
    return json.loads(head[2:]), csv_records(head + end + names + b"\n", body)


def _read_json(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    held = read_json(path)
    metadata, rows = held["metadata"], held["records"]
    layout = Layout.named(dict.fromkeys(name for row in rows for name in row))
    floating = floating_columns(layout)
    return metadata, [record_of(values_of(row, floating), layout) for row in rows]
