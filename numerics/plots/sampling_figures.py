"""The population ε-rank over the number of samples: certified and vacuous intervals (C4)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from epsrank.numerics.plots.style import (
    COLOURS,
    FAINT,
    INK,
    dress,
    integer_axis,
    legend_below,
    log_axis,
    new_figure,
    power,
    side_by_side,
)
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.sampling import PopulationRank, population_rank

_SOURCES = {"domain": "certified", "given": "as given", "data": "estimated"}

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def sampling_intervals(
    found: Mapping[float, Sequence[PopulationRank]], *, title: str = ""
) -> Figure:
    """Draw intervals of the population ε-rank over N, one panel per ε."""
    if not found or not all(found.values()):
        raise InputError("found", "is empty", "pass at least one result per ε")
    figure = new_figure(4.6 * len(found) + 0.6, 4.6)
    panels = side_by_side(figure, len(found), sharey=True)
    for index, (axes, (eps, series)) in enumerate(zip(panels, found.items(), strict=True)):
        _panel(axes, series)
        first = series[0]
        dress(
            axes,
            x="samples N",
            y=f"population ε-rank of n = {first.n_features} ({first.measure} measure)"
            if index == 0
            else "",
            panel=f"ε = {power(eps)}, {first.confidence:.0%} confidence, leverage "
            f"{_SOURCES[first.leverage_source]}",
        )
    if title:
        figure.suptitle(title, fontsize=10, x=0.01, ha="left")
    legend_below(figure, panels[0], columns=4)
    return figure


def _panel(axes: Axes, series: Sequence[PopulationRank]) -> None:
    """Draw one ε."""
    counts = np.array([item.n_samples for item in series], dtype=np.float64)
    ends = np.array(
        [
            [item.lower, item.upper, item.plain.lower, item.plain.upper, item.certain_lower]
            for item in series
        ]
    ).T
    axes.fill_between(counts, ends[0], ends[1], color=COLOURS[5], alpha=0.35, linewidth=0)
    for row, label in ((0, "relative concentration"), (1, None)):
        axes.plot(counts, ends[row], color=COLOURS[0], linewidth=1.6, marker="o", markersize=4,
                  label=label)  # fmt: skip
    for row, label in ((2, "plain Bernstein"), (3, None)):
        axes.plot(counts, ends[row], color=FAINT, linewidth=1.2, linestyle=(0, (2, 1.5)),
                  marker="x", markersize=5, label=label)  # fmt: skip
    axes.plot(counts, ends[4], color=COLOURS[1], linewidth=1.2, linestyle=(0, (6, 2)), marker="^",
              markersize=5, markerfacecolor="white", label="certain lower end")  # fmt: skip
    sample = [item.sample_lower for item in series]
    axes.plot(counts, sample, color=INK, linestyle="none", marker="_", markersize=11,
              markeredgewidth=1.8, label="ε-rank of the sample")  # fmt: skip
    log_axis(axes, "x", counts)
    integer_axis(axes, "y")
    axes.set_ylim(-0.03 * series[0].n_features, 1.03 * series[0].n_features)


def draw_sampling() -> Figure:
    """Draw the intervals for 20 tanh neurons on [−1, 1], leverage certified over the interval."""
    n, slope = 20, 3.0
    centres = np.linspace(-1, 1, n)
    network = DenseNetwork("tanh", (np.full((n, 1), slope),), (-slope * centres,))
    random = np.random.default_rng(0)
    counts = [round(10**exponent) for exponent in np.arange(2, 5.51, 0.5)]
    points = random.uniform(-1, 1, (max(counts), 1))
    features = network.features(points)
    found = {
        # Without bootstrap: only certified intervals are drawn.
        eps: [
            population_rank(
                features[:count], eps, network=network, domain=[(-1.0, 1.0)], resamples=0
            )
            for count in counts
        ]
        for eps in (1e-2, 1e-4)
    }
    return sampling_intervals(found, title="tanh 3(x − x_j), x uniform on [−1, 1]")
