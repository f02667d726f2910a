"""Figures draw what was given, labels do not overlap, files are whole and repeatable."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from epsrank.numerics.plots.floor_curve import floor_curve, rank_ratios
from epsrank.numerics.plots.layers import layer_ranks, spectra
from epsrank.numerics.plots.save import save_figure
from epsrank.numerics.plots.staircase import staircase
from epsrank.numerics.plots.style import COLOURS, look, power
from epsrank.theory.errors import InputError

T = np.arange(0, 1001, 50)
LOSS = np.exp(-T / 200.0) + 1e-4
LOWER = (T // 100).astype(int)
UPPER = LOWER + np.where((T > 300) & (T < 500), 3, 0)
LAMBDA = np.exp(-np.arange(12))[None, :] * (1 + T[:, None] / 100.0)


def figures() -> dict[str, Figure]:
    return {
        "staircase": staircase(
            T,
            LOSS,
            {"layer 1": (LOWER, LOWER), "layer 2": (LOWER, UPPER)},
            eps=1e-6,
            bounds={"V(‖β‖)": LOSS / 1.2, "envelope": LOSS / 1.3, "floor": 0 * LOSS},
            title="a run with a rather long name, structured init, seed 12345678",
        ),
        "staircase, one point": staircase([0], [1.0], {"layer 1": ([3], [3])}, eps=1e-6),
        "staircase, log time": staircase(T, LOSS, {}, eps=1e-6, time_scale="log"),
        "spectra": spectra(T, LAMBDA, eps=1e-3, noise_floor=np.full(T.shape, 1e-5)),
        "spectra, zero": spectra([0, 1], np.zeros((2, 3)), eps=1e-6),
        "floor": floor_curve(
            np.arange(13),
            np.exp(-np.arange(13.0)),
            eps=1e-6,
            norm=2.0,
            run_ranks=LOWER,
            run_loss=LOSS,
            run_floors=LOSS / 2,
        ),
        "floor, no run": floor_curve([0, 1], [1.0, 0.0], eps=1e-6, norm=0.0),
        "tightness": rank_ratios(LOWER, LOSS, LOSS / 1.2, LOSS / 1.4, eps=1e-6),
        "tightness, zeros": rank_ratios(LOWER, LOSS, 0 * LOSS, 0 * LOSS, eps=1e-6),
        "layers": layer_ranks(
            ["1", "2"], {0: ([3, 6], [3, 6]), 100: ([5, 5], [5, 9])}, eps=1e-6, widths=[20, 20]
        ),
    }


FIGURES = figures()


@pytest.mark.parametrize("name", FIGURES)
def test_labels_are_complete_and_do_not_overlap(name: str) -> None:
    figure = FIGURES[name]
    canvas_of: Any = FigureCanvasAgg
    renderer = canvas_of(figure).get_renderer()
    figure.draw(renderer)
    canvas = figure.bbox
    boxes = []
    for axes in figure.axes:
        assert "measure)" in axes.get_ylabel() + axes.get_xlabel()
        texts: list[Text] = [axes.xaxis.label, axes.yaxis.label, axes.title]
        texts += [*axes.get_xticklabels(), *axes.get_yticklabels()]
        legend = axes.get_legend()
        texts += [] if legend is None else legend.get_texts()
        boxes += [text.get_window_extent(renderer) for text in texts if visible(text, axes)]
    for below in figure.legends:
        boxes += [text.get_window_extent(renderer) for text in below.get_texts()]
    assert len(boxes) > 6
    for index, box in enumerate(boxes):
        assert box.x0 >= -1
        assert box.x1 <= canvas.x1 + 1
        assert box.y0 >= -1
        assert box.y1 <= canvas.y1 + 1
        for other in boxes[index + 1 :]:
            assert not box.overlaps(other)


def visible(text: Text, axes: Any) -> bool:
    """Tick labels outside the view are kept by matplotlib, but not drawn."""
    if not text.get_text() or not text.get_visible():
        return False
    along_x, along_y = text in axes.get_xticklabels(), text in axes.get_yticklabels()
    low, high = sorted(axes.get_xlim() if along_x else axes.get_ylim())
    if along_x:
        return bool(low <= text.get_position()[0] <= high)
    return bool(low <= text.get_position()[1] <= high) if along_y else True


def test_the_overlap_check_can_fail() -> None:
    figure = FIGURES["tightness"]
    canvas_of: Any = FigureCanvasAgg
    renderer = canvas_of(figure).get_renderer()
    first, second = figure.text(0.5, 0.5, "one"), figure.text(0.51, 0.5, "two")
    assert first.get_window_extent(renderer).overlaps(second.get_window_extent(renderer))
    first.remove()
    second.remove()


def test_the_staircase_draws_the_numbers_given() -> None:
    above, below = FIGURES["staircase"].axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), LOSS)
    assert above.get_yscale() == "log"
    assert "1e-6" in below.get_ylabel()
    assert "mean measure" in below.get_ylabel()
    ends = [line.get_ydata() for line in below.lines]
    np.testing.assert_array_equal(ends[0], LOWER)
    np.testing.assert_array_equal(ends[2], LOWER)
    np.testing.assert_array_equal(ends[3], UPPER)


def test_an_unresolved_rank_is_a_band() -> None:
    below = FIGURES["staircase"].axes[1]
    labels = below.get_legend_handles_labels()[1]
    assert labels == ["layer 1", "layer 2", "layer 2: not resolved"]
    assert len(below.collections) == 1  # layer 1 is resolved throughout


def test_series_differ_without_colour() -> None:
    looks = [look(index) for index in range(5)]
    assert len({(str(entry.dashes), entry.marker) for entry in looks}) == 5
    luminance = [
        sum(
            w * int(c[i : i + 2], 16) for w, i in zip((0.299, 0.587, 0.114), (1, 3, 5), strict=True)
        )
        for c in COLOURS[:3]
    ]
    assert max(luminance) < 200  # dark enough on white paper


def test_zero_bounds_leave_gaps_not_errors() -> None:
    floor = FIGURES["staircase"].axes[0].lines[3].get_ydata()
    assert np.isnan(np.asarray(floor, dtype=float)).all()


@pytest.mark.usefixtures("sketches")
@pytest.mark.parametrize("last", [1e308, np.inf, np.nan, 5e-324, 0.0])
def test_extreme_losses_are_drawn_as_gaps(last: float, tmp_path: Path) -> None:
    loss = np.array([1.0, 1e140, last])
    figure = staircase([0, 1, 2], loss, {"layer 1": ([1] * 3, [1] * 3)}, eps=1e-6)
    save_figure(figure, tmp_path / "a.png")
    drawn = np.asarray(figure.axes[0].lines[0].get_ydata(), dtype=float)
    np.testing.assert_array_equal(drawn, [1.0, 1e140, np.nan])
    for above, below in ((loss, loss), (loss, 1e-140 * loss), (1e-140 * loss, loss)):
        figure = rank_ratios([1, 2, 3], above, below, below, eps=1e-6)
        save_figure(figure, tmp_path / "b.png")
    save_figure(spectra([0, 1, 2], loss[:, None], eps=1e-6, noise_floor=loss), tmp_path / "d.png")
    save_figure(
        floor_curve([0, 1, 2], loss, eps=1e-6, norm=1e200, run_ranks=[1, 2, 2], run_loss=loss,
                    run_floors=loss),
        tmp_path / "c.png",
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["svg", "png", "pdf"])
def test_files_are_the_same_bytes_every_time(suffix: str, tmp_path: Path) -> None:
    first, second = (
        save_figure(figures()["staircase"], tmp_path / name / f"a.{suffix}") for name in "xy"
    )
    assert first.read_bytes() == second.read_bytes()
    assert len(first.read_bytes()) > 2000
    assert [path.name for path in first.parent.iterdir()] == [first.name]


def test_saving_fails_in_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    figure = FIGURES["floor"]
    with pytest.raises(InputError, match=r"cannot be written .*--out"):
        save_figure(figure, tmp_path / "file" / "a.svg")
    with pytest.raises(InputError, match=r"end it in \.svg, \.png or \.pdf"):
        save_figure(figure, tmp_path / "a.jpg")
    (tmp_path / "a.svg").mkdir()
    with pytest.raises(InputError, match="cannot be written"):
        save_figure(figure, tmp_path / "a.svg")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.svg", "file"]


def test_a_failed_drawing_keeps_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "a.svg"
    file.write_text("old")

    class Broken(Figure):
        def savefig(self, *args: Any, **kwargs: Any) -> None:
            Path(args[0]).write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        save_figure(Broken(), file)
    assert file.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


def test_drawing_needs_no_pyplot(tmp_path: Path) -> None:
    code = (
        "import sys; from epsrank.numerics.plots.save import save_figure; "
        "from epsrank.numerics.plots.floor_curve import floor_curve; "
        "save_figure(floor_curve([0, 1], [1.0, 0.5], eps=1e-6, norm=1.0), sys.argv[1]); "
        "assert 'matplotlib.pyplot' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.png")], check=True)


@pytest.mark.parametrize(
    ("value", "text"), [(1e-6, "1e-6"), (0.01, "0.01"), (2.5e-10, "2.5e-10"), (1e20, "1e20")]
)
def test_thresholds_are_written_briefly(value: float, text: str) -> None:
    assert power(value) == text
