"""The ε-rank by depth: whether a deeper layer is richer, and how that changes in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    FAINT,
    dress,
    integer_axis,
    legend_below,
    look,
    new_figure,
    power,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike


def layer_ranks(
    layers: Sequence[str],
    ranks: Mapping[int, tuple[ArrayLike, ArrayLike]],
    *,
    eps: float,
    measure: str = "mean",
    widths: Sequence[int] = (),
    title: str = "",
) -> Figure:
    """Draw r_ε of the hidden layers from first to last, one line per training step.

    Parameters
    ----------
    layers : sequence of str, length L
        Names of the hidden layers, first to last.
    ranks : mapping of int to (array_like, array_like), each of shape (L,)
        For a few training steps the lower and upper ends of the ranks; drawn as a bar where they
        differ.
    eps : float
        Threshold ε.
    measure : str
        Measure of the ranks.
    widths : sequence of int, length L, optional
        Numbers of neurons, drawn as the ceiling of the rank.
    title : str
        A line above.

    Returns
    -------
    Figure
        One panel.
    """
    figure = new_figure(6.2, 4.4)
    axes = figure.subplots()
    depth = np.arange(1, len(layers) + 1)
    if len(widths):
        axes.plot(depth, widths, color=FAINT, linestyle=":", linewidth=1.2, label="width")
    for index, (step, (low, high)) in enumerate(ranks.items()):
        style = look(index)
        lower, upper = np.asarray(low, dtype=np.float64), np.asarray(high, dtype=np.float64)
        # A small sideways shift keeps lines apart that pass through the same rank.
        shift = 0.04 * (index - (len(ranks) - 1) / 2)
        middle = (lower + upper) / 2
        axes.errorbar(
            depth + shift,
            middle,
            yerr=np.stack([middle - lower, upper - middle]),
            color=style.colour,
            linestyle=style.dashes,
            linewidth=1.3,
            marker=style.marker,
            markersize=5,
            capsize=3,
            label=f"step {step}",
        )
    axes.set_xticks(depth, list(layers))
    axes.set_xlim(0.7, len(layers) + 0.3)
    axes.set_ylim(bottom=0)
    integer_axis(axes, "y")
    dress(axes, x="hidden layer", y=f"ε-rank at ε = {power(eps)}\n({measure} measure)", title=title)
    legend_below(figure, axes, columns=5)
    return figure
