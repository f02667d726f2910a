"""Records as columns and back: one flat row per (step, layer)."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

from epsrank.numerics.monitor.numbers.quantities import QUANTITY_NAMES, Quantities
from epsrank.numerics.monitor.records.record import LayerRank, LayerReading, LayerRecord
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages

if TYPE_CHECKING:
    import pyarrow as pa

_KEY = b"epsrank"

#: What a column holds, in Arrow's words: CSV and JSON are read and written without Arrow.
Kind = Literal["bool", "float64", "int64", "string"]

_PLAIN: dict[str, Kind] = {
    "step": "int64",
    "layer": "string",
    "loss": "float64",
    "seconds": "float64",
    "cost": "float64",
    "n_samples": "int64",
    "n_features": "int64",
    "dtype": "string",
    "measure": "string",
    "relative": "bool",
    "probe_part": "float64",
}

#: Columns that histories written before them lack; they are read as None.
LATER = ("probe_part",)

_RANK: dict[str, Kind] = {
    "rank_lower": "int64",
    "rank_upper": "int64",
    "route": "string",
    "route_reason": "string",
}
_READING: dict[str, tuple[str, Kind]] = {
    "reading": ("name", "string"),
    "sample_loss": ("loss", "float64"),
    "reachable": ("reachable", "float64"),
    "attained": ("attained", "float64"),
    "head_norm": ("norm", "float64"),
    "ratio_lower": ("ratio_lower", "float64"),
    "ratio_upper": ("ratio_upper", "float64"),
    "bias": ("bias", "string"),
    "loss_kind": ("kind", "string"),
    "reading_samples": ("n_samples", "int64"),
    "reading_reason": ("reason", "string"),
}


def rank_column(name: str, eps: float) -> str:
    """Return the name of a column that belongs to one threshold."""
    return f"{name}_{eps!r}"


def columns(eps: Sequence[float]) -> dict[str, Kind]:
    """Return the columns of a history with these thresholds."""
    found = dict(_PLAIN)
    for value in eps:
        found |= {rank_column(name, value): kind for name, kind in _RANK.items()}
    found |= dict.fromkeys(QUANTITY_NAMES, "float64")
    found |= {name: kind for name, (_, kind) in _READING.items()}
    found["failure"] = "string"
    return found


_PREFIX = "rank_lower_"


def named_thresholds(names: Iterable[str]) -> list[float]:
    """Return the ε that the names of columns speak of."""
    return [float(name[len(_PREFIX) :]) for name in names if name.startswith(_PREFIX)]


def all_thresholds(records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> list[float]:
    """Return the ε of the metadata, then those that only records have."""
    seen = [entry.eps for record in records for entry in record.ranks]
    return list(dict.fromkeys([*metadata.get("eps", []), *seen]))


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


def arrow_table(
    rows: Sequence[Mapping[str, Any]], eps: Sequence[float], metadata: Mapping[str, Any]
) -> pa.Table:
    """Return flat rows as an Arrow table; what a row lacks is null."""
    with optional_packages():
        import pyarrow as pa

    kinds = {name: pa.type_for_alias(kind) for name, kind in columns(eps).items()}
    arrays = [pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()]
    return pa.table(arrays, schema=pa.schema(kinds, {_KEY: json.dumps(dict(metadata))}))


def to_table(records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> pa.Table:
    """Return records as an Arrow table."""
    rows = [row_of(record) for record in records]
    return arrow_table(rows, all_thresholds(records, metadata), metadata)


def from_table(table: pa.Table) -> tuple[dict[str, Any], list[LayerRecord]]:
    """Return metadata and records of a table, equal to what `to_table` was given."""
    stored = (table.schema.metadata or {}).get(_KEY)
    if stored is None:
        raise InputError("path", "has no metadata of a history", "pass a file that History wrote")
    eps = checked_thresholds(table.column_names)
    return json.loads(stored), [record_of(row, eps) for row in table.to_pylist()]


def checked_thresholds(names: Sequence[str]) -> list[float]:
    """Return the ε of a history with these columns; it must have all of them."""
    eps = named_thresholds(names)
    missing = sorted(set(columns(eps)) - set(names) - set(LATER))
    if missing:
        raise InputError("path", f"lacks the columns {', '.join(missing)}", "write it again")
    return eps


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
