"""Figures of the staircase detector: its validity, and a series with its plateaus and steps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.plots.style import FAINT, INK, dress, integer_axis, log_axis, look, new_figure
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import real_array
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

    from epsrank.numerics.staircase.result import Staircase


def draw_validity(rows: Sequence[Mapping[str, Any]]) -> Figure:
    """Draw shares of flagged nulls and of found steps with their intervals, by length."""
    nulls = [row for row in rows if row["group"] in {"null", "coupling null"}]
    planted = [row for row in rows if row["recall"] is not None]
    count = max(_count(nulls), _count(planted), 1)
    figure = new_figure(9.6, 1.6 + 0.23 * count)
    left, right = figure.subplots(1, 2)
    _panel(left, nulls, "flagged", 0.05)
    _panel(right, planted, "recall", 0.95)
    dress(left, x="share of null series flagged", y="", panel="nothing there: at most 5 %")
    dress(right, x="share of planted steps found", y="", panel="steps planted: at least 95 %")
    left.set_xlim(0, max(0.2, *(row["flagged high"] * 1.05 for row in nulls), 0.2))
    right.set_xlim(0, 1.02)
    handles, labels = left.get_legend_handles_labels()
    if handles:
        figure.legend(handles, labels, loc="outside lower center", ncols=4, frameon=False)
    return figure


def _label(row: Mapping[str, Any]) -> str:
    """Return the case without its length."""
    rho, count, family = row["autocorrelation"], row["planted steps"], str(row["family"])
    if family.startswith(("steps", "ramps")):
        family = f"{count} {family}" if count > 1 else f"1 {family[:4]}{family[5:]}"
    elif count:
        family = f"{family}, {plural(count, 'step')}"
    coupling = "coupling, " if str(row["group"]).startswith("coupling") else ""
    noise = "" if rho is None else f", ρ = {rho:g}"
    return f"{coupling}{family}{noise}"


def _count(rows: Sequence[Mapping[str, Any]]) -> int:
    return len({_label(row) for row in rows})


def _panel(axes: Axes, rows: Sequence[Mapping[str, Any]], name: str, target: float) -> None:
    """Draw one interval per case and length."""
    labels = list(dict.fromkeys(_label(row) for row in rows))
    lengths = sorted({int(row["length"]) for row in rows})
    for index, length in enumerate(lengths):
        mine = [row for row in rows if row["length"] == length]
        # Lengths side by side within half of the row of their case.
        shift = 0.5 * ((index + 0.5) / len(lengths) - 0.5)
        y = np.array([labels.index(_label(row)) for row in mine]) + shift
        x = np.array([row[name] for row in mine])
        ends = np.array([[row[f"{name} low"], row[f"{name} high"]] for row in mine])
        style = look(index)
        axes.errorbar(
            x,
            y,
            xerr=np.abs(ends.T - x),
            fmt=style.marker,
            color=style.colour,
            markersize=3.5,
            linewidth=1.0,
            label=plural(length, "point"),
        )
    axes.axvline(target, color=INK, linewidth=1.0, linestyle=(0, (4, 2)), label="target")
    axes.set_yticks(range(len(labels)), labels, fontsize=7)
    # Downwards, so that the first case stands on top.
    axes.set_ylim(len(labels) - 0.4, -0.6)


def draw_staircase(
    times: ArrayLike,
    loss: ArrayLike,
    found: Staircase,
    rank: tuple[ArrayLike, ArrayLike] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Draw a loss with its plateaus and steps, and the ε-rank below on the same time axis.

    Parameters
    ----------
    times : array_like, shape (n,)
        Training steps of the measurements.
    loss : array_like, shape (n,)
        The series that `found` is about.
    found : Staircase
        What `detect_staircase` found in it.
    rank : pair of array_like, shape (n,), optional
        Lower and upper ends of the ε-rank at the same measurements.
    title : str
        Above the figure; what was found by default.

    Returns
    -------
    Figure
        Of Matplotlib (``pip install 'epsrank[plots]'``), not shown and not saved.

    Raises
    ------
    InputError
        If `found` is no staircase, or the series have other lengths.
    """
    if not hasattr(found, "plateaus"):
        raise InputError("found", f"is {found!r}", "pass what detect_staircase found")
    time, values = real_array(times, "times"), real_array(loss, "loss")
    ends = []
    if rank is not None:
        if not isinstance(rank, (tuple, list)) or len(rank) != 2:
            raise InputError("rank", f"is {rank!r}", "pass its lower and its upper ends")
        ends = [real_array(end, "rank") for end in rank]
    for name, series in (("loss", values), *(("rank", end) for end in ends)):
        if time.ndim != 1 or series.shape != time.shape:
            problem = f"has shape {series.shape}, and times {time.shape}"
            raise InputError(name, problem, "pass one number per measurement")
    figure = new_figure(7.2, 5.2 if rank is not None else 3.4)
    panels = figure.subplots(1 if rank is None else 2, 1, sharex=True, squeeze=False)[:, 0]
    above = panels[0]
    above.plot(time, values, color=FAINT, linewidth=1.2, label="loss")
    for k, plateau in enumerate(found.plateaus):
        span = time[[plateau.start, plateau.end]]
        label = "plateau" if k == 0 else None
        above.plot(span, [plateau.level] * 2, color=look(0).colour, linewidth=3, label=label)
    for k, step in enumerate(found.found):
        for axes in panels:
            label = "drop" if k == 0 and axes is above else None
            axes.axvspan(
                time[step.start], time[step.end], color=look(4).colour, alpha=0.3, label=label
            )
            axes.axvline(time[step.index], color=INK, linewidth=0.8, linestyle=(0, (4, 2)))
    dress(above, x="" if rank is not None else "training step", y="loss")
    if found.scale == "log":
        log_axis(above, "y", values)
    if rank is not None:
        for end in ends:
            panels[1].plot(time, end, color=look(1).colour, drawstyle="steps-post", linewidth=1.3)
        panels[1].fill_between(
            time, *ends, step="post", color=look(1).colour, alpha=0.25, linewidth=0
        )
        dress(panels[1], x="training step", y="ε-rank")
        integer_axis(panels[1], "y")
    figure.legend(loc="outside lower center", ncols=3, frameon=False, fontsize=8.5)
    figure.suptitle(title or str(found), fontsize=9, wrap=True)
    return figure
