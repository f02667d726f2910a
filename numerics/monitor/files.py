"""Histories as files: parquet, CSV and JSON, written whole or not at all, read without pickle."""

from __future__ import annotations

import io
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from numerics.monitor.columns import from_table, record_of, row_of, schema, to_table
from numerics.monitor.record import LayerRecord
from numerics.training.storage import write_atomically, write_table, write_text
from theory.errors import InputError

_WORDS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def write_parquet(path: Path, records: Sequence[LayerRecord], metadata: dict[str, Any]) -> Path:
    """Write records as parquet.

    Parameters
    ----------
    path : Path
        Where.
    records : sequence of LayerRecord
        Rows.
    metadata : dict
        Stored in the schema.

    Returns
    -------
    Path
        The file.
    """
    write_table(path, to_table(records, metadata))
    return path


def write_csv(path: Path, records: Sequence[LayerRecord], metadata: dict[str, Any]) -> Path:
    """Write records as CSV behind one line of ``# {metadata}``.

    Parameters
    ----------
    path : Path
        Where.
    records : sequence of LayerRecord
        Rows.
    metadata : dict
        Written as JSON in the first line.

    Returns
    -------
    Path
        The file.
    """
    buffer = io.BytesIO()
    pc.write_csv(to_table(records, metadata), buffer)
    text = f"# {json.dumps(metadata)}\n".encode() + buffer.getvalue()
    write_atomically(path, lambda part: _write_bytes(part, text))
    return path


def write_json_file(path: Path, records: Sequence[LayerRecord], metadata: dict[str, Any]) -> Path:
    """Write records as JSON, one flat object each.

    Parameters
    ----------
    path : Path
        Where.
    records : sequence of LayerRecord
        Rows.
    metadata : dict
        Under ``"metadata"``.

    Returns
    -------
    Path
        The file.
    """
    rows = [{name: _worded(value) for name, value in row_of(r).items()} for r in records]
    write_text(path, json.dumps({"metadata": metadata, "records": rows}, indent=1) + "\n")
    return path


def read_records(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    """Read a file that one of the functions above wrote.

    Parameters
    ----------
    path : Path
        Ends in .parquet, .csv or .json.

    Returns
    -------
    tuple of (dict, list of LayerRecord)
        Metadata and rows.

    Raises
    ------
    InputError
        If there is no such file, or it is not a history.
    """
    readers = {".parquet": _read_parquet, ".csv": _read_csv, ".json": _read_json}
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise InputError("path", f"is {path}", "end it in .parquet, .csv or .json")
    try:
        return reader(path)
    except OSError as error:
        raise InputError(
            "path", f"cannot be read ({path}: {error.strerror or error})", "check the name"
        ) from None
    except InputError:
        raise
    except (pa.ArrowException, ValueError, KeyError, TypeError) as error:
        line = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise InputError(
            "path", f"is not a history ({path}: {line})", "pass a file that History wrote"
        ) from None


def _read_parquet(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    return from_table(pq.read_table(path, use_threads=False))


def _read_csv(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    head, _, body = path.read_bytes().partition(b"\n")
    if not head.startswith(b"# "):
        raise InputError("path", "has no line of metadata", "pass a file that History wrote")
    metadata = json.loads(head[2:])
    names = body.partition(b"\n")[0].decode().replace('"', "").strip().split(",")
    kinds = schema(_thresholds(names))
    table = pc.read_csv(
        io.BytesIO(body),
        read_options=pc.ReadOptions(use_threads=False),
        convert_options=pc.ConvertOptions(
            column_types=kinds,
            null_values=[""],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    return from_table(table.replace_schema_metadata({"epsrank": json.dumps(metadata)}))


def _read_json(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    held = json.loads(path.read_text(encoding="utf-8"))
    metadata, rows = held["metadata"], held["records"]
    eps = list(dict.fromkeys(value for row in rows for value in _thresholds(row)))
    kinds = schema(eps)
    records = []
    for row in rows:
        filled = {name: _number(row.get(name), kinds.field(name).type) for name in kinds.names}
        records.append(record_of(filled, eps))
    return metadata, records


def _thresholds(names: Sequence[str] | dict[str, Any]) -> list[float]:
    """Return the thresholds that column names speak of."""
    prefix = "rank_lower_"
    return [float(name[len(prefix) :]) for name in names if name.startswith(prefix)]


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


def _write_bytes(part: Path, data: bytes) -> None:
    part.write_bytes(data)
