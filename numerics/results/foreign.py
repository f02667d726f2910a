"""Histories of other programs: CSV, JSON Lines, Parquet, TensorBoard; seeds by name or column."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from epsrank.numerics.results.collection import RunResult, SweepResults
from epsrank.numerics.results.own_history import own_history
from epsrank.numerics.results.tables import (
    Table,
    is_event_file,
    read_any,
    value_of,
    vector_of,
)
from epsrank.numerics.sweeps.figures import stairs, steps_to
from epsrank.theory.data.inputs import several
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.words import plural

#: Files of the folder of an import.
RESULTS, HISTORIES = "results.parquet", "histories.parquet"

#: Files that are read.
SUFFIXES = (".csv", ".parquet", ".jsonl", ".json")

#: Under which names others write what is drawn and compared here, in order of preference.
ALIASES = {
    "step": ("step", "global_step", "steps", "iteration", "iter", "epoch", "_step"),
    "loss": ("loss", "train_loss", "train/loss", "loss/train", "training_loss", "Loss"),
    "test_loss": ("test_loss", "val_loss", "test/loss", "val/loss", "loss/test", "loss/val",
                  "eval/loss", "eval_loss", "validation_loss"),
    "test_accuracy": ("test_accuracy", "val_accuracy", "test_acc", "val_acc", "accuracy",
                      "test/accuracy", "val/accuracy", "val/acc", "eval/accuracy", "acc"),
    "rank_lower": ("rank_lower", "rank", "epsilon_rank", "eps_rank"),
    "rank_upper": ("rank_upper", "rank", "epsilon_rank", "eps_rank"),
    "reachable": ("reachable",),
}  # fmt: skip

_GROUP = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Names:
    """How the files of others say what is what."""

    #: A pattern of file names such as ``w{width}-seed{seed}.csv``.
    pattern: re.Pattern[str] | None = None
    #: Column of the seed, and columns of settings, in files that hold several runs.
    seed: str | None = None
    settings: tuple[str, ...] = ()


def names_of(names: str | None, seed: str | None, settings: Sequence[str]) -> Names:
    """Return what a pattern and columns say of settings and seeds."""
    return Names(_pattern(names), seed, tuple(settings))


def import_runs(
    paths: str | Path | Sequence[str | Path],
    *,
    names: str | None = None,
    seed: str | None = None,
    settings: Sequence[str] = (),
    columns: Mapping[str, str] | None = None,
    targets: Sequence[float] = (),
) -> SweepResults:
    r"""Read the histories of other programs as runs of several settings and seeds.

    Nothing is unpickled. A diverged run is one whose last loss is not finite.

    Parameters
    ----------
    paths : str, Path, or sequence of these
        CSV and Parquet files with a row per step, JSON Lines with an object per step, event files
        of TensorBoard, histories of a `RankMonitor`, or folders of these.
    names : str, optional
        Pattern of the end of their paths, such as ``"width{width}/seed{seed}.csv"``: what stands in
        braces is the seed or a setting.
    seed : str, optional
        Column that holds the seed, where one file has several runs.
    settings : sequence of str
        Columns that hold settings.
    columns : mapping of str to str, optional
        Columns by what they are: ``step``, ``loss``, ``test_loss``, ``test_accuracy``, ``rank`` or
        any other name. Usual names, as ``val_loss``, are understood without.
    targets : sequence of float
        Losses: figures have the step at which each run arrived there.

    Returns
    -------
    SweepResults
        The runs in the order of the files.

    Raises
    ------
    InputError
        If a file cannot be read, fits no pattern, or has no steps or no losses.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     for seed in range(3):
    ...         _ = Path(folder, f"w8-{seed}.csv").write_text("step,loss\n0,2.0\n1,0.5\n")
    ...     results = import_runs([folder], names="w{width}-{seed}.csv")
    >>> results.cells[0].settings, [run.seed for run in results.runs]
    ({'width': 8}, [0, 1, 2])
    """
    paths = [paths] if isinstance(paths, (str, Path)) else list(paths)
    # One name alone is one column, and no column per letter.
    settings, targets = several(settings), several(targets)
    files = list(histories_in([Path(path) for path in paths]))
    if not files:
        told = ", ".join(map(str, paths))
        raise InputError("paths", f"{told} hold no history", f"name {', '.join(SUFFIXES)} files")
    given = names_of(names, seed, settings)
    wanted = dict(columns or {})
    runs = [
        _run(file, settings, seed, rows, wanted, targets)
        for file in files
        for settings, seed, rows in rows_of(file, own_history(file) or read_any(file), given)
    ]
    source = str(paths[0]) if len(paths) == 1 else plural(len(files), "file")
    return SweepResults(source, tuple(runs))


def histories_in(paths: Sequence[Path]) -> Iterator[Path]:
    """Return the files of some paths, those of folders in order."""
    for path in paths:
        if not path.is_dir():
            if not path.exists():
                raise InputError(str(path), "does not exist", "check the path")
            yield path
            continue
        files = [file for file in sorted(path.rglob("*")) if file.is_file()]
        found = [f for f in files if f.suffix.lower() in SUFFIXES[:2] or is_event_file(f)]
        # Beside other histories they would be the same once more: trainers write both.
        yield from found or [file for file in files if file.suffix.lower() == ".jsonl"]


def _pattern(names: str | None) -> re.Pattern[str] | None:
    """Turn ``w{width}-{seed}.csv`` into a regular expression."""
    if names is None:
        return None
    found = _GROUP.findall(names)
    if not found or len(set(found)) < len(found):
        raise InputError(
            "names", f"is {names!r}", "write each of its parts once, as in w{width}-{seed}.csv"
        )
    parts = _GROUP.split(names)
    # Every second part is the name of a group.
    text = "".join(
        f"(?P<{part}>[^/]+?)" if at % 2 else re.escape(part) for at, part in enumerate(parts)
    )
    return re.compile(rf"(?:^|.*/){text}$")


def rows_of(file: Path, table: Table, names: Names) -> Iterator[tuple[dict[str, Any], Any, Table]]:
    """Yield settings, seed and rows of every run in the table of one file."""
    named: dict[str, Any] = {}
    if names.pattern is not None:
        # Of an event file, whose own name is made up of time and machine, the folder counts.
        path = (file.parent if is_event_file(file) else file).as_posix()
        found = names.pattern.match(path)
        if found is None:
            raise InputError(
                "names", f"does not fit {file}", "change the pattern, or leave the file out"
            )
        named = {name: value_of(text) for name, text in found.groupdict().items()}
    grouped = [name for name in (names.seed, *names.settings) if name is not None]
    missing = [name for name in grouped if name not in table.columns]
    if missing:
        raise InputError(str(file), f"has no column {missing[0]!r}", _has(table))
    for own, rows in table.groups(grouped):
        given = named | own
        seed = given.pop(names.seed or "seed", None)
        if names.seed is not None and names.seed != "seed":
            seed = own.get(names.seed, seed)
        yield given, seed, rows


def _run(
    file: Path, settings: dict[str, Any], seed: Any, table: Table, columns: Mapping[str, str],
    targets: Sequence[float],
) -> RunResult:  # fmt: skip
    """Make a run of the rows of one."""
    chosen = _chosen(file, table, columns)
    series = _series(table, chosen)
    loss = series["loss"]
    if np.isnan(loss).all():
        raise InputError(str(file), "has no loss that is a number", "name its column of losses")
    # The last that was written, which may stand before the last row: a gap is no divergence, and
    # a loss that overflowed is NaN as often as it is infinite.
    written = [value for value in table.columns[chosen["loss"]] if value is not None]
    wild = isinstance(written[-1], float) and not math.isfinite(written[-1])
    figures: dict[str, float] = {}
    if wild:
        figures["loss"] = math.inf
    else:
        figures = {name: float(values[~np.isnan(values)][-1]) for name, values in series.items()
                   if name != "step" and not np.isnan(values).all()}  # fmt: skip
        figures["stairs"] = stairs(tuple(series["step"]), tuple(loss))
    figures |= steps_to(list(series["step"]), [None if math.isnan(v) else v for v in loss], targets)
    return RunResult(
        settings=settings,
        seed=seed,
        status="diverged" if wild else "done",
        cause=None,
        figures=figures,
        words=dict(table.words) if not wild else {},
        series=series,
        name=str(file),
    )


def _chosen(file: Path, table: Table, columns: Mapping[str, str]) -> dict[str, str]:
    """Return the columns of a table by the names that they have here."""
    chosen: dict[str, str] = {}
    for name, column in columns.items():
        if column not in table.columns:
            raise InputError(str(file), f"has no column {column!r}", _has(table))
        for own in ("rank_lower", "rank_upper") if name == "rank" else (name,):
            chosen[own] = column
    for name, usual in ALIASES.items():
        found = next((column for column in usual if column in table.columns), None)
        if name not in chosen and found is not None:
            chosen[name] = found
    for name in ("step", "loss"):
        if name not in chosen:
            raise InputError(
                str(file), f"has no column that is a {name}", f"name it; {_has(table)}"
            )
    # Everything else that is a number keeps its name.
    for column in table.columns:
        if column not in chosen.values() and column not in chosen and table.is_numeric(column):
            chosen[column] = column
    return chosen


def _series(table: Table, chosen: Mapping[str, str]) -> dict[str, Vector]:
    """Return the histories by step: of several values at one step the last that is a number."""
    columns = {name: table.numbers(column) for name, column in chosen.items()}
    given = columns.pop("step")
    steps = np.unique(given[np.isfinite(given)])
    series = {"step": steps}
    for name, values in columns.items():
        known = np.isfinite(given) & ~np.isnan(values)
        series[name] = np.full(steps.size, np.nan)
        # Of equal places the last assignment stays.
        series[name][np.searchsorted(steps, given[known])] = values[known]
    return series


def _has(table: Table) -> str:
    return f"it has {', '.join(list(table.columns)[:12])}"


def save_import(results: SweepResults, folder: Path) -> None:
    """Write results into a folder that ``plot``, ``compare`` and `load_results` read."""
    from epsrank.numerics.files import write_table
    from epsrank.numerics.manifest import Manifest

    manifest = Manifest(folder, "sweep")
    folder.mkdir(parents=True, exist_ok=True)
    write_table(folder / HISTORIES, results.histories(), manifest=manifest)
    write_table(folder / RESULTS, results.table(), manifest=manifest)


def read_import(folder: Path) -> SweepResults:
    """Read what `save_import` wrote."""
    from epsrank.numerics.files import read_table
    from epsrank.numerics.results.of_sweep import read_results_table

    ends = read_results_table(folder / RESULTS)
    held = read_table(folder / HISTORIES, folder)
    names = [name for name in held.column_names
             if name not in {"run", "seed"} and not name.startswith("settings.")]  # fmt: skip
    owner = np.array(held.column("run").to_pylist(), dtype=np.int64)
    columns = {name: vector_of(held.column(name).to_pylist()) for name in names}
    runs = []
    for index, run in enumerate(ends.runs):
        own = {name: values[owner == index] for name, values in columns.items()}
        series = {name: values for name, values in own.items() if not np.isnan(values).all()}
        runs.append(
            RunResult(run.settings, run.seed, run.status, run.cause, run.figures, run.words,
                      series, run.name)
        )  # fmt: skip
    return SweepResults(str(folder), tuple(runs))
