"""``epsrank watch``: follow a run, or the history of a monitor, in the terminal."""

from __future__ import annotations

import math
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import click

from epsrank.cli.console import output, say
from epsrank.cli.front import Command
from epsrank.cli.watch_sweep import ImportSource, SweepSource, SweepView, is_import

if TYPE_CHECKING:
    from rich.console import RenderableType

    from epsrank.numerics.monitor.terminal.view import LayerView, View
    from epsrank.numerics.training import RunConfig

# Seconds of a sleep between two chances for Ctrl-C.
_SLICE = 0.2


@click.command(cls=Command)
@click.argument("run")
@click.option("--once", is_flag=True, help="Show how it is now, and exit.")
@click.option(
    "--interval",
    type=click.FloatRange(min=0.1),
    default=2.0,
    metavar="S",
    help="Seconds between looks.  [default: 2]",
)
def watch(run: str, once: bool, interval: float) -> None:
    """Follow RUN: losses, the ε-rank of every layer, the reading, and warnings.

    RUN is a folder of `epsrank train`, or a history file of a monitor (.csv, .jsonl, .json or
    .parquet), running or finished; it need not exist yet. Of a folder of `epsrank sweep` it shows
    how many runs are done, failed and missing, and a table of the settings. The view ends with the
    run, and with Ctrl-C. In a pipe it is plain text, one block per change, with lines of COLUMNS
    characters where that is set.
    """
    source = open_source(run)
    try:
        _follow(source, once, interval)
    except KeyboardInterrupt:
        return


def _follow(source: Source, once: bool, interval: float) -> None:
    """Show a source until it is finished."""
    from rich.console import Console
    from rich.live import Live

    from epsrank.numerics.monitor.terminal.live import draws

    console = Console(highlight=False, file=output())
    # Blocks of a sparkline would be question marks in other encodings.
    ascii_only = not (console.encoding or "").lower().startswith("utf")
    if not draws(console):
        begun = False
        while True:
            view = source.poll()
            if view is not None:
                say(("\n" if begun else "") + "\n".join(_lines(view, ascii_only)))
                begun = True
            if once or source.finished:
                return
            _wait(interval)
    if once:
        view = source.poll()
        if view is not None:
            console.print(_drawn(view, ascii_only))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            view = source.poll()
            if view is not None:
                live.update(_drawn(view, ascii_only), refresh=True)
            if source.finished:
                return
            _wait(interval)


def _lines(view: View | SweepView, ascii_only: bool) -> list[str]:
    """Return a view as plain text."""
    from epsrank.numerics.monitor.terminal.live import lines

    return view.lines() if isinstance(view, SweepView) else lines(view, ascii_only=ascii_only)


def _drawn(view: View | SweepView, ascii_only: bool) -> RenderableType:
    """Return a view as something that rich draws."""
    from epsrank.numerics.monitor.terminal.live import render

    return view.render() if isinstance(view, SweepView) else render(view, ascii_only=ascii_only)


def _wait(seconds: float) -> None:
    """Sleep in slices, so that Ctrl-C is heard at once on every system."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(_SLICE, left))


# Causes of a stopped run that say nothing has ended: see epsrank.numerics.training.loop.
_GOING_ON = ("running, or killed", "not begun")


class Source(Protocol):
    """Something that may grow."""

    finished: bool

    def poll(self) -> View | SweepView | None:
        """Return how it is now; None if it is as at the last call."""
        ...


def open_source(path: str) -> Source:
    """Return what a path names, whether or not there is anything yet."""
    from epsrank.numerics.manifest import folder_kind
    from epsrank.numerics.monitor.sinks.follow import SUFFIXES
    from epsrank.theory.errors import InputError

    place = Path(path)
    if place.suffix.lower() in SUFFIXES and not place.is_dir():
        return HistorySource(place)
    if place.exists() and not place.is_dir():
        raise InputError(
            path, "is neither a run nor a history", f"pass a folder, or {', '.join(SUFFIXES)}"
        )
    # Its specification is there before the first run.
    if place.is_dir() and folder_kind(place) == "sweep" and (place / "spec.toml").is_file():
        return SweepSource(place)
    if place.is_dir() and is_import(place):
        return ImportSource(place)
    return RunSource(place)


class HistorySource:
    """The history file of a monitor; it never says that it is finished."""

    def __init__(self, path: Path) -> None:
        from epsrank.numerics.monitor.alarms.signatures import Signatures
        from epsrank.numerics.monitor.sinks.follow import HistoryFile

        self.finished = False
        self._path = path
        self._file = HistoryFile(path)
        self._signatures = Signatures()
        self._polled = False

    def poll(self) -> View | None:
        """Return the view of what is new, None where nothing is."""
        from itertools import groupby

        from epsrank.numerics.monitor.alarms.signatures import Signatures
        from epsrank.numerics.monitor.terminal.live import last_layer
        from epsrank.numerics.monitor.terminal.view import View, view_of_history

        changed = self._file.refresh()
        # The first look shows something even where there is nothing yet.
        if not changed and self._polled:
            return None
        self._polled = True
        if not self._file.exists:
            return View(str(self._path), "nothing there yet")
        # Another run writes to the file now: what the old one signalled is over.
        if self._file.restarted:
            self._signatures = Signatures()
        history = self._file.history
        last = last_layer(history.metadata)
        for _, rows in groupby(self._file.fresh, key=lambda record: record.step):
            self._signatures.update(list(rows), last)
        return view_of_history(history, title=str(self._path), signatures=self._signatures.seen)


class RunSource:
    """The folder of a run of ``epsrank train``."""

    def __init__(self, folder: Path) -> None:
        self.finished = False
        self._folder = folder
        self._stamps: Any = ()

    def poll(self) -> View | None:
        """Return the view of the tables, None where they did not change."""
        from epsrank.numerics.manifest import folder_kind, of_kind
        from epsrank.numerics.monitor.terminal.view import View
        from epsrank.numerics.training.folder import CONFIG, HISTORY, STATE, read_config
        from epsrank.numerics.training.state import read_progress
        from epsrank.theory.errors import InputError

        files = [self._folder / name for name in (CONFIG, HISTORY, STATE)]
        stamps = [_stamp(file) for file in files]
        if stamps == self._stamps:
            return None
        self._stamps = stamps
        if (kind := folder_kind(self._folder)) not in {None, "run"}:
            raise InputError("SOURCE", f"is {self._folder}, {of_kind(kind)}", "name that of a run")
        if stamps[0] is None:
            there = "holds no run yet" if self._folder.is_dir() else "nothing there yet"
            return View(str(self._folder), there)
        config = read_config(self._folder)
        title = f"{self._folder}: {config.caption}"
        progress = read_progress(self._folder)
        if progress is None:
            return View(title, f"step 0 of {config.steps}, nothing saved yet")
        going_on = progress.status == "stopped" and progress.cause in _GOING_ON
        self.finished = not going_on
        status = progress.cause if going_on else f"{progress.status}: {progress.cause}"
        state = f"step {progress.step} of {config.steps}, {status}"
        if stamps[1] is None:
            return View(title, state)
        return _view_of_run(title, state, files[1], config)


def _view_of_run(title: str, state: str, history: Path, config: RunConfig) -> View:
    """Return the view of a run's table."""
    from epsrank.numerics.files import read_table
    from epsrank.numerics.monitor.terminal.view import View
    from epsrank.numerics.training.record import layer_numbers
    from epsrank.theory.errors import InputError

    rows = read_table(history, history.parent).to_pylist()
    eps = tuple(f"{value:g}" for value in config.eps)
    if not rows:
        return View(title, state, eps)
    last = rows[-1]
    try:
        layers = tuple(_layer(number, rows, config) for number in layer_numbers(last, config))
        loss = tuple(math.nan if row["loss"] is None else row["loss"] for row in rows)
        reading = last["reading"]
        if reading is not None:
            reading = f"{reading}: {last['reason']}"
        broken = [row["step"] for row in rows if row["chain"] == "violated"]
    except KeyError as error:
        raise InputError(
            str(history), f"has no column {error}", "train again with this version"
        ) from None
    warnings = (f"the chain of floors is violated at step {broken[0]}",) if broken else ()
    return View(title, state, eps, (), layers, loss, reading, warnings)


def _layer(number: int, rows: list[dict[str, Any]], config: RunConfig) -> LayerView:
    """Return one hidden layer of a run."""
    from epsrank.numerics.monitor.terminal.view import LayerView
    from epsrank.numerics.training.record import rank_columns, width_column
    from epsrank.theory.rank.bounds import rank_text

    columns = [rank_columns(number, value) for value in config.eps]
    ranks = tuple(rank_text(rows[-1][lower], rows[-1][upper]) for lower, upper in columns)
    # Of the first ε, by the lower ends: a sparkline has room for one number per step.
    series = tuple(float(row[columns[0][0]]) for row in rows)
    width = rows[-1].get(width_column(number), config.width)
    return LayerView(f"hidden layer {number}", width, ranks, series)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    # Files are replaced whole: the inode changes even where size and time do not.
    return found.st_ino, found.st_size, found.st_mtime_ns
