"""One look for all figures: legible in greyscale, headless, without pyplot's global state."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

INK = "#222222"
FAINT = "#8c8c8c"

# Okabe and Ito's colours, ordered so that neighbours differ in lightness as well as in hue.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7b3f77", "#e69f00", "#56b4e9", "#222222")
DASHES: tuple[Any, ...] = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)), (0, (1, 1)))
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


# A diverging run comes near the end of float64; the ticks of a logarithmic axis need some room.
_LARGEST = 1e150


class Look(NamedTuple):
    """Colour, dash pattern and marker of one series: any two of the three tell series apart."""

    colour: str
    dashes: Any
    marker: str


def look(index: int) -> Look:
    """Return the look of the `index`-th series."""
    return Look(
        COLOURS[index % len(COLOURS)], DASHES[index % len(DASHES)], MARKERS[index % len(MARKERS)]
    )


def new_figure(width: float = 7.0, height: float = 4.4) -> Figure:
    """Return an empty figure that arranges its own axes."""
    return Figure(figsize=(width, height), layout="constrained", facecolor="white")


def dress(axes: Axes, *, x: str, y: str, title: str = "") -> None:
    """Label axes and give them a quiet grid."""
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    if title:
        axes.set_title(title, fontsize=10, loc="left")
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def log_axis(axes: Axes, which: str, values: NDArray[np.float64]) -> None:
    """Make an axis logarithmic with a few labelled decades, whatever its range."""
    drawn = positive(values)
    drawn = drawn[np.isfinite(drawn)]
    axis = axes.xaxis if which == "x" else axes.yaxis
    setter = axes.set_xscale if which == "x" else axes.set_yscale
    setter("log")
    if drawn.size == 0:
        return
    decades = float(np.log10(drawn.max() / drawn.min()))
    if decades < 1.0:  # perhaps no power of ten lies inside: round numbers, written out
        axis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    # Labels of minor ticks overlap in small panels.
    axis.set_minor_formatter(NullFormatter())


def integer_axis(axes: Axes, which: str) -> None:
    """Label an axis at whole numbers only."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    # With two ticks or more of a constant, they would be fractions.
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def power(value: float) -> str:
    """Write a threshold briefly: 1e-6, not 1e-06."""
    digits, mark, exponent = f"{value:g}".partition("e")
    return f"{digits}e{int(exponent)}" if mark else digits


def positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with NaN in place of what a logarithmic axis cannot show (a gap)."""
    # NaN compares as false, with a warning.
    with np.errstate(invalid="ignore"):
        return np.where((values > 1 / _LARGEST) & (values < _LARGEST), values, np.nan)


def mark_every(count: int, marks: int = 8) -> tuple[int, int]:
    """Return matplotlib's ``markevery`` for a dense line: the first marked point, and the step."""
    return (0, max(1, count // marks))


def alone(values: NDArray[np.float64]) -> list[int]:
    """Return the places of points with a gap on either side, which a line does not show."""
    known = np.concatenate([[False], np.isfinite(values), [False]])
    return [int(k) for k in np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:])]


def legend_below(figure: Figure, axes: Axes, *, columns: int = 4) -> None:
    """Put the legend of some axes under the figure, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    if handles:
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=min(columns, len(handles)),
            frameon=False,
            fontsize=8.5,
            handlelength=3.2,
        )
