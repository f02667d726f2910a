"""Where an entry stands in a TOML document, so that an error can name the line."""

from __future__ import annotations

import re

_HEADER = re.compile(r"^\s*\[+\s*([A-Za-z0-9_.\"'-]+)\s*\]+\s*(#.*)?$")


def line_of(
    text: str, table: str, key: str | None = None, value: object = None, occurrence: int = 0
) -> int | None:
    """Return the line of an entry.

    `value`: A value of the entry, for the line in a list that goes over several; None asks for the
    line of the key. Returns the line, counted from 1; None if it is not found, as in a spelling not
    foreseen.
    """
    lines = text.splitlines()
    block = _block(lines, table, occurrence)
    if block is None:
        return _inline(lines, table, key)
    start, stop = block
    if key is None:
        return start + 1 if table else None
    for index in range(start, stop):
        if _is_entry(lines[index], key):
            return 1 + _line_of_value(lines, index, stop, value)
    return None


def _block(lines: list[str], table: str, occurrence: int) -> tuple[int, int] | None:
    """Return the range of lines of a table, its header included."""
    matches = [(index, _HEADER.match(line)) for index, line in enumerate(lines)]
    headers = [(index, match[1].strip("\"'")) for index, match in matches if match]
    # What stands before the first header belongs to the table without a name.
    starts = [(-1, ""), *headers, (len(lines), "")]
    found = [
        (max(index, 0), starts[number + 1][0])
        for number, (index, name) in enumerate(starts[:-1])
        if name == table
    ]
    return found[occurrence] if occurrence < len(found) else None


def _inline(lines: list[str], table: str, key: str | None) -> int | None:
    """Find ``table.key = …`` or ``table = {key = …}``."""
    dotted = re.compile(rf"^\s*{re.escape(table)}\s*(\.\s*[\"']?{re.escape(key or '')}|=)")
    return next((index + 1 for index, line in enumerate(lines) if dotted.match(line)), None)


def _is_entry(line: str, key: str | None = None) -> bool:
    name = r"[A-Za-z0-9_-]+" if key is None else re.escape(key)
    return re.match(rf"^\s*[\"']?{name}[\"']?\s*(\.[^=\[\],]*)?=", line) is not None


def _line_of_value(lines: list[str], index: int, stop: int, value: object) -> int:
    """Return the line of a value in an entry that may go over several lines."""
    if value is None:
        return index
    written = re.escape(value) if isinstance(value, str) else re.escape(str(value))
    # Not the 1 of 10, 0.1 or 1.5.
    pattern = re.compile(rf"(?<![\w.]){written}(?![\w.])")
    for place in range(index, stop):
        if place > index and _is_entry(lines[place]):
            break
        # On the first line behind the "=": the key may contain the value.
        if pattern.search(lines[place].partition("=")[2] if place == index else lines[place]):
            return place
    return index
