"""Figures of function fitting: loss and ε-rank on one time axis, and how the plateaus read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from epsrank.numerics.experiments.fitting import loss_ratio
from epsrank.numerics.experiments.histories import History, over_seeds
from epsrank.numerics.plots.over_seeds import Curve, Panel, time_panels
from epsrank.numerics.plots.style import power
from epsrank.theory.inputs import Array

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Series of a run by name.
LOSS = "loss"
BOUND = "V(‖β‖): least loss with these features"


def curve(name: str, runs: Sequence[History], value: Callable[[History], Array]) -> Curve:
    """Return one quantity of an arm over its seeds.

    Parameters
    ----------
    name : str
        Its name in the legend.
    runs : sequence of History
        Runs of the arm.
    value : callable
        From a run to its series.

    Returns
    -------
    Curve
        The series.
    """
    steps, values = over_seeds(runs, value)
    return Curve(name, steps, values)


def draw_staircases(
    arms: Mapping[str, Sequence[History]],
    title: str,
    marks: Mapping[str, Sequence[float]] | None = None,
    measure: str = "mean",
) -> Figure:
    """Draw loss with V(‖β‖), ε-rank of the last layer, and loss/V, one column per arm.

    Parameters
    ----------
    arms : mapping of str to sequence of History
        Runs by arm.
    title : str
        A line above.
    marks : mapping of str to sequence of float, optional
        Training steps to mark, by arm.
    measure : str
        Measure of the loss.

    Returns
    -------
    Figure
        Every run; the first seed strong.
    """
    columns = []
    at = marks or {}
    for name, runs in arms.items():
        eps = power(runs[0].eps[0])
        columns.append(
            [
                Panel(
                    f"loss and its bound\n({measure} measure)",
                    [
                        curve(LOSS, runs, lambda run: run.loss),
                        curve(BOUND, runs[:1], lambda run: run.reachable),
                    ],
                    "log",
                    name,
                    each=True,
                    marks=tuple(at.get(name, ())),
                ),
                Panel(
                    f"ε-rank at ε = {eps},\nlast hidden layer",
                    [curve("ε-rank", runs, lambda run: run.rank())],
                    "rank",
                    each=True,
                    marks=tuple(at.get(name, ())),
                ),
                Panel(
                    "loss / V(‖β‖)\n(1: feature-limited)",
                    [curve("loss / V(‖β‖)", runs, loss_ratio)],
                    "log",
                    guide=1.0,
                    each=True,
                ),
            ]
        )
    return time_panels(columns, title=title)


def draw_comparison(arms: Mapping[str, Sequence[History]], title: str) -> Figure:
    """Draw loss and ε-rank of several arms in the same axes, medians and ranges over seeds.

    Parameters
    ----------
    arms : mapping of str to sequence of History
        Runs by arm.
    title : str
        A line above.

    Returns
    -------
    Figure
        Two panels on one time axis.
    """
    eps = power(next(iter(arms.values()))[0].eps[0])
    loss = [curve(name, runs, lambda run: run.loss) for name, runs in arms.items()]
    rank = [curve(name, runs, lambda run: run.rank()) for name, runs in arms.items()]
    panels = [
        Panel("loss (mean measure)", loss, "log"),
        Panel(f"ε-rank at ε = {eps},\nlast hidden layer", rank, "rank"),
    ]
    return time_panels([panels], title=title)
