"""One look for all figures: legible in greyscale, headless, without pyplot's global state."""

from __future__ import annotations

import reprlib
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, NamedTuple

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, Locator, LogLocator, MaxNLocator, NullFormatter

from epsrank.numerics.plots.paper import Paper, across, finished, fitted, wrapped
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

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


# What figures are drawn for, and where; of this thread or task alone.
_PAPER: ContextVar[Paper | None] = ContextVar("paper", default=None)
_AXES: ContextVar[Axes | None] = ContextVar("axes", default=None)

# Marks our own figures, whose legends lie below them.
_OWN = "epsrank"
# Below this width, in inches, panels stand one above another.
NARROW = 5.0
# Points of what tells panels apart.
_SIZE_OF_PANELS = 9.0
# Over fewer decades than this, powers of ten alone may be one label or none.
_FEW_DECADES = 2.0


@contextmanager
def for_paper(paper: Paper | None) -> Iterator[None]:
    """Draw figures in the size and the fonts of a paper."""
    token = _PAPER.set(paper)
    settings: Any = {} if paper is None else paper.settings()
    try:
        with mpl.rc_context(settings):
            yield
    finally:
        _PAPER.reset(token)


@contextmanager
def drawing_into(axes: Axes | None) -> Iterator[None]:
    """Let the next figure of one panel be drawn into these axes."""
    if axes is not None and not isinstance(axes, Axes):
        remedy = "pass the Axes of one panel, or leave ax= out"
        raise InputError("ax", f"is {reprlib.repr(axes)}", remedy)
    token = _AXES.set(axes)
    try:
        yield
    finally:
        _AXES.reset(token)


def adapt(figure: Figure, only: Axes | None = None) -> None:
    """Bring a figure of ours, or what was drawn into given axes, into the style of the block."""
    paper = _PAPER.get()
    if paper is not None and (only is not None or figure.get_label() == _OWN):
        finished(figure, paper, only)


def given_axes() -> Axes | None:
    """Return the axes that figures of one panel are drawn into."""
    return _AXES.get()


def new_figure(width: float = 7.0, height: float = 4.4) -> Figure:
    """Return an empty figure that arranges its own axes."""
    if _AXES.get() is not None:
        raise InputError("ax", "is one panel, and this figure has several", "leave ax= out")
    paper = _PAPER.get()
    size = (width, height) if paper is None else paper.size_of(width, height)
    figure = Figure(figsize=size, layout="constrained", facecolor="white")
    figure.set_label(_OWN)
    return figure


def paper_width() -> float | None:
    """Return the inches that figures are wide; None where they are for the screen."""
    paper = _PAPER.get()
    return None if paper is None else paper.width


def panel(width: float = 7.0, height: float = 4.4) -> tuple[Figure, Axes]:
    """Return a figure of one panel: a new one, or that of the axes that were given."""
    axes = _AXES.get()
    if axes is not None:
        return axes.get_figure(root=True), axes  # type: ignore[return-value]
    figure = new_figure(width, height)
    return figure, figure.subplots()


def side_by_side(figure: Figure, count: int, *, sharey: bool = False) -> NDArray[Any]:
    """Return panels beside each other, or where a column is narrow one above another."""
    if _PAPER.get() is None or figure.get_figwidth() >= NARROW or count == 1:
        return np.atleast_1d(figure.subplots(1, count, sharey=sharey))
    figure.set_figheight(figure.get_figheight() * count)
    return np.atleast_1d(figure.subplots(count, 1, sharey=sharey))


def dress(axes: Axes, *, x: str, y: str, title: str = "", panel: str = "") -> None:
    """Label axes and give them a quiet grid; `panel` tells panels apart, and stays in papers."""
    paper = _PAPER.get()
    if paper is not None:
        x, y = wrapped(axes, paper, x=x, y=y)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    # A paper has captions.
    if title and paper is None:
        axes.set_title(title, fontsize=10, loc="left")
    if panel:
        size = _SIZE_OF_PANELS if paper is None else paper.size
        axes.set_title(across(axes, size, panel), fontsize=size, loc="left")
    axes.grid(True, which="major", color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def log_axis(axes: Axes, which: str, values: NDArray[np.float64]) -> None:
    """Make an axis logarithmic with a few labelled decades, whatever its range."""
    drawn = positive(values)
    drawn = drawn[np.isfinite(drawn)]
    setter = axes.set_xscale if which == "x" else axes.set_yscale
    setter("log")
    if drawn.size:
        log_ticks(axes, which, float(drawn.min()), float(drawn.max()))


def log_ticks(axes: Axes, which: str, low: float, high: float) -> None:
    """Label a logarithmic axis at two places or more."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    decades = float(np.log10(high / low))
    if decades < _FEW_DECADES:  # perhaps one power of ten lies inside: round numbers, written out
        few: Locator = MaxNLocator(6, steps=[1, 2, 5, 10])
        axis.set_major_locator(few if decades < 1.0 else LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(FuncFormatter(lambda value, _: power(value)))
    # Labels of minor ticks overlap in small panels.
    axis.set_minor_formatter(NullFormatter())


def integer_axis(axes: Axes, which: str) -> None:
    """Label an axis at whole numbers only."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    # With two ticks or more of a constant, they would be fractions.
    axis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def time_axis(axes: Axes, steps: NDArray[np.float64]) -> None:
    """Let the axis of training steps, which are whole, begin and end with them."""
    # One measurement alone still needs an axis of some length; the last mark is drawn whole.
    first, last = float(steps.min()), max(float(steps.max()), float(steps.min()) + 1.0)
    axes.set_xlim(first, last + 0.015 * (last - first))
    integer_axis(axes, "x")


def rank_axis(axes: Axes, highest: float) -> None:
    """Let the axis of ranks begin at 0, as a constant has no other scale, and end above all."""
    axes.set_ylim(0.0, max(1.08 * highest, highest + 1.0))
    integer_axis(axes, "y")


def power(value: float) -> str:
    """Write a threshold briefly: 1e-6, not 1e-06."""
    digits, mark, exponent = f"{value:g}".partition("e")
    return f"{digits}e{int(exponent)}" if mark else digits


def positive(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the values with NaN in place of what a logarithmic axis cannot show (a gap)."""
    # NaN compares as false, with a warning.
    with np.errstate(invalid="ignore"):
        return np.where((values > 1 / _LARGEST) & (values < _LARGEST), values, np.nan)


def has_place(axes: Axes, values: NDArray[np.float64], label: str) -> bool:
    """Tell whether a logarithmic axis shows any of these values; else say in the legend why not."""
    if np.isfinite(positive(values)).any():
        return True
    known = values[~np.isnan(values)]
    if known.size:
        text = "0" if known.max() <= 0 else "∞" if known.min() > 0 else "0 or ∞"
        axes.plot([], [], linestyle="none", label=f"{label}: {text}")
    return False


def label_level(axes: Axes, text: str, value: float) -> None:
    """Write beside a horizontal line what it is, at its right end and above all curves."""
    axes.annotate(
        text, (1.0, value), xycoords=("axes fraction", "data"), xytext=(-2, 2),
        textcoords="offset points", ha="right", fontsize=8.5, color=INK, zorder=5,
        bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.6, "alpha": 0.85},
    )  # fmt: skip


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
    if not handles:
        return
    size, paper = _legend_size(), _PAPER.get()
    if figure.get_label() != _OWN:
        # A figure of somebody else, who arranges it.
        axes.legend(handles, labels, fontsize=size, handlelength=2.6, framealpha=0.85,
                    edgecolor="none")  # fmt: skip
        return
    if paper is not None:
        labels, columns = fitted(figure, paper, labels, columns)
    figure.legend(
        handles,
        labels,
        loc="outside lower center",
        ncols=min(columns, len(handles)),
        frameon=False,
        fontsize=size,
        handlelength=3.2 if paper is None else 2.6,
        columnspacing=2.0 if paper is None else 1.0,
    )


def legend_on_top(axes: Axes, *, columns: int = 4) -> None:
    """Put the legend of one panel above it, where it covers no data."""
    handles, labels = axes.get_legend_handles_labels()
    paper, figure = _PAPER.get(), axes.get_figure(root=True)
    if paper is not None and handles and figure is not None:
        labels, columns = fitted(figure, paper, labels, columns)
    axes.legend(
        handles,
        labels,
        loc="lower center",
        bbox_to_anchor=(0.5, 1.0),
        borderaxespad=0.1,
        fontsize=_legend_size(),
        frameon=False,
        ncols=columns,
        handlelength=3.0 if paper is None else 2.4,
        columnspacing=1.6 if paper is None else 1.0,
    )


def _legend_size() -> float:
    paper = _PAPER.get()
    return 8.5 if paper is None else paper.size
