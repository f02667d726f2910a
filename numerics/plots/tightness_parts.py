"""What figures of tightness share: lines, thresholds, labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.plots.style import integer_axis, log_axis, look, mark_every, positive
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.spaced import spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from epsrank.theory.floor.tightness.result import AtEps, LayerTightness
    from epsrank.theory.numbers.arrays import Vector

Records = Sequence["LayerTightness"]

# More thresholds than that are not told apart in one panel.
_MOST_EPS = 3
# A curve ends this far below its largest value: what lies below decides nothing.
_DECADES = 1e-12


def line(
    axes: Axes,
    x: Vector | np.ndarray[Any, Any],
    y: Vector,
    index: int,
    label: str,
    *,
    marks: bool = True,
    every: int | None = None,
) -> None:
    """Draw one series, its marks in every style apart."""
    style = look(index)
    axes.plot(
        x, positive(np.asarray(y, dtype=np.float64)), color=style.colour, linestyle=style.dashes,
        marker=style.marker if marks else "", markersize=4.5, linewidth=1.4,
        markevery=mark_every(len(x)) if every is None else every, label=label,
    )  # fmt: skip


def in_time(records: Records) -> bool:
    """Whether there are several moments."""
    return len(records) > 1


def steps(records: Records) -> Vector:
    """Return the steps, or the places of records that have none."""
    return array([index if r.step is None else r.step for index, r in enumerate(records)])


def time_axis(axes: Axes, steps: Vector) -> None:
    """Let the axis of steps begin and end with them."""
    axes.set_xlim(float(steps.min()), max(float(steps.max()), float(steps.min()) + 1.0))
    integer_axis(axes, "x")


def some_eps(rows: Sequence[AtEps]) -> list[AtEps]:
    """Return a few thresholds, evenly spread, from the largest."""
    ordered = sorted(rows, key=lambda at: -at.eps)
    return [ordered[index] for index in spaced(len(ordered), _MOST_EPS)]


def of_squares(records: Records, what: str) -> LayerTightness:
    """Return the last record, or say that this is known for squares alone."""
    last = records[-1]
    if not last.squares:
        raise InputError(
            "kind", f"asks for {what}", "that is known for the squared error alone: choose another"
        )
    return last


def log_from(axes: Axes, values: Sequence[Vector], decades: float = _DECADES) -> None:
    """Make the axis logarithmic, from a little below what matters."""
    whole = positive(np.concatenate([np.asarray(x, dtype=np.float64) for x in values]))
    known = whole[np.isfinite(whole)]
    log_axis(axes, "y", whole)
    if known.size:
        top = float(known.max())
        axes.set_ylim(max(float(known.min()), decades * top) / 2, 3 * top)


def norm_label(record: LayerTightness) -> str:
    """Name the norm, and what of the bias is in it."""
    free = {"feature": ", its bias included", "free": ", its bias free"}.get(record.bias or "", "")
    return f"norm B of the head{free}"


def loss_label(record: LayerTightness) -> str:
    """Name the loss with its measure."""
    name = "squared error" if record.squares else record.loss_name.replace("_", "-")
    return f"{name} ({record.measure} measure)"


def array(values: Sequence[float]) -> Vector:
    """Return numbers as an array."""
    return np.asarray(values, dtype=np.float64)
