"""Noise floors: below which ε a Gram matrix of each dtype resolves nothing (C2)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from epsrank.numerics.plots.style import (
    FAINT,
    dress,
    label_level,
    legend_below,
    log_axis,
    look,
    panel,
    positive,
    power,
)
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.rounding import gram_error_bound
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from epsrank.theory.numbers.arrays import Array, Matrix

DTYPES = ("float64", "float32", "float16", "bfloat16")

_TORCH = {
    "float64": torch.float64,
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
}


def noise_floors(trace: float, n_features: int, samples: Sequence[int]) -> dict[str, Array]:
    """Return the bound of ‖G̃ − G‖₂ over N, by the dtype in which G̃ is summed, mean measure.

    `n_features` is n; `samples` is N.
    """
    return {
        dtype: np.array(
            [
                # The sum over samples has the trace N·tr G; dividing by N scales the bound with it.
                gram_error_bound(count * trace, count, dtype, n_features=n_features) / count
                for count in samples
            ]
        )
        for dtype in DTYPES
    }


def measured_noise(features: Matrix, dtype: str) -> float:
    """Return ‖G̃ − G‖₂ of the Gram matrix that PyTorch forms in a dtype, features rounded to it."""
    rounded = torch.from_numpy(features).to(_TORCH[dtype])
    formed = (rounded.T @ rounded).double().numpy()
    # Long double, as the float64 product is itself among what is measured.
    exact = rounded.double().numpy().astype(np.longdouble)
    difference = np.asarray((formed - exact.T @ exact) / len(features), dtype=np.float64)
    return float(np.linalg.norm(difference, 2)) if np.isfinite(difference).all() else math.inf


def noise_figure(
    trace: float,
    n_features: int,
    samples: Sequence[int],
    *,
    eps: Sequence[float] = (1e-2, 1e-6, 1e-10),
    measured: Mapping[str, Mapping[int, float]] | None = None,
    title: str = "",
) -> Figure:
    """Draw the noise floor of each dtype over N, with thresholds and measured errors.

    `n_features` is n; `samples` is N.
    """
    if not samples or min(samples) < 1:
        raise InputError("samples", f"are {list(samples)}", "pass numbers N ≥ 1")
    figure, axes = panel(7.2, 5.0)
    bounds, shown = noise_floors(trace, n_features, samples), []
    for index, (dtype, values) in enumerate(bounds.items()):
        style = look(index)
        axes.plot(
            samples,
            positive(values),
            color=style.colour,
            linestyle=style.dashes,
            linewidth=1.5,
            label=f"{dtype}: bound",
        )
        found = (measured or {}).get(dtype, {})
        errors = np.array(list(found.values()))
        if found:
            axes.plot(
                list(found),
                positive(errors),
                color=style.colour,
                linestyle="none",
                marker=style.marker,
                markersize=6,
                markerfacecolor="white",
                label=f"{dtype}: measured",
            )
        shown += [values[np.isfinite(values)], errors]
    for threshold in eps:
        axes.axhline(threshold, color=FAINT, linewidth=0.9, zorder=0)
        label_level(axes, f"ε = {power(threshold)}", threshold)
    log_axis(axes, "x", np.asarray(samples, dtype=np.float64))
    log_axis(axes, "y", np.concatenate([*shown, np.asarray(eps)]))
    dress(
        axes,
        x=f"samples N, of n = {plural(n_features, 'feature')}",
        y="‖G̃ − G‖₂, in units of ε (mean measure)",
        title=title,
    )
    legend_below(figure, axes, columns=4)
    return figure


def draw_noise() -> Figure:
    """Draw noise floors of 20 tanh features on [−1, 1], with errors measured up to N = 10⁴."""
    n = 20
    centres = np.linspace(-1, 1, n)

    def features(count: int) -> Array:
        """Return Φ on a grid."""
        return np.asarray(np.tanh(n / 2 * (np.linspace(-1, 1, count)[:, None] - centres)))

    measured = {
        dtype: {count: measured_noise(features(count), dtype) for count in (100, 1000, 10_000)}
        for dtype in DTYPES
    }
    trace = float(np.square(features(10_000)).mean(axis=0).sum())
    samples = [round(10**power_of_ten) for power_of_ten in np.arange(1, 7.01, 0.125)]
    title = (
        "structured tanh features on [−1, 1]; below its line a dtype resolves no ε;\n"
        "a line ends where it resolves none at all"
    )
    return noise_figure(trace, n, samples, measured=measured, title=title)
