"""Figures over seeds and maps of regimes: what they show, and that odd data do not break them."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.plots.over_seeds import Curve, Panel, time_panels
from epsrank.numerics.plots.regime_map import SIGNS, Square, regime_map
from epsrank.numerics.plots.save import save_figure

pytestmark = pytest.mark.usefixtures("sketches")

STEPS = np.arange(5.0)


def curve(name="a", values=None):
    table = np.array([[1.0, 2, 3, 4, 5], [3.0, 2, np.nan, 4, 9]]) if values is None else values
    return Curve(name, STEPS, np.asarray(table, dtype=float))


def test_medians_and_ranges_are_drawn_and_named_once(tmp_path):
    columns = [
        [Panel("loss", [curve("a"), curve("b")], "log"), Panel("rank", [curve("a")], "rank")],
        [Panel("loss", [curve("b")], "log", "second")],
    ]
    figure = time_panels(columns, title="runs")
    axes = [ax for ax in figure.axes if ax.get_visible()]
    assert len(axes) == 3
    (line,) = axes[2].get_lines() if len(axes[2].get_lines()) == 1 else axes[1].get_lines()[:1]
    assert line.get_ydata().tolist() == [2.0, 2.0, 3.0, 4.0, 7.0]
    legend = figure.legends[0]
    assert [text.get_text() for text in legend.get_texts()] == ["a", "b"]
    save_figure(figure, tmp_path / "runs.png")


def test_every_run_is_drawn_where_asked_for_with_marks_and_guide():
    panel = Panel("rank", [curve()], "rank", guide=1.0, each=True, marks=(2.0,))
    (axes,) = time_panels([[panel]]).axes
    # Two runs, the mark and the guide; no band.
    assert len(axes.get_lines()) == 4
    assert not axes.collections


def test_shared_axes_hold_the_largest_curve_whatever_the_order():
    low, high = curve(values=[[1.0] * 5]), curve(values=[[40.0] * 5])
    figure = time_panels([[Panel("rank", [low], "rank")], [Panel("rank", [high], "rank")]])
    assert figure.axes[0].get_ylim()[1] >= 40


@pytest.mark.parametrize(
    "values", [[[np.nan] * 5], [[0.0] * 5], [[-1.0, 1e300, np.inf, np.nan, 1.0]]]
)
@pytest.mark.parametrize("scale", ["log", "rank", "linear"])
def test_odd_data_can_be_drawn(tmp_path, values, scale):
    figure = time_panels([[Panel("odd", [curve(values=values)], scale)]], time_scale="log")
    save_figure(figure, tmp_path / "odd.png")


def test_a_map_has_its_squares_where_they_belong(tmp_path):
    squares = {("x", "1"): Square(0.5, 1, "+5"), ("y", "2"): Square(-1.0, -1, "−10")}
    figure = regime_map(
        {"one": squares, "two": {("x", "2"): Square(float("nan"), 0, "?")}},
        rows=["x", "y"], columns=["1", "2"], x="scale", y="layer", colour="effect", title="map",
    )  # fmt: skip
    first, second = figure.axes[:2]
    table = np.ma.filled(first.get_images()[0].get_array(), np.nan)
    assert table[0, 0] == 0.5
    assert table[1, 1] == -1.0
    assert np.isnan(table[0, 1])
    written = {text.get_text(): text.get_position() for text in first.texts}
    assert written == {f"{SIGNS[1]} +5": (0, 0), f"{SIGNS[-1]} −10": (1, 1)}
    assert not second.texts
    # Both panels share one scale of colours, which is even about no effect.
    assert {image.norm.vmax for ax in (first, second) for image in ax.get_images()} == {1.0}
    save_figure(figure, tmp_path / "map.png")


def test_an_empty_map_is_a_figure(tmp_path):
    figure = regime_map({}, rows=["x"], columns=["1"], x="", y="", colour="")
    save_figure(figure, tmp_path / "empty.png")


def test_panels_of_a_row_share_labels_that_suit_all_of_them():
    import matplotlib.ticker

    steps = np.arange(3.0)
    wide = Curve("wide", steps, np.array([[1.0, 1e-3, 1e-5]]))
    narrow = Curve("narrow", steps, np.array([[1.0, 0.9, 0.8]]))
    figure = time_panels([[Panel("error", [wide], "log")], [Panel("error", [narrow], "log")]])
    for axes in figure.axes:
        assert isinstance(axes.yaxis.get_major_locator(), matplotlib.ticker.LogLocator)
