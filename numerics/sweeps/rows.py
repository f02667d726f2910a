"""Outcomes as rows of a table: one with everything as text, one with a column per scalar."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from epsrank.numerics.environment import trial_environment
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.words import plural

_TEXTS = (
    "key",
    "kind",
    "settings",
    "status",
    "cause",
    "result",
    "environment",
    "finished",
    "digest",
)
SCHEMA = pa.schema(
    [(name, pa.string()) for name in _TEXTS] + [("version", pa.int64()), ("seconds", pa.float64())]
)

#: Columns of a table of outcomes before those of settings and results.
COMMON = ("key", "kind", "version", "status", "cause", "seconds")


def row_of(outcome: Outcome) -> pa.Table:
    """Return an outcome as a table of one row, with the environment of this process."""
    trial = outcome.trial
    row = {
        "key": trial.key,
        "kind": trial.kind,
        "version": trial.version,
        "settings": json.dumps(trial.settings, sort_keys=True),
        "status": outcome.status,
        "cause": outcome.cause,
        "seconds": float(outcome.seconds),
        "result": json.dumps(outcome.result, allow_nan=False),
        "environment": json.dumps(trial_environment()),
        "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    return pa.Table.from_pylist([row | {"digest": _digest(row)}], schema=SCHEMA)


def outcome_of(table: pa.Table) -> Outcome:
    """Read what `row_of` wrote."""
    if not table.schema.equals(SCHEMA):
        raise ValueError("has other columns than a trial")
    if table.num_rows != 1:
        raise ValueError(f"has {plural(table.num_rows, 'row')} instead of one")
    row = table.to_pylist()[0]
    if any(row[name] is None for name in SCHEMA.names if name != "cause"):
        raise ValueError("has empty entries")
    if row["digest"] != _digest(row):
        raise ValueError("has other values than were written")
    settings, result = json.loads(row["settings"]), json.loads(row["result"])
    if not (isinstance(settings, dict) and isinstance(result, dict)):
        raise ValueError("has settings or a result that are no mapping")
    if row["status"] not in {"done", "failed"}:
        raise ValueError(f"has the status {row['status']!r}")
    trial = Trial(row["kind"], settings, row["version"])
    if trial.key != row["key"]:
        raise ValueError("has a key that is not the hash of its settings")
    return Outcome(trial, row["status"], result, row["cause"], row["seconds"])


def _digest(row: Mapping[str, Any]) -> str:
    """Return a hash of all entries, as the key is one of what the trial computes from only."""
    entries = [row[name] for name in SCHEMA.names if name != "digest"]
    return hashlib.sha256(json.dumps(entries).encode()).hexdigest()


def table_of(outcomes: Iterable[Outcome]) -> pa.Table:
    """Return outcomes as a table: one column per setting and per scalar of the result."""
    rows = [_flat(outcome) for outcome in outcomes]
    names: dict[str, None] = dict.fromkeys(COMMON)
    for prefix in ("settings.", "result."):
        names |= dict.fromkeys(
            sorted({name for row in rows for name in row if name.startswith(prefix)})
        )
    types = {"version": pa.int64(), "seconds": pa.float64()}
    columns = {
        name: column_of(
            [row.get(name) for row in rows],
            types.get(name, pa.string()) if name in COMMON else None,
        )
        for name in names
    }
    return pa.table(columns)


def _flat(outcome: Outcome) -> dict[str, Any]:
    trial = outcome.trial
    row = dict(
        zip(
            COMMON,
            (
                trial.key,
                trial.kind,
                trial.version,
                outcome.status,
                outcome.cause,
                float(outcome.seconds),
            ),
            strict=True,
        )
    )
    return row | _named("settings", trial.settings, True) | _named("result", outcome.result, False)


def _named(prefix: str, values: Mapping[str, Any], with_lists: bool) -> dict[str, Any]:
    """Return the values of nested mappings under dotted names."""
    found: dict[str, Any] = {}
    for name, value in values.items():
        full = f"{prefix}.{name}"
        if isinstance(value, Mapping):
            found |= _named(full, value, with_lists)
        elif not isinstance(value, (list, tuple)):
            found[full] = value
        # Lists of results are histories, too long for a cell.
        elif with_lists:
            found[full] = json.dumps(list(value))
    return found


def column_of(values: Sequence[Any], kind: pa.DataType | None = None) -> pa.Array:
    """Return a column of the narrowest type that holds its values unchanged."""
    if kind is not None:
        return pa.array(values, kind)
    present = [value for value in values if value is not None]
    if all(isinstance(value, bool) for value in present):
        # Nothing but empty entries is text, so that it does not depend on the rows there are.
        return pa.array(values, pa.bool_() if present else pa.string())
    # JSON has whole numbers of any size.
    if all(_is_whole(value) and abs(value) < 2**63 for value in present):
        return pa.array(values, pa.int64())
    if all(_is_float64(value) for value in present):
        return pa.array([None if v is None else float(v) for v in values], pa.float64())
    if all(isinstance(value, str) for value in present):
        return pa.array(values, pa.string())
    texts = [None if value is None else json.dumps(value) for value in values]
    return pa.array(texts, pa.string())


def _is_whole(value: Any) -> bool:
    # Python counts True as a whole number.
    return isinstance(value, int) and not isinstance(value, bool)


def _is_float64(value: Any) -> bool:
    # Up to 2⁵³ float64 holds every whole number.
    return isinstance(value, float) or (_is_whole(value) and abs(value) <= 2**53)
