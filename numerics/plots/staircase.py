"""The staircase: loss and floors above, ε-rank of the layers below, others last, one time axis."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.plots.style import (
    INK,
    Look,
    alone,
    dress,
    has_place,
    legend_below,
    legend_on_top,
    log_axis,
    look,
    mark_every,
    new_figure,
    positive,
    power,
    rank_axis,
    time_axis,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray

_LOSS = Look(INK, "-", "")


def staircase(
    steps: ArrayLike,
    loss: ArrayLike,
    ranks: Mapping[str, tuple[ArrayLike, ArrayLike]],
    *,
    eps: float,
    measure: str = "mean",
    bounds: Mapping[str, ArrayLike] | None = None,
    loss_label: str = "loss",
    title: str = "",
    time_scale: str = "linear",
    others: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]] | None = None,
) -> Figure:
    """Draw  loss ≥ V(‖β‖) ≥ envelope ≥ floor  (F3) over the ε-rank r_ε (D1) of each hidden layer.

    `ranks`: For every layer the lower and upper end of its rank; drawn as a band where they differ;
    `bounds`: Lower bounds of the loss by name, such as V, envelope and floor; NaN or 0 leaves a
    gap; `others`: Values with the ends of their intervals by name, for a third panel.
    """
    figure = new_figure(7.2, 8.4 if others else 6.0)
    heights = [1.25, 1.0, 1.0] if others else [1.25, 1.0]
    above, below, *third = figure.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    time = np.asarray(steps, dtype=np.float64)
    _draw_losses(above, time, np.asarray(loss, dtype=np.float64), loss_label, bounds or {})
    for index, (name, (lower, upper)) in enumerate(ranks.items()):
        _draw_rank(below, time, np.asarray(lower), np.asarray(upper), name, look(index))
    if title:
        figure.suptitle(title, fontsize=10)
    dress(above, x="", y=f"loss and its lower bounds\n({measure} measure)")
    dress(
        below,
        x="" if others else "training step",
        y=f"ε-rank at ε = {power(eps)}\n({measure} measure)",
    )
    # Measurements that failed have no rank.
    uppers = (np.asarray(upper, dtype=np.float64) for _, upper in ranks.values())
    known = [upper[np.isfinite(upper)] for upper in uppers]
    rank_axis(below, max((float(upper.max(initial=0.0)) for upper in known), default=0.0))
    if time_scale == "log":
        below.set_xscale("log")
    else:
        time_axis(below, time)
    legend_on_top(above)
    for axes in third:
        legend_on_top(below)
        _draw_others(axes, time, others or {})
    legend_below(figure, [below, *third][-1])
    return figure


def _draw_others(
    axes: Axes,
    time: NDArray[np.float64],
    others: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]],
) -> None:
    """Draw values of any kind, on a logarithmic axis where all of them are positive."""
    drawn = []
    for index, (name, ends) in enumerate(others.items()):
        value, low, high = (np.asarray(end, dtype=np.float64) for end in ends)
        drawn += [value, low, high]
        style = look(index)
        axes.plot(
            time,
            np.where(np.isfinite(value), value, np.nan),
            color=style.colour,
            linestyle=style.dashes,
            linewidth=1.4,
            marker=style.marker,
            markersize=4,
            markevery=mark_every(time.size),
            label=name,
        )
        axes.fill_between(time, low, high, color=style.colour, alpha=0.25, linewidth=0)
    values = np.concatenate(drawn)
    values = values[np.isfinite(values)]
    if values.size and values.min() > 0:
        log_axis(axes, "y", values)
    dress(axes, x="training step", y="quantities")


def _dots(shown: NDArray[np.float64]) -> dict[str, Any]:
    """Mark points that a line does not show; without any the legend has no marker either."""
    places = alone(shown)
    return {"marker": "o", "markersize": 4, "markevery": places} if places else {}


def _draw_losses(
    axes: Axes,
    time: NDArray[np.float64],
    loss: NDArray[np.float64],
    label: str,
    bounds: Mapping[str, ArrayLike],
) -> None:
    """Draw the loss and its lower bounds on a logarithmic axis."""
    shown = positive(loss)
    axes.plot(
        time,
        shown,
        color=_LOSS.colour,
        linewidth=1.6,
        label=label,
        **_dots(shown),
    )
    drawn = [loss]
    for index, (name, values) in enumerate(bounds.items()):
        series = np.asarray(values, dtype=np.float64)
        drawn.append(series)
        if not has_place(axes, series, name):
            continue
        style = look(index)
        axes.plot(
            time,
            positive(series),
            color=style.colour,
            # The solid line is the loss's.
            linestyle=look(index + 1).dashes,
            linewidth=1.3,
            label=name,
            **_dots(positive(series)),
        )
    log_axis(axes, "y", np.concatenate(drawn))


def _draw_rank(
    axes: Axes,
    time: NDArray[np.float64],
    lower: NDArray[np.int64],
    upper: NDArray[np.int64],
    name: str,
    style: Look,
) -> None:
    """Draw one layer's rank as steps, with a band where it is not resolved."""
    # Both ends as steps: one line where they agree, the edges of a band where they do not.
    for end, label in ((lower, name), (upper, None)):
        axes.plot(
            time,
            end,
            color=style.colour,
            linestyle=style.dashes,
            drawstyle="steps-post",
            linewidth=1.4,
            marker=style.marker if label else "",
            markersize=4,
            markevery=mark_every(time.size),
            label=label,
        )
    if bool((lower != upper).any()):
        axes.fill_between(
            time,
            lower,
            upper,
            step="post",
            color=style.colour,
            alpha=0.25,
            linewidth=0,
            label=f"{name}: not resolved",
        )
