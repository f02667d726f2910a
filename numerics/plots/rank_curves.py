"""The theory over the rank for one's own network: spectrum, floors, neuron selection, budget."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    FAINT,
    INK,
    dress,
    has_place,
    integer_axis,
    label_level,
    legend_below,
    log_axis,
    look,
    panel,
    positive,
    power,
)
from epsrank.numerics.plots.tightness_parts import (
    Records,
    array,
    line,
    log_from,
    loss_label,
    of_squares,
    some_eps,
    told,
)
from epsrank.theory.numbers.spaced import spaced
from epsrank.theory.selection import draft_factor, select_neurons, selection_factor

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# Numbers of neurons at which a selection is made.
_SELECTIONS = 9


def draw_spectrum(records: Records, *, title: str = "") -> Axes:
    """Draw λ_k of the features at the first, a middle and the last moment, with thresholds ε."""
    last = records[-1]
    figure, axes = panel(6.8, 4.6)
    chosen = sorted({0, (len(records) - 1) // 2, len(records) - 1})
    thresholds = some_eps(last.by_eps)
    shown = [array([at.eps for at in thresholds])]
    for index, record in enumerate(records[at] for at in chosen):
        name = "λ$_k$" if record.step is None else f"λ$_k$, step {record.step}"
        values = positive(np.asarray(record.spectrum))
        line(axes, np.arange(1, len(values) + 1), values, index, name)
        shown.append(values)
    for at in thresholds:
        axes.axhline(at.eps, color=INK, linewidth=0.9, linestyle=(0, (6, 2)))
        # Spectra fall: few curves come to the right end, and those that do pass below.
        label_level(axes, f"ε = {power(at.eps)}", at.eps)
    kept = np.concatenate(shown)
    top = float(np.nanmax(kept))
    # Far below every threshold there is rounding, and nothing is decided.
    lowest = max(float(np.nanmin(kept)), 1e-3 * thresholds[-1].eps)
    log_axis(axes, "y", kept[kept >= lowest])
    axes.set_ylim(lowest / 1.5, 3 * top)
    axes.set_xlim(0, len(last.spectrum) + 1)
    integer_axis(axes, "x")
    dress(axes, x="index k", y=f"Gram eigenvalues ({last.measure} measure)", title=title)
    legend_below(figure, axes, columns=3)
    return axes


def draw_floors(records: Records, *, title: str = "") -> Axes:
    """Draw (d_p − √λ_{p+1} B)² over p, whose maximum is the envelope, and the same with √ε."""
    last = of_squares(records, "floors over p")
    assert last.distances is not None
    figure, axes = panel(6.8, 4.8)
    p, distances = np.arange(len(last.distances)), np.asarray(last.distances)
    following = np.append(np.sqrt(np.maximum(last.spectrum, 0.0)), 0.0)
    own = np.maximum(distances - following * last.norm, 0.0) ** 2
    shown = [own]
    axes.plot(
        p, positive(own), color=INK, marker="o", markersize=3.5, linewidth=1.2,
        label="(d$_p$ − √λ$_{p+1}$ B)²",
    )  # fmt: skip
    for index, at in enumerate(some_eps(last.by_eps)):
        values = np.maximum(distances - math.sqrt(at.eps) * last.norm, 0.0) ** 2
        style = look(index)
        if not has_place(axes, values, f"(d$_p$ − √ε B)², ε = {power(at.eps)}"):
            continue
        axes.plot(
            p, positive(values), color=style.colour, linestyle=style.dashes, linewidth=1.2,
            label=f"(d$_p$ − √ε B)², ε = {power(at.eps)}",
        )  # fmt: skip
        axes.plot(
            [at.rank_upper], positive(values[at.rank_upper : at.rank_upper + 1]),
            color=style.colour, marker="o", markersize=7, linestyle="none",
            markerfacecolor="white",
        )  # fmt: skip
        shown.append(values)
    axes.plot(
        [], [], color=INK, marker="o", markersize=7, linestyle="none", markerfacecolor="white",
        label="at the ε-rank",
    )  # fmt: skip
    for value, name, dash in (
        (told(last, last.loss), "loss", (0, (1, 1))),
        (told(last, last.reachable), "V(B)", "-"),
    ):
        if has_place(axes, array([value]), name):
            axes.axhline(value, color=FAINT, linewidth=1.3, linestyle=dash, label=name)
    ends = array([told(last, last.loss), told(last, last.reachable)])
    log_from(axes, [*shown, ends], 1e-6)
    integer_axis(axes, "x")
    dress(axes, x="number of directions p", y=loss_label(last), title=title)
    legend_below(figure, axes, columns=3)
    return axes


def draw_selection(records: Records, *, title: str = "") -> Axes:
    """Draw what p of n neurons leave out, and its bounds by λ_{p+1} and by Σ_{k>p} λ_k (N1)."""
    last = records[-1]
    figure, axes = panel(6.8, 4.8)
    n = last.n_features
    factors = last.law.row_factors()[:, None]
    sigma = np.linalg.svd(factors * last.features, compute_uv=False)
    spectrum = np.append(np.square(sigma), np.zeros(n + 1 - len(sigma)))
    size = float(np.linalg.norm(last.coefficients)) ** 2
    p = np.arange(n)
    tails = np.cumsum(spectrum[::-1])[::-1]
    largest = array([selection_factor(n, k) for k in range(n)]) * spectrum[:n] * size
    summed = array([draft_factor(n, k) for k in range(n)]) * tails[:n] * size
    line(axes, p, summed, 1, "bound by the tail sum, (p+1)(n−p) Σ$_{k>p}$λ$_k$ B²")
    line(axes, p, largest, 0, "bound by one eigenvalue, (1+p(n−p)) λ$_{p+1}$ B²")
    tried = spaced(n, _SELECTIONS)
    # Exchanges are made in polynomial time; the minors of any width are not.
    reached = [
        select_neurons(
            last.features, k, coefficients=last.coefficients, measure=last.law, method="exchange"
        ).error
        for k in tried
    ]
    squares = array([math.nan if error is None else error**2 for error in reached])
    axes.plot(
        tried, positive(squares), color=INK, marker="D", markersize=4.5, linestyle="none",
        markerfacecolor="white", label="reached by an exchange",
    )  # fmt: skip
    drawn = [largest, summed, squares]
    if last.loss_name == "squared":  # the unit of this axis
        loss = last.loss.value
        axes.axhline(loss, color=FAINT, linestyle=(0, (1, 1)), linewidth=1.2, label="loss")
        drawn.append(np.array([loss]))
    log_from(axes, drawn)
    integer_axis(axes, "x")
    dress(
        axes,
        x=f"neurons kept p, of n = {n}",
        y=f"‖u − φ$_S$C‖² ({last.measure} measure)",
        title=title,
    )
    legend_below(figure, axes, columns=2)
    return axes


def draw_budget(records: Records, *, title: str = "") -> Axes:
    """Draw the least ε-rank that a loss needs at the norm of the head (F5), with the network."""
    last = of_squares(records, "a budget of ranks over the loss")
    assert last.distances is not None
    figure, axes = panel(6.8, 4.6)
    distances = np.asarray(last.distances)
    top = float(distances[0]) ** 2
    own = [record.loss.value for record in records if record.loss.value > 0]
    low = min([top, *own, max(last.reachable.value, 1e-12 * top)])
    losses = np.geomspace(0.3 * (low or 1.0), 1.5 * (max([top, *own]) or 1.0), 241)
    for index, at in enumerate(some_eps(last.by_eps)):
        style = look(index)
        reach = np.sqrt(losses) + math.sqrt(at.eps) * last.norm
        within = distances[None, :] <= reach[:, None]
        # Out of reach at this norm: no ε-rank is enough.
        needed = np.where(within.any(axis=1), within.argmax(axis=1), np.nan)
        axes.plot(
            losses, needed, color=style.colour, linestyle=style.dashes, linewidth=1.4,
            drawstyle="steps-mid", label=f"needed at ε = {power(at.eps)}",
        )  # fmt: skip
        same = [row for record in records for row in record.by_eps if row.eps == at.eps]
        axes.plot(
            [record.loss.value for record in records],
            [row.rank_upper for row in same],
            color=style.colour, marker=style.marker, markersize=5, linestyle="none",
            markerfacecolor="white", label=f"had at ε = {power(at.eps)}",
        )  # fmt: skip
    log_axis(axes, "x", losses)
    axes.set_ylim(bottom=0)
    integer_axis(axes, "y")
    dress(axes, x=loss_label(last), y=f"ε-rank at B = {last.norm:.3g}", title=title)
    legend_below(figure, axes, columns=2)
    return axes
