"""Results by what a path names: a sweep, an import, a run, a table, or histories of others."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from epsrank.numerics.manifest import folder_kind, of_kind
from epsrank.numerics.results.collection import RunResult, SweepResults
from epsrank.numerics.results.foreign import HISTORIES, RESULTS, import_runs, read_import
from epsrank.numerics.results.of_sweep import (
    SERIES,
    read_results_table,
    read_sweep,
    results_in,
)
from epsrank.numerics.results.tables import vector_of
from epsrank.numerics.sweeps.figures import stairs
from epsrank.theory.errors import InputError


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
        found = results_in(place) if place.suffix.lower() == ".parquet" else None
        return import_runs([place]) if found is None else found
    kind = folder_kind(place)
    if kind == "run":
        return read_run(place)
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


def read_run(folder: Path) -> SweepResults:
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
    series = {name: vector_of(table.column(column).to_pylist()) for name, column in columns.items()
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
    run = RunResult(
        settings=settings,
        seed=seed,
        status="diverged" if wild else "done",
        cause=None if progress is None else progress.cause,
        figures=figures,
        words={"reading": readings[-1]} if readings and readings[-1] and not wild else {},
        series=series,
        name=str(folder),
    )
    return SweepResults(str(folder), (run,), eps=config.eps[0])
