"""Every figure as axes, for papers: in their size and fonts, or drawn into axes that were given."""

from __future__ import annotations

import reprlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.numerics.papers.kernel_of_run import draw_kernel
from epsrank.numerics.plots.gallery import THEORY_FIGURES, theory_figure
from epsrank.numerics.plots.paper import as_paper
from epsrank.numerics.plots.run_figures import figure_of_run
from epsrank.numerics.plots.save import DOTS_PER_INCH, save_figure
from epsrank.numerics.plots.style import adapt, drawing_into, for_paper
from epsrank.numerics.plots.tightness_figures import TIGHTNESS_FIGURES
from epsrank.numerics.tightness import Tightness, tightness
from epsrank.numerics.training import Run, load_run
from epsrank.theory.errors import InputError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Curves of the theory for a user's own run or network.
OWN_KINDS = (*TIGHTNESS_FIGURES, "kernel")


@contextmanager
def paper_style(
    columns: int = 1,
    *,
    font: str | None = None,
    size: float = 8.0,
    greyscale: bool = False,
    height: float | None = None,
) -> Iterator[None]:
    """Draw all figures of a block for a paper: size, fonts, no titles, greys.

    One column is 3.3 inches wide, two are 6.9. Series differ in dashes and markers besides
    colours, which are Okabe and Ito's.

    Parameters
    ----------
    columns : {1, 2}
        Columns of the page that the figure takes.
    font : str, optional
        An installed font, such as ``"Times New Roman"``, or ``"serif"``.
    size : float
        Points of labels; ticks have one less.
    greyscale : bool
        Greys in place of colours.
    height : float, optional
        Inches; by default what the figure needs.

    Yields
    ------
    None
        Inside the block.

    Raises
    ------
    InputError
        If a setting cannot be used.

    Examples
    --------
    >>> with paper_style(columns=1):
    ...     axes = plot_theory("constants")
    >>> float(axes[0].figure.get_figwidth())
    3.3
    """
    with for_paper(as_paper(columns, font=font, size=size, greyscale=greyscale, height=height)):
        yield


def plot_theory(kind: str, *, runs: Sequence[Run] = (), ax: Axes | None = None) -> Any:
    """Draw one figure of the theory and return its axes.

    Parameters
    ----------
    kind : str
        One of ``epsrank plot theory``: ``"constants"``, ``"kernel-spectra"``, …
    runs : sequence of Run
        Trained networks, for ``"floor-rank"``.
    ax : Axes, optional
        Where to draw a figure of one panel.

    Returns
    -------
    Axes or list of Axes
        The panels; `save_plot` takes any of them.

    Raises
    ------
    InputError
        If there is no such figure, or it has several panels and `ax` is given.

    Examples
    --------
    >>> axes = plot_theory("floor-classes")
    >>> axes.get_yscale()
    'log'
    """
    if kind not in tuple(THEORY_FIGURES):  # of a list there is no hash
        raise InputError("kind", f"is {kind!r}", f"choose one of {', '.join(THEORY_FIGURES)}")
    if not isinstance(runs, (list, tuple)):
        raise InputError("runs", f"are {runs!r}", "pass a list of runs")
    with drawing_into(ax):
        return _axes(theory_figure(kind, [_run(run) for run in runs]), ax)


def plot_run(
    run: Run | str | Path, kind: str = "staircase", *, eps: float | None = None,
    ax: Axes | None = None,
) -> Any:  # fmt: skip
    """Draw one figure of a run and return its axes.

    Parameters
    ----------
    run : Run or path
        The run, or its folder.
    kind : str
        One of ``epsrank plot RUN``: ``"staircase"``, ``"spectra"``, ``"floor"``, ``"layers"``,
        ``"tightness"`` or ``"reading"``.
    eps : float, optional
        A threshold of the run; its first by default.
    ax : Axes, optional
        Where to draw a figure of one panel.

    Returns
    -------
    Axes or list of Axes
        The panels.

    Raises
    ------
    InputError
        If there is no such figure of this run.
    """
    with drawing_into(ax):
        return _axes(figure_of_run(_run(run), kind, eps=eps), ax)


def plot_own_theory(
    own: Tightness | Run | str | Path, kind: str = "chain", *, ax: Axes | None = None
) -> Axes:
    """Draw a curve of the theory for a network of one's own, and return its axes.

    Parameters
    ----------
    own : Tightness, Run or path
        What `tightness` found of a network, or a run.
    kind : str
        Those of `Tightness.plot`, and for a run ``"kernel"``: the ε-rank that the kernels of its
        layers predict before training, beside those measured.
    ax : Axes, optional
        Where to draw.

    Returns
    -------
    Axes
        The panel.

    Raises
    ------
    InputError
        If there is no such figure, or the activation has no kernel.
    """
    if kind not in OWN_KINDS:
        raise InputError("kind", f"is {kind!r}", f"choose one of {', '.join(OWN_KINDS)}")
    if kind == "kernel":
        if isinstance(own, Tightness):
            raise InputError("kind", "is 'kernel', which needs a run", "pass the run or its folder")
        run = _run(own)
        if not run.records:
            raise InputError("run", "has no measurements yet", "train it first")
        with drawing_into(ax):
            axes = draw_kernel(run, title=run.config.title)
    else:
        found = own if isinstance(own, Tightness) else tightness(_run(own))
        axes = TIGHTNESS_FIGURES[kind](found.records, ax=ax, title=found.label)
    adapt(axes.figure, ax)  # type: ignore[arg-type]
    return axes


def save_plot(axes: Any, path: str | Path, *, dpi: int = DOTS_PER_INCH) -> Path:
    """Write the figure of some axes as .svg, .png or .pdf, the same bytes every time.

    Parameters
    ----------
    axes : Axes, list of Axes or Figure
        What was drawn.
    path : path
        The file.
    dpi : int
        Dots per inch of a .png.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the ending is another one, or the file cannot be written.
    """
    first = axes[0] if isinstance(axes, (list, tuple)) and axes else axes
    figure = first.get_figure(root=True) if hasattr(first, "get_figure") else first
    if not hasattr(figure, "savefig"):  # Matplotlib is loaded when something is drawn
        raise InputError("axes", f"are a {type(first).__name__}", "pass axes, or their figure")
    return save_figure(figure, path, dpi=dpi)


def _axes(figure: Figure, ax: Axes | None) -> Any:
    """Return the panels of a figure, in the style of the block."""
    adapt(figure, ax)
    if ax is not None:
        return ax
    return figure.axes[0] if len(figure.axes) == 1 else list(figure.axes)


def _run(run: Run | str | Path) -> Run:
    if isinstance(run, (str, Path)):
        return load_run(run)
    if not isinstance(run, Run):
        raise InputError("run", f"is {reprlib.repr(run)}", "pass a run, or its folder")
    return run
