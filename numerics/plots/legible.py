"""A finished figure laid out anew for a screen: as wide as that, and no letter too small to read.

Figures are drawn as wide as their panels want. Shrunk to a page, their letters shrink as well; here
the panels move instead, into as many columns as fit, with the labels that they need there.
"""

from __future__ import annotations

import math
import textwrap
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.text import Annotation, Text
from matplotlib.ticker import FixedLocator, LogFormatter

from epsrank.numerics.plots.style import log_ticks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Inches of a letter, in units of the font size, with room to spare.
_LETTER = 0.56 / 72
# Panels are no lower than this, in inches, and a row of legend takes so much.
_LOWEST, _LEGEND_ROW = 1.3, 0.24
# Letters beyond this are cut down: a title is no headline on a narrow screen.
_LARGEST = 10.0
# Inches that lie between neighbouring labels of an axis at the least.
_BETWEEN = 0.05
# Share of a panel's height that is drawn in, and inches of a line of names, per point.
_DRAWN, _NAME_LINE = 0.72, 1.3 / 72
# How much larger a figure becomes whose panels stay, since its letters grow as much.
_ENLARGED = 1.35
# Share of a panel's width up to which notes at its right edge reach.
_INSIDE = 0.975


class Screen(NamedTuple):
    """What a figure is laid out for."""

    #: Inches, 96 pixels each.
    width: float
    #: Points of the smallest letters.
    least: float
    #: Inches that a panel needs: with an axis of its own, and beside one that it shares.
    alone: float
    beside: float
    #: Rows that are shown at most; those of the figure below them are left out.
    rows: int


#: The content of a page of 1100 pixels, and that of a phone of 390.
DESK = Screen(10.6, 8.5, 2.6, 1.95, 60)
PHONE = Screen(3.6, 7.5, 3.0, 1.7, 4)


def legible(figure: Figure, screen: Screen, rows: int | None = None) -> Figure:
    """Lay out a figure for a screen, and return it; `rows`: how many rows of panels are kept."""
    grid = _grid(figure)
    if grid:
        _keep(figure, grid, _rows_of(grid, screen, rows))
        _place(figure, grid, screen)
    else:
        _enlarge(figure, screen)
    _letters(figure, screen)
    for axes in figure.axes:
        _few_ticks(axes)
        _notes_inside(axes)
    _wrap(figure, screen, grid)
    _legends(figure, screen)
    figure.draw_without_rendering()
    for axes in figure.axes:
        _thin(axes)
    return figure


def movable(figure: Figure) -> bool:
    """Whether the panels of a figure can stand otherwise than they do."""
    return bool(_grid(figure))


def _enlarge(figure: Figure, screen: Screen) -> None:
    """Make room for the larger letters of panels that stay where they are."""
    width, height = figure.get_size_inches()
    new = min(_ENLARGED * width, screen.width)
    _resize(figure, new, height * max(1.0, new / width))


Grid = dict[tuple[int, int], "Axes"]


def _grid(figure: Figure) -> Grid:
    """Return the panels by row and column; empty where they do not lie in one grid."""
    found: Grid = {}
    # A bar of colours belongs to panels where they are.
    if any(hasattr(axes, "_colorbar_info") for axes in figure.axes):
        return {}
    for axes in list(figure.axes):
        spec = axes.get_subplotspec()
        if spec is None:
            continue
        if not axes.get_visible():
            figure.delaxes(axes)
            continue
        whole = spec.get_gridspec()
        # Rows of heights of their own, as those of stages, stay as they are.
        if np.ptp(np.asarray(whole.get_height_ratios(), dtype=np.float64)) > 0:
            return {}
        if spec.rowspan.stop - spec.rowspan.start > 1 or spec.colspan.stop - spec.colspan.start > 1:
            return {}
        found[spec.rowspan.start, spec.colspan.start] = axes
    return found


def _size(grid: Grid) -> tuple[int, int]:
    return 1 + max(row for row, _ in grid), 1 + max(column for _, column in grid)


def _rows_of(grid: Grid, screen: Screen, rows: int | None) -> int:
    """Return how many rows are kept: on a narrow screen one row of panels becomes several."""
    height, width = _size(grid)
    fits = _fits(grid, screen)
    most = max(1, screen.rows // math.ceil(width / fits))
    return min(height, most, rows or height)


def _fits(grid: Grid, screen: Screen) -> int:
    """Return how many panels stand beside each other, as evenly as can be."""
    _, width = _size(grid)
    need = screen.beside if _shares(grid) and not _categories(grid) else screen.alone
    fits = max(1, min(width, int(screen.width / need)))
    # Five panels are three and two, not four and one.
    return math.ceil(width / math.ceil(width / fits))


def _keep(figure: Figure, grid: Grid, rows: int) -> None:
    """Leave the rows below out; their time axis and its label move up."""
    height, _ = _size(grid)
    old = figure.get_figheight() / height
    for row, column in [place for place in grid if place[0] >= rows]:
        below, last = grid.pop((row, column)), grid.get((rows - 1, column))
        if last is not None and below.get_xlabel():
            last.set_xlabel(below.get_xlabel())
            last.tick_params(labelbottom=True)
        figure.delaxes(below)
    if rows < height:
        figure.set_figheight(figure.get_figheight() - old * (height - rows))


def _shares(grid: Grid) -> bool:
    """Whether panels in a row share the labels of their first one."""
    inner = [axes for (_, column), axes in grid.items() if column > 0]
    return bool(inner) and not any(
        axes.yaxis.get_tick_params().get("labelleft", True) for axes in inner
    )


def _place(figure: Figure, grid: Grid, screen: Screen) -> None:
    """Put columns of panels beside each other as far as they fit, the others below."""
    height, width = _size(grid)
    old_width, old_height = figure.get_size_inches()
    fits = _fits(grid, screen)
    bands = math.ceil(width / fits)
    new_width = min(screen.width, old_width * fits / width)
    tall = old_height / height
    factor = (new_width / fits) / (old_width / width)
    # Rows of names need the height that they have.
    if not _categories(grid):
        tall = max(min(tall, _LOWEST if tall < 2.6 else 2.0), tall * min(1.0, factor))
    _resize(figure, new_width, tall * height * bands)
    new = figure.add_gridspec(height * bands, fits)
    for (row, column), axes in grid.items():
        band, across = divmod(column, fits)
        axes.set_subplotspec(new[band * height + row, across])
        if across == 0 and column > 0:
            first = grid.get((row, 0))
            axes.tick_params(labelleft=True)
            if first is not None and not axes.get_ylabel():
                axes.set_ylabel(first.get_ylabel())


def _categories(grid: Grid) -> bool:
    """Whether rows of a panel have names, which take room."""
    return any(_names(axes) for axes in grid.values())


def _names(axes: Axes) -> list[str]:
    """Return the names at the left axis, where it has some and no numbers."""
    if not isinstance(axes.yaxis.get_major_locator(), FixedLocator):
        return []
    names = [label.get_text() for label in axes.get_yticklabels()]
    return names if any(len(name) > 4 and not name.startswith("$") for name in names) else []


def _resize(figure: Figure, width: float, height: float) -> None:
    figure.set_size_inches(width, height)


def _letters(figure: Figure, screen: Screen) -> None:
    """Bring all letters to a size that can be read."""
    for text in figure.findobj(Text):
        text.set_fontsize(min(max(text.get_fontsize(), screen.least), _LARGEST))
    for axes in figure.axes:
        # Of ticks that are made later as well.
        for axis in (axes.xaxis, axes.yaxis):
            size = axis.get_tick_params().get("labelsize", None)
            known = size if isinstance(size, (int, float)) else screen.least
            axis.set_tick_params(labelsize=min(max(known, screen.least), 9.0))


def _few_ticks(axes: Axes) -> None:
    """Write the decades of a logarithmic axis, or a few round numbers, and not 6 × 10⁻¹."""
    for axis, which in ((axes.xaxis, "x"), (axes.yaxis, "y")):
        ends = sorted(axis.get_view_interval())
        usual = isinstance(axis.get_major_formatter(), LogFormatter)
        if axis.get_scale() == "log" and usual and 0 < ends[0] < ends[1]:
            log_ticks(axes, which, ends[0], ends[1])


def _notes_inside(axes: Axes) -> None:
    """Keep notes off the right edge of their panel, and readable where they lie on a curve."""
    for note in axes.texts:
        if isinstance(note, Annotation) and note.get_horizontalalignment() == "right":
            at = note.xycoords
            if isinstance(at, tuple) and at[0] == "axes fraction" and note.xy[0] > _INSIDE:
                note.xy = note.xyann = (_INSIDE, note.xy[1])
                note.set_bbox(
                    {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.6}
                )


def _wrap(figure: Figure, screen: Screen, grid: Grid) -> None:
    """Break titles and labels that are longer than their panel."""
    width, height = figure.get_size_inches()
    taller = 1.0
    if figure.get_suptitle():
        figure.suptitle(_lines(figure.get_suptitle(), width, screen.least + 1.5),
                        fontsize=screen.least + 1)  # fmt: skip
    for axes in figure.axes:
        spec = axes.get_subplotspec()
        if spec is None:
            continue
        whole = spec.get_gridspec()
        _, columns = whole.get_geometry()
        names = _names(axes)
        # A third of the panel for names, and the rest for what is drawn.
        room = max(0.36 * width / columns, 0.2 * width, 1.1) if names else 0.0
        across = 0.86 * (width / columns - room)
        shares = np.asarray(whole.get_height_ratios(), dtype=np.float64)
        tall = _DRAWN * height * float(shares[spec.rowspan.start] / shares.sum())
        for title in (axes.title, axes._left_title):  # type: ignore[attr-defined]
            title.set_text(_lines(title.get_text(), across, float(title.get_fontsize())))
        axes.xaxis.label.set_text(_lines(axes.get_xlabel(), across, screen.least))
        axes.yaxis.label.set_text(_lines(axes.get_ylabel(), tall, screen.least))
        # Rows of a height of their own have no room for names of two lines.
        if names and grid:
            broken = [_lines(name, room, screen.least) for name in names]
            axes.set_yticks(axes.get_yticks(), broken)
            # Each name needs as many lines as it has.
            lines = max(name.count("\n") + 1 for name in broken)
            needed = len(broken) * lines * _NAME_LINE * screen.least
            taller = max(taller, needed / tall)
    _resize(figure, width, height * taller)


def _lines(text: str, inches: float, size: float) -> str:
    """Break a text so that no line is wider; mathematics and "ε = 1e-6" stay whole."""
    most = max(int(inches / (_LETTER * size)), 10)
    text = text.replace(" = ", "\u00a0=\u00a0")
    return "\n".join(
        line
        for given in text.split("\n")
        for line in (textwrap.wrap(given, most, break_long_words=False) or [given])
    )


def _legends(figure: Figure, screen: Screen) -> None:
    """Make the legend of a figure anew in as many columns as fit, below the panels."""
    for legend in list(figure.legends):
        every = zip(legend.legend_handles, (t.get_text() for t in legend.get_texts()), strict=True)
        shown = [(handle, label) for handle, label in every if _is_drawn(figure, handle)]
        handles, labels = [handle for handle, _ in shown], [label for _, label in shown]
        title = legend.get_title().get_text()
        legend.remove()
        _below(figure, screen, handles, labels, title or None)
    for axes in figure.axes:
        own = axes.get_legend()
        spec = axes.get_subplotspec()
        if own is None or spec is None:
            continue
        labels = [text.get_text() for text in own.get_texts()]
        columns = spec.get_gridspec().get_geometry()[1]
        room = figure.get_figwidth() / columns
        if _names(axes):
            room -= max(0.36 * room, 1.1)
        longest = max(map(len, labels), default=0) * _LETTER * screen.least + 0.5
        # One that hides more than half of its panel goes below.
        if longest > 0.5 * room:
            handles = list(own.legend_handles)
            own.remove()
            _resize(figure, figure.get_figwidth(), figure.get_figheight() + _LEGEND_ROW)
            _below(figure, screen, handles, labels, None)


def _is_drawn(figure: Figure, handle: Any) -> bool:
    """Whether a line of this look is in a panel that is left; other handles are taken to be."""
    if not isinstance(handle, Line2D):
        return True
    look = (handle.get_color(), handle.get_marker())
    return any(
        (line.get_color(), line.get_marker()) == look for axes in figure.axes for line in axes.lines
    )


def _below(
    figure: Figure, screen: Screen, handles: Sequence[Any], labels: Sequence[str], title: str | None
) -> None:
    width = figure.get_figwidth()
    labels = [_lines(label, width - 0.7, screen.least) for label in labels]
    longest = max((len(line) for label in labels for line in label.split("\n")), default=1)
    columns = max(1, min(len(labels), int(width / (longest * _LETTER * screen.least + 0.7)), 6))
    rows = math.ceil(len(labels) / columns)
    _resize(figure, width, figure.get_figheight() + _LEGEND_ROW * max(rows - 1, 0))
    figure.legend(
        handles=handles, labels=labels, loc="outside lower center", ncols=columns, frameon=False,
        fontsize=screen.least, handlelength=2.2, columnspacing=1.2, title=title,
        title_fontsize=screen.least,
    )  # fmt: skip


def _thin(axes: Axes) -> None:
    """Leave out labels of ticks that touch their neighbours; names at the left axis stay."""
    if not axes.get_visible() or not axes.axison:
        return
    figure = axes.get_figure(root=True)
    assert figure is not None
    gap = _BETWEEN * figure.dpi
    for axis, low, high, put in (
        (axes.xaxis, "x0", "x1", axes.set_xticks),
        (axes.yaxis, "y0", "y1", axes.set_yticks),
    ):
        if axis is axes.yaxis and _names(axes):
            continue
        ends = sorted(axis.get_view_interval())
        shown = [
            (float(at), label)
            for at, label in zip(axis.get_majorticklocs(), axis.get_ticklabels(), strict=False)
            if ends[0] <= at <= ends[1] and label.get_visible() and label.get_text()
        ]
        boxes = [label.get_window_extent() for _, label in shown]
        places = [(getattr(box, low), getattr(box, high)) for box in boxes]
        step = next((s for s in range(1, len(shown) + 1) if _apart(places[::s], gap)), 1)
        if step > 1:
            kept = shown[::step]
            put([at for at, _ in kept], [label.get_text() for _, label in kept])


def _apart(places: Sequence[tuple[float, float]], gap: float) -> bool:
    ordered = sorted(places)
    return all(first[1] + gap <= second[0] for first, second in pairwise(ordered))
