"""How tight the bounds are: loss/V reads a plateau, V/envelope is the slack of the theorem."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    INK,
    dress,
    integer_axis,
    legend_below,
    log_axis,
    look,
    new_figure,
    positive,
    power,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray


def tightness(
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

    Parameters
    ----------
    ranks : array_like, shape (T,)
        ε-rank of every checkpoint.
    loss, reachable, envelope : array_like, shape (T,)
        Squared loss, V(‖β‖) and squared envelope there; a zero below leaves the point out.
    eps : float
        Threshold ε of the ranks.
    measure : str
        Measure of all of them.
    title : str
        A line above.

    Returns
    -------
    Figure
        One panel.
    """
    figure = new_figure(6.6, 4.4)
    axes = figure.subplots()
    points = np.asarray(ranks, dtype=np.float64)
    pairs = (
        ("loss / V(‖β‖): near 1 is feature-limited", _ratio(loss, reachable)),
        ("V(‖β‖) / envelope: slack of the theorem", _ratio(reachable, envelope)),
    )
    for index, (label, ratio) in enumerate(pairs):
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
    """Return the quotient, NaN where the divisor is not positive.

    Parameters
    ----------
    above, below : array_like, shape (T,)
        Dividend and divisor.

    Returns
    -------
    ndarray of float64, shape (T,)
        The ratio, NaN where a logarithmic axis could not show it.
    """
    divisor = positive(np.asarray(below, dtype=np.float64))
    return positive(positive(np.asarray(above, dtype=np.float64)) / divisor)
