"""The figures of A2: maps of last layer against first, and ranks by layer over training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from epsrank.numerics.experiments.depth_cells import Cell, trained_cells
from epsrank.numerics.experiments.histories import History, over_seeds
from epsrank.numerics.plots.over_seeds import Curve, Panel, time_panels
from epsrank.numerics.plots.regime_map import Square, regime_map
from epsrank.numerics.plots.style import power

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BASE_WIDTH = 50
_COLOUR = "(rank of the last layer −\nrank of the first) / width"


def _square(cell: Cell) -> Square:
    value = cell.effect.interval.value
    text = "full" if cell.full else f"{value:+g}" if value else "0"
    return Square(value / cell.width, cell.established, text)


def _panel(inputs: str) -> str:
    """Name inputs for the reader."""
    dimension = inputs.removeprefix("box-")
    if dimension == inputs:
        return inputs
    return "x uniform on [−1, 1]" + (f"$^{{{dimension}}}$" if dimension != "1" else "")


def _names(values: Sequence[str]) -> list[str]:
    return list(dict.fromkeys(values))


def _sizes(values: Sequence[float]) -> list[str]:
    return [f"{value:g}" for value in sorted(set(values))]


def draw_scales(cells: Sequence[Cell], eps: float) -> Figure:
    """Draw the map over first layer, activation and scale, one panel per kind of inputs."""
    mine = [cell for cell in cells if cell.eps == eps and cell.width == _BASE_WIDTH]
    panels: dict[str, dict[tuple[str, str], Square]] = {}
    for cell in mine:
        place = (f"{cell.first}, {cell.activation}", f"{cell.scale:g}")
        panels.setdefault(_panel(cell.inputs), {})[place] = _square(cell)
    return regime_map(
        panels,
        rows=_names([f"{c.first}, {c.activation}" for c in sorted(mine, key=lambda c: c.first)]),
        columns=_sizes([cell.scale for cell in mine]),
        x="scale s of the hidden weights (1: the default law)",
        y="first layer, activation",
        colour=_COLOUR,
        largest=1.0,
        title=f"Last hidden layer against first at initialisation, 4 × {_BASE_WIDTH}, "
        f"ε = {power(eps)} (▲ larger, ▼ smaller, full: both ranks are n)",
    )


def draw_widths(cells: Sequence[Cell]) -> Figure:
    """Draw the map over width, for tanh at the least ε."""
    least = min(cell.eps for cell in cells)
    scales = {cell.scale for cell in cells if cell.width != _BASE_WIDTH} or {1.0}
    mine = [c for c in cells if c.eps == least and c.activation == "tanh" and c.scale in scales]
    panels: dict[str, dict[tuple[str, str], Square]] = {}
    for cell in mine:
        place = (f"{cell.first}, s = {cell.scale:g}", f"{cell.width}")
        panels.setdefault(_panel(cell.inputs), {})[place] = _square(cell)
    rows = [f"{first}, s = {s:g}" for first in ("default", "structured") for s in sorted(scales)]
    return regime_map(
        panels,
        rows=rows,
        columns=_sizes([cell.width for cell in mine]),
        x="width n of the hidden layers",
        y="first layer, scale",
        colour=_COLOUR,
        largest=1.0,
        title=f"Last hidden layer against first at initialisation, tanh, ε = {power(least)}",
    )


def draw_times(arms: Mapping[str, Sequence[History]]) -> Figure:
    """Draw the map over training time, one panel per ε."""
    panels: dict[str, dict[tuple[str, str], Square]] = {}
    shares = (0.0, 0.1, 0.3, 0.6, 1.0)
    columns = [f"{share:.0%}" for share in shares]
    for name, runs in arms.items():
        lengths = [len(run.steps) for run in runs if run.status == "complete"]
        if not lengths:
            continue  # all runs diverged: `trained_cells` has nothing of this arm either
        # Shares of the time that all runs of the arm have.
        last = min(lengths) - 1
        for share, column in zip(shares, columns, strict=True):
            for cell in trained_cells({name: runs}, at=round(share * last)):
                panel = panels.setdefault(f"ε = {power(cell.eps)}", {})
                panel[name, column] = _square(cell)
    return regime_map(
        panels,
        rows=list(arms),
        columns=columns,
        x="share of the training steps",
        y="task, activation, first layer",
        colour=_COLOUR,
        largest=1.0,
        title="Last hidden layer against first during training, 4 × 50",
    )


def draw_layers(arms: Mapping[str, Sequence[History]]) -> Figure:
    """Draw the ε-rank of every layer over training, default above, structured first layer below."""
    columns: dict[str, list[Panel]] = {}
    for name, runs in arms.items():
        what, _, first = name.rpartition(", ")
        eps = runs[0].eps[0]
        curves = []
        for layer in range(runs[0].lower[eps].shape[1]):
            # The default binds the layer of this turn of the loop.
            steps, values = over_seeds(runs, lambda run, at=layer: run.rank(at))  # type: ignore[misc]
            curves.append(Curve(f"layer {layer + 1}", steps, values))
        label = f"ε-rank at ε = {power(eps)}\n({first} first layer)"
        columns.setdefault(what, []).append(Panel(label, curves, "rank", what))
    return time_panels(list(columns.values()), title="ε-rank of the hidden layers, 4 × 50")
