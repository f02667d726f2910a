"""Spectra, limit, band, estimate and slope: against known operators, known figures and faults."""

from __future__ import annotations

import json

import numpy as np
import pytest

from epsrank.theory.errors import InputError
from epsrank.theory.kernels.band import coordinates, failure_of_rank, finite_width_band
from epsrank.theory.kernels.catalogue import layer_kernel
from epsrank.theory.kernels.depth import (
    first_layer,
    hidden_neurons,
    input_covariance,
    product_rule,
    split_rule,
)
from epsrank.theory.kernels.initialisation import LAWS, LayerInit, layer_init
from epsrank.theory.kernels.input_measure import box_measure, data_measure
from epsrank.theory.kernels.kernel_spectrum import spectrum_of_matrix
from epsrank.theory.kernels.neurons import NeuronLaw
from epsrank.theory.kernels.placed import placement
from epsrank.theory.kernels.prediction import initial_ranks
from epsrank.theory.kernels.simulation import simulate_depth, simulate_ranks
from epsrank.theory.kernels.slope import choose_slope

UNIT = LayerInit("normal", 1.0, 1.0)
LINE = box_measure((-1.0, 1.0))


def erf_law(scale: float = 1.0) -> NeuronLaw:
    return first_layer(LINE, layer_kernel("erf"), LayerInit("normal", scale**2, scale**2))


def test_cosine_kernel_on_the_circle_has_known_eigenvalues():
    # cos(x) cos(y) + sin(x) sin(y) on uniform points of the circle: μ = ½, ½.
    angle = np.arange(40) * 2 * np.pi / 40
    circle = data_measure(angle[:, None], text="circle")
    found = spectrum_of_matrix(np.cos(angle[:, None] - angle), 0.0, circle, "circle")
    np.testing.assert_allclose(found.values[:3], [0.5, 0.5, 0.0], atol=1e-14)
    assert int(found.rank(10, 1e-6)) == 2


def test_linear_kernel_on_an_interval():
    # identity, σ_b = 0: K = xy, one eigenvalue E x² = 1/3.
    law = first_layer(LINE, layer_kernel("identity"), LayerInit("normal", 1.0, 0.0))
    assert law.spectrum.values[0] == pytest.approx(1 / 3, rel=1e-13)
    assert int(law.spectrum.rank(1000, 1e-6)) == 1


def test_volume_measure_scales_the_eigenvalues():
    mean = first_layer(box_measure((0, 3)), layer_kernel("erf"), UNIT).spectrum
    volume = first_layer(box_measure((0, 3), measure="volume"), layer_kernel("erf"), UNIT).spectrum
    np.testing.assert_allclose(volume.values[:5], 3 * mean.values[:5], rtol=1e-9)


@pytest.mark.parametrize(("scale", "expected"), [(1.0, (10, 11, 12)), (10.0, (55, 62, 70))])
def test_known_limit_counts(scale, expected):
    # erf, x ~ U[−1, 1], ε = 1e-6; at n = 50 and scale 10 the count exceeds n, which caps it.
    spectrum = erf_law(scale).spectrum
    for n, count in zip((50, 200, 1000), expected, strict=True):
        assert int((n * spectrum.values > 1e-6).sum()) == count
        assert int(spectrum.rank(n, 1e-6)) == min(n, count)


@pytest.mark.parametrize(
    ("scale", "n", "mean"), [(1.0, 50, 8), (1.0, 200, 9.3), (10.0, 50, 26), (10.0, 200, 44)]
)
def test_known_means_at_finite_width(scale, n, mean):
    found = simulate_ranks(erf_law(scale), n, [1e-6], draws=20)[0]
    assert found.mean == pytest.approx(mean, abs=max(0.5, 4 * found.standard_error))
    assert found.unresolved == 0
    assert found.mean < int(erf_law(scale).spectrum.rank(n, 1e-6))


def test_eigenvalues_beyond_the_arithmetic_give_an_interval():
    found = erf_law().spectrum.rank(50, 1e-18)
    assert found.lower < found.upper
    assert "not told" in found.reason


def test_a_wrong_kernel_is_seen_in_the_mean_gram_matrix():
    # E[Φ Φᵀ]/n is the kernel; weights of twice the variance are not it.
    law = erf_law()
    values, _ = law.kernel()
    drawn = law.draw(20_000, np.random.default_rng(0))
    gap = np.abs(drawn @ drawn.T / 20_000 - values).max()
    wrong, _ = first_layer(LINE, layer_kernel("erf"), LayerInit("normal", 2.0, 1.0)).kernel()
    assert gap < 0.02
    assert np.abs(drawn @ drawn.T / 20_000 - wrong).max() > 0.05


@pytest.mark.parametrize("activation", ["tanh", "relu"])
@pytest.mark.parametrize("d", [1, 2, 4])
def test_uniform_law_by_quadrature_matches_draws(activation, d):
    inputs = box_measure([(-1, 1)] * d, n_points=40)
    law = first_layer(inputs, layer_kernel(activation), layer_init("default", d, 10))
    values, error = law.kernel()
    drawn = law.draw(40_000, np.random.default_rng(0))
    scale = np.abs(values).max()
    assert np.abs(drawn @ drawn.T / 40_000 - values).max() < 0.05 * scale + error


def test_split_rule_is_exact_for_relu():
    points = np.linspace(-1, 1, 9)
    for half_bias in (1.0, 0.4):
        kernels = []
        for nodes in (4, 11):
            w, b, p = split_rule(points, 1.0, half_bias, nodes)
            features = np.maximum(points[:, None] * w[:, 0] + b, 0) * np.sqrt(p)
            kernels.append(features @ features.T)
            assert p.sum() == pytest.approx(1, abs=1e-13)
        if half_bias == 1.0:  # every kink stays inside the range of b: polynomial in w too
            np.testing.assert_allclose(*kernels, atol=1e-14)
        else:
            np.testing.assert_allclose(*kernels, atol=1e-3)
    w, b, p = product_rule(1, 1.0, 1.0, 4)
    features = np.maximum(points[:, None] * w[:, 0] + b, 0) * np.sqrt(p)
    w, b, p = split_rule(points, 1.0, 1.0, 4)
    exact = np.maximum(points[:, None] * w[:, 0] + b, 0) * np.sqrt(p)
    assert np.abs(features @ features.T - exact @ exact.T).max() > 1e-4  # the fault it mends


def test_fan_in_scaling():
    points = np.array([[1.0, 2.0], [0.0, -1.0]])
    s = input_covariance(points, LayerInit("normal", 3.0, 0.5))
    np.testing.assert_allclose(s, 3.0 * points @ points.T / 2 + 0.5)
    for name in LAWS:
        init = layer_init(name, 7, 5)
        assert init.weight_variance >= 0
        json.dumps(init.to_json())
    assert layer_init("default", 7, 5) == LayerInit("uniform", 1 / 3, 1 / 21)
    assert layer_init("he", 7, 5, 0.5).weight_variance == pytest.approx(0.5)
    assert layer_init("xavier", 6, 2).weight_variance == pytest.approx(1.5)


def test_depth_recursion_is_the_composition():
    kernel, init = layer_kernel("relu"), LayerInit("normal", 2.0, 0.1)
    laws = hidden_neurons(LINE, [kernel] * 3, [init] * 3)
    s = input_covariance(LINE.points, init)
    for law in laws:
        values, _ = law.kernel()
        diagonal = np.diag(s)
        np.testing.assert_allclose(values, kernel(diagonal[:, None], s, diagonal), rtol=1e-12)
        s = 0.1 + 2.0 * values
    with pytest.raises(InputError, match="one of each"):
        hidden_neurons(LINE, [kernel], [])


def test_default_tanh_has_a_handful_whatever_the_width():
    for n in (20, 100, 1000):
        found = initial_ranks(LINE, "tanh", width=n, depth=2, draws=3)
        assert all(item.limit.upper <= 8 for item in found)
        assert all(item.band is not None and item.band.upper <= 9 for item in found)


def test_the_band_holds_and_its_lower_end_is_not_vacuous():
    for scale, n in ((1.0, 200), (10.0, 200)):
        law = erf_law(scale)
        band = finite_width_band(law, n, 1e-6)
        ranks = simulate_ranks(law, n, [1e-6], draws=40, seed=5)[0].ranks
        assert all(rank in band for rank in ranks)
        assert band.lower >= 3
        assert band.ridge_width > n  # where the two-sided form says nothing


def test_the_chernoff_constant_on_a_law_where_it_is_known():
    # ξ = √k e_i, i uniform on k coordinates: Σ ξξᵀ is k times the counts of n balls in k urns, and
    # λ_min ≤ (1 − η)n says that some urn has at most (1 − η)n/k balls.
    k, n, keep = 4, 60, 0.3
    xi = np.sqrt(k) * np.eye(k)
    bound = failure_of_rank(xi, np.full(k, 1 / k), n, keep * n)
    counts = np.random.default_rng(0).multinomial(n, [1 / k] * k, size=200_000)
    rate = float((counts.min(axis=1) * k <= keep * n).mean())
    assert 0 < rate <= bound < 0.2
    # A planted fault, ψ twice too large, would be below what happens.
    psi = 1 - keep + keep * np.log(keep)
    assert rate > k * np.exp(-2 * n * psi / k) * 1.0


def test_coordinates_are_isotropic():
    law = erf_law()
    features, probabilities = law.sample()
    xi = coordinates(law.spectrum, features, LINE, 4)
    np.testing.assert_allclose((xi * probabilities) @ xi.T, np.eye(4), atol=0.25)


def test_upper_end_is_markovs():
    law = erf_law()
    band = finite_width_band(law, 50, 1e-6, confidence=0.9)
    assert 50 * law.spectrum.tail(band.upper) <= 0.05e-6
    assert 50 * law.spectrum.tail(band.upper - 1) > 0.05e-6


def test_simulation_repeats_and_extends():
    law = erf_law()
    few, many = (simulate_ranks(law, 30, [1e-6], draws=k, seed=3)[0].ranks for k in (4, 8))
    assert many[:4] == few
    kernel = layer_kernel("erf")
    layers = simulate_depth(law, [kernel], [UNIT], 30, [1e-6, 1e-3], draws=3)
    assert len(layers) == 2
    assert all(a.mean >= b.mean for a, b in layers)


def test_grid_prediction_is_exact():
    place = placement("tanh", 40, domain=(-1, 1))
    law = place.neurons(LINE)
    features = np.tanh(20 * (LINE.points - np.linspace(-1, 1, 40)))
    direct = np.linalg.svd(LINE.root_weights[:, None] * features, compute_uv=False) ** 2
    np.testing.assert_allclose(40 * law.spectrum.values, direct, rtol=1e-9, atol=1e-14)
    assert law.deterministic
    found = initial_ranks(LINE, "tanh", width=40, first=law)[0]
    assert found.band is None
    assert found.estimate.ranks == (int(found.limit),)


@pytest.mark.parametrize("activation", ["tanh", "cosine", "gaussian"])
def test_chosen_slope_reaches_its_target_and_not_much_more(activation):
    choice = choose_slope(activation, 30, target_rank=15, domain=(-1, 1))
    assert 15 <= choice.rank <= 17
    assert choice.slope < choice.rule_slope
    below = choose_slope(activation, 30, target_rank=10, domain=(-1, 1))
    assert below.slope < choice.slope
    best = choose_slope(activation, 30, domain=(-1, 1))
    assert best.rank >= max(best.ranks) - 0.5
    json.dumps(best.to_json(), allow_nan=False)


def test_the_limit_count_would_choose_too_small_a_slope_for_random_layers():
    by_limit = choose_slope("cosine", 30, target_rank=15, domain=(-1, 1), by="kernel")
    drawn = choose_slope("cosine", 30, target_rank=15, domain=(-1, 1))
    assert by_limit.slope < drawn.slope


def test_slope_over_data():
    rng = np.random.default_rng(0)
    data = rng.standard_normal((200, 5))
    choice = choose_slope("tanh", 20, data=data, target_rank=15)
    assert choice.rank >= 15
    line = choose_slope("tanh", 20, data=data[:, 0], target_rank=8)
    assert line.rank >= 8


def test_bad_input():
    law = erf_law()
    cases = (
        (lambda: box_measure((1, 0)), "degenerate"),
        (lambda: box_measure((0, 1), measure="raw"), "'mean' or 'volume'"),
        (lambda: box_measure((0, 1), n_points=0), "n_points"),
        (lambda: box_measure([[[0, 1]]]), "shape"),
        (lambda: data_measure([[np.nan]]), "NaN"),
        (lambda: LayerInit("cauchy", 1.0, 0.0), "distribution"),
        (lambda: LayerInit("normal", -1.0, 0.0), "weight_variance"),
        (lambda: layer_init("orthogonal", 1, 1), "xavier"),
        (lambda: layer_init("default", 1, 1, 2.0), "init_scale"),
        (lambda: initial_ranks(LINE, "tanh", width=0), "width"),
        (lambda: initial_ranks(LINE, "tanh", width=5, depth=0), "depth"),
        (lambda: initial_ranks(LINE, "tanh", width=5, eps=[0.0]), "eps"),
        (lambda: simulate_ranks(law, 5, [1e-6], draws=0), "draws"),
        (lambda: finite_width_band(law, 5, 1e-6, confidence=1.0), "confidence"),
        (lambda: placement("tanh", 5), "exactly one"),
        (lambda: placement("tanh", 5, data=[[1.0], [1.0]]), "constant"),
        (lambda: placement("tanh", 5, domain=(0, np.inf)), "domain"),
        (lambda: placement("tanh", 5, domain=[(0, 1)] * 2).neurons(LINE), "dimension"),
        (lambda: choose_slope("tanh", 5, domain=(0, 1), target_rank=6), "target_rank"),
        (lambda: choose_slope("tanh", 200, domain=(0, 1), eps=5.0, target_rank=100), "widen"),
        (lambda: choose_slope("tanh", 5, domain=(0, 1), by="guess"), "finite-width"),
    )
    for call, text in cases:
        with pytest.raises(InputError, match=text):
            call()


def test_results_render():
    found = initial_ranks(LINE, "erf", width=20, init=UNIT, draws=2)[0]
    json.dumps(found.to_json(), allow_nan=False)
    json.dumps(found.spectrum.to_json(), allow_nan=False)
    json.dumps(LINE.to_json(), allow_nan=False)
    for item in (found, found.band, found.estimate, found.spectrum, LINE):
        assert "mean" in str(item) + item._repr_html_() or "probability" in str(item)
