"""Runs that belong together: their settings, figures and histories, and tables of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from epsrank.numerics.named import SOURCES
from epsrank.theory.errors import InputError
from epsrank.theory.extras import optional_package
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

if TYPE_CHECKING:
    import pyarrow as pa

#: Settings that follow from others, as the hash of a source from the name of a task.
DERIVED = (SOURCES,)

RunStatus = Literal["done", "diverged", "failed"]


@dataclass(frozen=True, eq=False)
class RunResult:
    """One run: what it was given, what became of it, and how it went."""

    #: Settings without the seed.
    settings: Mapping[str, Any]
    #: The seed; None where nothing says it.
    seed: int | str | None
    #: ``failed`` is a run that could not be carried out.
    status: RunStatus
    #: Why it failed.
    cause: str | None
    #: Numbers at the end, by name; of a run that diverged the worst there is.
    figures: Mapping[str, float]
    #: Words at the end, such as ``reading``.
    words: Mapping[str, str] = field(default_factory=dict)
    #: Histories by name, all as long as ``step``; NaN where something was not measured. Empty where
    #: only the end is known.
    series: Mapping[str, Vector] = field(default_factory=dict)
    #: A file, or the key of a trial.
    name: str = ""


@dataclass(frozen=True)
class Cell:
    """The runs that differ in their seed only."""

    settings: Mapping[str, Any]
    runs: tuple[RunResult, ...]


@dataclass(frozen=True, eq=False)
class SweepResults(Shown):
    """Runs s ↦ f(s, seed) of many settings s, each with several seeds.

    From `load_results` (a folder of ``epsrank sweep``, of an import, or of a single run) or
    `import_runs` (histories of others). ``epsrank plot`` draws them, ``epsrank compare`` pairs
    them.

    Attributes
    ----------
    source : str
        Where they come from.
    runs : tuple of RunResult
        The runs that are there.
    missing : int
        How many runs of the plan are not there yet.
    eps : float or None
        Threshold ε of the ranks, where all runs share it.

    Examples
    --------
    >>> import numpy as np
    >>> run = RunResult({"width": 4}, 0, "done", None, {"loss": 0.5})
    >>> print(SweepResults("mine", (run,)))
    mine: 1 run of 1 setting
    """

    source: str
    runs: tuple[RunResult, ...]
    missing: int = 0
    eps: float | None = None

    @cached_property
    def varied(self) -> tuple[str, ...]:
        """Names of the settings in which the runs differ, in the order of the first run."""
        names = dict.fromkeys(name for run in self.runs for name in run.settings)
        names = {name: None for name in names if name.partition(".")[0] not in DERIVED}
        seen = {name: {frozen(run.settings.get(name)) for run in self.runs} for name in names}
        return tuple(name for name, values in seen.items() if len(values) > 1)

    @cached_property
    def cells(self) -> tuple[Cell, ...]:
        """The runs by setting, in the order of their first."""
        groups: dict[str, list[RunResult]] = {}
        for run in self.runs:
            groups.setdefault(frozen(run.settings), []).append(run)
        return tuple(Cell(group[0].settings, tuple(group)) for group in groups.values())

    def where(self, settings: Mapping[str, Any]) -> SweepResults:
        """Return the runs that have some values of settings.

        Parameters
        ----------
        settings : mapping
            Values by name; a text stands for what it reads as, ``"4"`` for 4.

        Returns
        -------
        SweepResults
            Those runs.

        Raises
        ------
        InputError
            If a name is no setting, or no run is left.
        """
        unknown = [name for name in settings if all(name not in run.settings for run in self.runs)]
        if unknown:
            raise InputError("where", f"names {unknown[0]!r}, no setting of these runs", "check it")
        runs = tuple(
            run
            for run in self.runs
            if all(
                agrees(run.settings, {name: value}) or _reads_as(value, run.settings.get(name))
                for name, value in settings.items()
            )
        )
        if not runs:
            raise InputError("where", "leaves no run", "name values that were run")
        return SweepResults(self.source, runs, self.missing, self.eps)

    def values(self, name: str) -> list[Any]:
        """Return the different values of a setting: numbers in order, others as they come."""
        found = {frozen(run.settings.get(name)): run.settings.get(name) for run in self.runs}
        values = list(found.values())
        return sorted(values) if all(map(is_number, values)) else values

    @property
    def figures(self) -> tuple[str, ...]:
        """Names of the figures that some run has."""
        return tuple(dict.fromkeys(name for run in self.runs for name in run.figures))

    def table(self) -> pa.Table:
        """Return one row per run.

        Returns
        -------
        pyarrow.Table
            Columns ``name``, ``status``, ``cause``, ``seed``, ``settings.*`` and ``final.*``; a
            loss of +∞ is a run that diverged.
        """
        rows = [
            {"name": run.name, "status": run.status, "cause": run.cause, "seed": run.seed}
            | {f"settings.{name}": value for name, value in run.settings.items()}
            | {f"final.{name}": value for name, value in {**run.figures, **run.words}.items()}
            for run in self.runs
        ]
        return _table(rows, ("name", "status", "cause", "seed"))

    def histories(self) -> pa.Table:
        """Return one row per measurement of each run.

        Returns
        -------
        pyarrow.Table
            Column ``run`` (its row in `table`), ``seed``, ``settings.*`` of the settings that
            vary, ``step``, and a column per history.
        """
        rows = [row for index, run in enumerate(self.runs) for row in self._history(index, run)]
        return _table(rows, ("run", "seed", *(f"settings.{name}" for name in self.varied), "step"))

    def _history(self, index: int, run: RunResult) -> Iterator[dict[str, Any]]:
        own = {"run": index, "seed": run.seed}
        own |= {f"settings.{name}": run.settings.get(name) for name in self.varied}
        for place in range(len(run.series.get("step", ()))):
            values = {name: float(column[place]) for name, column in run.series.items()}
            yield own | values | {"step": _whole(values["step"])}

    def to_pandas(self, *, histories: bool = False) -> Any:
        """Return `table` as a DataFrame, or `histories`.

        Parameters
        ----------
        histories : bool
            One row per measurement instead of one per run.

        Returns
        -------
        pandas.DataFrame
            The same rows and columns.

        Raises
        ------
        InputError
            If pandas is not installed.
        """
        table = self.histories() if histories else self.table()
        optional_package("pandas")
        return table.to_pandas()

    def __str__(self) -> str:
        counts = [plural(len(self.runs), "run")]
        counts[0] += f" of {plural(len(self.cells), 'setting')}"
        troubles = {name: sum(run.status == name for run in self.runs)
                    for name in ("diverged", "failed")}  # fmt: skip
        counts += [f"{count} {name}" for name, count in troubles.items() if count]
        counts += [f"{self.missing} missing"] * bool(self.missing)
        return f"{self.source}: {', '.join(counts)}"


def frozen(value: Any) -> str:
    """Return a text by which settings are compared: 1 and 1.0 are one, 1 and true are two."""
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        value = int(value)
    if isinstance(value, Mapping):
        value = {name: frozen(entry) for name, entry in value.items()}
    return json.dumps(value, sort_keys=True, default=str)


def agrees(settings: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Tell whether settings have all values that are wanted."""
    return all(frozen(settings.get(name)) == frozen(value) for name, value in wanted.items())


def _reads_as(text: Any, value: Any) -> bool:
    """Tell whether a word of a command line means a value."""
    if not isinstance(text, str):
        return False
    if text == str(value):
        return True
    try:
        return is_number(value) and float(text) == value
    except ValueError:
        return False


def is_number(value: Any) -> bool:
    """Tell whether a setting is a finite number."""
    return (
        isinstance(value, (int, float)) and not isinstance(value, bool) and bool(np.isfinite(value))
    )


def _whole(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value


def _table(rows: Sequence[Mapping[str, Any]], first: Sequence[str]) -> pa.Table:
    """Return rows as a table, a column per name, each of the narrowest type."""
    import pyarrow as pa

    from epsrank.numerics.sweeps.rows import column_of

    names = dict.fromkeys(first) | dict.fromkeys(name for row in rows for name in row)
    columns = {name: [_plain(row.get(name)) for row in rows] for name in names}
    return pa.table({name: column_of(values) for name, values in columns.items()})


def _plain(value: Any) -> Any:
    return json.dumps(list(value)) if isinstance(value, (list, tuple)) else value
