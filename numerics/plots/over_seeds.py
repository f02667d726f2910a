"""Several runs on one time axis: medians over seeds, with the range of all seeds as a band."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    dress,
    integer_axis,
    log_axis,
    look,
    mark_every,
    new_figure,
    positive,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Curve:
    """One quantity over training, for every seed."""

    #: What the legend says.
    name: str
    #: Training steps.
    steps: NDArray[np.float64]
    #: One row per seed; NaN where a run has ended.
    values: NDArray[np.float64]

    def middle(self) -> NDArray[np.float64]:
        """Return the median over seeds, NaN where there is none."""
        # nanmedian warns where no run is left; a masked median does not.
        known = np.ma.masked_invalid(self.values)
        medians: NDArray[np.float64] = np.ma.median(known, axis=0).filled(np.nan)  # type: ignore[no-untyped-call]
        return medians

    def ends(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return the least and the largest value over seeds, NaN where there is none."""
        known = np.isfinite(self.values)
        # ±∞ stand in where a run has none, so that the others decide.
        low = np.where(known, self.values, np.inf).min(axis=0)
        high = np.where(known, self.values, -np.inf).max(axis=0)
        some = known.any(axis=0)
        return np.where(some, low, np.nan), np.where(some, high, np.nan)


@dataclass(frozen=True)
class Panel:
    """Curves in one axes."""

    #: Of the vertical axis, with units and measure.
    label: str
    #: What is drawn.
    curves: Sequence[Curve]
    #: ``rank`` has whole numbers and steps.
    scale: str = "linear"
    #: A line above.
    title: str = ""
    #: A horizontal line, such as the ratio 1.
    guide: float | None = None
    #: Draw every run, the first one strong and with its marker, the others faint: a median over
    #: seeds would smear what happens in each at another time.
    each: bool = False
    #: Training steps with a vertical line.
    marks: Sequence[float] = ()


def time_panels(
    columns: Sequence[Sequence[Panel]],
    *,
    title: str = "",
    time_scale: str = "linear",
    time: str = "training step",
) -> Figure:
    """Draw panels over training time: in a column above each other on one time axis.

    `columns`: Panels by column, each column from top to bottom; panels in a row share their axis.
    `time`: what the time axis counts.
    """
    height, width = max(map(len, columns)), len(columns)
    figure = new_figure(2.2 + 3.5 * width, 1.3 + 2.3 * height)
    grid = figure.subplots(height, width, squeeze=False, sharex="col", sharey="row")
    names: dict[str, int] = {}
    placed = [
        (down, grid[down][across], panel, down == len(column) - 1, across == 0)
        for across, column in enumerate(columns)
        for down, panel in enumerate(column)
    ]
    for _, axes, panel, _, _ in placed:
        for curve in panel.curves:
            _draw(axes, curve, panel, names.setdefault(curve.name, len(names)))
    # Once all is drawn: a limit that is set ends the search for the others of a shared axis.
    for row, axes, panel, below, left in placed:
        # All panels of a row have one axis, so its labels have to suit the values of all.
        values = [c.values.ravel() for down, _, other, *_ in placed if down == row
                  for c in other.curves]  # fmt: skip
        _finish(
            axes, panel, np.concatenate([np.zeros(1), *values]), x=time if below else "", left=left
        )
        _time(axes, panel, time_scale)
    for across, column in enumerate(columns):
        for down in range(len(column), height):
            grid[down][across].set_visible(False)
    if title:
        figure.suptitle(title, fontsize=10)
    _legend(figure, names, 2 * width)
    return figure


def _draw(axes: Axes, curve: Curve, panel: Panel, index: int) -> None:
    """Draw a median and its band."""
    style = look(index)
    low, high = curve.ends()
    middle = curve.values[0] if panel.each else curve.middle()
    if panel.scale == "log":
        low, high, middle = positive(low), positive(high), positive(middle)
    drawstyle = "steps-post" if panel.scale == "rank" else "default"
    for row in curve.values[1:] if panel.each else ():
        shown = positive(row) if panel.scale == "log" else row
        axes.plot(
            curve.steps, shown, color=style.colour, alpha=0.3, linewidth=0.7, drawstyle=drawstyle
        )
    if not panel.each:
        axes.fill_between(
            curve.steps,
            low,
            high,
            step="post" if panel.scale == "rank" else None,
            color=style.colour,
            alpha=0.16,
            linewidth=0,
        )
    axes.plot(
        curve.steps,
        middle,
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.5,
        drawstyle=drawstyle,
        marker=style.marker,
        markersize=4,
        markevery=mark_every(curve.steps.size),
    )


def _finish(axes: Axes, panel: Panel, values: NDArray[np.float64], *, x: str, left: bool) -> None:
    """Label the axes of a panel, given what is drawn in its row."""
    dress(
        axes,
        x=x,
        y=panel.label if left else "",
        panel=panel.title,
    )
    for at in panel.marks:
        axes.axvline(at, color="#222222", linewidth=0.9, linestyle=(0, (1, 1)))
    if panel.guide is not None:
        axes.axhline(panel.guide, color="#222222", linewidth=0.9, linestyle=(0, (6, 2)))
    if panel.scale == "log" and bool(np.isfinite(positive(values)).any()):
        log_axis(axes, "y", values)
    if panel.scale == "rank":
        integer_axis(axes, "y")
        axes.set_ylim(bottom=0)


def _time(axes: Axes, panel: Panel, scale: str) -> None:
    """Set the time axis by all steps, also those at which nothing can be drawn."""
    steps = np.concatenate([np.zeros(1), *(curve.steps for curve in panel.curves)])
    last = float(steps.max())
    if scale == "log" and last > 0:
        axes.set_xscale("log")
        axes.set_xlim(float(steps[steps > 0].min()), 1.05 * last)
    elif last > 0:
        axes.set_xlim(-0.02 * last, 1.03 * last)
        integer_axis(axes, "x")


def _legend(figure: Figure, names: dict[str, int], columns: int) -> None:
    """Name every look once, below all panels."""
    from matplotlib.lines import Line2D

    handles = [
        Line2D(
            [], [], color=look(i).colour, linestyle=look(i).dashes, marker=look(i).marker,
            markersize=4, linewidth=1.5, label=name,
        )
        for name, i in names.items()
    ]  # fmt: skip
    if handles:
        figure.legend(
            handles=handles,
            loc="outside lower center",
            ncols=max(1, min(columns, len(handles))),
            frameon=False,
            fontsize=8.5,
            handlelength=3.2,
        )
