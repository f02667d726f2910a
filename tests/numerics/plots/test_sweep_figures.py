"""Figures of sweeps: sensible for every grid, ticks that were run, bands, diverged runs."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from epsrank.numerics.plots.paper import WIDTHS, as_paper
from epsrank.numerics.plots.style import for_paper, log_axis
from epsrank.numerics.plots.sweep_curves import band, draw_curves
from epsrank.numerics.plots.sweep_figures import Wishes, sweep_figures
from epsrank.numerics.plots.sweep_layout import layout_of
from epsrank.numerics.results import RunResult, SweepResults
from epsrank.theory.errors import InputError

ALL = ("curves", "ends", "map", "scatter")


def run(settings, seed, status="done"):
    steps = np.arange(5.0)
    loss = 1.0 / (1.0 + steps) * (1 + 0.1 * seed)
    series = {"step": steps, "loss": loss, "rank_lower": steps + 1, "rank_upper": steps + 2}
    figures = {"loss": float(loss[-1]), "rank_lower": 5.0, "rank_upper": 6.0}
    if status == "diverged":
        series = {name: values[:3] for name, values in series.items()}
        figures = {"loss": math.inf}
    return RunResult(settings, seed, status, None, figures, {}, series)


def grid(seeds=3, diverged=lambda settings: False, **values):
    cells = [dict(zip(values, one, strict=True)) for one in itertools.product(*values.values())]
    return SweepResults(
        "out/mine",
        tuple(
            run(cell, seed, "diverged" if diverged(cell) else "done")
            for cell in cells
            for seed in range(seeds)
        ),
        eps=1e-6,
    )


def draw(results, kinds=ALL, **wishes):
    """Return the figures by name, some of them laid out; texts say why there is none."""
    found = dict(sweep_figures(results, kinds, Wishes(**wishes), strict=False))
    for name, figure in found.items():
        # One of each kind: laying out is what takes time.
        if not isinstance(figure, str) and name in {"curves-loss", "ends-loss", "map-rank"}:
            figure.draw_without_rendering()
    return found


MANY = {"activation": [f"a{at}" for at in range(30)]}
DRAWS = {"learning_rate": [1e-4 * 1.3**at for at in range(20)]}


@pytest.mark.usefixtures("sketches")
@pytest.mark.parametrize(
    ("results", "left_out"),
    [
        (grid(seeds=1, width=[4]), {"ends", "map"}),
        (grid(width=[4, 8]), {"map"}),
        (grid(seeds=1, width=[4, 8, 16], learning_rate=[1e-3, 1e-2]), set()),
        (grid(seeds=2, width=[4, 8], init=["a", "b"], depth=[1, 2]), set()),
        (grid(seeds=1, **MANY), {"map"}),
        (grid(seeds=1, **DRAWS), {"map"}),
        (grid(lambda_=[1, 2], diverged=lambda cell: True), {"ends", "map", "scatter"}),
        (grid(width=[4, 8], depth=[1, 2], diverged=lambda c: c["width"] == 8), set()),
    ],
    ids=["one", "one-setting", "two-numbers", "three", "30-words", "draws", "all-diverged", "some"],
)
def test_every_grid_has_its_figures(results, left_out):
    found = draw(results)
    assert {name for name, figure in found.items() if isinstance(figure, str)} == left_out
    drawn = {name.partition("-")[0] for name in found} - left_out
    assert drawn == set(ALL) - left_out


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels() if text.get_text()]


def test_ticks_are_values_that_were_run():
    found = draw(grid(width=[4, 8, 64], depth=[1, 2]))
    (axes,) = found["ends-loss"].axes
    assert labels(axes.xaxis) == ["4", "8", "64"]
    picture = found["map-rank"].axes[0]
    assert labels(picture.xaxis) == ["4", "8", "64"]
    assert labels(picture.yaxis) == ["1", "2"]
    assert [text.get_text() for text in picture.texts] == ["5"] * 6
    for name in ("curves-rank", "scatter"):
        for axes in found[name].axes:
            axis = axes.yaxis if name == "curves-rank" else axes.xaxis
            assert all(float(text) == int(float(text)) for text in labels(axis))


def test_runs_lie_beside_the_lines_of_their_intervals():
    found = draw(grid(width=[4, 8], depth=[1, 2]), ["ends"])
    (axes,) = found["ends-loss"].axes
    runs = [line for line in axes.lines if line.get_marker() == "." and len(line.get_xdata()) == 3]
    assert len(runs) == 4
    lines = [
        axes.transData.transform(path.vertices)[0, 0]
        for many in axes.collections
        for path in many.get_paths()
    ]
    assert len(lines) == 4
    points = found["ends-loss"].dpi / 72
    for line in runs:
        at = axes.transData.transform(line.get_xydata())[:, 0]
        assert min(abs(at[0] - x) for x in lines) > 2 * points


def test_colours_panels_and_quantities_are_chosen():
    results = grid(seeds=2, width=[4, 8], init=["a", "b"], depth=[1, 2, 3])
    layout = layout_of(results)
    assert (layout.colour, layout.facets) == ("depth", ("width", "init"))
    assert layout_of(results, needs_x=True).x == "depth"
    assert layout_of(results, colour="init").facets == ("width", "depth")
    found = draw(results, ["curves"], colour="init", facets=("depth",), y=("loss",))
    assert list(found) == ["curves-loss"]
    assert len(found["curves-loss"].axes) == 3
    assert "lines of one look differ in width" in found["curves-loss"].get_suptitle()
    found = draw(results, ["curves"], where={"depth": "2"})
    assert len(found["curves-loss"].axes) == 2
    for wishes, told in (
        ({"x": "task"}, "which does not vary; choose of: width, init, depth"),
        ({"colour": "init", "x": "init"}, "colour is .init., which is named twice"),
        ({"where": {"a": "b"}}, "names .a., no setting"),
        ({"where": {"depth": "7"}}, "leaves no run"),
        ({"y": ("gain",)}, "is 'gain'"),
    ):
        with pytest.raises(InputError, match=told):
            list(sweep_figures(results, ["ends"], Wishes(**wishes), strict=True))
    many = grid(seeds=1, width=list(range(7)), depth=list(range(7)), a=list(range(8)))
    with pytest.raises(InputError, match="makes 49 panels"):
        draw_curves(many, "loss", layout_of(many))


def test_bands_are_order_statistics_and_diverged_runs_stay_in():
    runs = [run({}, seed) for seed in range(6)]
    steps, middle, low, high = band(runs, "loss")
    assert list(steps) == [0, 1, 2, 3, 4]
    assert middle[0] == pytest.approx(1.25)
    assert (low[0], high[0]) == (1.0, 1.5)
    wild = [run({}, seed, "diverged") for seed in range(4)]
    _, middle, _, high = band([*wild, *runs[:2]], "loss")
    assert np.isfinite(middle[:3]).all()
    assert middle[3] == high[3] == math.inf
    # Ranks are of the runs that are left.
    _, ranks, _, upper = band([*wild, *runs[:2]], "rank")
    assert (ranks[4], upper[4]) == (5, 6)


def test_runs_measured_at_other_steps_meet_on_lines():
    other = RunResult({}, 1, "done", None, {}, {}, {"step": np.array([0.0, 3.0]),
                                                    "loss": np.array([1.0, 4.0])})  # fmt: skip
    steps, middle, low, high = band([run({}, 0), other], "loss")
    assert list(steps) == [0, 1, 2, 3, 4]
    assert (low[1], high[1]) == (0.5, 2.0)
    assert middle[4] == 0.2  # the other one has ended


@pytest.mark.parametrize("columns", [1, 2])
def test_panels_of_papers_keep_what_tells_them_apart(columns):
    results = grid(width=[4, 8], activation=["leaky_relu", "tanh"], init=["default", "structured"])
    with for_paper(as_paper(columns)):
        found = draw(results, ["curves", "ends"])
    for name, (rows, across) in {"curves-loss": (2, 2), "ends-loss": (1, 2)}.items():
        figure = found[name]
        assert figure.get_figwidth() == WIDTHS[columns]
        titles = [axes.get_title(loc="left") for axes in figure.axes]
        assert len(set(titles)) == len(titles) == rows * across
        assert all("leaky_relu" in title or "tanh" in title or "init" in title for title in titles)
        renderer = FigureCanvasAgg(figure).get_renderer()
        figure.draw(renderer)
        boxes = [axes._left_title.get_window_extent(renderer) for axes in figure.axes]
        for at, box in enumerate(boxes):
            assert not any(box.overlaps(other) for other in boxes[at + 1 :])


def test_a_logarithmic_axis_has_two_labels_or_more():
    for low, high in ((0.03, 0.4), (0.09, 0.11), (2e-3, 0.19), (1e-9, 1.0)):
        axes = Figure().subplots()
        log_axis(axes, "y", np.array([low, high]))
        axes.set_ylim(low, high)
        ticks = [tick for tick in axes.get_yticks() if low <= tick <= high]
        assert len([at for at in ticks if axes.yaxis.get_major_formatter()(at)]) >= 2, (low, high)
