"""Numbers as they are written: digits that float64 has no number for are refused, not read."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable
from typing import TypeVar

from epsrank.theory.errors import InputError

T = TypeVar("T")

# Below 10¹⁹⁹·10⁹⁹, and above its inverse, float64 has a number for all digits: no word without
# an exponent of three digits, and without 200 digits in a row, is worth a second look.
_EXPONENT = re.compile(r"[eE][+-]?\d{3}")
# Digits in a row are looked for in blocks, as whole files are looked through: 199 in a row fill one
# of these, wherever they begin.
_BLOCK = 100


def beyond_float64(word: str) -> str | None:
    """Return what float64 makes of digits that are too large or too small for it: inf, or 0.

    All other decimals are read as the nearest float64, as everywhere; “inf” is no digits.
    """
    if not may_be_beyond(word):
        return None
    try:
        value = float(word)
    except ValueError:
        return None
    if math.isinf(value):
        return "-inf" if value < 0 else "inf"
    digits = re.split("[eE]", word)[0]
    return "0" if value == 0 and re.search("[1-9]", digits) else None


def may_be_beyond(text: str) -> bool:
    """Tell whether some number of a text may be beyond float64; cheaply, and mostly not."""
    blocks = range(0, len(text) - _BLOCK + 1, _BLOCK)
    return _EXPONENT.search(text) is not None or any(
        text[at : at + _BLOCK].isdecimal() for at in blocks
    )


def refuse_beyond(word: str, label: str, row: int | None = None) -> None:
    """Raise an error that names digits beyond float64, and the row that they stand in."""
    becomes = beyond_float64(word)
    if becomes is None:
        return
    digits = word.strip().strip('"')
    shown = digits if len(digits) <= 30 else f"{digits[:12]}…{digits[-6:]} ({len(digits)} digits)"
    where = "" if row is None else f" in row {row}"
    raise InputError(
        label,
        f"has {shown}{where}, which float64 takes for {becomes}",
        f"rescale it, or write {becomes} where that is meant",
    )


def refuse_beyond_in(
    lines: Iterable[str], cells: Callable[[str], Iterable[str]], label: str, first: int = 1
) -> None:
    """Look through the lines of a table, the first of which is row `first`."""
    for row, line in enumerate(lines, first):
        if may_be_beyond(line):
            for cell in cells(line):
                refuse_beyond(cell, label, row)


def reader(kind: Callable[[str], T], label: str) -> Callable[[str], T]:
    """Return how a parser of JSON or TOML is to read the numbers of a file."""

    def read(word: str) -> T:
        refuse_beyond(word, label)
        return kind(word)

    return read
