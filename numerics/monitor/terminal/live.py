"""A live table of a training in the terminal; plain lines where there is none."""

from __future__ import annotations

import os
import sys
import textwrap
import time
from collections.abc import Callable, Mapping, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from epsrank.numerics.monitor.alarms.signatures import Signatures
from epsrank.numerics.monitor.records.history import History
from epsrank.numerics.monitor.records.record import LayerRecord
from epsrank.numerics.monitor.sinks.protocol import WholeRecords
from epsrank.numerics.monitor.terminal.drawn import (
    SPARK,
    DrawnView,
    highest,
    loss_line,
    not_shown,
    some_layers,
)
from epsrank.numerics.monitor.terminal.view import View, sparkline, view_of_history
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# Fewer are no terminal's.
_LEAST_COLUMNS = 20
# Rows kept for the series: a sparkline has no more characters.
_KEPT = 2000


def render(view: View, *, ascii_only: bool = False) -> RenderableType:
    """Return a view as something that rich draws, at the width of its terminal."""
    return DrawnView(view, ascii_only)


def lines(view: View, *, ascii_only: bool = False) -> list[str]:
    """Return a view as lines of plain text."""
    found = [f"{view.title}: {view.state}"]
    if view.loss:
        found.append(loss_line(view, ascii_only))
    shown, left_out = some_layers(view)
    most = highest(view.layers)
    for layer in shown:
        ranks = ", ".join(
            f"{rank} at {eps}" for rank, eps in zip(layer.ranks, view.eps, strict=True)
        )
        line = f"{layer.name}: ε-rank {ranks} of {layer.n_features}"
        if layer.failure is not None:
            line = f"{layer.name}: {layer.failure}"
        spark = sparkline(layer.series, SPARK, ascii_only=ascii_only, least=0.0, most=most)
        found.append(f"{line}  {spark}".rstrip())
    if left_out:
        found.append(not_shown(left_out))
    if view.reading is not None:
        found.append(f"reading: {view.reading}")
    if view.quantities is not None:
        found.append(f"quantities: {view.quantities}")
    found += [f"warning: {warning}" for warning in view.warnings]
    return [part for line in found for part in wrapped(line)]


def wrapped(line: str) -> list[str]:
    """Return a line in parts that fit into COLUMNS, where the environment says how many."""
    columns = os.environ.get("COLUMNS", "")
    if not columns.isdecimal() or len(line) <= int(columns):
        return [line]
    return textwrap.wrap(
        line, max(int(columns), _LEAST_COLUMNS), subsequent_indent="  ",
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip


def draws(console: Console) -> bool:
    """Whether a console is a terminal that can redraw."""
    return bool(console.is_terminal and not console.is_dumb_terminal)


class LiveTerminal(WholeRecords):
    """A sink that shows every measurement: a table that redraws itself, or plain lines.

    Where the stream is no terminal that can redraw (a pipe, a log file, a cluster job), one block
    of lines is written at most every `interval` seconds, and one at the end.

    Parameters
    ----------
    title : str
        A name for the training.
    interval : float
        Seconds between blocks of plain lines.
    stream : file object, optional
        Where to write; standard error by default.
    clock : callable
        Seconds, monotone.

    Raises
    ------
    InputError
        If the interval is not a number ≥ 0.
    """

    def __init__(
        self,
        title: str = "RankMonitor",
        *,
        interval: float = 30.0,
        stream: Any = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        if not isinstance(interval, (int, float)) or not interval >= 0:
            raise InputError("interval", f"is {interval!r}", "pass seconds ≥ 0")
        from rich.console import Console

        self._title = title
        self._interval = interval
        self._clock = clock
        self._console = Console(
            file=sys.stderr if stream is None else stream, highlight=False, soft_wrap=False
        )
        self._history = History(max_records=_KEPT)
        self._signatures = Signatures()
        self._live: Any = None
        self._shown: float | None = None
        self._waiting = False

    def write(self, records: Sequence[LayerRecord], metadata: Mapping[str, Any]) -> None:
        """Show one measurement.

        Parameters
        ----------
        records : sequence of LayerRecord
            Its layers.
        metadata : mapping
            Names the last layer, which the signatures look at.
        """
        self._history.append(records)
        self._signatures.update(records, last_layer(metadata))
        if draws(self._console):
            self._draw()
            return
        self._waiting = True
        now = self._clock()
        if self._shown is None or now - self._shown >= self._interval:
            self._print(now)

    def close(self) -> None:
        """Leave the last table, or lines, on the screen."""
        if self._live is not None:
            self._live.stop()
            self._live = None
        if self._waiting:
            self._print(self._clock())

    def __enter__(self) -> LiveTerminal:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _view(self) -> View:
        return view_of_history(self._history, title=self._title, signatures=self._signatures.seen)

    def _ascii(self) -> bool:
        # Few other encodings have the bars of a sparkline.
        return not (self._console.encoding or "").lower().startswith("utf")

    def _draw(self) -> None:
        from rich.live import Live

        drawn = render(self._view(), ascii_only=self._ascii())
        if self._live is None:
            # No thread of its own: redrawn when there is something new.
            self._live = Live(drawn, console=self._console, auto_refresh=False)
            self._live.start()
        self._live.update(drawn, refresh=True)

    def _print(self, now: float) -> None:
        for line in lines(self._view(), ascii_only=self._ascii()):
            self._console.print(line, markup=False, soft_wrap=True)
        self._shown, self._waiting = now, False


def last_layer(metadata: Mapping[str, Any]) -> str | None:
    """Return the name of the last hidden layer, where the metadata of a history say it."""
    layers = metadata.get("layers")
    if not isinstance(layers, list):
        return None
    names = [
        entry.get("name")
        for entry in layers
        if isinstance(entry, Mapping) and entry.get("role") == "last"
    ]
    return str(names[0]) if names and names[0] is not None else None
