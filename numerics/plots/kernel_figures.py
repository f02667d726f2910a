"""Kernels at initialisation (I1–I3): spectra, predicted ε-rank over width, depth and slope."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.first_layer.initial_rank import measured_ranks
from epsrank.numerics.plots.style import (
    FAINT,
    INK,
    dress,
    integer_axis,
    legend_below,
    log_axis,
    look,
    mark_every,
    panel,
    positive,
    power,
)
from epsrank.theory.kernels.catalogue import layer_kernel
from epsrank.theory.kernels.depth import first_layer
from epsrank.theory.kernels.initialisation import LayerInit
from epsrank.theory.kernels.input_measure import InputMeasure, box_measure
from epsrank.theory.kernels.kernel_spectrum import KernelSpectrum
from epsrank.theory.kernels.placed import placement
from epsrank.theory.kernels.prediction import InitialRank, initial_ranks
from epsrank.theory.kernels.slope import SlopeChoice, choose_slope

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

#: Series by name, each with the predictions along it and, where measured, mean ranks beside them.
Predictions = Mapping[str, Sequence[InitialRank]]
Measured = Mapping[str, Sequence[float]]

_BOX = (-1.0, 1.0)
# Ends of what is drawn around a place that is alone.
_BESIDE = np.array([-0.2, 0.2])


def kernel_spectra(
    spectra: Mapping[str, KernelSpectrum], *, eps: float, width: int, title: str = ""
) -> Figure:
    """Draw nμ_k over k; the predicted ε-rank is the number of points above ε.

    `eps` is ε; `width` is n.
    """
    figure, axes = panel(7.0, 4.8)
    # What is far below ε decides nothing, and would press the rest together.
    lowest = 1e-4 * eps
    everything = [np.array([eps, lowest])]
    most, measure = 2, "mean"
    for index, (name, spectrum) in enumerate(spectra.items()):
        values = width * spectrum.values
        # An eigenvalue without a positive lower bound may be all rounding.
        shown = np.where(width * spectrum.lower > 0, values, np.nan)
        kept = int((shown > lowest).sum())
        style, measure = look(index), spectrum.measure
        most = max(most, kept)
        axes.plot(
            np.arange(1, kept + 1),
            positive(shown[:kept]),
            color=style.colour,
            linestyle=style.dashes,
            marker=style.marker,
            markersize=4,
            markevery=mark_every(max(kept, 1)),
            linewidth=1.3,
            label=name,
        )
        everything.append(shown[:kept])
    axes.axhline(eps, color=INK, linewidth=1.2, linestyle=(0, (6, 2)), label=f"ε = {power(eps)}")
    log_axis(axes, "y", np.concatenate(everything))
    axes.set_xscale("log")
    axes.set_xlim(0.9, 1.2 * most)
    axes.xaxis.set_major_formatter("{x:g}")
    dress(axes, x="index k", y=f"n μ$_k$, n = {width} ({measure} measure)", title=title)
    legend_below(figure, axes, columns=3)
    return figure


def rank_over(
    horizontal: Sequence[float],
    predictions: Predictions,
    *,
    label: str,
    logarithmic: bool = False,
    measured: Measured | None = None,
    title: str = "",
) -> Figure:
    """Draw predicted ε-ranks over any parameter: limit, estimate, band, measured."""
    figure, axes = panel(7.0, 4.8)
    x = np.asarray(horizontal, dtype=np.float64)
    first = next(iter(predictions.values()))[0]
    for index, (name, series) in enumerate(predictions.items()):
        _series(axes, x, name, series, index)
        found = (measured or {}).get(name)
        if found is not None:
            axes.plot(
                x,
                np.asarray(found, dtype=np.float64),
                linestyle="none",
                marker=look(index).marker,
                markersize=9,
                markerfacecolor="none",
                markeredgecolor=INK,
                label=f"{name}: measured mean",
            )
    if logarithmic:
        log_axis(axes, "x", x)
    else:
        integer_axis(axes, "x")
    axes.set_ylim(bottom=0)
    integer_axis(axes, "y")
    dress(
        axes,
        x=label,
        y=f"initial ε-rank, ε = {power(first.eps)} ({first.inputs.measure.name} measure)",
        title=title,
    )
    legend_below(figure, axes, columns=2)
    return figure


def _series(
    axes: Axes, x: np.ndarray[Any, Any], name: str, series: Sequence[InitialRank], index: int
) -> None:
    """Draw the limit as a line, the estimate dashed with bars, the band as an area."""
    style = look(index)
    # The middle where the count of the limit is not resolved.
    limit = [(item.limit.lower + item.limit.upper) / 2 for item in series]
    # A line and an area of one place alone need some length.
    along, times = (x, 1) if len(x) > 1 else (x[0] + _BESIDE, 2)
    axes.plot(
        along,
        limit * times,
        color=style.colour,
        linestyle=style.dashes,
        linewidth=1.5,
        label=f"{name}: limit",
    )
    axes.errorbar(
        x,
        [item.estimate.mean for item in series],
        yerr=[item.estimate.deviation for item in series],
        color=style.colour,
        linestyle="none",
        linewidth=1.1,
        capsize=2,
        marker=style.marker,
        markersize=4,
        label=f"{name}: drawn, mean ± sd",
    )
    if all(item.band is not None for item in series):
        low = [item.band.lower if item.band else 0 for item in series]
        high = [item.band.upper if item.band else 0 for item in series]
        confidence = series[0].band.confidence if series[0].band else 0.95
        axes.fill_between(
            along,
            low * times,
            high * times,
            color=style.colour,
            alpha=0.12,
            linewidth=0,
            label=f"{name}: {confidence:.0%} band",
        )


def rank_over_slope(choices: Mapping[str, SlopeChoice], *, title: str = "") -> Figure:
    """Draw the predicted ε-rank of a structured first layer over its slope, and the choices."""
    figure, axes = panel(7.0, 4.6)
    every = np.concatenate([np.asarray(item.slopes) for item in choices.values()])
    first = next(iter(choices.values()))
    for index, (name, item) in enumerate(choices.items()):
        style = look(index)
        axes.plot(
            item.slopes,
            item.ranks,
            color=style.colour,
            linestyle=style.dashes,
            linewidth=1.4,
            label=name,
        )
        axes.plot(
            [item.slope],
            [item.rank],
            color=style.colour,
            marker=style.marker,
            markersize=8,
            linestyle="none",
            label=f"{name}: chosen",
        )
        axes.plot(
            [item.rule_slope],
            [item.rule_rank],
            color=style.colour,
            marker="x",
            markersize=8,
            markeredgewidth=2,
            linestyle="none",
            label=f"{name}: the rule's",
        )
    axes.axhline(first.width, color=FAINT, linewidth=1.0, label=f"n = {first.width}")
    log_axis(axes, "x", every)
    axes.set_ylim(bottom=0)
    dress(
        axes,
        x="slope γ of the first layer",
        y=f"predicted ε-rank, ε = {power(first.eps)} ({first.measure} measure)",
        title=title,
    )
    legend_below(figure, axes, columns=3)
    return figure


# The spectrum of a kink falls as a power of k: with the usual 200 nodes it bends down past
# k = 120, which is the rule's and not the kernel's. (Its kernel has a closed form, and is quick.)
_KINKED_NODES = 800


def _inputs() -> InputMeasure:
    return box_measure(_BOX)


def _inputs_of(name: str) -> InputMeasure:
    return box_measure(_BOX, n_points=_KINKED_NODES) if name == "relu" else _inputs()


def draw_spectra() -> Figure:
    """Draw the kernel spectra of six activations on [−1, 1], unit weight and bias variance."""
    init = LayerInit("normal", 1.0, 1.0)
    names = ("tanh", "erf", "sine", "gelu", "elu", "relu")
    found = {
        name: first_layer(_inputs_of(name), layer_kernel(name), init).spectrum for name in names
    }
    return kernel_spectra(
        found, eps=1e-6, width=100, title="x uniform on [−1, 1], w, b ~ N(0, 1), one layer"
    )


def draw_width() -> Figure:
    """Draw the predicted ε-rank over the width: erf with weights of scale 1, default tanh."""
    widths = (10, 20, 50, 100, 200, 500, 1000)
    arms: dict[str, tuple[str, Any]] = {
        "erf, N(0, 1)": ("erf", LayerInit("normal", 1.0, 1.0)),
        "tanh, default": ("tanh", "default"),
    }
    found = {
        name: [initial_ranks(_inputs(), sigma, width=n, init=init)[0] for n in widths]
        for name, (sigma, init) in arms.items()
    }
    means = {
        name: [measured_ranks(_inputs(), sigma, width=n, init=init)[0].mean for n in widths]
        for name, (sigma, init) in arms.items()
    }
    title = "x uniform on [−1, 1], one layer; measured over 5 seeds"
    return rank_over(widths, found, label="width n", logarithmic=True, measured=means, title=title)


def draw_depth() -> Figure:
    """Draw the predicted ε-rank over depth: default and structured first layer, tanh, n = 50."""
    inputs = _inputs()
    place = placement("tanh", 50, domain=_BOX)
    first = place.neurons(inputs)
    found = {
        "default": initial_ranks(inputs, "tanh", width=50, depth=5),
        "structured first layer": initial_ranks(inputs, "tanh", width=50, depth=5, first=first),
    }
    means = {
        name: [item.mean for item in measured_ranks(inputs, "tanh", width=50, depth=5, place=where)]
        for name, where in (("default", None), ("structured first layer", place))
    }
    title = "tanh, n = 50, x uniform on [−1, 1]; measured over 5 seeds"
    return rank_over(range(1, 6), found, label="hidden layer", measured=means, title=title)


def draw_slope() -> Figure:
    """Draw the predicted ε-rank over the slope of a structured first layer of 50 neurons."""
    found = {name: choose_slope(name, 50, domain=_BOX) for name in ("tanh", "cosine", "gaussian")}
    return rank_over_slope(found, title="structured first layer on [−1, 1]")


#: Figures of the theory by file name; each draws itself from nothing.
KERNEL_FIGURES: dict[str, Callable[[], Figure]] = {
    "kernel-spectra": draw_spectra,
    "kernel-width": draw_width,
    "kernel-depth": draw_depth,
    "kernel-slope": draw_slope,
}
