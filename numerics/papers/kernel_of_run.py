"""Curves of the theory for one run: what its kernel predicts beside what was measured (I1)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.first_layer.slope import resolve_slope
from epsrank.numerics.networks.activations import theory_activation
from epsrank.numerics.plots.kernel_figures import rank_over
from epsrank.numerics.plots.style import INK, given_axes, legend_below
from epsrank.numerics.training.build import resolve_device
from epsrank.numerics.training.probe import choose_probe
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.input_measure import data_measure
from epsrank.theory.kernels.placed import placement
from epsrank.theory.kernels.prediction import initial_ranks
from epsrank.theory.numbers.spaced import spaced

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from epsrank.numerics.training import Run

# Points that a kernel is decomposed on; more hardly move its leading eigenvalues.
_MOST_POINTS = 300
# What was measured stands beside what was drawn, which it would hide.
_ASIDE = 0.08


def draw_kernel(run: Run, *, title: str = "") -> Axes:
    """Draw the ε-rank that the kernels of the layers predict, and those that the run had."""
    config, records = run.config, run.records
    eps = config.eps[0]
    predicted = _predicted(run, eps)
    layers = list(range(1, config.depth + 1))
    first = [records[0].rank(layer, eps).upper for layer in layers]
    figure = rank_over(layers, {"predicted": predicted}, label="hidden layer", title=title)
    # The one panel: of a figure that was given there may be others.
    axes = given_axes() or figure.axes[0]
    for values, marker, aside, name in (
        (first, "s", -_ASIDE, f"measured at step {records[0].step}"),
        (
            [records[-1].rank(n, eps).upper for n in layers], "^", _ASIDE,
            f"at step {records[-1].step}",
        ),
    ):  # fmt: skip
        axes.plot(
            np.array(layers) + aside, values, color=INK, linestyle="none", marker=marker,
            markersize=7, markerfacecolor="none", label=name,
        )  # fmt: skip
    axes.set_xlim(0.7, config.depth + 0.3)
    axes.set_xticks(layers)
    axes.set_ylim(0, 1.1 * max(config.width, 1))
    # Anew, with the two that were measured.
    for legend in list(figure.legends):
        legend.remove()
    legend_below(figure, axes, columns=2)
    return axes


def _predicted(run: Run, eps: float) -> list[Any]:
    """Return the prediction for every hidden layer, or say why there is none."""
    config, task = run.config, run.task
    if config.network != "mlp" or task.operator is not None:
        what = "features under an operator" if task.operator is not None else config.network
        raise InputError(
            "kind", f"is 'kernel', but the run is one of {what}", "predictions are of plain mlps"
        )
    probe = choose_probe(config, task, resolve_device("cpu"))
    points = probe.x.double().numpy().reshape(len(probe.x), -1)
    # Some points of a quadrature rule are no rule.
    if task.measure == "mean" and probe.weights is None:
        rows = points[spaced(len(points), _MOST_POINTS)]
    else:
        rows = points
    inputs = data_measure(rows, weights=probe.weights, measure=task.measure, text=task.name)
    init, law, sigma = config.init, None, theory_activation(config.activation)
    if init == "structured":
        where: dict[str, Any] = {"domain": task.domain, "data": None}
        if task.domain is None:
            where = {"domain": None, "data": points}
        place, slope = placement(sigma, config.width, **where), config.slope
        if isinstance(slope, str):
            slope = resolve_slope(
                slope, config.activation, config.width, eps=config.eps[0], **where
            ).slope
        init, law = "default", place.neurons(inputs, slope)
    return initial_ranks(
        inputs, sigma, width=config.width, depth=config.depth, eps=(eps,), init=init,
        init_scale=config.init_scale if law is None else None, first=law,
    )  # fmt: skip
