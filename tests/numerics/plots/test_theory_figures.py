"""Figures of the a-priori floors: what they draw, and that trained networks lie above."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.plots.theory_figures import (
    TrainedPoint,
    apriori_floors,
    selection_constants,
    width_floors,
)
from epsrank.theory.apriori import class_floor, relu_distances, sobolev_widths
from epsrank.theory.errors import InputError


def distances():
    x = np.linspace(-1, 1, 80)
    return relu_distances(x, np.cos(9 * x), 12)


def test_the_constants_are_drawn():
    figure = selection_constants((10, 40))
    left, right = figure.axes
    ours, draft = left.lines[0].get_ydata(), left.lines[1].get_ydata()
    assert ours[3] == 1 + 3 * 7
    assert draft[3] == 4 * 49
    assert np.allclose(right.lines[0].get_ydata(), draft / ours)
    assert "‖β‖²" in left.get_ylabel()
    with pytest.raises(InputError, match="n ≥ 2"):
        selection_constants((1,))


def test_floors_lie_below_the_points(tmp_path):
    found = distances()
    points = [TrainedPoint(5, 0.9, "width 24"), TrainedPoint(7, 0.8, "width 48")]
    figure = apriori_floors(found, n=24, trained=points)
    axes = figure.axes[0]
    labels = [line.get_label() for line in axes.lines]
    assert "ε = 1e-6, B = 30" in labels
    assert "width 24" in labels
    drawn = axes.lines[labels.index("ε = 1e-6, B = 30")].get_ydata()
    expected = class_floor(found.lower, n=24, eps=1e-6, norm=30.0)
    assert np.allclose(drawn[expected > 0], expected[expected > 0])
    assert "n = 24" in axes.get_xlabel()
    assert "mean measure" in axes.get_ylabel()
    first = save_figure(figure, tmp_path / "a.svg").read_bytes()
    again = apriori_floors(found, n=24, trained=points)
    assert save_figure(again, tmp_path / "b.svg").read_bytes() == first


def test_widths_of_classes_are_drawn():
    figure = width_floors(
        {"W¹": sobolev_widths(1, 10), "W²": sobolev_widths(2, 10, ball="seminorm")}
    )
    assert len(figure.axes[0].lines) == 4
    FigureCanvasAgg(figure).draw()


def test_series_differ_without_colour():
    axes = apriori_floors(distances(), n=24).axes[0]
    looks = [(str(line.get_linestyle()), line.get_marker(), str(line.get_markerfacecolor()))
             for line in axes.lines]  # fmt: skip
    assert len(set(looks)) == len(looks)
