"""What commands print: JSON, tables and notices, each to its own stream."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TextIO

import click

from epsrank.theory.strict_json import nulled

# Where commands write: what a user's code prints goes elsewhere while one runs.
_OUT: ContextVar[TextIO | None] = ContextVar("out")


@contextmanager
def own_stdout() -> Iterator[None]:
    """Keep stdout for what the command says: what code of a user's prints goes to stderr."""
    real = sys.stdout
    token = _OUT.set(real)
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        sys.stdout = real
        _OUT.reset(token)


def output() -> TextIO | None:
    """Return the stream of what commands say; None where they were started without one."""
    return _OUT.get(sys.stdout)


def say(text: str = "", *, err: bool = False) -> None:
    """Write a line to stdout, or to stderr."""
    stream = sys.stderr if err else output()
    if stream is not None:
        click.echo(text, file=stream)


def print_json(value: Any) -> None:
    """Print one JSON document to stdout, without NaN or Infinity (they become null)."""
    say(json.dumps(nulled(value), allow_nan=False))


def notice(text: str) -> None:
    """Print a remark to stderr, where it does not disturb a pipe: one line, whatever it names."""
    say(f"epsrank: {' '.join(text.splitlines())}", err=True)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", note: str = ""
) -> None:
    """Print a table: drawn on a terminal, aligned plain text in a pipe."""
    stream = output()
    if stream is not None and stream.isatty():
        _print_drawn(columns, rows, title, note)
        return
    if title:
        say(title)
    widths = [
        # The last column is not padded: no blanks at the ends of lines.
        max(len(row[index]) for row in [columns, *rows]) if index < len(columns) - 1 else 0
        for index in range(len(columns))
    ]
    for row in [columns, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        say("  ".join(cells).rstrip())
    if note:
        say(note)


def _print_drawn(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, note: str
) -> None:
    """Print a table with rich."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False, file=output())
    table = Table(*columns, header_style="bold")  # headings are ours: no markup in them
    for row in rows:
        # Cells hold names and messages of users: square brackets in them are not markup.
        table.add_row(*(Text(cell) for cell in row))
    if title:
        console.print(Text(title))
    console.print(table)
    if note:
        console.print(Text(note))


def number(value: float | None) -> str:
    """Format a figure for a table cell."""
    return "–" if value is None else f"{value:.4g}"


Progress = Callable[[int, int, str], None]


# Lines of progress where there is no terminal: at most one in ten seconds, and later one per
# fiftieth of the time so far. What is done sooner says nothing; a night's log has some 250 lines.
_LEAST_SECONDS, _SHARE_OF_TIME = 10.0, 0.02


class ProgressLines:
    """Progress in lines on stderr, for logs and pipes."""

    def __init__(self, label: str, unit: str = "") -> None:
        self._label, self._unit = label, unit
        self._begun = self._said_at = time.monotonic()
        self._said: tuple[int, int, str] | None = None
        self._last: tuple[int, int, str] | None = None

    def __call__(self, done: int, total: int, text: str = "") -> None:
        """Take note of progress, and say it where the last line is long enough ago."""
        now = time.monotonic()
        self._last = (done, total, text)
        if now - self._said_at >= max(_LEAST_SECONDS, _SHARE_OF_TIME * (now - self._begun)):
            self._said_at = now
            self._say()

    def end(self) -> None:
        """Say the last of it, if anything was said before."""
        if self._said is not None and self._last != self._said:
            self._say()

    def _say(self) -> None:
        self._said = self._last
        if self._last is None:
            return
        done, total, text = self._last
        words = [self._label, *([self._unit] if self._unit else []), f"{done} of {total}"]
        elapsed = f"{time.monotonic() - self._begun:.0f} s"
        notice(f"{' '.join(words)}, {elapsed}" + (f": {text}" if text else ""))


@contextmanager
def live_progress(label: str, *, unit: str = "") -> Iterator[Progress]:
    """Yield a function that moves a progress bar, or where there is no terminal says lines."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    if not console.is_terminal:
        lines = ProgressLines(label, unit)
        try:
            yield lines
        finally:
            lines.end()
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Bar(*columns, console=console, transient=True) as bar:
        task = bar.add_task(label, total=None, text="")

        def move(done: int, total: int, text: str = "") -> None:
            bar.update(task, completed=done, total=total, text=text)

        yield move
