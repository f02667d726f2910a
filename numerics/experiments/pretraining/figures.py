"""Figures of pre-training: errors and ranks over time, and effects with their intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from epsrank.numerics.experiments.fitting import curve
from epsrank.numerics.experiments.histories import History
from epsrank.numerics.experiments.pretraining.claims import ACCURACY, RANK, SPEED, Comparison
from epsrank.numerics.plots.over_seeds import Panel, time_panels
from epsrank.numerics.plots.style import COLOURS, FAINT, dress, new_figure, power

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# What the panels of effects show, and how wide one row of them is.
_EFFECTS = (
    (RANK, "initial ε-rank,\npre-trained − plain", False),
    (SPEED, "steps to an error τ,\npre-trained / plain", True),
    (ACCURACY, "error at the end,\npre-trained / plain", True),
)
_ROW = 0.3
SPEED_CAPTION = (
    "Ratio of steps to an error τ over τ, medians over seeds with intervals. Decides "
    "pretraining-speed"
)
# Ratios beyond these powers of ten are drawn at the edge, as an arrow.
_EDGE = 4.0


def draw_training(
    cells: Mapping[str, Mapping[str, Sequence[History]]],
    title: str,
    *,
    rank_of: str,
    accuracy: bool = False,
) -> Figure:
    """Draw test error and ε-rank of the last hidden layer over time, one column per cell."""
    columns = []
    for name, arms in cells.items():
        shown = {arm: runs for arm, runs in arms.items() if runs}
        if not shown:
            continue
        eps = power(next(iter(shown.values()))[0].eps[0])
        error = [curve(arm, runs, lambda run: run.test_loss) for arm, runs in shown.items()]
        rank = [curve(arm, runs, lambda run: run.rank()) for arm, runs in shown.items()]
        label = "test cross-entropy" if accuracy else "squared test error (mean)"
        columns.append(
            [
                Panel(label, error, "log", name),
                Panel(f"ε-rank of {rank_of}, ε = {eps},\nlast hidden layer", rank, "rank"),
            ]
        )
    return time_panels(columns, title=title)


def draw_effects(comparisons: Sequence[Comparison], title: str) -> Figure:
    """Draw the three effects of every comparison with their intervals."""
    figure = new_figure(10.5, 1.8 + _ROW * max(len(comparisons), 3))
    grid = figure.subplots(1, len(_EFFECTS), sharey=True, squeeze=False)[0]
    for axes, (claim, label, ratio) in zip(grid, _EFFECTS, strict=True):
        linear = claim == ACCURACY and any(c.metric == "test_error" for c in comparisons)
        for row, item in enumerate(comparisons):
            if claim in item.effects:
                _draw_effect(axes, item, claim, row)
        axes.axvline(0, color="#222222", linewidth=0.9)
        if linear:
            label = "share wrong at the end,\npre-trained − plain"
        elif ratio:
            _ratio_axis(axes)
        dress(axes, x=label, y="", title="")
    grid[0].set_yticks(range(len(comparisons)), [item.name for item in comparisons], fontsize=8)
    # Downwards, so that the first comparison stands on top.
    grid[0].set_ylim(len(comparisons) - 0.4, -0.6)
    figure.suptitle(title, fontsize=10)
    return figure


def draw_speed(comparisons: Sequence[Comparison], title: str) -> Figure:
    """Draw the ratio of steps against the target τ, with intervals over seeds."""
    figure = new_figure(9.5, 4.2)
    axes = figure.subplots()
    for index, item in enumerate(comparisons):
        points = [(p, p.interval) for p in item.curve if p.interval is not None]
        # Neighbours a little apart, so that intervals at one τ can be told apart.
        shift = 1.03 ** (index - len(comparisons) / 2)
        colour = COLOURS[index % len(COLOURS)]
        x = [point.target * shift for point, _ in points]
        y, low, high = (
            [10 ** max(-_EDGE, min(_EDGE, getattr(found, end))) for _, found in points]
            for end in ("value", "low", "high")
        )
        axes.plot(x, y, marker="o", markersize=4, color=colour, label=item.name)
        axes.vlines(x, low, high, color=colour, linewidth=1.0, alpha=0.6)
    axes.set_xscale("log")
    axes.set_yscale("log")
    # Training goes to the right.
    axes.invert_xaxis()
    axes.axhline(1, color="#222222", linewidth=0.9)
    axes.legend(fontsize=7, frameon=False)
    dress(axes, x="error τ to be reached", y="steps,\npre-trained / plain", title="")
    figure.suptitle(title, fontsize=10)
    return figure


def _draw_effect(axes: Axes, item: Comparison, claim: str, row: int) -> None:
    """Draw one interval."""
    interval = item.effects[claim].interval
    direction = item.direction(claim)
    colour = {1: COLOURS[0], 0: FAINT, -1: COLOURS[1]}[direction]
    low, middle, high = (
        # An infinite end has no place on the axis.
        max(-_EDGE, min(_EDGE, value)) if math.isinf(value) else value
        for value in (interval.low, interval.value, interval.high)
    )
    axes.plot([low, high], [row, row], color=colour, linewidth=1.8)
    for end, marker in ((interval.low, "<"), (interval.high, ">")):
        if math.isinf(end):
            edge = _EDGE if end > 0 else -_EDGE
            axes.plot([edge], [row], marker=marker, color=colour, markersize=5)
    axes.plot(
        [middle],
        [row],
        marker={1: "o", 0: "o", -1: "X"}[direction],
        color=colour,
        markerfacecolor="white" if direction == 0 else colour,
        markersize=6,
    )


def _ratio_axis(axes: Axes) -> None:
    """Label powers of ten as ratios."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axes.xaxis.set_major_locator(MaxNLocator(4))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{10**value:.2g}"))
