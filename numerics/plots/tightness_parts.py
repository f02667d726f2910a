"""What figures of tightness share: lines, thresholds, labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.plots.style import has_place, log_axis, look, mark_every, positive
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.spaced import spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from epsrank.theory.floor.tightness.enclosed import Enclosed
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
    """Draw one series, its marks in every style apart; of zeros the legend says that they are."""
    if not has_place(axes, y, label):
        return
    style = look(index)
    axes.plot(
        x, positive(y), color=style.colour, linestyle=style.dashes,
        marker=style.marker if marks else "", markersize=4.5, linewidth=1.4,
        markevery=mark_every(len(x)) if every is None else every, label=label,
    )  # fmt: skip


def told(record: LayerTightness, number: Enclosed) -> float:
    """Return a number as it is drawn: 0 where rounding does not tell it from 0."""
    # Solvers of other losses may know no lower end of a number that is far from 0.
    return 0.0 if record.squares and number.lower <= 0 else number.value


def refuse_empty(series: Sequence[tuple[str, Vector]], kind: str) -> None:
    """Refuse a figure of which a logarithmic axis shows nothing."""
    if not any(np.isfinite(positive(values)).any() for _, values in series):
        names = ", ".join(name for name, _ in series)
        raise InputError(
            "kind", f"is {kind!r}, and of {names} none is told from 0", "choose 'norms' or 'eps'"
        )


def in_time(records: Records) -> bool:
    """Whether there are several moments."""
    return len(records) > 1


def steps(records: Records) -> Vector:
    """Return the steps, or the places of records that have none."""
    return array([index if r.step is None else r.step for index, r in enumerate(records)])


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
