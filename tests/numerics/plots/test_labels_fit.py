"""The texts of figures fit, here of those that need no training; tests/slow has all figures."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from epsrank.numerics.plots.floor_curve import floor_curve
from epsrank.numerics.plots.kernel_figures import _inputs_of
from epsrank.numerics.plots.staircase import staircase
from epsrank.theory.kernels.catalogue import layer_kernel
from epsrank.theory.kernels.depth import first_layer
from epsrank.theory.kernels.initialisation import LayerInit
from tests.figure_texts import misfits


def constant() -> Figure:
    steps, rank = np.arange(0, 9000, 1000), np.full(9, 40)
    return staircase(steps, np.exp(-steps / 3000), {"layer 1": (rank, rank)}, eps=1e-6)


def test_misfits_are_found() -> None:
    figure = Figure(layout="none")
    figure.text(0.5, 0.5, "one")
    figure.text(0.51, 0.5, "two")
    figure.text(0.99, 0.1, "far too long")
    assert misfits(figure) == ["“two” lies on “one”", "“far too long” is cut by the edge"]


def test_a_constant_rank_is_a_level_line_and_its_last_mark_is_whole() -> None:
    figure = constant()
    above, below = figure.axes
    assert below.get_ylim()[0] == 0
    assert below.get_ylim()[1] > 41
    assert below.get_xlim()[1] > 8000
    assert above.get_xlim() == below.get_xlim()
    assert misfits(figure) == []


def test_start_and_end_of_a_short_way_are_told_apart() -> None:
    still = np.full(3, 2)
    figure = floor_curve(
        np.arange(5), np.exp(-np.arange(5.0)), eps=1e-6, norm=2.0, run_ranks=still,
        run_loss=np.array([1.0, 0.999, 0.998]), run_floors=np.full(3, 0.5),
    )  # fmt: skip
    assert misfits(figure) == []


def test_the_spectrum_of_a_kink_falls_as_a_power_and_is_not_bent_by_its_nodes() -> None:
    init = LayerInit("normal", 1.0, 1.0)
    found = first_layer(_inputs_of("relu"), layer_kernel("relu"), init).spectrum
    # With twice as many nodes it is 3.40e-11, and with the usual 200 it was 1.8e-12.
    np.testing.assert_allclose(found.values[175], 3.41e-11, rtol=0.01)
