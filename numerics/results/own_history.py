"""The history of a `RankMonitor` as a table of one row per step."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from epsrank.numerics.results.tables import Table

_LONGEST_LINE = 1 << 24


def own_history(path: Path) -> Table | None:
    """Read a history that a monitor or a sink wrote; None where it is another program's."""
    if not is_own_history(path):
        return None
    from epsrank.numerics.monitor.sinks.follow import read_history
    from epsrank.numerics.monitor.terminal.live import last_layer

    history = read_history(path)
    name = last_layer(history.metadata) or (history.layers[-1] if history.layers else None)
    steps: dict[int, dict[str, Any]] = {}
    words: dict[str, str] = {}
    for record in history:
        row = steps.setdefault(record.step, {})
        if record.loss is not None:
            row["loss"] = record.loss
        if record.layer == name and record.ranks:
            rank = record.rank()
            row |= {"rank_lower": rank.lower, "rank_upper": rank.upper}
        if record.reading is not None:
            row |= {"sample_loss": record.reading.loss, "reachable": record.reading.reachable}
            words["reading"] = record.reading.name
    names = dict.fromkeys(column for row in steps.values() for column in row)
    columns = {column: [row.get(column) for row in steps.values()] for column in names}
    # Without losses of the training those on the samples are what there is.
    if "loss" not in columns and "sample_loss" in columns:
        columns["loss"] = columns["sample_loss"]
    return Table({"step": list(steps), **columns}, words)


def is_own_history(path: Path) -> bool:
    """Tell whether a monitor or a sink wrote a file, by its head."""
    suffix = path.suffix.lower()
    if suffix in {".jsonl", ".json"}:
        return not is_json_lines(path)
    if suffix == ".parquet":
        import pyarrow.parquet as pq

        from epsrank.numerics.boundary import parsing

        with parsing(str(path), "write it again"):
            return b"epsrank" in (pq.read_schema(path).metadata or {})
    if suffix != ".csv":
        return False
    with path.open("rb") as stream:
        return stream.read(3) == b"# {"


def is_json_lines(path: Path) -> bool:
    """Tell whether a file has an object per line and is no history of ours, by its first line."""
    with path.open("rb") as stream:
        # A head of ours is longer than this only with thousands of layers.
        first = stream.readline(_LONGEST_LINE)
        alone = not stream.readline(1)
    try:
        row = json.loads(first)
    except (ValueError, RecursionError):
        return False
    # A .json in one line is a document.
    document = alone and path.suffix.lower() == ".json"
    return isinstance(row, dict) and "metadata" not in row and not document
