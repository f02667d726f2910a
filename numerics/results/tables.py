"""Tables of other programs as columns of plain values: CSV, JSON Lines, Parquet, event files."""

from __future__ import annotations

import csv
import io
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from epsrank.numerics.boundary import parsing, refuse_beyond_memory
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.written import may_be_beyond, reader, refuse_beyond

# A number with a comma in place of the point.
_COMMA = re.compile(r"\s*[+-]?\d+,\d+(?:[eE][+-]?\d+)?\s*")


def vector_of(values: Iterable[float | None]) -> Vector:
    """Return values as float64, NaN where there is none."""
    return np.array([math.nan if value is None else value for value in values], dtype=np.float64)


@dataclass(frozen=True)
class Table:
    """Columns of equal length, as a file has them."""

    columns: Mapping[str, Sequence[Any]]
    #: Words at the end, such as the reading of a monitor.
    words: Mapping[str, str] = field(default_factory=dict)

    def is_numeric(self, column: str) -> bool:
        """Tell whether a column holds numbers, or nothing."""
        values = self.columns[column]
        return any(isinstance(value, (int, float)) for value in values) and not any(
            isinstance(value, (str, bool)) for value in values
        )

    def numbers(self, column: str) -> Vector:
        """Return a column as float64, NaN where it is empty or no number."""
        values = self.columns[column]
        return vector_of(None if isinstance(value, str) else value for value in values)

    def groups(self, names: Sequence[str]) -> Iterator[tuple[dict[str, Any], Table]]:
        """Yield the rows that agree in some columns, without these."""
        if not names:
            yield {}, self
            return
        rows: dict[tuple[Any, ...], list[int]] = {}
        for at, key in enumerate(zip(*(self.columns[name] for name in names), strict=True)):
            rows.setdefault(key, []).append(at)
        for key, places in rows.items():
            columns = {name: [values[at] for at in places] for name, values in self.columns.items()
                       if name not in names}  # fmt: skip
            yield dict(zip(names, key, strict=True)), Table(columns, self.words)


def is_event_file(path: Path) -> bool:
    """Tell whether a file is one of TensorBoard's, by its name."""
    return "tfevents" in path.name


def read_any(path: Path) -> Table:
    """Read a table by the name of its file."""
    if is_event_file(path):
        return _read_events(path)
    if path.suffix.lower() == ".parquet":
        return _read_parquet(path)
    if path.suffix.lower() == ".csv":
        return _read_csv(path)
    if path.suffix.lower() in {".jsonl", ".json"}:
        return _read_json_lines(path)
    raise InputError(
        str(path), "is no history that is read here", "pass .csv, .jsonl, .parquet or event files"
    )


def value_of(text: str) -> Any:
    """Return a word of a file as what it is: a whole number, a number, or text; None if empty."""
    word = text.strip()
    if not word:
        return None
    for kind in (int, float):
        try:
            # Underscores are Python's spelling, and no number's.
            return kind(word) if "_" not in word else word
        except ValueError:
            continue
    return word


def _read_csv(path: Path) -> Table:
    with parsing(str(path), "write a line of names, then one of numbers per step"):
        refuse_beyond_memory(8 * path.stat().st_size, str(path))
        text = path.read_bytes().decode("utf-8-sig")
        lines = [line for line in io.StringIO(text) if not line.startswith("#")]
        mark = _separator(lines[0] if lines else "")
        head, *rows = list(csv.reader(lines, delimiter=mark)) or [[]]
    rows = [row for row in rows if row]
    wrong = next((at for at, row in enumerate(rows, 2) if len(row) != len(head)), None)
    if not head or not rows:
        raise InputError(str(path), "has no rows", "write a line of names, then one per step")
    if wrong is not None:
        raise InputError(str(path), f"has another number of entries in row {wrong}", "fix the file")
    names = [name.strip() for name in head]
    if len(set(names)) < len(names):
        raise InputError(str(path), "has two columns of one name", "rename one")
    if mark == ";":
        _refuse_decimal_commas(path, rows)
    table = Table({name: [value_of(row[at]) for row in rows] for at, name in enumerate(names)})
    if may_be_beyond(text):
        # Of numbers alone: 7e4567 may be the name of a commit.
        for at in (at for at, name in enumerate(names) if table.is_numeric(name)):
            for number, row in enumerate(rows, 2):
                refuse_beyond(row[at], str(path), number)
    return table


def _separator(head: str) -> str:
    """Return what stands between names: a comma, where there is one."""
    return next((mark for mark in (",", ";", "\t") if mark in head), ",")


def _refuse_decimal_commas(path: Path, rows: Sequence[Sequence[str]]) -> None:
    """Refuse 0,5: whether 1,234 is more than a thousand, nobody says."""
    found = ((at, cell) for at, row in enumerate(rows, 2) for cell in row if _COMMA.fullmatch(cell))
    for at, cell in found:
        raise InputError(
            str(path), f"has commas in its numbers, the first {cell.strip()} in row {at}",
            "write them with points",
        )  # fmt: skip


def _read_json_lines(path: Path) -> Table:
    """Read one object per line; those inside one another become columns ``outer/inner``."""
    with parsing(str(path), "write one JSON object per line"):
        refuse_beyond_memory(8 * path.stat().st_size, str(path))
        lines = path.read_bytes().decode("utf-8-sig").split("\n")
    rows: list[dict[str, Any]] = []
    for at, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = _read_json(line, f"{path}, line {at},")
        except InputError:
            raise
        except (ValueError, RecursionError):
            row = None
        if isinstance(row, dict):
            rows.append(dict(_flat(row)))
        elif at < len(lines):  # the last one may still be written
            raise InputError(
                str(path), f"has no JSON object in line {at}", "write one object per line"
            )
    if not rows:
        raise InputError(str(path), "has no rows", "write one JSON object per line, with its step")
    names = dict.fromkeys(name for row in rows for name in row)
    return Table({name: [row.get(name) for row in rows] for name in names})


def _read_json(line: str, label: str) -> Any:
    """Read one JSON value; number by number, which takes long, only where some may be lost."""
    if not may_be_beyond(line):
        return json.loads(line)
    return json.loads(line, parse_float=reader(float, label), parse_int=reader(int, label))


def _flat(row: Mapping[str, Any], outer: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the plain values of an object by their names; lists have no place in a table."""
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{outer}{name}/")
        elif not isinstance(value, list):
            yield f"{outer}{name}", value_of(value) if isinstance(value, str) else value


def _read_parquet(path: Path) -> Table:
    from epsrank.numerics.files import read_table

    table = read_table(path)
    return Table({name: table.column(name).to_pylist() for name in table.column_names})


def _read_events(path: Path) -> Table:
    from epsrank.numerics.results.tensorboard import read_events

    return Table(read_events(path))
