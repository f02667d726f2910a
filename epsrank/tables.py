"""Feature matrices from tables: .csv with or without a header line, and .parquet."""

from __future__ import annotations

import csv
import json
import math
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.numerics.boundary import parsing, refuse_beyond_memory
from epsrank.numerics.parquet import read_columns
from epsrank.numerics.seal import check_file
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages
from epsrank.theory.numbers.written import refuse_beyond_in
from epsrank.theory.words import plural

Notice = Callable[[str], None]


# What pandas calls a column without a name, as the index of a CSV file is.
_UNNAMED = re.compile(r"Unnamed: \d+(\.\d+)?")
# What others call an index; no feature of that name is refused unless it counts the samples.
_NUMBERING = re.compile(r"index|level_0|rowid|row[._]?names?|row[._]?nr", re.IGNORECASE)

_INTEGER = re.compile(r"[+-]?\d+")
# float64 holds every integer up to here.
_EXACT_INTEGER = 2**53


def load_csv(file: Path, label: str, notice: Notice | None = None) -> NDArray[Any]:
    """Read a table of numbers separated by commas, semicolons, tabs or blanks.

    The first line is a header when none of its cells is a number. A first line 0, 1, 2, … could
    be either (pandas writes such headers) and is refused rather than guessed.
    """
    # Two bytes of text, a digit and a comma, may be a number of eight.
    refuse_beyond_memory(4 * file.stat().st_size, label)
    try:
        # Spreadsheets put a mark of byte order before the first cell.
        text = file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise InputError(label, "is not a text file", "write it as UTF-8 text") from None
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    if not lines:
        raise InputError(label, "holds no numbers", "write it again")
    delimiter = _delimiter(lines[0])
    with parsing(label, "keep numbers only, one row per sample", "is not a table of numbers"):
        names: list[str] = []
        if _is_header(_cells(lines[0], delimiter), len(lines), label):
            if notice is not None:
                notice(f"{file}: took the first line as a header")
            names = _cells(lines.pop(0), delimiter)
        if not lines:
            raise InputError(label, "holds a header and no numbers", "write it again")
        if names and len(_cells(lines[0], delimiter)) == len(names) + 1:
            raise InputError(
                label,
                "has one name fewer than columns (its first one holds row names, as R writes them)",
                "write it with row.names = FALSE, or take the first column out",
            )
        refuse_beyond_in(lines, lambda line: _cells(line, delimiter), label)
        values = np.loadtxt(
            lines, delimiter=delimiter, dtype=np.float64, ndmin=2, quotechar='"', comments=None
        )
        for name, column in zip(names, values.T, strict=False):
            refuse_index(name, column, label)
        return _exact_integers(values, lines, delimiter, label)


def _delimiter(line: str) -> str | None:
    """Return the character that separates cells, None for blanks."""
    # Semicolons first: where they part cells, commas are decimal.
    return next((mark for mark in (";", ",", "\t") if mark in line), None)


def _cells(line: str, delimiter: str | None) -> list[str]:
    """Split a line into cells."""
    if delimiter is None:
        return [cell.strip('"') for cell in line.split()]
    return [cell.strip() for cell in next(csv.reader([line], delimiter=delimiter))]


def _is_header(cells: list[str], n_lines: int, label: str) -> bool:
    """Tell a header from a row of numbers."""
    numbers = [_is_number(cell) for cell in cells]
    if cells[0] == "" and len(cells) > 1:
        raise InputError(
            label,
            "has a first column without a name (an index, as pandas writes it)",
            "write it with index=False",
        )
    if not any(numbers):
        return True
    if not all(numbers):
        cell = cells[numbers.index(False)]
        raise InputError(
            label,
            f"has {cell!r} among the numbers of its first line",
            "keep numbers only below at most one line of names",
        )
    counting = [str(index) for index in range(len(cells))]
    if len(cells) > 1 and n_lines > 1 and cells == counting:
        raise InputError(
            label,
            f"begins with the line 0, 1, …, {len(cells) - 1}: a header or a sample",
            "delete the line, or write the sample as 0.0, 1.0, …",
        )
    return False


def _is_number(cell: str) -> bool:
    """Tell whether a cell is a number, NaN and infinities included."""
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _exact_integers(
    values: NDArray[np.float64], lines: list[str], delimiter: str | None, label: str
) -> NDArray[Any]:
    """Return the numbers as int64 where float64 rounded integers beyond 2⁵³."""
    # Few rows, if any: only these are read a second time, cell by cell.
    large = np.flatnonzero((np.abs(values) >= _EXACT_INTEGER).any(axis=1))
    if not any(_rounded(cell) for row in large for cell in _cells(lines[row], delimiter)):
        return values
    try:
        return np.loadtxt(
            lines, delimiter=delimiter, dtype=np.int64, ndmin=2, quotechar='"', comments=None
        )
    except ValueError:
        raise InputError(
            label,
            "mixes integers beyond 2^53 with other numbers, or exceeds 64 bits",
            "rescale it, or write integers below 2^63 only",
        ) from None


def _rounded(cell: str) -> bool:
    """Tell whether a cell is an integer that float64 does not hold."""
    if not _INTEGER.fullmatch(cell):
        return False
    near = float(cell)
    # Zeros in front count for nothing, and Python refuses to read more than 4300 digits.
    digits = cell.lstrip("+-").lstrip("0") or "0"
    return math.isinf(near) or int(digits) != abs(int(near))


def refuse_index(name: str, column: NDArray[Any], label: str) -> None:
    """Refuse a column that numbers the samples: it would count as a neuron."""
    counting = np.arange(len(column))
    counts = _NUMBERING.fullmatch(name) is not None and (
        np.array_equal(column, counting) or np.array_equal(column, counting + 1)
    )
    if counts or _UNNAMED.fullmatch(name) or name.startswith("__index_level_"):
        raise InputError(label, f"holds the index column {name}", "write it with index=False")


def load_parquet(
    file: Path, label: str, key: str | None = None, notice: Notice | None = None
) -> NDArray[Any]:
    """Read numeric columns, or one column of equally long lists, as a matrix."""
    with optional_packages():
        import pyarrow.parquet as pq

    check_file(file)
    with (
        parsing(label, "write it again", "is not a whole .parquet file"),
        pq.ParquetFile(file) as stored,
    ):
        kinds = stored.schema_arrow
        if key is not None:
            choose(kinds.names, key, label)
        # An index that pandas has kept would count as a neuron.
        for name in _pandas_index(kinds) if key is None else ():
            raise InputError(label, f"holds the index column {name}", "write it with index=False")
        names = kinds.names if key is None else [key]
        for name in names:
            _refuse_kind(kinds.field(name).type, name, label)
        table = read_columns(stored, label, key)
        if table.num_columns == 0 or table.num_rows == 0:
            raise InputError(label, "holds no numbers", "write it again")
        columns = [
            _column(table.column(position), name, label)
            for position, name in enumerate(table.column_names)
        ]
        for name, column in zip(table.column_names, columns, strict=True):
            if key is None and column.shape[1] == 1:
                refuse_index(name, column[:, 0], label)
        return _join(columns, label)


def _pandas_index(kinds: Any) -> list[str]:
    """Return the columns that pandas has written as an index, by its own note in the file."""
    note = json.loads((kinds.metadata or {}).get(b"pandas", b"{}"))
    index = note.get("index_columns", []) if isinstance(note, dict) else []
    # An index that only counts is noted as an object, and has no column.
    return [name for name in index if isinstance(name, str) and name in kinds.names]


def _refuse_kind(kind: Any, name: str, label: str) -> None:
    """Refuse a column that holds no numbers, before it is read."""
    import pyarrow as pa

    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        kind = kind.value_type
    if not (pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_boolean(kind)):
        raise InputError(
            label, f"has a column {name!r} of type {kind}", "keep numeric columns only"
        )


def _column(column: Any, name: str, label: str) -> NDArray[Any]:
    """Return one column as a matrix of one column, or of as many as its lists are long."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kind, rows, missing = column.type, len(column), column.null_count
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        lengths = pc.unique(pc.list_value_length(column)).to_pylist()
        if len(lengths) > 1 and not missing:
            raise InputError(
                label, f"has lists of different length in column {name!r}", "make them equally long"
            )
        column = pc.list_flatten(column)
        missing += column.null_count
    if missing:
        raise InputError(
            label, f"has {missing} missing entries in column {name!r}", "drop or fill those rows"
        )
    return np.asarray(column.to_numpy()).reshape(rows, -1)


def _join(columns: list[NDArray[Any]], label: str) -> NDArray[Any]:
    """Put columns side by side without rounding any."""
    joined: NDArray[Any] = np.concatenate(columns, axis=1)
    if joined.dtype.kind != "f":
        return joined
    for column in columns:
        # Python integers, since |−2⁶³| is no int64.
        if column.dtype.kind in "iu" and int(np.abs(column.astype(object)).max()) > _EXACT_INTEGER:
            raise InputError(
                label, "mixes integers beyond 2^53 with other numbers", "rescale those columns"
            )
    return joined


def choose(names: Iterable[str], key: str | None, label: str) -> str:
    """Return the name of the array that is meant."""
    known = sorted(names)
    if not known:
        raise InputError(label, "holds no array", "write it again with the features in it")
    listing = ", ".join(known[:20]) + (f", … ({len(known)} in all)" if len(known) > 20 else "")
    if key is None and len(known) == 1:
        return known[0]
    if key is None:
        raise InputError(
            label, f"holds {plural(len(known), 'array')}: {listing}", "choose one with --key"
        )
    if key not in known:
        raise InputError("--key", f"{key!r} is not in {label}", f"choose one of {listing}")
    return key
