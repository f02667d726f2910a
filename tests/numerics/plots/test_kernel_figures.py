"""Figures of kernels: labelled with the measure, legible labels, files of all kinds."""

from __future__ import annotations

import pytest

from epsrank.numerics.plots.kernel_figures import (
    KERNEL_FIGURES,
    kernel_spectra,
    rank_over,
    rank_over_slope,
)
from epsrank.numerics.plots.save import save_figure
from epsrank.theory.kernels.input_measure import box_measure
from epsrank.theory.kernels.placed import placement
from epsrank.theory.kernels.prediction import initial_ranks
from epsrank.theory.kernels.slope import choose_slope


@pytest.fixture(scope="module")
def figures():
    inputs = box_measure((-1, 1), measure="volume", n_points=60)
    series = {
        "default": [initial_ranks(inputs, "erf", width=n, draws=3)[0] for n in (10, 20)],
        "grid": [
            initial_ranks(
                inputs, "erf", width=n, first=placement("erf", n, domain=(-1, 1)).neurons(inputs)
            )[0]
            for n in (10, 20)
        ],
    }
    spectra = {name: items[0].spectrum for name, items in series.items()}
    slopes = {"tanh": choose_slope("tanh", 12, domain=(-1, 1), inputs=inputs)}
    return {
        "spectra": kernel_spectra(spectra, eps=1e-6, width=10),
        "over width": rank_over(
            [10, 20], series, label="width n", logarithmic=True, measured={"default": [4.0, 5.0]}
        ),
        "over layers": rank_over([1, 2], series, label="layer"),
        "slope": rank_over_slope(slopes),
    }


@pytest.mark.parametrize("name", ["spectra", "over width", "over layers", "slope"])
def test_axes_say_what_they_show(figures, name, tmp_path):
    (axes,) = figures[name].axes
    assert "(volume measure)" in axes.get_ylabel()
    assert axes.get_xlabel()
    # Any kind of file will do for any figure; where labels go is looked at with the others.
    figures[name].set_layout_engine("none")
    kind = {"spectra": "svg", "over width": "png", "over layers": "pdf", "slope": "svg"}[name]
    assert save_figure(figures[name], tmp_path / f"a.{kind}", dpi=80).stat().st_size > 0


def test_series_differ_without_colour(figures):
    lines = [line for line in figures["spectra"].axes[0].lines if line.get_marker() != "None"]
    assert len({(line.get_marker(), line.get_linestyle()) for line in lines}) == len(lines)


def test_the_band_is_drawn_only_where_there_is_one(figures):
    labels = figures["over width"].axes[0].get_legend_handles_labels()[1]
    assert "default: 95% band" in labels
    assert "grid: 95% band" not in labels
    assert "default: measured mean" in labels


def test_figures_of_the_theory_are_listed():
    assert set(KERNEL_FIGURES) == {"kernel-spectra", "kernel-width", "kernel-depth", "kernel-slope"}
    figure = KERNEL_FIGURES["kernel-slope"]()
    assert "(mean measure)" in figure.axes[0].get_ylabel()
