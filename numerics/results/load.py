"""Results by what a path names: a sweep, an import, a run, a table, or histories of others."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

from epsrank.numerics.manifest import folder_kind, of_kind
from epsrank.numerics.results.collection import RunResult, SweepResults
from epsrank.numerics.results.foreign import HISTORIES, RESULTS, import_runs, read_import
from epsrank.numerics.results.of_sweep import (
    SERIES,
    is_results,
    read_results_table,
    read_sweep,
)
from epsrank.numerics.sweeps.figures import stairs
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector


def load_results(path: str | Path) -> SweepResults:
    r"""Read results, whoever wrote them.

    Parameters
    ----------
    path : str or Path
        A folder of ``epsrank sweep`` (also one that is still running), of ``epsrank import``, or of
        one run; a ``results.parquet`` alone, which has no histories; or a history of others, as
        `import_runs` takes it.

    Returns
    -------
    SweepResults
        The runs that are there.

    Raises
    ------
    InputError
        If there is nothing of the kind.

    Examples
    --------
    >>> from pathlib import Path
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     _ = Path(folder, "mine.csv").write_text("step,loss\n0,2.0\n1,0.5\n")
    ...     results = load_results(Path(folder, "mine.csv"))
    >>> results.runs[0].figures["loss"]
    0.5
    """
    place = Path(path)
    if not place.exists():
        raise InputError(str(path), "does not exist", "check the path")
    if not place.is_dir():
        if place.suffix.lower() == ".parquet" and _is_results_file(place):
            return read_results_table(place)
        return import_runs([place])
    kind = folder_kind(place)
    if kind == "run":
        return SweepResults(str(place), (read_run(place),), eps=_eps_of(place))
    if kind not in {None, "sweep"}:
        assert kind is not None
        raise InputError(str(path), f"is {of_kind(kind)}", "name that of a sweep or a run")
    if (place / HISTORIES).is_file():
        return read_import(place)
    if (place / "spec.toml").is_file():
        return read_sweep(place)
    if (place / RESULTS).is_file():
        return read_results_table(place / RESULTS)
    return import_runs([place])


def _is_results_file(path: Path) -> bool:
    from epsrank.numerics.files import read_table

    return is_results(read_table(path))


def read_run(folder: Path) -> RunResult:
    """Read one run by its tables, without its weights."""
    from epsrank.numerics.files import read_table
    from epsrank.numerics.training.folder import HISTORY, read_config
    from epsrank.numerics.training.record import layer_numbers, rank_columns
    from epsrank.numerics.training.state import read_progress

    config = read_config(folder)
    if not (folder / HISTORY).is_file():
        raise InputError(str(folder), "has no measurements yet", "train it first")
    table = read_table(folder / HISTORY, folder)
    last = layer_numbers(table.column_names, config)[-1]
    lower, upper = rank_columns(last, config.eps[0])
    columns = {name: name for name in ("step", *SERIES)}
    columns |= {"rank_lower": lower, "rank_upper": upper}
    series = {name: _vector(table, column) for name, column in columns.items()
              if column in table.column_names}  # fmt: skip
    series = {name: values for name, values in series.items() if not np.isnan(values).all()}
    progress = read_progress(folder)
    wild = progress is not None and progress.status == "diverged"
    figures = {name: float(values[-1]) for name, values in series.items()
               if name not in {"step", "training_loss"} and np.isfinite(values[-1])}  # fmt: skip
    if wild:
        figures = {"loss": math.inf}
    else:
        figures["stairs"] = stairs(tuple(series["step"]), tuple(series["loss"]))
    readings = table.column("reading").to_pylist()
    settings = config.to_json()
    # A recorded loop has settings of its own, and perhaps a seed among them.
    settings |= settings.pop("own", {})
    seed = settings.pop("seed", 0)
    return RunResult(
        settings=settings,
        seed=seed,
        status="diverged" if wild else "done",
        cause=None if progress is None else progress.cause,
        figures=figures,
        words={"reading": readings[-1]} if readings and readings[-1] and not wild else {},
        series=series,
        name=str(folder),
    )


def _eps_of(folder: Path) -> float:
    from epsrank.numerics.training.folder import read_config

    return float(read_config(folder).eps[0])


def _vector(table: Any, column: str) -> Vector:
    values = [math.nan if value is None else value for value in table.column(column).to_pylist()]
    return np.array(values, dtype=np.float64)
