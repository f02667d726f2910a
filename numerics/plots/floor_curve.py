"""The floor against the ε-rank: what the theorem allows at every rank, and where the run went."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    COLOURS,
    INK,
    dress,
    has_place,
    integer_axis,
    legend_below,
    log_axis,
    look,
    panel,
    positive,
    power,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray


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

    `run_ranks`, `run_loss`, `run_floors` are ε-rank, squared loss and squared floor of every
    checkpoint, in training order.
    """
    figure, axes = panel(6.6, 4.6)
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
        if has_place(axes, least, "its floor at every step"):
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
        # On either side of the mark, so that a short way has both words apart.
        up = 7 if loss[0] >= loss[-1] else -7
        for index, name, beside in ((0, "start", up), (-1, "end", -up)):
            axes.annotate(
                name,
                (float(points[index]), float(positive(loss)[index])),
                xytext=(8, beside),
                textcoords="offset points",
                fontsize=8.5,
                va="center",
            )
    log_axis(axes, "y", np.concatenate([curve, loss, least]))
    # A floor of 0 has no place on the axis of errors, and its p is one all the same.
    axes.update_datalim([(float(p), 1.0) for p in np.asarray(ranks)], updatey=False)
    axes.autoscale_view(scaley=False)
    integer_axis(axes, "x")
    dress(
        axes,
        x=f"{rank_label} at ε = {power(eps)} ({measure} measure)",
        y=f"squared error ({measure} measure)",
        title=title,
    )
    legend_below(figure, axes, columns=2)
    return figure


def rank_ratios(
    ranks: ArrayLike,
    loss: ArrayLike,
    reachable: ArrayLike,
    envelope: ArrayLike,
    *,
    eps: float,
    measure: str = "mean",
    title: str = "",
) -> Figure:
    """Draw loss/V and V/envelope (F3, F6) over the ε-rank; both are ≥ 1, and 1 is tight.

    `loss, reachable, envelope`: Squared loss, V(‖β‖) and squared envelope there; a zero below
    leaves the point out.
    """
    figure, axes = panel(6.6, 4.4)
    points = np.asarray(ranks, dtype=np.float64)
    pairs = (
        ("loss / V(‖β‖): 1 is all that this norm allows", _ratio(loss, reachable)),
        ("V(‖β‖) / envelope: slack of the theorem", _ratio(reachable, envelope)),
    )
    if not any(np.isfinite(ratio).any() for _, ratio in pairs):
        axes.text(0.5, 0.5, "V(‖β‖) = 0: no ratios", transform=axes.transAxes, ha="center",
                  va="center", color=INK, fontsize=9)  # fmt: skip
    for index, (label, ratio) in enumerate(pairs):
        if not np.isfinite(ratio).any():
            continue
        style = look(index)
        axes.plot(
            points,
            ratio,
            linestyle="none",
            marker=style.marker,
            markersize=5,
            markerfacecolor=style.colour if index else "white",
            color=style.colour,
            alpha=0.85,
            label=label,
        )
    axes.axhline(1.0, color=INK, linestyle=(0, (6, 2)), linewidth=1.2, label="1: tight")
    # With 1 and 2 the guide is in sight even where no ratio is known.
    log_axis(axes, "y", np.concatenate([ratio for _, ratio in pairs] + [np.array([1.0, 2.0])]))
    integer_axis(axes, "x")
    dress(
        axes,
        x=f"ε-rank at ε = {power(eps)} ({measure} measure)",
        y="ratio of squared errors",
        title=title,
    )
    legend_below(figure, axes, columns=2)
    return figure


def _ratio(above: ArrayLike, below: ArrayLike) -> NDArray[np.float64]:
    """Return the quotient, NaN where the divisor is not positive."""
    divisor = positive(np.asarray(below, dtype=np.float64))
    return positive(positive(np.asarray(above, dtype=np.float64)) / divisor)
