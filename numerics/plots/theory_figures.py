"""The floors before training: the constants of neuron selection, and floor against ε-rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from epsrank.numerics.plots.style import (
    FAINT,
    INK,
    dress,
    integer_axis,
    legend_below,
    log_axis,
    look,
    mark_every,
    new_figure,
    panel,
    positive,
    power,
    side_by_side,
)
from epsrank.theory.apriori import SegmentedDistances, class_floor, width_floor
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike, NDArray


class TrainedPoint(NamedTuple):
    """A trained network in the plane of ε-rank and error."""

    #: r_ε at the ε of its series.
    rank: int
    #: ‖u − u*‖.
    root_loss: float
    #: What it is; points of one label share a look.
    label: str = "trained networks"


def selection_constants(widths: Sequence[int] = (10, 30, 100, 300), *, title: str = "") -> Figure:
    """Draw 1 + p(n−p) against (p+1)(n−p)², where tails are summed, and their ratio, over p/n (N1).

    Both multiply ε‖β‖² where λ_k ≤ ε for all k > p.

    `widths` is n.
    """
    if not widths or min(widths) < 2:
        raise InputError("widths", f"are {list(widths)}", "pass numbers of neurons n ≥ 2")
    figure = new_figure(9.4, 4.4)
    left, right = side_by_side(figure, 2)
    drawn, ratios = [], []
    for index, n in enumerate(widths):
        p = np.arange(n)
        one, tail = 1.0 + p * (n - p), (p + 1.0) * (n - p) ** 2
        style = look(index)
        marks = mark_every(n, 6)
        left.plot(p / n, one, color=style.colour, linestyle="-", marker=style.marker,
                  markevery=marks, markersize=4.5, label=f"1 + p(n−p), n = {n}")  # fmt: skip
        left.plot(p / n, tail, color=style.colour, linestyle=(0, (2, 1.5)), marker=style.marker,
                  markerfacecolor="white", markevery=marks, markersize=4.5,
                  label=f"(p+1)(n−p)², n = {n}")  # fmt: skip
        right.plot(p / n, tail / one, color=style.colour, linestyle=style.dashes,
                   marker=style.marker, markevery=marks, markersize=4.5)  # fmt: skip
        drawn += [one, tail]
        ratios.append(tail / one)
    log_axis(left, "y", np.concatenate(drawn))
    log_axis(right, "y", np.concatenate(ratios))
    dress(left, x="p/n, share of neurons kept", y="factor of ε·‖β‖² (any measure)", title=title)
    dress(right, x="p/n, share of neurons kept", y="(p+1)(n−p)² over 1 + p(n−p)  (≈ n − p)")
    legend_below(figure, left, columns=4)
    return figure


def apriori_floors(
    distances: SegmentedDistances,
    *,
    n: int,
    eps: Sequence[float] = (1e-4, 1e-6, 1e-8),
    norms: Sequence[float] = (1.0, 30.0),
    trained: Sequence[TrainedPoint] = (),
    title: str = "",
) -> Figure:
    """Draw (E_p − √((1+p(n−p))ε) B)_+ over the ε-rank p, trained networks above it (N2, N3)."""
    lower = distances.lower[: n + 1]
    figure, axes = panel(7.2, 5.0)
    ranks = np.arange(len(lower))
    axes.fill_between(ranks, positive(lower), positive(distances.network_upper[: n + 1]),
                      color="#dddddd", linewidth=0, label="E_p lies here")  # fmt: skip
    axes.plot(ranks, positive(lower), color=INK, linewidth=1.6, label="E_p ≥")
    shown = [lower]
    for index, threshold in enumerate(eps):
        for dash, norm in enumerate(norms):
            floors = class_floor(lower, n=n, eps=threshold, norm=norm)
            _curve(axes, ranks, floors, index, dash, f"ε = {power(threshold)}, B = {norm:g}")
            shown.append(floors)
    shown += _trained(axes, trained)
    _finish(figure, axes, shown, distances.measure, title, n)
    return figure


def width_floors(
    widths: Mapping[str, ArrayLike],
    *,
    eps: float = 1e-6,
    norms: Sequence[float] = (1.0, 10.0),
    measure: str = "mean",
    title: str = "",
) -> Figure:
    """Draw (d_p(K) − √ε B)_+ over the ε-rank p for classes K of functions (N3).

    `eps` is ε.
    """
    figure, axes = panel(7.2, 5.0)
    shown = []
    for index, (name, values) in enumerate(widths.items()):
        for dash, norm in enumerate(norms):
            floors = width_floor(values, eps=eps, norm=norm)
            _curve(axes, np.arange(len(floors)), floors, index, dash, f"{name}, B = {norm:g}")
            shown.append(floors)
    _finish(figure, axes, shown, measure, title or f"ε = {power(eps)}", None)
    return figure


def _curve(
    axes: Axes,
    ranks: NDArray[np.int64],
    floors: NDArray[np.float64],
    index: int,
    dash: int,
    label: str,
) -> None:
    """Draw one floor: colour and marker by series, dashes by norm."""
    style = look(index)
    axes.plot(
        ranks,
        positive(floors),
        color=style.colour,
        linestyle=look(dash).dashes,
        marker=style.marker,
        markerfacecolor=style.colour if dash == 0 else "white",
        markevery=mark_every(len(ranks), 7),
        markersize=4.5,
        linewidth=1.2,
        label=label,
    )


def _trained(axes: Axes, trained: Sequence[TrainedPoint]) -> list[NDArray[np.float64]]:
    """Draw trained networks, one look per label, and return their errors."""
    for index, label in enumerate(dict.fromkeys(point.label for point in trained)):
        points = [point for point in trained if point.label == label]
        axes.plot(
            [point.rank for point in points],
            [point.root_loss for point in points],
            linestyle="none",
            marker=("*", "X", "P", "d")[index % 4],
            markersize=9,
            color=INK,
            markerfacecolor="white" if index % 2 else FAINT,
            label=label,
        )
    return [np.array([point.root_loss for point in trained])] if trained else []


def _finish(
    figure: Figure,
    axes: Axes,
    shown: list[NDArray[np.float64]],
    measure: str,
    title: str,
    n: int | None,
) -> None:
    """Label the axes of a floor against the ε-rank."""
    values = np.concatenate(shown)
    finite = values[np.isfinite(values) & (values > 0)]
    log_axis(axes, "y", values)
    if finite.size:
        # Floors end where they reach 0; a few decades below the largest say so.
        axes.set_ylim(max(float(finite.min()), 1e-4 * float(finite.max())) / 1.5,
                      2 * float(finite.max()))  # fmt: skip
    integer_axis(axes, "x")
    width = "" if n is None else f" of n = {plural(n, 'neuron')}"
    dress(
        axes,
        x=f"ε-rank p{width} ({measure} measure)",
        y=f"floor of ‖u − u*‖ (norm, {measure} measure)",
        title=title,
    )
    legend_below(figure, axes, columns=3)
