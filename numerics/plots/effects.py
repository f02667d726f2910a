"""Effects with their intervals, one below the other, against the line of no effect."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from numerics.plots.style import FAINT, INK, dress, legend_below, look, new_figure

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True)
class Bar:
    """One effect.

    Attributes
    ----------
    name : str
        What is compared.
    value, low, high : float
        Median and interval; ±∞ is allowed.
    """

    name: str
    value: float
    low: float
    high: float


def effect_bars(
    panels: Mapping[str, Sequence[Bar]], *, null: float = 0.0, title: str = ""
) -> Figure:
    """Draw one panel per kind of effect, names on the left, intervals beside each other.

    Parameters
    ----------
    panels : mapping of str to sequence of Bar
        Effects by the label of their axis, with unit; panels may have different names.
    null : float
        Value of no effect.
    title : str
        A line above.

    Returns
    -------
    Figure
        Panels in a row. What is infinite ends in an arrow at the edge.
    """
    names = list(dict.fromkeys(bar.name for bars in panels.values() for bar in bars))
    figure = new_figure(2.6 + 3.2 * max(1, len(panels)), 1.6 + 0.32 * max(1, len(names)))
    grid = figure.subplots(1, max(1, len(panels)), squeeze=False, sharey=True)[0]
    for axes, (label, bars) in zip(grid, panels.items(), strict=False):
        _draw(axes, bars, names, null)
        dress(axes, x=label, y="")
    grid[0].set_yticks(range(len(names)), names, fontsize=8.5)
    grid[0].set_ylim(len(names) - 0.4, -0.6)
    if title:
        figure.suptitle(title, fontsize=10)
    legend_below(figure, grid[0])
    return figure


def _draw(axes: Axes, bars: Sequence[Bar], names: Sequence[str], null: float) -> None:
    """Draw the effects of one panel."""
    ends = [null, *(v for bar in bars for v in (bar.value, bar.low, bar.high) if np.isfinite(v))]
    reach = max(max(ends) - min(ends), 1e-9)
    left, right = min(ends) - 0.08 * reach, max(ends) + 0.08 * reach
    axes.set_xlim(left - 0.04 * reach, right + 0.04 * reach)
    axes.axvline(null, color=INK, linewidth=1.0, linestyle=(0, (6, 2)))
    for kind, label in enumerate(("interval excludes no effect", "interval contains it")):
        style = look(kind)
        colour = style.colour if kind == 0 else FAINT
        mine = [bar for bar in bars if (bar.low <= null <= bar.high) == bool(kind)]
        for bar in mine:
            at = names.index(bar.name)
            low, high = (float(np.clip(value, left, right)) for value in (bar.low, bar.high))
            axes.plot([low, high], [at, at], color=colour, linewidth=2.0)
            for end, mark in ((bar.low, "<"), (bar.high, ">")):
                if not np.isfinite(end):
                    place = left if end < 0 else right
                    axes.plot([place], [at], marker=mark, color=colour, markersize=6)
        axes.plot(
            [float(np.clip(bar.value, left, right)) for bar in mine],
            [names.index(bar.name) for bar in mine],
            linestyle="none",
            marker=style.marker,
            markersize=6,
            color=colour,
            markerfacecolor=colour if kind == 0 else "white",
            label=label,
        )
