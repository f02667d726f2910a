"""What commands print: JSON, tables and notices, each to its own stream."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from epsrank.theory.strict_json import nulled


def print_json(value: Any) -> None:
    """Print one JSON document to stdout, without NaN or Infinity (they become null)."""
    click.echo(json.dumps(nulled(value), allow_nan=False))


def notice(text: str) -> None:
    """Print a remark to stderr, where it does not disturb a pipe."""
    click.echo(f"epsrank: {text}", err=True)


def print_table(
    columns: Sequence[str], rows: Sequence[Sequence[str]], *, title: str = "", note: str = ""
) -> None:
    """Print a table: drawn on a terminal, aligned plain text in a pipe."""
    if sys.stdout is not None and sys.stdout.isatty():  # None: started with stdout closed
        _print_drawn(columns, rows, title, note)
        return
    if title:
        click.echo(title)
    widths = [
        # The last column is not padded: no blanks at the ends of lines.
        max(len(row[index]) for row in [columns, *rows]) if index < len(columns) - 1 else 0
        for index in range(len(columns))
    ]
    for row in [columns, *rows]:
        cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        click.echo("  ".join(cells).rstrip())
    if note:
        click.echo(note)


def _print_drawn(
    columns: Sequence[str], rows: Sequence[Sequence[str]], title: str, note: str
) -> None:
    """Print a table with rich."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
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


@contextmanager
def live_progress(label: str) -> Iterator[Progress]:
    """Open a progress bar and yield the function that moves it."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}", markup=False),
    )
    with Bar(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(label, total=None, text="")

        def move(done: int, total: int, text: str = "") -> None:
            bar.update(task, completed=done, total=total, text=text)

        yield move
