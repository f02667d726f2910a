"""The floor against the ε-rank: what the theorem allows at every rank, and where the run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    COLOURS,
    INK,
    dress,
    integer_axis,
    legend_below,
    log_axis,
    new_figure,
    positive,
    power,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike


def floor_curve(
    ranks: ArrayLike,
    floors: ArrayLike,
    *,
    eps: float,
    norm: float,
    run_ranks: ArrayLike = (),
    run_loss: ArrayLike = (),
    run_floors: ArrayLike = (),
    measure: str = "mean",
    rank_label: str = "ε-rank p",
    curve_label: str = "(d_p − √ε·B)²",
    title: str = "",
) -> Figure:
    """Draw the squared floor (d_p − √ε B)_+² (F2) over p, with the losses of a run at their ranks.

    Parameters
    ----------
    ranks, floors : array_like, shape (P,)
        The theory's curve: ranks p and squared floors.
    eps : float
        Threshold ε.
    norm : float
        Coefficient norm B the curve is for.
    run_ranks, run_loss, run_floors : array_like, shape (T,)
        ε-rank, squared loss and squared floor of every checkpoint, in training order.
    measure : str
        Measure of ranks and losses.
    rank_label : str
        What p is.
    curve_label : str
        What the curve is.
    title : str
        A line above.

    Returns
    -------
    Figure
        One panel.
    """
    figure = new_figure(6.6, 4.6)
    axes = figure.subplots()
    curve = np.asarray(floors, dtype=np.float64)
    axes.plot(
        np.asarray(ranks),
        positive(curve),
        color=INK,
        drawstyle="steps-mid",
        linewidth=1.6,
        label=f"{curve_label}, B = {norm:.3g}",
    )
    points, loss, least = (
        np.asarray(values, dtype=np.float64) for values in (run_ranks, run_loss, run_floors)
    )
    if points.size > 0:
        axes.plot(
            points,
            positive(loss),
            color=COLOURS[1],
            linestyle=(0, (1, 1)),
            linewidth=0.8,
            marker="o",
            markersize=4,
            markerfacecolor="white",
            label="loss of the run",
        )
        axes.plot(
            points,
            positive(least),
            color=COLOURS[0],
            linestyle="none",
            marker="_",
            markersize=9,
            markeredgewidth=1.8,
            label="its floor at that step",
        )
        for index, name in ((0, "start"), (-1, "end")):
            axes.annotate(
                name,
                (float(points[index]), float(positive(loss)[index])),
                xytext=(8, 0),
                textcoords="offset points",
                fontsize=8.5,
            )
    log_axis(axes, "y", np.concatenate([curve, loss, least]))
    integer_axis(axes, "x")
    dress(
        axes,
        x=f"{rank_label} at ε = {power(eps)} ({measure} measure)",
        y=f"squared error ({measure} measure)",
        title=title,
    )
    legend_below(figure, axes, columns=2)
    return figure
