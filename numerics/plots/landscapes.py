"""Loss landscapes: planes around checkpoints, and the plane of the training path."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.plots.style import INK, new_figure
from epsrank.theory.rank.bounds import rank_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def _levels(grids: list[Any]) -> Any:
    values = np.concatenate([grid[np.isfinite(grid)] for grid in grids])
    # contourf wants levels that increase, on a constant plane too.
    return np.linspace(values.min(), values.max() + 1e-9, 16)


def _grid(values: Any) -> Any:
    # contourf has rows along y; the first coordinate goes along x.
    return np.array([[np.nan if v is None else v for v in row] for row in values]).T


def landscape_pairs(arms: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw log₁₀ L on random planes around the checkpoints of least and largest ε-rank.

    `arms`: Per initialisation the checkpoints ``low`` and ``high`` and their ``planes``, as the
    trial of kind ``landscape`` returns them.
    """
    figure = new_figure(7.6, 3.4 * len(arms))
    axes = figure.subplots(len(arms), 2, squeeze=False)
    grids = {
        (arm, name): _grid(entry["planes"][name])
        for arm, entry in arms.items()
        for name in ("low", "high")
    }
    # One scale for all panels: only so can planes be compared by eye.
    levels = _levels(list(grids.values()))
    drawn = None
    for row, (arm, entry) in enumerate(arms.items()):
        sides = entry["planes"]["sides"]
        for column, name in enumerate(("low", "high")):
            panel = axes[row][column]
            drawn = panel.contourf(sides, sides, grids[arm, name], levels, cmap="cividis")
            panel.plot(0, 0, marker="+", color="white", markersize=9)
            rank = rank_text(*entry[name]["rank"])
            panel.set_title(
                f"{arm}: ε-rank {rank}, step {entry[name]['step']}, loss {entry[name]['loss']:.2g}",
                fontsize=9,
            )
            panel.set_xlabel("a")
            panel.set_ylabel("b")
            panel.set_aspect("equal")
    if drawn is not None:
        figure.colorbar(drawn, ax=axes, label="log₁₀ L(θ + a·d₁ + b·d₂)", shrink=0.8)
    return figure


def landscape_paths(arms: Mapping[str, Mapping[str, Any]]) -> Figure:
    """Draw log₁₀ L on the plane of each training path.

    `arms`: Per initialisation the ``planes``, as the trial of kind ``landscape`` returns them.
    """
    figure = new_figure(4.4 * len(arms), 4.0)
    axes = figure.subplots(1, len(arms), squeeze=False)[0]
    for panel, (arm, entry) in zip(axes, arms.items(), strict=True):
        path = entry["planes"]["path"]
        grid = _grid(path["values"])
        drawn = panel.contourf(path["a"], path["b"], grid, _levels([grid]), cmap="cividis")
        points = np.array(path["points"])
        panel.plot(points[:, 0], points[:, 1], color="white", linewidth=1.2)
        panel.plot(*points[0], "o", color="white", markeredgecolor=INK, label="start")
        panel.plot(*points[-1], "s", color="white", markeredgecolor=INK, label="end")
        panel.set_title(f"{arm}: {100 * path['share']:.1f} % of the path", fontsize=9)
        panel.set_xlabel("first principal component")
        panel.set_ylabel("second")
        panel.legend(fontsize=8, loc="upper right")
        figure.colorbar(drawn, ax=panel, label="log₁₀ L", shrink=0.85)
    return figure
