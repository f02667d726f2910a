"""What ``epsrank watch`` shows of a sweep: how many runs are done, and the cells so far."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.cli.console import number
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from epsrank.numerics.sweeps import Outcome, Sweep, Trial, TrialStore

# Lines of the table; a terminal has no more.
_MOST_ROWS = 40
# The rate is that of the latest runs: the first ones wait for their workers.
_RECENT = 30
_COUNTS = ("failed", "diverged", "missing")
_COLUMNS = ("done", *_COUNTS, "median loss", "median ε-rank")
# Blanks between two columns.
_GAP = 2


@dataclass(frozen=True)
class SweepView:
    """A sweep at one moment."""

    title: str
    state: str
    #: Settings that vary, and a row per cell: its values, then `_COLUMNS`.
    varied: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    left_out: int = 0
    warnings: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """Return it as lines of plain text."""
        found = [f"{self.title}: {self.state}"]
        table = [(*self.varied, *_COLUMNS), *self.rows] if self.rows else []
        widths = _widths(table)
        found += ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                  .rstrip() for row in table]  # fmt: skip
        if self.left_out:
            found.append(
                f"{plural(self.left_out, 'more setting is', 'more settings are')} not shown"
            )
        return found + [f"warning: {warning}" for warning in self.warnings]

    def render(self) -> RenderableType:
        """Return it as something that rich draws."""
        return _DrawnSweep(self)

    def fitting(self, width: int) -> list[tuple[str, ...]]:
        """Return headings and rows without columns of zeros, where the table is too wide else."""
        table = [(*self.varied, *_COLUMNS), *self.rows]
        if sum(_widths(table)) + _GAP * len(table[0]) <= width:
            return table
        told = [
            at
            for at, column in enumerate(zip(*table, strict=True))
            if column[0] not in _COUNTS or set(column[1:]) - {"0", ""}
        ]
        short = {"median loss": "loss", "median ε-rank": "ε-rank"}
        head = tuple(short.get(table[0][at], table[0][at]) for at in told)
        return [head, *(tuple(row[at] for at in told) for row in self.rows)]


class _DrawnSweep:
    """A sweep that rich draws, at whatever width the terminal has when it is drawn."""

    def __init__(self, view: SweepView) -> None:
        self._view = view

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield title, table and remarks."""
        from rich.table import Table
        from rich.text import Text

        view = self._view
        yield Text(f"{view.title}: {view.state}", "bold", overflow="fold")
        if view.rows:
            head, *rows = view.fitting(options.max_width)
            table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0), pad_edge=False)
            for heading in head:
                table.add_column(heading, overflow="fold")
            for row in rows:
                table.add_row(*map(Text, row))
            yield table
        if view.left_out:
            words = plural(view.left_out, "more setting is", "more settings are")
            yield Text(f"{words} not shown", "dim")
        for warning in view.warnings:
            yield Text(f"warning: {warning}", "yellow")


def _widths(table: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(len, column)) for column in zip(*table, strict=True)]


class SweepSource:
    """The folder of a sweep, running or not."""

    def __init__(self, folder: Path) -> None:
        self.finished = False
        self._folder = folder
        self._spec: Any = None
        self._plan: Sweep | None = None
        self._known: dict[str, Outcome] = {}
        self._shown: tuple[Any, ...] = ()

    def poll(self) -> SweepView | None:
        """Return the view of the store, None where nothing came since."""
        from epsrank.numerics.files import read_bytes
        from epsrank.numerics.results.of_sweep import stored_outcomes
        from epsrank.numerics.sweeps import Sweep, TrialStore

        text = read_bytes(self._folder / "spec.toml").decode("utf-8")
        if text != self._spec:
            self._spec, self._plan = text, Sweep.parse(text, "spec.toml")
        assert self._plan is not None
        store = TrialStore(self._folder / "store")
        # A failed run that is tried again takes the place of a file.
        stamps = (text, *sorted(_times(store.folder)))
        if self._shown == stamps:
            return None
        self._shown = stamps
        trials = self._plan.trials()
        found = stored_outcomes(trials, _Remembered(store, self._known))
        self.finished = all(outcome is not None for outcome in found)
        return _view(self._folder, self._plan.varied, dict(zip(trials, found, strict=True)), store)


def is_import(folder: Path) -> bool:
    """Tell whether a folder is one of ``epsrank import``."""
    from epsrank.numerics.manifest import folder_kind
    from epsrank.numerics.results.foreign import HISTORIES

    return folder_kind(folder) == "sweep" and (folder / HISTORIES).is_file()


class ImportSource:
    """The folder of an import, which is finished."""

    def __init__(self, folder: Path) -> None:
        self.finished = True
        self._folder = folder

    def poll(self) -> SweepView:
        """Return the view of what was imported."""
        from epsrank.numerics.results import load_results

        results = load_results(self._folder)
        rows = []
        for cell in results.cells:
            medians = _medians([run.figures for run in cell.runs])
            states = [run.status for run in cell.runs]
            counts = (len(states) - states.count("failed"), states.count("failed"))
            values = [_text(cell.settings.get(name)) for name in results.varied]
            rows.append((*values, *map(str, counts), str(states.count("diverged")), "0", *medians))
        return SweepView(
            str(self._folder), f"{plural(len(results.runs), 'run')}, imported", results.varied,
            tuple(rows[:_MOST_ROWS]), max(0, len(rows) - _MOST_ROWS),
        )  # fmt: skip


def _times(folder: Path) -> list[int]:
    """Return when each of the folders of a store was last written to."""
    return [path.stat().st_mtime_ns for path in folder.glob("??")]


class _Remembered:
    """A store of which what was read once is not read again."""

    def __init__(self, store: TrialStore, known: dict[str, Outcome]) -> None:
        self._store, self._known = store, known

    def get(self, trial: Any) -> Outcome | None:
        """Return what became of a trial; a failed one may be tried again."""
        held = self._known.get(trial.key)
        if held is None or held.status == "failed":
            held = self._store.get(trial)
            if held is not None:
                self._known[trial.key] = held
        return held


def _view(
    folder: Path, varied: tuple[str, ...], found: Mapping[Trial, Outcome | None], store: TrialStore
) -> SweepView:
    """Return the view of the outcomes of trials, None where one is missing."""
    from epsrank.theory.strict_json import canonical

    cells: dict[str, list[Outcome | None]] = {}
    settings: dict[str, Mapping[str, Any]] = {}
    for trial, outcome in found.items():
        own = {name: value for name, value in trial.settings.items() if name != "seed"}
        key = canonical(own)
        settings[key] = own
        cells.setdefault(key, []).append(outcome)
    rows = [_row([_text(settings[key].get(name)) for name in varied], outcomes)
            for key, outcomes in cells.items()]  # fmt: skip
    done = [outcome for outcome in found.values() if outcome is not None]
    failed = sum(outcome.status == "failed" for outcome in done)
    missing = len(found) - len(done)
    counts = f"{len(done) - failed} of {plural(len(found), 'run')} done"
    counts += f", {failed} failed" * bool(failed) + f", {missing} missing" * bool(missing)
    damaged = plural(len(store.damaged), "damaged file counts", "damaged files count")
    return SweepView(
        str(folder),
        counts + (_pace(folder / "store", missing) if missing else ""),
        varied,
        tuple(rows[:_MOST_ROWS]),
        max(0, len(rows) - _MOST_ROWS),
        (f"{damaged} as absent",) * bool(store.damaged),
    )


def _row(values: list[str], outcomes: Sequence[Outcome | None]) -> tuple[str, ...]:
    """Return a line of the table."""
    from epsrank.numerics.sweeps.figures import diverged, final_figures

    there = [outcome for outcome in outcomes if outcome is not None]
    failed = sum(outcome.status == "failed" for outcome in there)
    # Without stairs, which take time: a view is drawn every other second.
    medians = _medians([final_figures(outcome, count_stairs=False) for outcome in there])
    counts = (len(there) - failed, failed, sum(map(diverged, there)), len(outcomes) - len(there))
    return (*values, *map(str, counts), *medians)


def _medians(figures: Sequence[Mapping[str, float]]) -> list[str]:
    """Return the medians of the last loss and the last rank, of runs that have one."""
    from epsrank.theory.statistics import median_interval

    medians = []
    for name in ("loss", "rank_lower"):
        known = [entry[name] for entry in figures if name in entry]
        value = median_interval(known).value if known else None
        medians.append("∞" if value == math.inf else number(value))
    return medians


def _pace(folder: Path, missing: int) -> str:
    """Say how fast runs come and how long the others take, by the times of the latest files."""
    times = sorted(os.stat(path).st_mtime for path in folder.glob("??/*.parquet"))[-_RECENT:]
    if len(times) < 3 or times[-1] <= times[0]:
        return ""
    each = (times[-1] - times[0]) / (len(times) - 1)
    # Where nothing came for long, nobody may be computing.
    silent = time.time() - times[-1]
    if silent > max(60.0, 20 * each):
        return f"; the last one came {_duration(silent)} ago"
    return f"; {60 / each:.3g} per minute, about {_duration(missing * each)} left"


def _duration(seconds: float) -> str:
    for unit, length in (("h", 3600.0), ("min", 60.0)):
        if seconds >= 1.5 * length:
            return f"{seconds / length:.0f} {unit}"
    return f"{seconds:.0f} s"


def _text(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
