"""Closed forms and quadratures of layer kernels: Monte Carlo, each other, limits, bad input."""

from __future__ import annotations

import json

import numpy as np
import pytest
import sympy as sp
from scipy import integrate, stats

from epsrank.theory.errors import InputError
from epsrank.theory.kernels.catalogue import SIGMAS, kolmogorov_density, layer_kernel
from epsrank.theory.kernels.closed_forms import moment
from epsrank.theory.kernels.polar import gauss_rule, polar_kernel
from tests.theory.kernels.monte_carlo import COVARIANCES, KERNELS, THRESHOLD, z_scores

SAMPLES = 100_000


@pytest.mark.parametrize("name", KERNELS)
def test_kernel_is_the_mean_of_products(name):
    kernel = KERNELS[name]()
    assert max(map(abs, z_scores(name, SAMPLES, kernel))) < THRESHOLD


@pytest.mark.parametrize("name", KERNELS)
@pytest.mark.parametrize("fault", ["normalisation", "variance"])
def test_a_planted_fault_is_caught(name, fault):
    kernel = KERNELS[name]()
    wrong = {
        "normalisation": lambda xx, xy, yy: 1.1 * kernel(xx, xy, yy),
        "variance": lambda xx, xy, yy: kernel(1.5 * xx, 1.5 * xy, 1.5 * yy),
    }[fault]
    if (name, fault) == ("step", "variance"):
        # The step does not know scales: there the fault is one of the correlation.
        def wrong(xx, xy, yy):
            return kernel(xx, 0.8 * xy, yy)

    assert max(map(abs, z_scores(name, SAMPLES, wrong))) > THRESHOLD


@pytest.mark.parametrize("name", [*SIGMAS, "cubic"])
def test_polar_quadrature_agrees_with_every_other_route(name):
    kernel = KERNELS[name]()
    xx, xy, yy = (np.array(column) for column in zip(*COVARIANCES, strict=True))
    values, error = polar_kernel(kernel.activation, xx, xy, yy)
    expected = kernel(xx, xy, yy)
    scale = np.abs(expected).max()
    assert error <= 1e-9 * scale
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12 * scale + error)


@pytest.mark.parametrize("scale", [1e-8, 1e-3, 1.0, 30.0, 1e4, 1e8])
def test_tanh_is_accurate_at_every_scale(scale):
    kernel = layer_kernel("tanh")
    value, error = kernel.with_error(scale, scale, scale)
    deviation = np.sqrt(scale)
    expected, _ = integrate.quad(
        lambda z: 2 * np.tanh(deviation * z) ** 2 * stats.norm.pdf(z),
        0,
        10,
        points=sorted({min(9.0, k / deviation) for k in (0.5, 1.0, 2.0, 4.0, 8.0, 16.0)}),
        epsabs=0,
        epsrel=1e-12,
        limit=400,
    )
    assert float(value) == pytest.approx(expected, rel=1e-10)
    assert error <= 1e-12


def test_the_logistic_law_is_a_scale_mixture_over_kolmogorovs():
    log_scale = np.linspace(np.log(0.15), np.log(5), 600)
    scale = np.exp(log_scale)
    density = kolmogorov_density(scale) * scale * (log_scale[1] - log_scale[0])
    assert density.sum() == pytest.approx(1, abs=1e-13)
    for z in (-3.0, 0.2, 1.0, 7.0):
        mixed = float((density * stats.norm.cdf(z / (2 * scale))).sum())
        assert mixed == pytest.approx(1 / (1 + np.exp(-z)), rel=1e-11)


def test_gauss_rule_of_a_discrete_measure_is_exact_for_polynomials():
    points, weights = np.linspace(0, 1, 500), np.full(500, 1 / 500)
    nodes, found = gauss_rule(points, weights, 6)
    for degree in range(12):
        exact = float(weights @ points**degree)
        assert float(found @ nodes**degree) == pytest.approx(exact, rel=1e-11)


@pytest.mark.parametrize("name", [*KERNELS])
def test_kernel_matrices_are_symmetric_and_positive(name):
    rng = np.random.default_rng(0)
    factor = rng.standard_normal((30, 6))
    covariance = factor @ factor.T / 6
    matrix, error = KERNELS[name]().matrix(covariance)
    np.testing.assert_array_equal(matrix, matrix.T)
    assert np.linalg.eigvalsh(matrix)[0] >= -30 * error - 1e-12 * np.abs(matrix).max()


@pytest.mark.parametrize("name", ["relu", "step", "leaky_relu", "tanh", "erf", "elu"])
def test_zero_variance_is_a_constant_neuron(name):
    kernel = layer_kernel(name)
    at_zero = float(kernel.activation(np.zeros(1))[0])
    mean_other = float(kernel(0.0, 0.0, 1.0))
    z = np.random.default_rng(1).standard_normal(400_000)
    assert mean_other == pytest.approx(at_zero * kernel.activation(z).mean(), abs=1e-3)


def test_relu_has_no_cancellation_near_full_correlation():
    # To 50 digits at the same floating-point inputs.
    kernel = layer_kernel("relu")
    for gap in (1e-15, 1e-12, 1e-9, 1e-4):
        xy = 1.0 - gap
        symbols = sorted(kernel.expression.free_symbols, key=str)
        exact = kernel.expression.subs(
            dict(zip(symbols, (sp.Integer(1), sp.Rational(*xy.as_integer_ratio()), 1), strict=True))
        )
        assert float(kernel(1.0, xy, 1.0)) == pytest.approx(float(sp.N(exact, 50)), rel=1e-14)


def test_isserlis_moments():
    for p, q in ((0, 0), (1, 2), (2, 2), (5, 3)):
        symbols = sp.symbols("S_xx S_yy", positive=True), sp.Symbol("S_xy", real=True)
        at = {symbols[0][0]: 1, symbols[0][1]: 1, symbols[1]: 1}
        total = p + q
        expected = 0 if total % 2 else sp.factorial2(total - 1)
        assert moment(p, q).subs(at) == expected


def test_a_kernel_prints_and_goes_to_json():
    for name in KERNELS:
        kernel = KERNELS[name]()
        json.dumps(kernel.to_json(), allow_nan=False)
        assert kernel.route in str(kernel)
        assert kernel.route in kernel._repr_html_()
    assert "asin" in layer_kernel("erf").latex
    assert "int" in layer_kernel("tanh").latex


def test_bad_input():
    kernel = layer_kernel("erf")
    for arguments, text in (
        ((-1.0, 0.0, 1.0), "negative"),
        ((1.0, 2.0, 1.0), "exceeds"),
        ((np.nan, 0.0, 1.0), "NaN"),
        (([], [], []), "empty"),
    ):
        with pytest.raises(InputError, match=text):
            kernel(*arguments)
    with pytest.raises(InputError, match="choose one of tanh"):
        layer_kernel("softmax")
    for coefficients in (None, [], [np.inf], ["a"]):
        with pytest.raises(InputError, match="coefficients"):
            layer_kernel("polynomial", coefficients=coefficients)
    with pytest.raises(InputError, match="slope"):
        layer_kernel("leaky_relu", slope=np.nan)
    with pytest.raises(InputError, match="smaller"):
        layer_kernel("polynomial", coefficients=[0, 0, 1])(1e200, 0.0, 1e200)


def test_a_rule_that_does_not_converge_says_so():
    kernel = layer_kernel(lambda z: np.cos(400 * z))
    value, error = kernel.with_error(1.0, 0.5, 1.0)
    assert error > 1e-3
    assert abs(float(value)) <= error + 1e-6
