"""Records as columns and back: one flat row per (step, layer)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from epsrank.numerics.monitor.numbers.quantities import QUANTITY_NAMES, Quantities
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord
from epsrank.theory.errors import InputError

_KEY = b"epsrank"

_PLAIN: dict[str, pa.DataType] = {
    "step": pa.int64(),
    "layer": pa.string(),
    "loss": pa.float64(),
    "seconds": pa.float64(),
    "cost": pa.float64(),
    "n_samples": pa.int64(),
    "n_features": pa.int64(),
    "dtype": pa.string(),
    "measure": pa.string(),
    "relative": pa.bool_(),
    "probe_part": pa.float64(),
}

#: Columns that histories written before them lack; they are read as None.
LATER = ("probe_part",)

_RANK: dict[str, pa.DataType] = {
    "rank_lower": pa.int64(),
    "rank_upper": pa.int64(),
    "route": pa.string(),
    "route_reason": pa.string(),
}
_READING: dict[str, tuple[str, pa.DataType]] = {
    "reading": ("name", pa.string()),
    "sample_loss": ("loss", pa.float64()),
    "reachable": ("reachable", pa.float64()),
    "attained": ("attained", pa.float64()),
    "head_norm": ("norm", pa.float64()),
    "ratio_lower": ("ratio_lower", pa.float64()),
    "ratio_upper": ("ratio_upper", pa.float64()),
    "bias": ("bias", pa.string()),
    "loss_kind": ("kind", pa.string()),
    "reading_samples": ("n_samples", pa.int64()),
    "reading_reason": ("reason", pa.string()),
}


def rank_column(name: str, eps: float) -> str:
    """Return the name of a column that belongs to one threshold."""
    return f"{name}_{eps!r}"


def schema(eps: Sequence[float]) -> pa.Schema:
    """Return the columns of a history with these thresholds."""
    columns = dict(_PLAIN)
    for value in eps:
        columns |= {rank_column(name, value): kind for name, kind in _RANK.items()}
    columns |= {name: pa.float64() for name in QUANTITY_NAMES}
    columns |= {name: kind for name, (_, kind) in _READING.items()}
    columns["failure"] = pa.string()
    return pa.schema(columns)


def row_of(record: LayerRecord) -> dict[str, Any]:
    """Return a record as a flat mapping."""
    row: dict[str, Any] = {name: getattr(record, name) for name in _PLAIN}
    for entry in record.ranks:
        values = (entry.lower, entry.upper, entry.route, entry.reason)
        row |= {rank_column(n, entry.eps): v for n, v in zip(_RANK, values, strict=True)}
    if record.quantities is not None:
        row |= {name: getattr(record.quantities, name) for name in QUANTITY_NAMES}
    if record.reading is not None:
        row |= {name: getattr(record.reading, own) for name, (own, _) in _READING.items()}
    row["failure"] = record.failure
    return row


def to_table(records: Sequence[LayerRecord], metadata: dict[str, Any]) -> pa.Table:
    """Return records as an Arrow table."""
    seen = dict.fromkeys(entry.eps for record in records for entry in record.ranks)
    names = schema(list(dict.fromkeys([*metadata.get("eps", []), *seen])))
    rows = [row_of(record) for record in records]
    arrays = [
        pa.array([row.get(name) for row in rows], names.field(name).type) for name in names.names
    ]
    return pa.table(arrays, schema=names.with_metadata({_KEY: json.dumps(metadata)}))


def from_table(table: pa.Table) -> tuple[dict[str, Any], list[LayerRecord]]:
    """Return metadata and records of a table made by `to_table`.

    Returns equal to what went in.
    """
    stored = (table.schema.metadata or {}).get(_KEY)
    if stored is None:
        raise InputError("path", "has no metadata of a history", "pass a file that History wrote")
    metadata = json.loads(stored)
    prefix = "rank_lower_"
    eps = [float(name[len(prefix) :]) for name in table.column_names if name.startswith(prefix)]
    missing = sorted(set(schema(eps).names) - set(table.column_names) - set(LATER))
    if missing:
        raise InputError("path", f"lacks the columns {', '.join(missing)}", "write it again")
    return metadata, [record_of(row, eps) for row in table.to_pylist()]


def record_of(row: dict[str, Any], eps: Sequence[float]) -> LayerRecord:
    """Return the record of a flat row."""
    ranks = tuple(
        LayerRank(value, *(row[rank_column(name, value)] for name in _RANK))
        for value in eps
        if row[rank_column("rank_lower", value)] is not None
    )
    own = None
    if row["trace"] is not None:
        own = Quantities(**{name: row[name] for name in QUANTITY_NAMES})
    reading = None
    if row["reading"] is not None:
        reading = LayerReading(**{field: row[name] for name, (field, _) in _READING.items()})
    plain: dict[str, Any] = {name: row[name] for name in _PLAIN if name not in LATER}
    plain |= {name: row.get(name) for name in LATER}
    return LayerRecord(
        **plain, ranks=ranks, quantities=own, reading=reading, failure=row["failure"]
    )
