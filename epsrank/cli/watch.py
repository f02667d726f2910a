"""``epsrank watch``: follow a run, or the history of a monitor, in the terminal."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from epsrank.cli.front import Command

if TYPE_CHECKING:
    from epsrank.cli.watched import Source

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
    .parquet), running or finished; it need not exist yet. The view ends with the run, and with
    Ctrl-C. In a pipe it is plain text, one block per change.

    Parameters
    ----------
    run : str
        Folder or file.
    once : bool
        Look once.
    interval : float
        Seconds between looks.
    """
    from epsrank.cli.watched import open_source

    source = open_source(run)
    try:
        _follow(source, once, interval)
    except KeyboardInterrupt:
        return


def _follow(source: Source, once: bool, interval: float) -> None:
    """Show a source until it is finished.

    Parameters
    ----------
    source : Source
        What to show.
    once : bool
        Look once.
    interval : float
        Seconds between looks.
    """
    from rich.console import Console
    from rich.live import Live

    from epsrank.numerics.monitor.live import draws, lines, render

    console = Console(highlight=False)
    ascii_only = not (console.encoding or "").lower().startswith("utf")
    if not draws(console):
        begun = False
        while True:
            view = source.poll()
            if view is not None:
                click.echo(("\n" if begun else "") + "\n".join(lines(view, ascii_only=ascii_only)))
                begun = True
            if once or source.finished:
                return
            _wait(interval)
    if once:
        view = source.poll()
        if view is not None:
            console.print(render(view, ascii_only=ascii_only))
        return
    with Live(console=console, auto_refresh=False) as live:
        while True:
            view = source.poll()
            if view is not None:
                live.update(render(view, ascii_only=ascii_only), refresh=True)
            if source.finished:
                return
            _wait(interval)


def _wait(seconds: float) -> None:
    """Sleep in slices, so that Ctrl-C is heard at once on every system."""
    end = time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        time.sleep(min(_SLICE, left))
