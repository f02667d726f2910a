"""Records as columns and back: one flat row per (step, layer).

What belongs to the whole measurement (loss, cost, own quantities) stands in each of its rows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from epsrank.numerics.monitor.numbers.quantities import QUANTITY_NAMES, Quantities
from epsrank.numerics.monitor.records.record import (
    LayerRank,
    LayerReading,
    LayerRecord,
    QuantityRecord,
)
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
LATER = (
    "probe_part", "half_norm", "norm_cap", "srank", "alpha_req", "reading_head", "reading_form",
    "reading_rank_lower", "reading_rank_upper",
)  # fmt: skip

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
    "half_norm": ("half_norm", "float64"),
    "norm_cap": ("cap", "float64"),
    "reading_head": ("head", "string"),
    "reading_form": ("form", "string"),
    "reading_rank_lower": ("rank_lower", "int64"),
    "reading_rank_upper": ("rank_upper", "int64"),
}
# Of one own quantity; seconds are known also where there is no value.
_OWN: dict[str, Kind] = {
    "value": "float64",
    "low": "float64",
    "high": "float64",
    "meaning": "string",
    "level": "float64",
    "cause": "string",
    "seconds": "float64",
}


def rank_column(name: str, eps: float) -> str:
    """Return the name of a column that belongs to one threshold."""
    return f"{name}_{eps!r}"


def own_column(field: str, name: str) -> str:
    """Return the name of a column that belongs to one own quantity."""
    return f"{_OWN_PREFIX}{field}_{name}"


_PREFIX = "rank_lower_"
_OWN_PREFIX = "quantity_"


@dataclass(frozen=True)
class Layout:
    """What the columns of a history depend on."""

    #: Thresholds.
    eps: tuple[float, ...] = ()
    #: Names of own quantities.
    own: tuple[str, ...] = ()

    @classmethod
    def named(cls, names: Iterable[str]) -> Layout:
        """Return what the names of columns speak of."""
        known, own = list(names), own_column("seconds", "")
        return cls(
            tuple(float(name[len(_PREFIX) :]) for name in known if name.startswith(_PREFIX)),
            tuple(name[len(own) :] for name in known if name.startswith(own)),
        )

    @classmethod
    def of(cls, records: Iterable[LayerRecord], metadata: Mapping[str, Any]) -> Layout:
        """Return what the metadata name, then what only records have."""
        seen = list(records)
        eps = (entry.eps for record in seen for entry in record.ranks)
        own = (entry.name for record in seen for entry in record.own_quantities)
        return cls.united(metadata, eps, own)

    @classmethod
    def united(
        cls, metadata: Mapping[str, Any], eps: Iterable[float], own: Iterable[str]
    ) -> Layout:
        """Return what the metadata name, then the rest."""
        return cls(
            tuple(dict.fromkeys([*metadata.get("eps", []), *eps])),
            tuple(dict.fromkeys([*metadata.get("own_quantities", []), *own])),
        )

    def columns(self) -> dict[str, Kind]:
        """Return the columns and what they hold."""
        found = dict(_PLAIN)
        for value in self.eps:
            found |= {rank_column(name, value): kind for name, kind in _RANK.items()}
        found |= dict.fromkeys(QUANTITY_NAMES, "float64")
        found |= {name: kind for name, (_, kind) in _READING.items()}
        found["failure"] = "string"
        for name in self.own:
            found |= {own_column(field, name): kind for field, kind in _OWN.items()}
        return found


def other_columns(names: Iterable[str]) -> InputError:
    """Say which kind of columns keeps records out of a file."""
    own = any(name.startswith(_OWN_PREFIX) for name in names)
    kind = "quantities" if own else "thresholds"
    return InputError("path", f"has columns of other {kind}", "choose another file")


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
    for own in record.own_quantities:
        row |= {own_column(field, own.name): getattr(own, field) for field in _OWN}
    return row


def arrow_table(
    rows: Sequence[Mapping[str, Any]], layout: Layout, metadata: Mapping[str, Any]
) -> pa.Table:
    """Return flat rows as an Arrow table; what a row lacks is null."""
    with optional_packages():
        import pyarrow as pa

    kinds = {name: pa.type_for_alias(kind) for name, kind in layout.columns().items()}
    arrays = [pa.array([row.get(name) for row in rows], kind) for name, kind in kinds.items()]
    return pa.table(arrays, schema=pa.schema(kinds, {_KEY: json.dumps(dict(metadata))}))


def to_table(records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> pa.Table:
    """Return records as an Arrow table."""
    rows = [row_of(record) for record in records]
    return arrow_table(rows, Layout.of(records, metadata), metadata)


def from_table(table: pa.Table) -> tuple[dict[str, Any], list[LayerRecord]]:
    """Return metadata and records of a table, equal to what `to_table` was given."""
    stored = (table.schema.metadata or {}).get(_KEY)
    if stored is None:
        raise InputError("path", "has no metadata of a history", "pass a file that History wrote")
    layout = checked_layout(table.column_names)
    return json.loads(stored), [record_of(row, layout) for row in table.to_pylist()]


def checked_layout(names: Sequence[str]) -> Layout:
    """Return the layout of a history with these columns; it must have all of them."""
    layout = Layout.named(names)
    missing = sorted(set(layout.columns()) - set(names) - set(LATER))
    if missing:
        raise InputError("path", f"lacks the columns {', '.join(missing)}", "write it again")
    return layout


def record_of(row: dict[str, Any], layout: Layout) -> LayerRecord:
    """Return the record of a flat row."""
    ranks = tuple(
        LayerRank(value, *(row[rank_column(name, value)] for name in _RANK))
        for value in layout.eps
        if row[rank_column("rank_lower", value)] is not None
    )
    own = None
    if row["trace"] is not None:
        numbers: dict[str, Any] = {name: row.get(name) for name in QUANTITY_NAMES}
        own = Quantities(**numbers)
    reading = None
    if row["reading"] is not None:
        read: dict[str, Any] = {f: row.get(name) for name, (f, _) in _READING.items()}
        reading = LayerReading(**read)
    plain: dict[str, Any] = {name: row.get(name) if name in LATER else row[name] for name in _PLAIN}
    return LayerRecord(
        **plain,
        ranks=ranks,
        quantities=own,
        reading=reading,
        failure=row["failure"],
        own_quantities=tuple(
            QuantityRecord(
                row["step"], name, **{field: row[own_column(field, name)] for field in _OWN}
            )
            for name in layout.own
            if row[own_column("seconds", name)] is not None
        ),
    )
