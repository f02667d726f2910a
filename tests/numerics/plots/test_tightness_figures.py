"""Figures of tightness and those for papers: their numbers, sizes, greys and labels."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.text import Text

from epsrank.numerics.papers.axes import (
    OWN_KINDS,
    paper_style,
    plot_own_theory,
    plot_run,
    plot_theory,
    save_plot,
)
from epsrank.numerics.plots.paper import WIDTHS
from epsrank.numerics.tightness import Tightness
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.errors import InputError
from epsrank.theory.floor.tightness.layer import layer_tightness

RANDOM = np.random.default_rng(0)
X = np.linspace(-1, 1, 60)
PHI = np.tanh(np.outer(X, 3 * RANDOM.normal(size=12)) + RANDOM.normal(size=12))
EPS = (1e-2, 1e-4, 1e-6)


def moment(share, **changes):
    best = np.linalg.lstsq(PHI, np.sin(5 * X), rcond=1e-3)[0]
    given = {"coefficients": best * (0.2 + 0.4 * share / 100), "eps": EPS, "step": share} | changes
    return layer_tightness(PHI, np.sin(5 * X), **given)


@cache
def many():
    return Tightness("a network", tuple(moment(step, norms=()) for step in (0, 50, 100)), "u = φW")


@cache
def one():
    return Tightness("a network", (moment(20, step=None),), "u = φW")


@cache
def classes():
    found = layer_tightness(
        PHI, (X > 0).astype(int) + (X > 0.5), coefficients=RANDOM.normal(size=(12, 3)),
        eps=EPS[:2], loss="cross_entropy", norms=(0.5,), budgets=False,
    )  # fmt: skip
    return Tightness("classes", (found,), "u = φW")


KINDS = OWN_KINDS[:-1]


def drawn(axes):
    return {str(line.get_label()): line for line in axes.lines}


def test_the_chain_is_drawn_with_its_numbers():
    lines = drawn(many().plot("chain"))
    assert list(lines["loss"].get_xdata()) == [0, 50, 100]
    assert list(lines["loss"].get_ydata()) == [record.loss.value for record in many().records]
    assert list(lines["V(B)"].get_ydata()) == [r.reachable.value for r in many().records]
    floors = np.asarray(lines["floor at ε = 0.0001"].get_ydata(), dtype=float)
    expected = [record.by_eps[1].floor.lower for record in many().records]
    np.testing.assert_array_equal(floors, [value or np.nan for value in expected])
    over_eps = drawn(one().plot("chain"))
    assert list(over_eps["loss"].get_xdata()) == sorted(EPS)


def test_the_curves_over_norm_and_rank_are_the_theory():
    record = one().last
    lines = drawn(one().plot("norms"))
    assert list(lines["this network"].get_xdata()) == [record.norm]
    norms = np.asarray(lines["V(B)"].get_xdata(), dtype=float)
    at = int(np.argmin(abs(norms - record.norm)))
    assert norms[at] == pytest.approx(record.norm)
    assert lines["V(B)"].get_ydata()[at] == pytest.approx(record.reachable.value)
    assert lines["envelope"].get_ydata()[at] == pytest.approx(record.envelope.value)
    assert "loss" in drawn(one().plot("selection"))
    assert "loss" not in drawn(classes().plot("selection"))  # of another unit than the axis
    axes = one().plot("selection")
    values = drawn(axes)
    n, p = 12, np.arange(12)
    sigma = np.linalg.svd(PHI / np.sqrt(60), compute_uv=False)
    ours = (1 + p * (n - p)) * sigma**2 * record.norm**2
    np.testing.assert_allclose(
        np.asarray(
            values["bound by one eigenvalue, (1+p(n−p)) λ$_{p+1}$ B²"].get_ydata(), dtype=float
        ),
        ours,
    )
    reached = values["reached by an exchange"]
    for k, value in zip(reached.get_xdata(), reached.get_ydata(), strict=True):
        assert value <= ours[int(k)] * 1.3  # an exchange has f = 1.1
    budget = drawn(one().plot("budget"))["needed at ε = 1e-6"]
    d = np.asarray(record.distances)
    for loss, rank in list(zip(budget.get_xdata(), budget.get_ydata(), strict=True))[::40]:
        within = np.flatnonzero(d <= np.sqrt(loss) + 1e-3 * record.norm)
        assert rank == within[0] if within.size else np.isnan(rank)


def overlapping(figure: Figure) -> list[tuple[str, str]]:
    """Return texts of one kind that cover each other, or leave the figure."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    figure.draw(renderer)
    boxes = []
    for axes in figure.axes:
        texts: list[Text] = [axes.xaxis.label, axes.yaxis.label, axes.title]
        for axis, limits in ((axes.xaxis, axes.get_xlim()), (axes.yaxis, axes.get_ylim())):
            low, high = sorted(limits)
            places = axis.get_majorticklocs()
            labels = axis.get_majorticklabels()
            texts += [own for own, at in zip(labels, places, strict=False) if low <= at <= high]
        boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in texts if t.get_text()]
    for legend in figure.legends:
        boxes += [(t.get_text(), t.get_window_extent(renderer)) for t in legend.get_texts()]
    found = []
    for index, (text, box) in enumerate(boxes):
        if box.x0 < -1 or box.y0 < -1 or box.x1 > figure.bbox.x1 + 1 or box.y1 > figure.bbox.y1 + 1:
            found.append((text, "the edge"))
        found += [(text, other) for other, place in boxes[index + 1 :] if box.overlaps(place)]
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_one_column_is_legible(kind):
    for own in (many(), classes()):
        if own is classes() and kind in ("floors", "budget"):
            with pytest.raises(InputError, match="squared error alone"):
                own.plot(kind)
            continue
        with paper_style(columns=1):
            axes = plot_own_theory(own, kind)
        assert axes.figure.get_figwidth() == WIDTHS[1]
        assert not axes.get_title(loc="left")
        assert overlapping(axes.figure) == []
        assert max(text.get_fontsize() for text in axes.figure.findobj(Text)) <= 8
        # Whole numbers where ranks are counted.
        if kind in ("eps", "budget"):
            assert all(tick == round(tick) for tick in axes.get_yticks())


def test_greyscale_has_greys_alone_and_series_stay_apart():
    with paper_style(greyscale=True):
        axes = plot_own_theory(many(), "chain")
    for line in axes.lines:
        for colour in (line.get_color(), line.get_markerfacecolor(), line.get_markeredgecolor()):
            assert len(set(to_rgb(colour))) == 1, line.get_label()
    looks = {
        (str(line.get_linestyle()), line.get_marker(), line.get_color()) for line in axes.lines
    }
    assert len(looks) == len(axes.lines)
    for legend in axes.figure.legends:
        assert all(len(set(to_rgb(handle.get_color()))) == 1 for handle in legend.get_lines())
    assert len(set(to_rgb(many().plot("chain").lines[0].get_color()))) > 1


def test_figures_go_into_axes_that_are_given(tmp_path):
    figure = Figure(figsize=(7, 3))
    left, right = figure.subplots(1, 2)
    assert many().plot("chain", ax=left) is left
    assert plot_theory("floor-classes", ax=right) is right
    assert left.get_legend() is not None
    assert not figure.legends
    with pytest.raises(InputError, match="several"):
        plot_theory("constants", ax=left)
    # What failed leaves nothing behind.
    assert len(plot_theory("constants")) == 2
    assert save_plot(left, tmp_path / "a.png", dpi=50).is_file()


def test_figures_of_a_run_and_of_the_theory_are_axes(tmp_path):
    run = train(
        RunConfig(task="cosines", width=6, depth=2, steps=20, measure_every=10, n_train=40,
                  device="cpu", activation="softplus"),  # which the theory has not by name
        tmp_path / "run",
    )  # fmt: skip
    with paper_style(columns=1):
        panels = plot_run(run, "staircase")
        assert overlapping(panels[0].figure) == []
        axes = plot_own_theory(run.out, "kernel")
    lines = drawn(axes)
    first = [run.records[0].rank(layer, run.config.eps[0]).upper for layer in (1, 2)]
    assert list(lines["measured at step 0"].get_ydata()) == first
    assert overlapping(axes.figure) == []
    with paper_style(columns=2, font="serif", size=9, height=2.5):
        panels = plot_theory("constants")
    assert panels[0].figure.get_size_inches().tolist() == [WIDTHS[2], 2.5]
    assert save_plot(panels, tmp_path / "b.pdf").read_bytes()[:4] == b"%PDF"


def test_what_is_zero_is_said_and_nothing_is_drawn_empty():
    x = np.linspace(-1, 1, 5)
    phi = np.tanh(np.outer(x, np.linspace(1, 4, 12)))
    weights = np.linspace(-1, 1, 12)
    target = phi @ weights
    near = layer_tightness(phi, target + 0.01 * x, coefficients=2 * weights, eps=EPS)
    far = Tightness("v", (near,), "u = φW")
    for kind in KINDS:
        axes = far.plot(kind)
        texts = [text.get_text() for legend in axes.figure.legends for text in legend.get_texts()]
        empty = {
            label for label, line in drawn(axes).items()
            if line.get_linestyle() != "None" and not np.isfinite(
                np.asarray(line.get_ydata(), dtype=float)).any()
        }  # fmt: skip
        assert not empty, kind
        if kind == "chain":
            assert "V(B): 0" in texts
    exact = Tightness("v", (layer_tightness(phi, target, coefficients=weights, eps=EPS),), "φW")
    for kind in ("chain", "ratios"):
        with pytest.raises(InputError, match="none is told from 0"):
            exact.plot(kind)
    for kind in ("norms", "eps", "floors", "budget"):
        exact.plot(kind)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paper_style(columns=3).__enter__(), "columns is 3"),
        (lambda: paper_style(font="No Such Font").__enter__(), "No Such Font"),
        (lambda: paper_style(size=100).__enter__(), "size"),
        (lambda: paper_style(height=0).__enter__(), "height"),
        (lambda: plot_theory("nothing"), "kind is 'nothing'"),
        (lambda: plot_own_theory(one(), "nothing"), "kind is 'nothing'"),
        (lambda: plot_own_theory(one(), "kernel"), "needs a run"),
        (lambda: one().plot("nothing"), "kind is 'nothing'"),
        (lambda: save_plot(3, "a.png"), "axes are a int"),
    ],
)
def test_bad_use_is_one_line(call, message):
    with pytest.raises(InputError, match=message):
        call()
