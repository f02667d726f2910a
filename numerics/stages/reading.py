"""Trainings from whatever holds them: folders, histories, sweeps, tables of other programs."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from epsrank.numerics.descent import limit_of
from epsrank.numerics.manifest import folder_kind, of_kind
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.results.collection import RunResult, SweepResults
from epsrank.numerics.results.foreign import HISTORIES, Names, histories_in, names_of, rows_of
from epsrank.numerics.results.own_history import is_own_history
from epsrank.numerics.results.tables import Table, is_event_file, read_any
from epsrank.numerics.stages.axis import RunAxis, axis_of
from epsrank.theory.data.inputs import as_eps, as_size
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Vector, real_array
from epsrank.theory.words import plural

# A column of a chart that W&B exports: "name of the run - metric", and its band over groups.
_CHART = re.compile(r"(.+) - (.+?)(?:__(MIN|MAX))?")

# What programs write where there is no number.
_MISSING = {"", "n/a", "na", "none", "null", "nan"}

#: Columns that hold text: the first such row, from 1, and its words.
Texts = dict[str, tuple[int, str]]


@dataclass(frozen=True)
class Asked:
    """How sources are to be read."""

    #: Columns by what they are.
    columns: Mapping[str, str] = field(default_factory=dict)
    eps: float | None = None
    momentum: float | None = None
    #: Settings of the runs to take.
    where: Mapping[str, Any] = field(default_factory=dict)
    #: Pattern of paths, column of seeds, columns of settings.
    names: Names = field(default_factory=Names)


def asked(
    columns: Mapping[str, str] | None,
    eps: float | None,
    momentum: float | None,
    where: Mapping[str, Any] | None,
    names: str | None,
    seed: str | None,
    settings: Sequence[str],
) -> Asked:
    """Check how sources are to be read."""
    if momentum is not None:
        momentum = as_size(momentum, "momentum")
        if momentum >= 1:
            raise InputError("momentum", f"is {momentum:g}", "pass a number in [0, 1)")
    eps = None if eps is None else as_eps(eps)
    own = dict(columns or {})
    return Asked(own, eps, momentum, dict(where or {}), names_of(names, seed, settings))


def read_axes(source: Any, how: Asked) -> list[RunAxis]:
    """Return the trainings of a source, or of several."""
    alone = isinstance(source, (str, Path, History, SweepResults, Mapping))
    if alone or not isinstance(source, Sequence):
        source = [source]
    runs = [run for place, each in enumerate(source) for run in _read(each, place, how)]
    if not runs:
        told = ", ".join(str(each) for each in source if isinstance(each, (str, Path)))
        raise InputError(
            "source", f"{told} holds no history".strip() if told else "is empty",
            "name a run, a history or a table",
        )  # fmt: skip
    if how.where:
        results = [RunResult(run.settings, run.seed, "done", None, {}) for run in runs]
        taken = set(map(id, SweepResults("where", tuple(results)).where(how.where).runs))
        runs = [run for run, own in zip(runs, results, strict=True) if id(own) in taken]
    return runs


def _read(source: Any, place: int, how: Asked) -> Iterator[RunAxis]:
    if isinstance(source, (str, Path)):
        yield from _of_path(Path(source), how)
    elif isinstance(source, SweepResults):
        yield from _of_results(source, how)
    elif isinstance(source, History):
        yield _axis(how, _of_history(source), f"history {place + 1}", seed=place)
    else:
        columns, texts = _given(source)
        limit = limit_of(source.config.to_json()) if hasattr(source, "config") else None
        yield _axis(
            how, columns, f"training {place + 1}", seed=place, texts=texts, limit=limit
        )  # fmt: skip


def _given(source: Any) -> tuple[dict[str, Vector], Texts]:
    """Return columns that were handed over: a mapping, an Arrow table, a DataFrame, a Run."""
    from epsrank.numerics.training.run import Run

    if isinstance(source, Run):
        from epsrank.numerics.training.record import history_table

        source = history_table(source.records, source.config)
    if hasattr(source, "to_pydict"):
        source = source.to_pydict()
    elif hasattr(source, "columns") and hasattr(source, "to_dict"):
        source = source.to_dict("list")
    if not isinstance(source, Mapping):
        raise InputError(
            "source", f"holds a {type(source).__name__}",
            "pass paths, a History, a Run, SweepResults, or columns by name",
        )  # fmt: skip
    columns: dict[str, Vector] = {}
    texts: Texts = {}
    for name, values in source.items():
        numbers = _column(values, str(name))
        if isinstance(numbers, tuple):
            texts[str(name)] = numbers
            continue
        if numbers.ndim != 1:
            raise InputError(str(name), f"has shape {numbers.shape}", "pass one number per step")
        columns[str(name)] = numbers
    lengths = {name: column.size for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        first = next(iter(lengths.values()))
        other = next(name for name, size in lengths.items() if size != first)
        raise InputError(
            other, f"has {plural(lengths[other], 'entry')}, the first column has {first}",
            "pass columns of one length",
        )  # fmt: skip
    if not columns:
        raise InputError("source", "has no column of numbers", "pass steps and losses")
    return columns, texts


def _column(values: Any, name: str) -> Array | tuple[int, str]:
    """Return a column of numbers, NaN where there is none; or the first row of text, and it."""
    kind = getattr(getattr(values, "dtype", None), "kind", "")
    if kind in {"U", "S", "O"}:
        cells = values.tolist()
        # Objects hold words and gaps beside numbers; without them the one gate refuses objects.
        if kind != "O" or any(cell is None or isinstance(cell, str) for cell in cells):
            values = cells
    if isinstance(values, (list, tuple, range)):
        values = list(map(_cell, values))
        worded = _first_text(values)
        if worded is not None:
            return worded
        values = [math.nan if value is None else value for value in values]
    return real_array(values, name)


def _cell(value: Any) -> Any:
    """Return None of a word that says that there is no number."""
    return None if isinstance(value, str) and value.strip().lower() in _MISSING else value


def _first_text(values: Sequence[Any]) -> tuple[int, str] | None:
    """Return the first row, from 1, that holds text, and its words."""
    found = (
        (row, str(value)) for row, value in enumerate(values, 1) if isinstance(value, (str, bytes))
    )
    return next(found, None)


def _axis(how: Asked, columns: Mapping[str, Vector], name: str, **more: Any) -> RunAxis:
    more.setdefault("limit", limit_of(more.get("settings", {})))
    return axis_of(
        columns, name=name, chosen=how.columns, eps=how.eps, momentum=how.momentum, **more
    )


def _of_path(path: Path, how: Asked) -> Iterator[RunAxis]:
    if not path.exists():
        raise InputError(str(path), "does not exist", "check the path")
    kind = folder_kind(path) if path.is_dir() else None
    if kind == "run":
        yield _of_run(path, how)
        return
    if kind is not None and kind != "sweep":
        raise InputError(str(path), f"is {of_kind(kind)}", "name a run, a sweep or a history")
    sweep = path.is_dir() and (kind == "sweep" or (path / "spec.toml").is_file())
    if sweep or (path / HISTORIES).is_file():
        from epsrank.numerics.results.load import load_results

        yield from _of_results(load_results(path), how)
        return
    events: dict[Path, list[Path]] = {}
    for file in histories_in([path]):
        if is_event_file(file):
            # As TensorBoard does, event files of one folder are one run.
            events.setdefault(file.parent, []).append(file)
        else:
            yield from _of_file(file, how)
    for folder, files in events.items():
        yield from _of_table(folder, _joined([read_any(file) for file in files]), how)


def _of_run(folder: Path, how: Asked) -> RunAxis:
    """Read the tables of one run, all layers; without its weights."""
    from epsrank.numerics.files import read_table
    from epsrank.numerics.training.folder import HISTORY, read_config

    config = read_config(folder)
    if not (folder / HISTORY).is_file():
        raise InputError(str(folder), "has no measurements yet", "train it first")
    table = read_table(folder / HISTORY, folder)
    columns, texts = _numbers(
        Table({name: table.column(name).to_pylist() for name in table.column_names})
    )
    settings = config.to_json()
    settings |= settings.pop("own", {})
    seed = settings.pop("seed", 0)
    return _axis(how, columns, str(folder), seed=seed, settings=settings, texts=texts)


def _of_file(file: Path, how: Asked) -> Iterator[RunAxis]:
    if is_own_history(file):
        from epsrank.numerics.monitor.sinks.follow import read_history

        yield from _of_columns(file, _of_history(read_history(file)), how)
        return
    yield from _of_table(file, read_any(file), how)


def _of_columns(file: Path, columns: Mapping[str, Vector], how: Asked) -> Iterator[RunAxis]:
    """Give a history of ours the settings that its path says."""
    for settings, seed, _ in rows_of(file, Table({}), how.names):
        yield _axis(how, columns, str(file), seed=seed, settings=settings)


def _of_table(file: Path, table: Table, how: Asked) -> Iterator[RunAxis]:
    charts = _charts(table)
    if charts:
        for name, columns in charts.items():
            yield _axis(how, columns, f"{file}: {name}", seed=name)
        return
    for settings, seed, rows in rows_of(file, table, how.names):
        columns, texts = _numbers(rows)
        yield _axis(how, columns, str(file), seed=seed, settings=settings, texts=texts)


def _charts(table: Table) -> dict[str, dict[str, Vector]]:
    """Return the runs of a chart that W&B exports, whose columns are runs; else nothing."""
    found = {column: _CHART.fullmatch(column) for column in table.columns}
    step = next((name for name in table.columns if found[name] is None), None)
    if step is None or not any(found.values()):
        return {}
    if sum(match is None for match in found.values()) > 1:
        return {}
    runs: dict[str, dict[str, Vector]] = {}
    for column, match in found.items():
        if match is not None and match[3] is None:
            # Every run has its own rows.
            own = runs.setdefault(match[1], {"step": table.numbers(step)})
            own[match[2]] = table.numbers(column)
    return runs


def _joined(tables: Sequence[Table]) -> Table:
    """Put the rows of several tables one below another."""
    if len(tables) == 1:
        return tables[0]
    names = dict.fromkeys(name for table in tables for name in table.columns)
    columns: dict[str, list[Any]] = {name: [] for name in names}
    for table in tables:
        rows = len(next(iter(table.columns.values())))
        for name, column in columns.items():
            column.extend(table.columns.get(name, [None] * rows))
    return Table(columns)


def _numbers(table: Table) -> tuple[dict[str, Vector], Texts]:
    """Return the columns of numbers, and which hold text."""
    cells = Table({name: [*map(_cell, values)] for name, values in table.columns.items()})
    found = {name: _first_text(values) for name, values in cells.columns.items()}
    columns = {
        name: cells.numbers(name)
        for name, values in cells.columns.items()
        if found[name] is None and not any(isinstance(value, bool) for value in values)
    }
    return columns, {name: text for name, text in found.items() if text is not None}


def _of_history(history: History) -> dict[str, Vector]:
    """Return the columns of a monitor: ranks of all layers, readings, and own quantities."""
    from epsrank.numerics.monitor.sinks.protocol import flat

    rows: dict[int, dict[str, float]] = {step: {} for step in history.steps}
    for record in history:
        rows[record.step] |= {
            name: float(value)
            for name, value in flat([record]).items()
            if not isinstance(value, str)
        }
    names = dict.fromkeys(name for row in rows.values() for name in row)
    columns = {
        name: np.array([row.get(name, np.nan) for row in rows.values()], dtype=np.float64)
        for name in names
    }
    return {"step": np.array(list(rows), dtype=np.float64), **columns}


def _of_results(results: SweepResults, how: Asked) -> Iterator[RunAxis]:
    """Yield the runs of a sweep or an import that have histories."""
    held = [run for run in results.runs if len(run.series.get("step", ())) > 1]
    if not held:
        raise InputError(
            results.source, "holds no histories", "name the folder of the sweep, not its table"
        )
    for run in held:
        settings = {name: run.settings[name] for name in run.settings}
        yield _axis(how, run.series, run.name, seed=run.seed, settings=settings)
