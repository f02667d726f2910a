"""Records as lines of CSV: strings in quotes, nothing for None, so that "" is an empty string."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from epsrank.numerics.monitor.records.columns import (
    Kind,
    checked_layout,
    record_of,
)
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.seal import line_check
from epsrank.theory.words import plural

# The csv module takes an empty string for no value, so cells are told apart here.
_CELL = re.compile(r'(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|\Z)')


#: Last column of a line: a checksum of the line under the head of its file.
CHECK = "check"


def csv_head(names: Sequence[str], metadata: Mapping[str, Any]) -> str:
    """Return both head lines: ``# {metadata}``, and the names of columns."""
    quoted = ",".join(f'"{name}"' for name in [*names, CHECK])
    return f"# {json.dumps(dict(metadata))}\n{quoted}\n"


def csv_line(row: Mapping[str, Any], head: bytes, *, one_line: bool = False) -> str:
    """Return a row; on one line where what reads it while it grows counts lines."""
    names = csv_names(head)
    sealed = names[-1] == CHECK  # files from before there were checks go on without
    cells = (_cell(row.get(name), one_line) for name in names[: -1 if sealed else None])
    text = ",".join(cells)
    return f'{text},"{line_check(text, head)}"\n' if sealed else f"{text}\n"


def csv_names(head: bytes) -> list[str]:
    """Return the names of columns in the second line of a file."""
    return head.split(b"\n")[1].decode().replace('"', "").strip().split(",")


def csv_records(head: bytes, body: bytes) -> list[LayerRecord]:
    """Return the records in lines of values, under both head lines of their file."""
    names = csv_names(head)
    sealed = names[-1] == CHECK
    layout = checked_layout(names)
    kinds = layout.columns()
    # Columns that are not ours are left out, as are cells without a value.
    readers = [_READERS[kinds[name]] if name in kinds else None for name in names]
    found = []
    for cells, text in _rows(body.decode()):
        if len(cells) != len(names):
            raise ValueError(f"expected {plural(len(names), 'column')}, got {len(cells)}")
        if sealed and cells[-1] != line_check(text, head):
            raise ValueError(f"the line of step {cells[0]} is not what was written")
        row = {
            name: None if cell is None else read(cell)
            for name, read, cell in zip(names, readers, cells, strict=True)
            if read is not None
        }
        found.append(record_of(row, layout))
    return found


def _rows(text: str) -> Iterator[tuple[list[str | None], str]]:
    """Split CSV into lines: cells, None where without a value, and the text before the last."""
    row: list[str | None] = []
    at = begin = last = 0
    while at < len(text):
        match = _CELL.match(text, at)
        if match is None:
            raise ValueError(f"quotes in {text[at : at + 20]!r}")
        quoted, plain, end = match.groups()
        row.append(plain or None if quoted is None else quoted.replace('""', '"'))
        last, at = at, match.end()
        if end != ",":
            if row != [None]:  # an empty line
                yield row, text[begin : max(begin, last - 1)]
            row, begin = [], at
    if row:  # the text ends in a comma
        yield [*row, None], text[begin:at]


def _cell(value: Any, one_line: bool) -> str:
    """Return a value as it stands in a line."""
    if value is None:
        return ""
    if isinstance(value, str):
        text = " ".join(value.splitlines()) if one_line else value
        return '"' + text.replace('"', '""') + '"'
    return str(value).lower() if isinstance(value, bool) else repr(value)


def _truth(text: str) -> bool:
    """Read a truth value."""
    if text not in {"true", "false"}:
        raise ValueError(f"{text!r} is neither true nor false")
    return text == "true"


_READERS: dict[Kind, Callable[[str], Any]] = {
    "bool": _truth,
    "float64": float,
    "int64": int,
    "string": str,
}
