"""A view as a table that fits its terminal: what does not fit is left out by rank, never broken."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from epsrank.numerics.monitor.terminal.view import View, sparkline
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderableType, RenderResult

    from epsrank.numerics.monitor.terminal.view import LayerView

SPARK = 24
_OVER_TIME = "over time"
# Fewer bars show no course, and the heading needs as much.
_LEAST_SPARK = len(_OVER_TIME)
_LEAST_NAME = 9
# Most layers in the table; a terminal has no more lines.
_LAYERS = 30
# Blanks between two columns.
_GAP = 2


class DrawnView:
    """A view that rich draws, at whatever width the terminal has when it is drawn."""

    def __init__(self, view: View, ascii_only: bool) -> None:
        self._view = view
        self._ascii_only = ascii_only

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield title, loss, table and remarks."""
        from rich.text import Text

        def text(value: str, style: str = "") -> Text:
            return Text(value, style=style, overflow="fold")

        view, width = self._view, options.max_width
        yield text(f"{view.title}: {view.state}", "bold")
        if view.loss:
            yield text(loss_line(view, self._ascii_only, width))
        if view.layers:
            yield from self._table(width)
        if view.reading is not None:
            yield text(f"reading: {view.reading}")
        if view.quantities is not None:
            yield text(f"quantities: {view.quantities}")
        for warning in view.warnings:
            yield text(f"warning: {warning}", "yellow")

    def _table(self, width: int) -> list[RenderableType]:
        """Return the table of the layers, and a line of what it has no room for."""
        from rich.table import Table
        from rich.text import Text

        shown, left_out = some_layers(self._view)
        columns = Columns(self._view, shown, width)
        table = Table(box=None, header_style="bold", padding=(0, _GAP, 0, 0), pad_edge=False)
        table.add_column("layer, ε:" if columns.short else "layer", no_wrap=True)
        for heading in columns.headings:
            table.add_column(heading, justify="right", no_wrap=True)
        table.add_column(_OVER_TIME, no_wrap=True)
        most = highest(self._view.layers)
        names = shortened([layer.name for layer in shown], columns.name)
        for name, layer in zip(names, shown, strict=True):
            spark = sparkline(
                layer.series, columns.spark, ascii_only=self._ascii_only, least=0.0, most=most
            )
            cells = (name, *columns.of(layer), spark)
            table.add_row(*map(Text, cells))
        note = [*columns.left_out, *([not_shown(left_out)] if left_out else [])]
        return [table, *(Text(line, style="dim", overflow="fold") for line in note)]


class Columns:
    """The columns that a width has room for: extras go first, then thresholds from the last on."""

    def __init__(self, view: View, shown: Sequence[LayerView], width: int) -> None:
        self._extras, self._eps = len(view.extras), len(view.eps)
        #: Whether headings are bare numbers.
        self.short = False
        self._view, self._shown = view, shown
        names = max([len("layer"), *(len(layer.name) for layer in shown)])
        least = min(names, max(_LEAST_NAME, width // 4))
        while self._used() + least + _GAP + _LEAST_SPARK > width:
            if not self.short:
                self.short = True
            elif self._extras:
                self._extras -= 1
            elif self._eps > 1:
                self._eps -= 1
            else:
                break
        free = width - self._used() - _GAP
        #: Letters of a name, and bars of a sparkline.
        self.spark = max(_LEAST_SPARK, min(SPARK, free - names))
        self.name = max(_LEAST_NAME, min(names, free - self.spark))

    @property
    def headings(self) -> list[str]:
        """The headings between the name and the sparkline."""
        eps = [value if self.short else f"ε = {value}" for value in self._view.eps[: self._eps]]
        return [*eps, "of", *self._view.extras[: self._extras]]

    def of(self, layer: LayerView) -> list[str]:
        """Return the cells of a layer under `headings`."""
        ranks = layer.ranks[: self._eps]
        return [*ranks, str(layer.n_features or "–"), *layer.extras[: self._extras]]

    @property
    def left_out(self) -> list[str]:
        """Say what is not shown."""
        lost = [f"ε = {value}" for value in self._view.eps[self._eps :]]
        lost += self._view.extras[self._extras :]
        return [f"too narrow for {', '.join(lost)}"] if lost else []

    def _used(self) -> int:
        cells = zip(self.headings, *map(self.of, self._shown), strict=True)
        return sum(max(map(len, column)) + _GAP for column in cells)


def some_layers(view: View) -> tuple[tuple[LayerView, ...], int]:
    """Return the layers that fit, the last ones, and the number of those left out."""
    return view.layers[-_LAYERS:], max(0, len(view.layers) - _LAYERS)


def highest(layers: Sequence[LayerView]) -> float:
    """Return the largest rank of all layers, at the top of every sparkline: one scale for all."""
    return max((value for layer in layers for value in layer.series), default=0.0)


def loss_line(view: View, ascii_only: bool, width: int | None = None) -> str:
    """Return the latest loss with its course."""
    head = f"loss {view.loss[-1]:.4g}  "
    room = 2 * SPARK if width is None else min(2 * SPARK, width - len(head))
    return f"{head}{sparkline(view.loss, room, log=True, ascii_only=ascii_only)}".rstrip()


def shortened(names: Sequence[str], most: int) -> list[str]:
    """Return names that fit, without the beginning that all of them share: the rest tells apart."""
    if max(map(len, names), default=0) <= most:
        return list(names)
    letters = zip(*names, strict=False)
    differ = next((at for at, here in enumerate(letters) if len(set(here)) > 1), 0)
    # Up to a dot or a blank, so that what is left is a word or a number.
    cut = max(names[0].rfind(mark, 0, differ) for mark in ". ") + 1
    ends = [name if cut < 2 else f"…{name[cut:]}" for name in names]
    return [end if len(end) <= most else f"{end[: most - 1]}…" for end in ends]


def not_shown(count: int) -> str:
    """Say how many layers `some_layers` left out."""
    return f"{plural(count, 'more layer is', 'more layers are')} not shown"
