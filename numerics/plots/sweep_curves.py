"""Histories of a sweep: medians over the seeds with bands, a panel and a colour per setting."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    integer_axis,
    log_axis,
    mark_every,
    new_figure,
    positive,
    power,
)
from epsrank.numerics.plots.sweep_layout import (
    Colours,
    Layout,
    PlacedPanel,
    headline,
    label_panels,
    panels,
    seeds_line,
    unshown,
)
from epsrank.numerics.results.collection import RunResult, SweepResults
from epsrank.numerics.sweeps.figures import FALLING
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.statistics import median_interval

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: What an axis says of a quantity.
LABELS = {
    "loss": "loss",
    "test_loss": "test loss",
    "training_loss": "training loss",
    "test_accuracy": "test accuracy",
    "reachable": "V(B)",
    "coefficient_norm": "norm B of the head",
    "rank": "ε-rank",
    "stairs": "stairs in the loss",
}
# Runs that were measured at different steps are drawn on a common grid of so many.
_COMMON_STEPS = 400
# Bands of more cells than this are paler, as they lie on top of each other.
_FEW = 7
#: Where a band or an interval reaches to infinity it is drawn to here, far outside of the axes.
BEYOND = 1e100


def label_of(quantity: str, results: SweepResults) -> str:
    """Return what an axis says of a quantity."""
    label = LABELS.get(quantity, quantity.replace("_", " "))
    at = "" if results.eps is None or quantity != "rank" else f" (ε = {power(results.eps)})"
    return f"{label}{at}"


def is_falling(quantity: str) -> bool:
    """Tell whether less of a quantity is better: a run that diverged has +∞ of it."""
    return quantity.startswith(FALLING) or quantity.endswith("loss")


def has_series(results: SweepResults, quantity: str) -> bool:
    """Tell whether some run has the history of a quantity."""
    return any(first_name(quantity) in run.series for run in results.runs)


def first_name(quantity: str) -> str:
    """Return the name of a quantity in a run, of a rank that of its lower end."""
    return "rank_lower" if quantity == "rank" else quantity


def draw_curves(results: SweepResults, quantity: str, layout: Layout) -> Figure:
    """Draw a quantity over the steps: per setting the median over seeds, and a band around it.

    The band is the interval of order statistics; a run that diverged stays in as the worst of all.
    Where a rank is open, the median of its lower ends is drawn, and the band reaches to the upper
    ones.
    """
    if not has_series(results, quantity):
        raise InputError("y", f"is {quantity!r}, of which there is no history", "name another one")
    figure = new_figure()
    colours = Colours(results, layout.colour)
    placed = panels(figure, results, layout.facets, size=(2.9, 2.0))
    limits: list[float] = []
    for panel in placed:
        limits += _draw_panel(panel, quantity, colours)
    label_panels(placed, "training step", label_of(quantity, results))
    for panel in placed:
        integer_axis(panel.axes, "x")
    value_axis(placed[0].axes, quantity, np.array(limits))
    colours.explain(figure, [panel.axes for panel in placed])
    note = unshown(results, "lines", (layout.colour, *layout.facets))
    headline(figure, results, f"{seeds_line(results)}{note}")
    return figure


def _draw_panel(panel: PlacedPanel, quantity: str, colours: Colours) -> list[float]:
    """Draw the cells of a panel, and return all values that its axis has to hold."""
    values: list[float] = []
    for cell in panel.cells:
        steps, middle, low, high = band(cell.runs, quantity)
        if steps.size == 0:
            continue
        style = colours.of(cell.settings)
        drawstyle = "steps-post" if quantity == "rank" else "default"
        finite = [v[np.isfinite(v)] for v in (middle, low, high)]
        values += [float(value) for part in finite for value in part]
        # What is beyond all numbers goes to the edge; limits are set by what is not.
        low, high = (
            np.nan_to_num(v, nan=np.nan, posinf=BEYOND, neginf=-BEYOND) for v in (low, high)
        )
        if len(cell.runs) > 1 or quantity == "rank":
            panel.axes.fill_between(
                steps, low, high, step="post" if quantity == "rank" else None, color=style.colour,
                alpha=0.16, linewidth=0,
            )  # fmt: skip
        panel.axes.plot(
            steps,
            np.where(np.isfinite(middle), middle, np.nan),
            color=style.colour,
            linestyle=style.dashes,
            linewidth=1.4,
            drawstyle=drawstyle,
            marker="" if colours.bar else style.marker,
            markersize=3.5,
            markevery=mark_every(steps.size, 6),
        )
    return values


def band(runs: Sequence[RunResult], quantity: str) -> tuple[Vector, Vector, Vector, Vector]:
    """Return steps, the median over runs, and both ends of its interval; NaN where none is left."""
    names = ("rank_lower", "rank_upper") if quantity == "rank" else (quantity, quantity)
    known = [run for run in runs if all(name in run.series for name in names)]
    steps = common_steps(known)
    ends = [np.array([_on(run, name, steps) for run in known]) for name in names]
    found = np.full((3, steps.size), np.nan)
    for at in range(steps.size):
        lower, upper = (sorted(v for v in end[:, at] if not np.isnan(v)) for end in ends)
        if lower and upper:
            one, other = median_interval(lower), median_interval(upper)
            found[:, at] = one.value, one.low, other.high
    return steps, found[0], found[1], found[2]


def common_steps(runs: Sequence[RunResult]) -> Vector:
    """Return the steps at which runs are drawn: their own where they share them."""
    every = [run.series["step"] for run in runs]
    if not every:
        return np.zeros(0)
    longest = max(every, key=len)
    # One that ended early has the first of the steps of the others.
    if all(np.array_equal(own, longest[: own.size]) for own in every):
        return longest
    union = np.unique(np.concatenate(every))
    if union.size <= _COMMON_STEPS:
        return union
    return np.unique(union[np.linspace(0, union.size - 1, _COMMON_STEPS).round().astype(int)])


def _on(run: RunResult, name: str, steps: Vector) -> Vector:
    """Return a history at other steps: between two of its own on a line, NaN after its end."""
    own, values = run.series["step"], run.series[name]
    finite = np.isfinite(values)
    if not finite.any():
        return np.full(steps.size, np.nan)
    if own.size <= steps.size and np.array_equal(own, steps[: own.size]) and finite.all():
        found = np.full(steps.size, np.nan)
        found[: own.size] = values
    else:
        found = np.interp(steps, own[finite], values[finite], left=np.nan, right=np.nan)
    if run.status == "diverged" and not name.startswith("rank_"):
        after = steps > own[finite][-1]
        # The worst there is, so that the median does not get better when a run is lost.
        found[after] = np.inf if is_falling(name) else -np.inf
    return found


def value_axis(axes: Axes, quantity: str, values: Vector) -> None:
    """Scale the vertical axis of a quantity by its finite values."""
    values = values[np.isfinite(values)]
    if quantity in {"rank", "stairs"} or quantity.startswith("rank_"):
        integer_axis(axes, "y")
        axes.set_ylim(0, 1.06 * max(1.0, values.max(initial=1.0)))
        return
    drawn = positive(values)
    drawn = drawn[np.isfinite(drawn)]
    if is_falling(quantity) and drawn.size and drawn.max() / drawn.min() > 1.0:
        log_axis(axes, "y", drawn)
        low, high = np.log10(drawn.min()), np.log10(drawn.max())
        room = 0.05 * max(high - low, 0.05)
        axes.set_ylim(10 ** (low - room), 10 ** (high + room))
    elif values.size:
        low, high = float(values.min()), float(values.max())
        room = 0.05 * max(high - low, 1e-3 * max(1.0, abs(high)))
        axes.set_ylim(low - room, high + room)
