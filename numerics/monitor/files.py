"""Histories as files: parquet, CSV and JSON, written whole or not at all, read without pickle."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv as pc
import pyarrow.parquet as pq

from epsrank.numerics.monitor.columns import from_table, record_of, to_table
from epsrank.numerics.monitor.record import LayerRecord
from epsrank.numerics.monitor.text_values import (
    csv_records,
    floating_columns,
    json_row,
    thresholds,
    values_of,
)
from epsrank.numerics.training.storage import write_bytes, write_table, write_text
from epsrank.theory.errors import InputError


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
    write_bytes(path, text)
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
    rows = [json_row(record) for record in records]
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
    except (pa.ArrowException, ValueError, KeyError, TypeError, AttributeError) as error:
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
    return json.loads(head[2:]), csv_records(body)


def _read_json(path: Path) -> tuple[dict[str, Any], list[LayerRecord]]:
    held = json.loads(path.read_text(encoding="utf-8"))
    metadata, rows = held["metadata"], held["records"]
    eps = list(dict.fromkeys(value for row in rows for value in thresholds(row)))
    floating = floating_columns(eps)
    return metadata, [record_of(values_of(row, floating), eps) for row in rows]
