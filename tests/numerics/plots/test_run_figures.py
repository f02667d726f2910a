"""The figures of a run show the run's own records."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.numerics.plots.run_figures import KINDS, NEED_FLOOR, figure_of_run, floor_at, has_floor
from epsrank.numerics.training import Run, RunConfig, train
from epsrank.theory.errors import InputError


def trained(**settings: object) -> Run:
    config = RunConfig(
        width=6,
        depth=2,
        steps=8,
        measure_every=2,
        device="cpu",
        **settings,  # type: ignore[arg-type]
    )
    return train(config)


@pytest.fixture(scope="module")
def run() -> Run:
    return trained(n_train=30)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn(kind: str, run: Run) -> None:
    figure = figure_of_run(run, kind)
    title = figure.get_suptitle() or figure.axes[0].get_title(loc="left")
    # Below it stands what a reading says.
    assert title.splitlines()[0] == "cosines, tanh mlp 2×6, default init, seed 0"
    # A legend shows the marker of a line even where none of its points has one.
    marked = [line for axes in figure.axes for line in axes.lines if line.get_marker() == "o"]
    assert [line.get_label() for line in marked if line.get_markevery() == []] == []


def test_a_point_between_gaps_is_marked() -> None:
    from epsrank.numerics.plots.staircase import _dots

    assert _dots(np.array([1.0, np.nan, 2.0, np.nan, 3.0, 4.0]))["markevery"] == [0, 2]
    assert _dots(np.array([1.0, 2.0, np.nan, 3.0, 4.0])) == {}


def test_the_staircase_is_the_history(run: Run) -> None:
    above, below = figure_of_run(run, "staircase", eps=1e-4).axes
    np.testing.assert_array_equal(above.lines[0].get_ydata(), [r.loss for r in run.records])
    np.testing.assert_array_equal(above.lines[1].get_ydata(), [r.reachable for r in run.records])
    np.testing.assert_array_equal(below.lines[0].get_xdata(), [r.step for r in run.records])
    ranks = [r.rank(2, 1e-4).upper for r in run.records]
    np.testing.assert_array_equal(below.lines[3].get_ydata(), ranks)
    assert "0.0001" in below.get_ylabel()


def test_the_floor_is_rebuilt_from_checkpoints(run: Run) -> None:
    for index in (0, -1):
        record = run.records[index]
        found = floor_at(run, index, 1e-6)
        assert found.loss == record.loss
        assert found.floor == record.floors[0]
        assert found.coefficient_norm == record.coefficient_norm
    axes = figure_of_run(run, "floor").axes[0]
    assert "of features and 1" in axes.get_xlabel()
    curve, losses, floors = (np.asarray(line.get_ydata(), dtype=float) for line in axes.lines)
    assert len(curve) == 8  # p = 0 … n + 1
    assert len(losses) == len(run.records)
    drawn = np.isfinite(floors)
    assert (losses[drawn] >= floors[drawn]).all()


def test_what_cannot_be_drawn_is_said(run: Run) -> None:
    with pytest.raises(InputError, match="kind is 'stairs'; choose one of staircase"):
        figure_of_run(run, "stairs")
    with pytest.raises(InputError, match=r"eps is 0\.5; the run has measured 1e-06, 0\.0001"):
        figure_of_run(run, "staircase", eps=0.5)


def test_cross_entropy_has_no_squared_error_floor() -> None:
    run = trained(task="digits", loss="cross-entropy", n_train=40, probe=30)
    assert not has_floor(run)
    # V is certified for it, and drawn; envelope and floor are of squares.
    loss, reachable = figure_of_run(run, "staircase").axes[0].lines
    np.testing.assert_array_equal(loss.get_ydata(), [r.loss for r in run.records])
    np.testing.assert_array_equal(reachable.get_ydata(), [r.reachable for r in run.records])
    for kind in NEED_FLOOR:
        with pytest.raises(InputError, match="no squared-error floor"):
            figure_of_run(run, kind)
