"""How settings become panels, colours and axes, chosen by what varies."""

from __future__ import annotations

import itertools
import math
import textwrap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize, to_hex
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from epsrank.numerics.plots.style import (
    FAINT,
    Look,
    dress,
    integer_axis,
    log_axis,
    look,
    paper_width,
)
from epsrank.numerics.results.collection import Cell, SweepResults, agrees, frozen, is_number
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: More panels than this are too small to read.
MOST_PANELS = 36
# Up to here every value has a look of its own in the legend; more numbers have a colour bar.
_MOST_LOOKS = 7
# A grid of one setting is wrapped after so many panels; fewer where they would be narrower, or
# lower, than these inches.
_WRAP = 4
_LEAST_WIDTH, _LEAST_HEIGHT = 1.6, 1.3
# So many values of a setting have a tick each.
_MOST_TICKS = 8
# Numbers further apart than this factor stand on a logarithmic axis.
_WIDE = 8.0


@dataclass(frozen=True)
class Layout:
    """Which setting is what in a figure; None where there is none to show."""

    x: str | None
    colour: str | None
    facets: tuple[str, ...]


def layout_of(
    results: SweepResults,
    *,
    x: str | None = None,
    colour: str | None = None,
    facets: Sequence[str] = (),
    needs_x: bool = False,
) -> Layout:
    """Choose what is not said: numbers along x, the setting of most values in colours, panels else.

    `needs_x` says that a setting is drawn along x, which then is neither colour nor panel.
    """
    check_settings(results, x, colour, facets)
    chosen = [name for name in (x, colour, *facets) if name is not None]
    left = [name for name in results.varied if name not in chosen]
    if needs_x and x is None and left:
        # A number of many values is the longest axis; without numbers any setting is one.
        x = max(left, key=lambda name: (is_numeric(results, name), _count(results, name)))
        left.remove(x)
    if colour is None and left:
        colour = max(left, key=lambda name: _count(results, name))
        left.remove(colour)
    if not facets:
        # Few rows and many columns: the setting of fewest values first.
        facets = sorted(left, key=lambda name: _count(results, name))[:2]
    return Layout(x, colour, tuple(facets))


def check_settings(
    results: SweepResults, x: str | None, colour: str | None, facets: Sequence[str]
) -> None:
    """Refuse names that are no settings that vary, and one that is named twice."""
    asked = [("x", x), ("colour", colour), *(("facets", name) for name in facets)]
    seen: set[str] = set()
    for argument, name in asked:
        if name is None:
            continue
        if name not in results.varied:
            known = ", ".join(results.varied) or "none, since nothing varies"
            raise InputError(argument, f"is {name!r}, which does not vary", f"choose of: {known}")
        if name in seen:
            raise InputError(argument, f"is {name!r}, which is named twice", "use each name once")
        seen.add(name)


def _count(results: SweepResults, name: str) -> int:
    return len(results.values(name))


def is_numeric(results: SweepResults, name: str) -> bool:
    """Tell whether a setting is a number in all runs."""
    return all(map(is_number, results.values(name)))


@dataclass(frozen=True, eq=False)
class PlacedPanel:
    """Axes, and the cells of settings that are drawn there."""

    axes: Axes
    title: str
    cells: tuple[Cell, ...]
    #: Whether nothing is drawn below it, and left of it.
    lowest: bool
    first: bool


def panels(
    figure: Figure, results: SweepResults, facets: Sequence[str], *, size: tuple[float, float]
) -> list[PlacedPanel]:
    """Lay out a panel per combination of the facets; the figure gets the size that they need."""
    values = [results.values(name) for name in facets]
    combinations = list(itertools.product(*values))
    if len(combinations) > MOST_PANELS:
        raise InputError(
            "facet",
            f"makes {len(combinations)} panels",
            "name one setting with --facet, or choose runs with --where",
        )
    width, height = size
    paper = paper_width()
    # A panel of a paper has room for its ticks.
    most = _WRAP if paper is None else min(_WRAP, max(1, int(paper / _LEAST_WIDTH)))
    rows = len(values[0]) if len(facets) == 2 else math.ceil(len(combinations) / most)
    # Rows of nearly one length: five panels are three and two, not four and one.
    columns = math.ceil(len(combinations) / rows)
    # One panel alone has room for its axes and legend.
    scale = 1.5 if len(combinations) == 1 else 1.0
    whole = 0.8 + scale * width * columns
    if paper is not None:
        # Of the same shape, but no lower than their labels need.
        scale = max(scale * paper / whole, _LEAST_HEIGHT / height)
        whole = paper
    figure.set_size_inches(whole, 1.1 + scale * height * rows)
    grid = figure.subplots(rows, columns, squeeze=False, sharex=True, sharey=True)
    placed = []
    for at, combination in enumerate(combinations):
        own = dict(zip(facets, combination, strict=True))
        cells = tuple(cell for cell in results.cells if agrees(cell.settings, own))
        down, across = divmod(at, columns)
        placed.append(
            PlacedPanel(
                grid[down][across],
                ", ".join(f"{name} {shown(value)}" for name, value in own.items()),
                cells,
                at + columns >= len(combinations),
                across == 0,
            )
        )
    for at in range(len(combinations), rows * columns):
        grid[divmod(at, columns)[0]][at % columns].set_visible(False)
    for panel in placed:
        # Those above an empty place have to write their ticks themselves.
        panel.axes.tick_params(labelbottom=panel.lowest)
        if not panel.cells or not any(cell.runs for cell in panel.cells):
            panel.axes.text(0.5, 0.5, "no runs", transform=panel.axes.transAxes, ha="center",
                            va="center", color=FAINT, fontsize=9)  # fmt: skip
    return placed


def label_panels(placed: Sequence[PlacedPanel], x: str, y: str) -> None:
    """Title the panels, and say what their axes are: at the edges where there are several."""
    for panel in placed:
        # A legend below the figure would cover a label of all panels together.
        x_here, y_here = x if panel.lowest else "", y if panel.first else ""
        dress(panel.axes, x=x_here, y=y_here, panel=panel.title)


class Colours:
    """The look of each value of a setting: of the legend, or of a colour bar where many."""

    def __init__(self, results: SweepResults, name: str | None) -> None:
        self.name = name
        self.values = [None] if name is None else results.values(name)
        self._places = {frozen(value): at for at, value in enumerate(self.values)}
        self.bar = name is not None and len(self.values) > _MOST_LOOKS and is_numeric(results, name)
        if self.bar:
            low, high = float(min(self.values)), float(max(self.values))
            wide = low > 0 and high / low >= _WIDE
            self.norm: Normalize = LogNorm(low, high) if wide else Normalize(low, high)

    def of(self, settings: Mapping[str, Any]) -> Look:
        """Return the look of a cell."""
        if self.name is None:
            return look(0)
        value: Any = settings.get(self.name)
        if self.bar:
            # The palest end would vanish on white.
            return Look(to_hex(colormaps["viridis"](0.92 * float(self.norm(value)))), "-", "o")
        return look(self._places[frozen(value)])

    def explain(self, figure: Figure, axes: Sequence[Axes], *, lines: bool = True) -> None:
        """Name the looks below the panels, or draw the colour bar beside them."""
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap
        from matplotlib.lines import Line2D

        if self.name is None:
            return
        if self.bar:
            shades = ListedColormap(colormaps["viridis"](np.linspace(0, 0.92, 256)))
            bar = figure.colorbar(ScalarMappable(self.norm, shades), ax=list(axes), pad=0.02)
            bar.set_label(self.name)
            low, high = self.norm.vmin or 0.0, self.norm.vmax or 1.0
            spaced = np.geomspace if isinstance(self.norm, LogNorm) else np.linspace
            # Rounding may leave the range, where no tick is drawn.
            ticks = [float(f"{tick:.2g}") for tick in spaced(low, high, 5)[1:-1]]
            bar.set_ticks([low, *ticks, high])
            bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
            bar.ax.yaxis.set_minor_locator(NullLocator())
            return
        handles = [
            Line2D([], [], color=one.colour, linestyle=one.dashes if lines else "none",
                   marker=one.marker, markersize=4, linewidth=1.5,
                   label=shown(value))
            for value in self.values for one in [self.of({self.name: value})]
        ]  # fmt: skip
        longest = max(len(str(handle.get_label())) for handle in handles)
        room = max(1, int(figure.get_figwidth() / (0.75 + 0.075 * longest)))
        columns = min(room, len(handles))
        rows = math.ceil(len(handles) / columns)
        # A long legend takes no room from the panels.
        figure.set_figheight(figure.get_figheight() + 0.19 * (rows - 1))
        figure.legend(
            handles=handles,
            title=self.name,
            title_fontsize=8.5,
            loc="outside lower center",
            ncols=columns,
            frameon=False,
            fontsize=8.5,
            handlelength=3.2 if lines else 1.5,
        )


def shown(value: Any) -> str:
    """Write a value of a setting briefly."""
    if isinstance(value, float):
        return f"{value:g}"
    return "default" if value is None else str(value)


def setting_axis(axes: Axes, which: str, values: Sequence[Any]) -> dict[str, float]:
    """Prepare an axis for the values of a setting, and return where each stands.

    Where there are few of them, ticks are values that were run and no numbers between them.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    if all(map(is_number, values)):
        numbers = [float(value) for value in values]
        low, high = min(numbers), max(numbers)
        if low > 0 and high / low >= _WIDE:
            log_axis(axes, which, np.array(numbers))
        elif all(isinstance(value, int) for value in values):
            integer_axis(axes, which)
        if len(numbers) <= _MOST_TICKS:
            axis.set_major_locator(FixedLocator(numbers))
            axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.3g}"))
            axis.set_minor_locator(NullLocator())
        return {frozen(value): number for value, number in zip(values, numbers, strict=True)}
    places = {frozen(value): float(at) for at, value in enumerate(values)}
    texts = [shown(value) for value in values]
    axis.set_major_locator(FixedLocator(list(places.values())))
    axis.set_major_formatter(
        FuncFormatter(lambda place, _: dict(enumerate(texts)).get(round(place), ""))
    )
    if which == "x" and sum(map(len, texts)) > 25:
        axes.tick_params(axis="x", labelrotation=90, labelsize=7.5)
    return places


def seeds_line(results: SweepResults) -> str:
    """Say what bands are, and how sure they are, by the numbers of seeds."""
    counts = sorted({len(cell.runs) for cell in results.cells})
    if counts[-1] == 1:
        return "one seed per setting"
    few, many = max(2, counts[0]), counts[-1]
    seeds = plural(many, "seed") if counts[0] == many else f"{counts[0]} to {plural(many, 'seed')}"
    worst = min(interval_coverage(few), interval_coverage(many))
    return f"median and interval of order statistics over {seeds} (≥\u00a0{100 * worst:.3g}\u00a0%)"


def unshown(results: SweepResults, what: str, names: Iterable[str | None]) -> str:
    """Say which settings vary among lines or points of one look: none of those that are shown."""
    rest = [name for name in results.varied if name not in set(names)]
    return f"; {what} of one look differ in {', '.join(rest)}" if rest else ""


def interval_coverage(count: int) -> float:
    """Return the coverage of the interval of a median of so many observations."""
    from epsrank.theory.statistics import median_interval

    return median_interval([float(at) for at in range(count)]).coverage


def troubles(results: SweepResults) -> str:
    """Say how many runs are not as the others."""
    found = [
        f"{count} {name}"
        for name in ("diverged", "failed")
        if (count := sum(run.status == name for run in results.runs))
    ]
    return ", ".join(found + [f"{results.missing} missing"] * bool(results.missing))


def headline(figure: Figure, results: SweepResults, note: str) -> None:
    """Give a figure its title: what it shows, and which runs are not as the others."""
    from pathlib import Path

    name = Path(results.source).name or results.source
    text = "; ".join(part for part in (f"{name}: {note}", troubles(results)) if part)
    # A narrow figure has no room for one line.
    letters = max(30, int(figure.get_figwidth() * 13))
    lines = textwrap.fill(text, letters, break_long_words=False, break_on_hyphens=False)
    figure.suptitle(lines, fontsize=9)
