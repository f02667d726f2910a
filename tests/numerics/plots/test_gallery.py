"""Figures of the theory: what they draw equals the theory's numbers, labelled with measure."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from epsrank.numerics.plots import gallery
from epsrank.numerics.plots.gallery import THEORY_FIGURES, floor_against_rank, theory_figure
from epsrank.numerics.plots.noise_figures import DTYPES, measured_noise, noise_figure, noise_floors
from epsrank.numerics.plots.sampling_figures import sampling_intervals
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.apriori import class_floor, relu_distances
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.rounding import gram_error_bound
from epsrank.theory.sampling import population_rank


def lines(axes):
    return {line.get_label(): line for line in axes.lines}


def relu_run(**changes):
    settings = {"width": 5, "depth": 1, "activation": "relu", "steps": 20, "n_train": 40}
    return train(RunConfig(**(settings | {"measure_every": 20, "device": "cpu"} | changes)))


def test_noise_floors_are_the_bounds():
    counts = [10, 1000, 10**6]
    axes = noise_figure(3.0, 5, counts, measured={"float32": {1000: 1e-7}}).axes[0]
    drawn = lines(axes)
    for dtype in DTYPES:
        bounds = [gram_error_bound(n * 3.0, n, dtype, n_features=5) / n for n in counts]
        shown = drawn[f"{dtype}: bound"].get_ydata()
        for bound, value in zip(bounds, shown, strict=True):
            assert np.isnan(value) if np.isinf(bound) else value == bound
    assert drawn["float32: measured"].get_ydata() == [1e-7]
    assert "mean measure" in axes.get_ylabel()
    assert "N" in axes.get_xlabel()
    # Told apart without colour: dashes differ.
    dashes = {str(drawn[f"{dtype}: bound"]._unscaled_dash_pattern) for dtype in DTYPES}
    assert len(dashes) == len(DTYPES)
    with pytest.raises(InputError, match="samples"):
        noise_figure(1.0, 2, [])


@pytest.mark.parametrize("dtype", DTYPES)
def test_measured_errors_stay_below_the_bound(dtype):
    features = np.tanh(np.random.default_rng(0).normal(size=(64, 6)))
    trace = 1.01 * float(np.square(features).mean(axis=0).sum())
    bound = noise_floors(trace, 6, [64])[dtype][0]
    assert 0 < measured_noise(features, dtype) < bound


def test_sampling_intervals_are_those_of_the_theory():
    network = DenseNetwork("tanh", (np.array([[2.0], [3.0], [1.0]]),), (np.array([0.0, 1, -1]),))
    random = np.random.default_rng(0)
    found = {
        1e-2: [
            population_rank(
                network.features(random.uniform(-1, 1, (n, 1))), 1e-2, network=network,
                domain=[(-1, 1)], resamples=0,
            )
            for n in (50, 500, 5000)
        ]
    }  # fmt: skip
    figure = sampling_intervals(found)
    axes = figure.axes[0]
    solid = [line for line in axes.lines if line.get_marker() == "o"]
    assert list(solid[0].get_ydata()) == [item.lower for item in found[1e-2]]
    assert list(solid[1].get_ydata()) == [item.upper for item in found[1e-2]]
    assert list(solid[0].get_xdata()) == [50, 500, 5000]
    drawn = lines(axes)
    assert list(drawn["ε-rank of the sample"].get_ydata()) == [r.sample_lower for r in found[1e-2]]
    assert "mean measure" in axes.get_ylabel()
    assert "certified" in axes.get_title("left")
    with pytest.raises(InputError, match="empty"):
        sampling_intervals({1e-3: []})


def test_floor_against_rank_shows_the_runs_given():
    runs = [relu_run(seed=seed) for seed in (0, 1)]
    axes = floor_against_rank(runs).axes[0]
    drawn = lines(axes)
    (label,) = [name for name in drawn if name.startswith("trained")]
    last = [run.last_layer() for run in runs]
    errors = [np.sqrt(np.mean((one.outputs - one.target) ** 2)) for one in last]
    np.testing.assert_allclose(drawn[label].get_ydata(), errors, rtol=1e-12)
    x = np.linspace(-1, 1, 40)
    distances = relu_distances(x, last[0].target, 5)
    expected = class_floor(distances.lower, n=5, eps=1e-6, norm=1.0)
    shown = drawn["ε = 1e-6, B = 1"].get_ydata()
    np.testing.assert_allclose(shown[expected > 0], expected[expected > 0])
    assert "mean measure" in axes.get_xlabel()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"activation": "tanh"}, "one hidden ReLU layer"),
        ({"depth": 2}, "one hidden ReLU layer"),
        ({"task": "cosines-2d"}, "one input"),
        ({"task": "step"}, "other data"),
        ({"n_train": 30}, "other data"),
    ],
)
def test_runs_that_do_not_belong_are_refused(changes, message):
    with pytest.raises(InputError, match=message):
        floor_against_rank([relu_run(), relu_run(**changes)])


@pytest.mark.usefixtures("sketches")
@pytest.mark.parametrize("name", THEORY_FIGURES)
def test_every_figure_draws_itself(name, monkeypatch):
    monkeypatch.setattr(gallery, "_trained", lambda: [relu_run()])
    figure = theory_figure(name)
    FigureCanvasAgg(figure).draw()
    for axes in figure.axes:
        assert axes.get_xlabel()
    assert "measure" in figure.axes[0].get_ylabel()


def test_unknown_figures_are_refused():
    with pytest.raises(InputError, match="floor-rank"):
        theory_figure("everything")
