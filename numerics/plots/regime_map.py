"""Where a statement holds: an effect over two settings as a heat map, panel by panel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import INK, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Signs of what is established: the effect, its reverse, or neither.
SIGNS = {1: "▲", -1: "▼", 0: "·"}

# From the reverse (orange) through nothing (white) to the effect (blue): Okabe and Ito's colours.
_REVERSE, _EFFECT = (0.835, 0.369, 0.0), (0.0, 0.447, 0.698)


@dataclass(frozen=True)
class Square:
    """One square of the map."""

    #: Median effect, which the colour shows; NaN leaves the square empty.
    value: float
    #: What its interval excludes.
    established: int
    #: What is written in it, below the sign.
    text: str


def regime_map(
    panels: Mapping[str, Mapping[tuple[str, str], Square]],
    *,
    rows: Sequence[str],
    columns: Sequence[str],
    x: str,
    y: str,
    colour: str,
    largest: float | None = None,
    title: str = "",
) -> Figure:
    """Draw one heat map per panel, all on one scale of colours."""
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    palette = LinearSegmentedColormap.from_list("regime", [_REVERSE, (1, 1, 1), _EFFECT])
    values = [
        abs(square.value)
        for panel in panels.values()
        for square in panel.values()
        if np.isfinite(square.value)
    ]
    # A scale of length 0 has no colours.
    end = largest if largest is not None else max([1e-12, *values])
    across = max(1, min(4, len(panels)))
    down = -(-max(1, len(panels)) // across)
    size = (1.6 + across * (0.35 + 0.62 * len(columns)), 1.5 + down * (0.55 + 0.42 * len(rows)))
    figure = new_figure(max(size[0], 5.0), size[1])
    grid = figure.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    image = None
    for axes, (name, squares) in zip(grid.flat, panels.items(), strict=False):
        table = np.full((len(rows), len(columns)), np.nan)
        for (row, column), square in squares.items():
            place = rows.index(row), columns.index(column)
            table[place] = square.value
            _write(axes, place, square, end)
        image = axes.imshow(table, cmap=palette, norm=Normalize(-end, end), aspect="auto")
        axes.set_title(name, fontsize=10, loc="left")
        axes.set_xticks(range(len(columns)), list(columns), fontsize=8.5)
        axes.set_yticks(range(len(rows)), list(rows), fontsize=8.5)
        axes.tick_params(length=0)
        for side in axes.spines.values():
            side.set_visible(False)
    for axes in list(grid.flat)[len(panels) :]:
        axes.set_visible(False)
    figure.supxlabel(x, fontsize=9.5)
    figure.supylabel(y, fontsize=9.5)
    if title:
        figure.suptitle(title, fontsize=10)
    if image is not None:
        bar = figure.colorbar(image, ax=grid, shrink=0.9, pad=0.01)
        bar.set_label(colour, fontsize=9)
    return figure


def _write(axes: Axes, place: tuple[int, int], square: Square, end: float) -> None:
    """Write the sign and the text of a square where the eye finds them."""
    if not np.isfinite(square.value):
        return
    # Ink on the strong colours cannot be read.
    dark = abs(square.value) > 0.6 * end
    axes.text(
        place[1],
        place[0],
        f"{SIGNS[square.established]} {square.text}",
        ha="center",
        va="center",
        fontsize=8,
        color="white" if dark else INK,
    )
