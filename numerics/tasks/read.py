"""Data of a user's, from files and data sets, as arrays of inputs and targets; never unpickled."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from epsrank.numerics.boundary import parsing, refuse_beyond_memory
from epsrank.numerics.named import folder, user_code
from epsrank.numerics.npy import read_npy, read_npz
from epsrank.numerics.parquet import read_columns
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_packages
from epsrank.theory.numbers.written import refuse_beyond_in

#: One path, several, or ``module:name``.
DataFiles = str | Path | Sequence[str] | None

TABLES = (".csv", ".parquet")
_HOW = (
    "name X.npy Y.npy (and X_test.npy Y_test.npy), an .npz with x and y, a .csv or .parquet with "
    "its target columns, or module:dataset"
)
# Names of the arrays in an archive, training and test.
_ARCHIVES = (("x", "y", "x_test", "y_test"), ("x_train", "y_train", "x_test", "y_test"))
# What others call an index; and what pandas writes where it has no name.
_INDEX = re.compile(r"|index|level_0|rowid|row[._]?names?|row[._]?nr|Unnamed: \d+", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class Samples:
    """Inputs with one row (or image) per sample, and targets: numbers, or labels of any kind."""

    x: NDArray[Any]
    y: NDArray[Any]

    def checked(self, argument: str, what: str) -> Samples:
        """Return the same, if they are finite and fit each other."""
        x, y = self.x, self.y
        if x.ndim and y.ndim and len(x) == len(y) == 0:
            raise InputError(argument, f"{what} holds no samples", "pass some")
        if x.ndim == 0 or y.ndim == 0 or len(x) != len(y):
            problem = f"{what} has x of shape {x.shape} and y of shape {y.shape}"
            raise InputError(argument, problem, "pass one row of each per sample")
        if x.dtype.kind not in "biuf":
            raise InputError(argument, f"{what} has x of dtype {x.dtype}", "make them numbers")
        if x.ndim > 4 or y.ndim > 2:
            problem = f"{what} has x of shape {x.shape} and y of shape {y.shape}"
            raise InputError(argument, problem, "pass x (N, d) or images, and y (N,) or (N, k)")
        for name, values in (("x", x), ("y", y)):
            bad = ~np.isfinite(values) if values.dtype.kind == "f" else np.zeros(1, bool)
            if bad.any():
                first = int(np.argwhere(bad)[0][0])
                problem = f"{what} has {int(bad.sum())} NaN or infinite entries in {name}"
                raise InputError(argument, f"{problem}, first in row {first}", "drop those rows")
        return self


class Columns(NamedTuple):
    """Columns of a table that are learned, and those that they are learned from."""

    targets: tuple[str, ...] = ()
    #: None named are all others.
    inputs: tuple[str, ...] = ()


def read_files(paths: Sequence[str], columns: Columns) -> list[Samples]:
    """Return training samples, and test samples where they are given."""
    files = [folder() / Path(path).expanduser() for path in paths]
    for file in files:
        if not file.is_file():
            problem = "is no file" if file.exists() else "does not exist"
            raise InputError("data", f"{file} {problem}", _HOW)
    kinds = {file.suffix.lower() for file in files}
    if kinds <= set(TABLES) and len(files) in (1, 2):
        return [_read_table(file, columns) for file in files]
    for argument, chosen in zip(("target_columns", "input_columns"), columns, strict=True):
        if chosen:
            raise InputError(argument, "are given, but data is no table", "drop them")
    if kinds == {".npz"} and len(files) == 1:
        return _read_archive(files[0])
    if kinds == {".npy"} and len(files) in (2, 4):
        arrays = [read_npy(file, f"data {file}") for file in files]
        return [Samples(arrays[i], arrays[i + 1]) for i in range(0, len(arrays), 2)]
    names = " ".join(file.name for file in files)
    raise InputError("data", f"is {names}", _HOW)


def _read_archive(file: Path) -> list[Samples]:
    """Read an .npz with x and y, or x_train, y_train and the like."""
    label = f"data {file}"
    present: list[str] = []

    def first(members: dict[str, str]) -> str:
        keys = next((keys for keys in _ARCHIVES if set(keys[:2]) <= set(members)), None)
        if keys is None:
            known = ", ".join(members) or "nothing"
            raise InputError(label, f"holds {known}", "save it with x=… and y=…")
        present.extend(keys if set(keys) <= set(members) else keys[:2])
        return keys[0]

    arrays = [read_npz(file, label, first)]
    arrays += [read_npz(file, label, lambda _, key=key: key) for key in present[1:]]  # type: ignore[misc]
    return [Samples(arrays[i], arrays[i + 1]) for i in range(0, len(arrays), 2)]


def _read_table(file: Path, asked: Columns) -> Samples:
    """Read a table whose first line, or schema, names its columns."""
    label = f"data {file}"
    with optional_packages():
        import pyarrow as pa
        import pyarrow.csv
        import pyarrow.parquet as pq

    with parsing(label, "write it again"):
        if file.suffix.lower() == ".parquet":
            table = read_columns(pq.ParquetFile(pa.BufferReader(file.read_bytes())), label)
        else:
            refuse_beyond_memory(4 * file.stat().st_size, label)
            # In this thread: a pool still starting up aborts a process that ends after Ctrl-C.
            table = pa.csv.read_csv(file, read_options=pa.csv.ReadOptions(use_threads=False))
            _refuse_beyond_float64(file, table, label)
    names = table.column_names
    repeated = {name for name in names if names.count(name) > 1}
    columns = asked.targets
    missing = [name for name in columns if name not in names]
    known = ", ".join(names[:20]) + (", …" if len(names) > 20 else "")
    for name in asked.inputs:
        if name not in names:
            raise InputError("input_columns", f"name {name!r}; {file.name} has {known}", "check it")
        if name in columns:
            raise InputError("input_columns", f"name {name!r}, a target", "name it once")
    if not columns or missing:
        problem = f"are missing {', '.join(missing)}" if columns else "are not named"
        raise InputError("target_columns", f"{problem}; {file.name} has {known}", "name some")
    if repeated:
        raise InputError(label, f"has several columns {sorted(repeated)[0]}", "rename them")
    inputs = list(asked.inputs) or [name for name in names if name not in columns]
    if not inputs:
        raise InputError("target_columns", f"are all columns of {file.name}", "leave some as x")
    x = np.stack([_numbers(table, name, label) for name in inputs], axis=1)
    for name, values in zip(inputs, x.T, strict=True):
        if not asked.inputs:
            _refuse_index(name, values, label)
    if len(columns) == 1:
        return Samples(x, _column(table, columns[0], label))
    return Samples(x, np.stack([_numbers(table, name, label) for name in columns], axis=1))


def _refuse_beyond_float64(file: Path, table: Any, label: str) -> None:
    """Refuse numbers that Arrow took for inf or 0; 7e4567 among words is a word."""
    numbers = [
        at
        for at, column in enumerate(table.columns)
        if str(column.type) == "double" and _has_inf_or_zero(column.to_numpy())
    ]
    if not numbers:  # most tables need not be read twice
        return

    def cells(line: str) -> list[str]:
        row = next(csv.reader([line]), [])
        return [row[at] for at in numbers if at < len(row)]

    with file.open(encoding="utf-8", errors="replace") as lines:
        refuse_beyond_in(lines, cells, label, first=0)  # the line of names is none


def _has_inf_or_zero(values: NDArray[Any]) -> bool:
    return bool(((values == 0) | np.isinf(values)).any())


def _column(table: Any, name: str, label: str) -> NDArray[Any]:
    """Return a column: numbers, or texts."""
    column = table.column(name)
    if column.null_count:
        problem = f"has {column.null_count} empty entries in column {name!r}"
        raise InputError(label, problem, "drop or fill those rows")
    with parsing(label, "write it again"):
        values: NDArray[Any] = np.asarray(column.to_pylist())
    return values


def _numbers(table: Any, name: str, label: str) -> NDArray[np.float64]:
    """Return a column of numbers."""
    values = _column(table, name, label)
    if values.dtype.kind not in "biuf" or values.ndim != 1:
        problem = f"has a column {name!r} of {table.schema.field(name).type}, which are no numbers"
        remedy = "name the others in input_columns, or write it as numbers"
        raise InputError(label, problem, remedy)
    return values.astype(np.float64)


def _refuse_index(name: str, values: NDArray[np.float64], label: str) -> None:
    """Refuse a column that only counts the rows: it would be an input."""
    counts = np.arange(len(values))
    if _INDEX.fullmatch(name) and any(np.array_equal(values, counts + k) for k in (0, 1)):
        raise InputError(label, f"has an index, column {name!r}", "write it without (index=False)")


def read_dataset(dataset: Any, argument: str, what: str) -> Samples:
    """Stack the samples (x, y) of a `torch.utils.data.Dataset`."""
    remedy = "give pairs (x, y) of numbers, each x of one shape"
    with user_code(argument, f"{what} cannot be read", remedy):
        items: Iterable[Any] = dataset
        if hasattr(dataset, "__len__"):
            items = (dataset[index] for index in range(len(dataset)))
        pairs = [(_array(item[0]), _array(item[1])) for item in items]
    shapes = {(x.shape, y.shape) for x, y in pairs}
    if len(shapes) != 1:
        problem = f"{what} has samples of {len(shapes)} different shapes"
        raise InputError(argument, problem, remedy)
    return Samples(np.stack([x for x, _ in pairs]), np.stack([y for _, y in pairs]))


def _array(value: Any) -> NDArray[Any]:
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu().numpy()
    array: NDArray[Any] = np.asarray(value)
    return array


def as_samples(found: Sequence[Any], argument: str, what: str) -> list[Samples]:
    """Return what a factory gives: x, y and perhaps x_test, y_test, or one or two data sets."""
    if all(is_dataset(part) for part in found):
        return [read_dataset(part, argument, what) for part in found[:2]]
    if len(found) not in (2, 4):
        problem = f"{what} gives {len(found)} parts"
        raise InputError(argument, problem, "give x, y, or x, y, x_test, y_test")
    arrays = [_array(part) for part in found]
    return [Samples(arrays[i], arrays[i + 1]) for i in range(0, len(arrays), 2)]


def is_dataset(value: Any) -> bool:
    """Tell whether a value is a data set of torch, or looks like one."""
    return isinstance(value, torch.utils.data.Dataset)
