"""What drops prove, one point each: V of the features before against T of the old rank."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from epsrank.numerics.plots.style import COLOURS, dress, legend_below, new_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Smaller ratios are drawn here: nothing is proved there, by however much.
_LEAST = 1e-2


def draw_drop_proofs(rows: Sequence[Mapping[str, Any]], title: str) -> Figure:
    """Draw V_s(B_t)/loss_t to the right and T_t(p, B_t)/loss_t upwards, both against 1.

    To the right of 1 the features had to change; above 1 more directions were necessary, and filled
    points are drops that those carry whole.
    """
    figure = new_figure(7.4, 5.6)
    axes = figure.subplots()
    names = list(dict.fromkeys(row["arm"] for row in rows))
    for index, name in enumerate(names):
        mine = [row for row in rows if row["arm"] == name]
        colour = COLOURS[index % len(COLOURS)]
        for whole in (True, False):
            some = [row for row in mine if bool(row["they carry the whole drop"]) == whole]
            axes.scatter(
                [max(row["V/loss after"], _LEAST) for row in some],
                [max(row["T/loss after"], _LEAST) for row in some],
                s=26,
                edgecolors=colour,
                facecolors=colour if whole else "none",
                linewidths=1.1,
                alpha=0.85,
            )
        axes.scatter([], [], s=26, edgecolors=colour, facecolors="none", label=name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    for line in (axes.axvline, axes.axhline):
        line(1, color="#222222", linewidth=0.9)
    # Where they meet hardly a point, also on a figure a column wide.
    for x, y, text, sides in (
        (0.985, 0.8, "more directions\nwere necessary", {"ha": "right", "va": "top"}),
        (0.985, 0.03, "their number sufficed", {"ha": "right", "va": "bottom"}),
        (0.015, 0.975, "nothing is proved", {"ha": "left", "va": "top", "rotation": 90}),
    ):
        axes.text(x, y, text, transform=axes.transAxes, fontsize=8, color="#555555", **sides)
    legend_below(figure, axes)
    dress(
        axes,
        x="V of the features before at the norm after / loss after",
        y="T: loss after within the old number\nof leading directions / loss after",
        title="",
    )
    figure.suptitle(title, fontsize=10)
    return figure
