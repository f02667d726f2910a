"""Figures laid out for a screen: as wide as it, letters to read, no text cut or on another."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from matplotlib.text import Text

from epsrank.numerics.plots.legible import DESK, PHONE, legible, movable
from epsrank.numerics.plots.over_seeds import Curve, Panel, time_panels
from epsrank.numerics.plots.style import new_figure
from tests.figure_texts import misfits


def grid():
    """Four columns of three panels, as the staircases of four arms: 16 inches wide."""
    steps = np.linspace(0, 15_000, 9)
    one = np.geomspace(1, 1e-4, 9)[None]
    columns = [
        [
            Panel("loss and its bound\n(mean measure)", [Curve("loss", steps, one)], "log", arm),
            Panel("ε-rank at ε = 1e-6,\nlast hidden layer", [Curve("rank", steps, one)], "rank"),
            Panel("loss / V(‖β‖)", [Curve("loss / V(‖β‖)", steps, one)], "log"),
        ]
        for arm in ("relu", "elu", "cosine", "tanh")
    ]
    return time_panels(columns, title="cos x + cos 2x + cos 30x on [−1, 1], 2 × 50")


def named_rows():
    """Rows of long names, and a note at the right edge."""
    figure = new_figure(7.0, 4.0)
    axes = figure.subplots()
    axes.plot([1, 2], [0, 1], "o", label="in the window, before the loss has fallen")
    axes.set_yticks([0, 1], ["tanh, 5-d, layer 1 of 2, default scale", "x²·tanh, 5-d"], fontsize=5)
    axes.annotate("0.9 affine", (1, 0.5), xycoords=("axes fraction", "data"), ha="right",
                  fontsize=4)  # fmt: skip
    axes.legend(fontsize=4)
    return figure


@cache
def laid_out(draw, screen, rows):
    """Return a figure that several tests look at."""
    return legible(draw(), screen, rows)


@pytest.mark.parametrize("screen", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize(("draw", "rows"), [(grid, 2), (named_rows, None)])
def test_panels_move_and_letters_do_not_shrink(draw, rows, screen):
    figure = laid_out(draw, screen, rows)
    assert figure.get_figwidth() <= screen.width + 1e-9
    assert min(text.get_fontsize() for text in figure.findobj(Text)) >= screen.least
    assert misfits(figure, 96) == []


def test_rows_that_are_left_out_leave_their_axis_and_no_entry_of_the_legend():
    figure = laid_out(grid, PHONE, 2)
    # Two and two columns of two rows: each band has its axis of steps.
    assert len(figure.axes) == 8
    assert [axes.get_xlabel() for axes in figure.axes].count("training step") == 4
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["loss", "rank"]
    assert figure.axes[2].get_ylabel() or figure.axes[4].get_ylabel()


def test_what_has_rows_of_its_own_heights_stays():
    figure = new_figure(7.0, 6.0)
    figure.subplots(2, 1, height_ratios=[3, 1])
    assert not movable(figure)
    assert movable(grid())
    assert legible(figure, DESK).get_figwidth() == pytest.approx(9.45)
