"""The ε-rank by depth: whether a deeper layer is richer, and how that changes in training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.collections import LineCollection

from epsrank.numerics.plots.style import (
    COLOURS,
    FAINT,
    INK,
    dress,
    integer_axis,
    legend_below,
    log_axis,
    look,
    panel,
    positive,
    power,
    time_axis,
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

    `ranks`: For a few training steps the lower and upper ends of the ranks; drawn as a bar where
    they differ.
    """
    figure, axes = panel(6.2, 4.4)
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


def spectra(
    steps: ArrayLike,
    eigenvalues: ArrayLike,
    *,
    eps: float,
    measure: str = "mean",
    noise_floor: ArrayLike | None = None,
    layer: str = "last hidden layer",
    title: str = "",
) -> Figure:
    """Draw λ_1(t) ≥ … ≥ λ_n(t); r_ε(t) is the number of lines above ε (D1).

    Parameters
    ----------
    steps : array_like, shape (T,)
        Training steps.
    eigenvalues : array_like, shape (T, n)
        Spectra in descending order; values ≤ 0 (rounding) are left out.
    eps : float
        Threshold ε.
    measure : str
        Measure of the Gram matrices.
    noise_floor : array_like, shape () or (T,), optional
        Rounding bound: eigenvalues below it are not known.
    layer : str
        Whose spectra.
    title : str
        A line above.

    Returns
    -------
    Figure
        One panel.
    """
    time = np.asarray(steps, dtype=np.float64)
    values = np.asarray(eigenvalues, dtype=np.float64)
    figure, axes = panel(7.2, 4.8)
    floor = None
    if noise_floor is not None:
        floor = positive(np.broadcast_to(np.asarray(noise_floor, dtype=np.float64), time.shape))
    lowest = _lowest(values, eps, floor)
    drawn = positive(values)
    lines = [np.column_stack([time, drawn[:, index]]) for index in range(values.shape[1])]
    # One collection draws n lines at once, and the empty plot gives them one entry in the legend.
    axes.add_collection(LineCollection(lines, colors=COLOURS[0], linewidths=0.8, alpha=0.75))
    axes.plot([], [], color=COLOURS[0], linewidth=0.8, label=f"λ₁ … λ$_{{{values.shape[1]}}}$")
    axes.axhline(eps, color=INK, linestyle=(0, (6, 2)), linewidth=1.4, label=f"ε = {power(eps)}")
    if floor is not None:
        axes.fill_between(
            time, lowest, floor, color=FAINT, alpha=0.35, linewidth=0, label="below the noise floor"
        )
    log_axis(axes, "y", np.append(drawn[drawn >= lowest], [eps, lowest]))
    axes.set_ylim(lowest, 3.0 * max(eps, float(np.nanmax(drawn, initial=eps))))
    time_axis(axes, time)
    dress(axes, x="training step", y=f"Gram eigenvalues, {layer}\n({measure} measure)", title=title)
    legend_below(figure, axes)
    return figure


def _lowest(values: np.ndarray, eps: float, floor: np.ndarray | None) -> float:
    """Return where the axis ends: a little below the least value that is known."""
    if floor is not None and not np.isnan(floor).all():
        return 0.03 * min(eps, float(np.nanmin(floor)))
    visible = values[values > 0]
    return 0.3 * min(eps, max(float(np.min(visible, initial=eps)), 1e-20))
