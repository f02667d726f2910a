"""How the runs of a sweep end: figures over a setting, maps over two, rank against error."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from matplotlib import colormaps
from matplotlib.colors import LogNorm, Normalize

from epsrank.numerics.plots.style import (
    FAINT,
    INK,
    dress,
    integer_axis,
    log_axis,
    log_ticks,
    new_figure,
)
from epsrank.numerics.plots.sweep_curves import (
    BEYOND,
    first_name,
    is_falling,
    label_of,
    value_axis,
)
from epsrank.numerics.plots.sweep_layout import (
    Colours,
    Layout,
    PlacedPanel,
    headline,
    is_numeric,
    label_panels,
    panels,
    seeds_line,
    setting_axis,
    shown,
    unshown,
)
from epsrank.numerics.results.collection import (
    DERIVED,
    Cell,
    RunResult,
    SweepResults,
    frozen,
    is_number,
)
from epsrank.theory.errors import InputError
from epsrank.theory.statistics import MedianInterval, median_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from epsrank.theory.numbers.arrays import Array

# Numbers are written into a map of up to so many fields.
_MOST_WRITTEN = 120
# A map of which less than this share was run is mostly holes.
_LEAST_FILLED = 0.5
# Of the gap between two places, the most that two series are apart.
_MOST_APART = 0.25


def has_figure(results: SweepResults, quantity: str) -> bool:
    """Tell whether some run ends with a quantity."""
    return first_name(quantity) in results.figures


def _ends(cell: Cell, quantity: str) -> list[float]:
    """Return a quantity at the end of every run that has it, of a rank its lower end."""
    name = first_name(quantity)
    return [run.figures[name] for run in cell.runs if name in run.figures]


def _upper(run: RunResult) -> float:
    """Return the upper end of the rank at the end of a run that has a lower one."""
    return run.figures.get("rank_upper", run.figures["rank_lower"])


def _median(cell: Cell, quantity: str) -> MedianInterval | None:
    """Return the median over the seeds; the interval of a rank reaches to the upper ends."""
    lower = _ends(cell, quantity)
    if not lower:
        return None
    found = median_interval(lower)
    if quantity != "rank":
        return found
    upper = median_interval([_upper(run) for run in cell.runs if "rank_lower" in run.figures])
    return MedianInterval(found.value, found.low, upper.high, found.coverage, found.count)


def draw_ends(results: SweepResults, quantity: str, layout: Layout) -> Figure:
    """Draw a figure at the end of the runs over a setting: every run, medians and intervals."""
    if layout.x is None:
        raise InputError("x", "has no setting to be, as nothing varies", "draw another kind")
    if not has_figure(results, quantity):
        raise InputError("y", f"is {quantity!r}, which no run has", "name another one")
    if not any(np.isfinite(run.figures.get(first_name(quantity), np.nan)) for run in results.runs):
        raise InputError("y", f"is {quantity!r}, and every run diverged", "name another one")
    figure = new_figure()
    colours = Colours(results, layout.colour)
    placed = panels(figure, results, layout.facets, size=(2.9, 2.1))
    values: list[float] = []
    for panel in placed:
        places = setting_axis(panel.axes, "x", results.values(layout.x))
        values += _draw_ends(panel, quantity, layout.x, colours, places)
    label_panels(placed, layout.x, label_of(quantity, results))
    value_axis(placed[0].axes, quantity, np.array(values))
    _widen(placed[0].axes, list(places.values()))
    colours.explain(figure, [panel.axes for panel in placed])
    note = unshown(results, "points", (layout.x, layout.colour, *layout.facets))
    headline(figure, results, f"ends of the runs, {seeds_line(results)}{note}")
    return figure


def _draw_ends(
    panel: PlacedPanel, quantity: str, x_name: str, colours: Colours, places: dict[str, float]
) -> list[float]:
    """Draw the points of a panel, and return their values."""
    values: list[float] = []
    logarithmic = panel.axes.get_xscale() == "log"
    numeric = all(is_number(cell.settings.get(x_name)) for cell in panel.cells)
    series: dict[str, list[tuple[float, MedianInterval, Cell]]] = {}
    for cell in panel.cells:
        found = _median(cell, quantity)
        if found is None:
            continue
        other = {
            name: value for name, value in cell.settings.items() if name not in {x_name, *DERIVED}
        }
        place = places[frozen(cell.settings.get(x_name))]
        series.setdefault(frozen(other), []).append((place, found, cell))
    numbers = sorted(places.values())
    # Series side by side, so that their intervals do not cover each other.
    gap = _least_gap(numbers, logarithmic)
    for at, points in enumerate(series.values()):
        points.sort(key=lambda point: point[0])
        # A quarter of a gap to either side is taken, however many there are.
        apart = gap * min(_MOST_APART, 0.5 / len(series))
        shift = 0.0 if colours.bar else apart * (at - (len(series) - 1) / 2)
        style = colours.of(points[0][2].settings)
        x = [_moved(place, shift, logarithmic) for place, _, _ in points]
        # Runs half way to the next series: the line of their interval would cover them.
        aside = gap * _MOST_APART / 2 if colours.bar else apart / 2
        middle = np.array([one.value for _, one, _ in points])
        ends = np.array([[one.low, one.high] for _, one, _ in points])
        for place, (_, one, cell) in zip(x, points, strict=True):
            own = _ends(cell, quantity)
            beside = [_moved(place, aside, logarithmic)] * len(own)
            panel.axes.plot(beside, own, ".", color=style.colour, alpha=0.5, markersize=5,
                            markeredgewidth=0)  # fmt: skip
            values += [*own, one.value]
        finite = np.isfinite(middle)
        shown_ends = np.clip(ends, -BEYOND, BEYOND)
        panel.axes.vlines(x, shown_ends[:, 0], shown_ends[:, 1], color=style.colour, linewidth=1.1)
        panel.axes.plot(
            np.array(x)[finite], middle[finite], color=style.colour, linewidth=1.2,
            # Between words there is nothing that a line would go through.
            linestyle=style.dashes if numeric else "none", marker=style.marker, markersize=4.5,
        )  # fmt: skip
        for place in np.array(x)[~finite]:  # most of its runs diverged
            panel.axes.text(place, 0.97, "∞", transform=panel.axes.get_xaxis_transform(),
                            ha="center", va="top", color=style.colour, fontsize=10)  # fmt: skip
    return values


def _moved(place: float, by: float, logarithmic: bool) -> float:
    """Return a place so much further along its axis."""
    return place * math.exp(by) if logarithmic else place + by


def _least_gap(numbers: list[float], logarithmic: bool) -> float:
    """Return the least distance of two places in the scale of their axis, or a sixth of all."""
    places = np.log(numbers) if logarithmic else np.array(numbers)
    if len(numbers) < 2:
        return 1.0
    return min(float(np.diff(places).min()), float(places[-1] - places[0]) / 6)


def _widen(axes: Axes, numbers: list[float]) -> None:
    """Leave room beside the first and the last place."""
    low, high = min(numbers), max(numbers)
    if axes.get_xscale() == "log":
        room = (high / low) ** 0.08
        axes.set_xlim(low / room, high * room)
    else:
        room = 0.08 * (high - low) or 0.5
        axes.set_xlim(low - room, high + room)


def map_axes(results: SweepResults) -> tuple[str, str] | None:
    """Return the two numeric settings of a map, the longer one first; None where there is none."""
    numeric = [name for name in results.varied
               if is_numeric(results, name) and len(results.values(name)) > 1]  # fmt: skip
    numeric.sort(key=lambda name: -len(results.values(name)))
    if len(numeric) < 2:
        return None
    x, y = numeric[:2]
    cells = {(frozen(cell.settings[x]), frozen(cell.settings[y])) for cell in results.cells}
    filled = len(cells) / (len(results.values(x)) * len(results.values(y)))
    return (x, y) if filled >= _LEAST_FILLED else None


def draw_map(results: SweepResults, quantity: str, x: str, y: str) -> Figure:
    """Draw the median of a figure as a map over two settings; a panel per value of the others."""
    if not has_figure(results, quantity):
        raise InputError("y", f"is {quantity!r}, which no run has", "name another one")
    facets = [name for name in results.varied if name not in {x, y}]
    across, up = results.values(x), results.values(y)
    figure = new_figure()
    size = (1.2 + 0.42 * len(across), 0.9 + 0.34 * len(up))
    placed = panels(figure, results, facets, size=size)
    tables = [_field(panel, quantity, x, y, across, up) for panel in placed]
    finite = np.concatenate([table[np.isfinite(table)] for table in tables])
    if finite.size == 0:
        raise InputError("y", f"is {quantity!r}, which is finite nowhere", "name another one")
    norm = _norm(quantity, finite)
    shades = colormaps["viridis_r" if is_falling(quantity) else "viridis"]
    for panel, table in zip(placed, tables, strict=True):
        image = panel.axes.imshow(
            np.ma.masked_invalid(table), origin="lower", aspect="auto", cmap=shades, norm=norm
        )  # fmt: skip
        _write(panel, table, norm, len(across) * len(up) <= _MOST_WRITTEN, shades)
        panel.axes.set_xticks(range(len(across)), [shown(value) for value in across])
        panel.axes.set_yticks(range(len(up)), [shown(value) for value in up])
        if sum(len(shown(value)) for value in across) > 5 * len(across):
            panel.axes.tick_params(axis="x", labelrotation=45)
    label_panels(placed, x, y)
    for panel in placed:
        panel.axes.grid(visible=False)
    bar = figure.colorbar(image, ax=[panel.axes for panel in placed], pad=0.02)
    bar.set_label(label_of(quantity, results))
    if quantity == "rank":
        integer_axis(bar.ax, "y")
    elif isinstance(norm, LogNorm):
        log_ticks(bar.ax, "y", float(finite.min()), float(finite.max()))
    else:
        bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    headline(figure, results, "medians over the seeds at the end; white was not run, ∞ diverged")
    return figure


def _field(
    panel: PlacedPanel, quantity: str, x: str, y: str, across: list[Any], up: list[Any]
) -> Array:
    """Return the medians of a panel by place; NaN where nothing was run."""
    table = np.full((len(up), len(across)), np.nan)
    columns = {frozen(value): at for at, value in enumerate(across)}
    rows = {frozen(value): at for at, value in enumerate(up)}
    for cell in panel.cells:
        found = _median(cell, quantity)
        place = rows[frozen(cell.settings.get(y))], columns[frozen(cell.settings.get(x))]
        if found is not None:
            table[place] = found.value
        elif any(run.status == "diverged" for run in cell.runs):
            table[place] = np.inf
    return table


def _norm(quantity: str, finite: Array) -> Normalize:
    low, high = float(finite.min()), float(finite.max())
    if is_falling(quantity) and low > 0 and high > low:
        return LogNorm(low, high)
    return Normalize(low, high if high > low else low + 1.0)


def _write(panel: PlacedPanel, table: Array, norm: Normalize, written: bool, shades: Any) -> None:
    """Write the numbers into a map; where all diverged, ∞."""
    for (row, column), value in np.ndenumerate(table):
        if math.isnan(value):
            continue
        if math.isinf(value):
            panel.axes.text(column, row, "∞", ha="center", va="center", color=INK, fontsize=9)
        elif written:
            red, green, blue, _ = shades(norm(value))
            dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
            panel.axes.text(column, row, f"{value:.2g}" if abs(value) < 1000 else f"{value:.0f}",
                            ha="center", va="center", fontsize=7,
                            color="white" if dark else INK)  # fmt: skip


def draw_scatter(results: SweepResults, layout: Layout, error: str | None = None) -> Figure:
    """Draw every run by its rank and its error at the end, its colour by a setting.

    Where rounding leaves a rank open, its interval is a line.
    """
    error = error or ("test_loss" if has_figure(results, "test_loss") else "loss")
    known = [run for run in results.runs if "rank_lower" in run.figures
             and np.isfinite(run.figures.get(error, np.nan))]  # fmt: skip
    if not known:
        raise InputError("kind", "is 'scatter', but no run has a rank and an error", "draw others")
    figure = new_figure(5.2, 4.0)
    axes = figure.subplots()
    colours = Colours(results, layout.colour)
    for run in known:
        _point(axes, run, error, colours)
    errors = np.array([run.figures[error] for run in known])
    dress(axes, x=label_of("rank", results), y=label_of(error, results))
    integer_axis(axes, "x")
    ranks = [run.figures[end] for run in known for end in ("rank_lower", "rank_upper")
             if end in run.figures]  # fmt: skip
    # Ranks that are all alike would leave room for fractions only.
    room = max(1.0, 0.05 * (max(ranks) - min(ranks)))
    axes.set_xlim(min(ranks) - room, max(ranks) + room)
    if 0 < errors.min() < errors.max():
        log_axis(axes, "y", errors)
    colours.explain(figure, [axes], lines=False)
    note = "a point per run, at its end"
    left = len(results.runs) - len(known)
    headline(figure, results, note + (f"; {left} without a rank or error left out" if left else ""))
    return figure


def _point(axes: Axes, run: RunResult, error: str, colours: Colours) -> None:
    style = colours.of(run.settings)
    low, high = run.figures["rank_lower"], _upper(run)
    y = run.figures[error]
    if high > low:
        axes.plot([low, high], [y, y], color=FAINT, linewidth=0.8)
    axes.plot((low + high) / 2, y, marker=style.marker, color=style.colour, alpha=0.65,
              markersize=5, markeredgewidth=0, linestyle="none")  # fmt: skip
