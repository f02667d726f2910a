"""The curve V(B) with a network's place on it: what its reading is read off (F6)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    COLOURS,
    FAINT,
    INK,
    dress,
    legend_below,
    log_axis,
    panel,
    positive,
)
from epsrank.theory.errors import InputError
from epsrank.theory.floor.reading import HALF, half_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epsrank.theory.floor.plateau import PlateauCurve


# Share of its upper bound that V has to have from below to be drawn.
_KNOWN = 0.5


def draw_plateau(curve: PlateauCurve, *, title: str = "") -> Figure:
    """Draw B ↦ V(B), loss and norm of the head, half the loss, and B½ where it is finite."""
    reading = curve.reading
    if reading.loss is None or reading.norm is None:
        raise InputError("curve", "has no head on it", "pass coefficients to plateau_curve")
    figure, axes = panel(6.8, 4.6)
    # Where V is hardly known from below, an upper bound must not pass for it.
    upper = positive(np.where(curve.lower > _KNOWN * curve.upper, curve.upper, np.nan))
    axes.plot(curve.norms, upper, color=INK, linewidth=1.6, label="V(B): least loss at norm B")
    axes.fill_between(
        curve.norms, positive(curve.lower), upper, color=FAINT, alpha=0.35, lw=0,
        label="enclosure of V",
    )  # fmt: skip
    at = max(reading.norm, float(curve.norms[0]))
    half = HALF * reading.loss
    axes.axhline(
        half, color=COLOURS[2], linestyle=(0, (2, 1.5)), linewidth=1.2, label="half the loss"
    )
    axes.plot(
        [at], [reading.loss], color=COLOURS[1], marker="o", markersize=7, linestyle="none",
        label="this network",
    )  # fmt: skip
    if reading.ratio is not None and reading.ratio > 0 and math.isfinite(reading.ratio):
        axes.plot(
            [at, at], [reading.loss, reading.loss / reading.ratio],
            color=COLOURS[1], linewidth=1.0, linestyle=(0, (1, 1)),
        )  # fmt: skip
    if reading.half_norm is not None and math.isfinite(reading.half_norm):
        axes.plot(
            [max(reading.half_norm, float(curve.norms[0]))], [half], color=COLOURS[0],
            marker="D", markersize=6, linestyle="none", label="B½: least norm that reaches it",
        )  # fmt: skip
    log_axis(axes, "x", curve.norms)
    log_axis(axes, "y", np.concatenate([upper, np.array([reading.loss, half])]))
    shown = "" if reading.ratio is None else f"loss/V = {reading.ratio:.3g}, "
    text = f"{reading.name}: {shown}{half_text(reading.half_norm, reading.norm, reading.cap)}"
    dress(
        axes,
        x="norm B of the head, its bias free" if reading.bias == "free" else "norm B of the head",
        y=f"loss ({curve.measure} measure)",
        title=f"{title}\n{text}" if title else text,
    )
    legend_below(figure, axes, columns=2)
    return figure
