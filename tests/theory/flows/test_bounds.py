"""P1 and P2 as they are written, at their edges; networks hold them in tests/proofs/checkers."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from scipy.integrate import quad

from epsrank import InputError, condensation_bound, plateau_bound
from epsrank.theory.symbolic.registry import statement

X = np.linspace(-1, 1, 20)
ODD, EVEN = np.sin(3 * X), np.cos(3 * X) - np.cos(3 * X).mean()


def layers(sigma=1e-3, widths=(2, 6, 1), seed=0):
    draw = np.random.default_rng(seed)
    return [sigma * draw.normal(size=(b, a)) for a, b in pairwise(widths)]


def naive(weights, x, y, share, kappa, c):
    """Γ, the needed ⟨y, u⟩ and its bound, written out; x has its column of ones."""
    n = len(x)
    size = [np.linalg.norm(row) for row in x]
    mean = sum(y[i] * x[i] for i in range(n)) / n
    cubes = sum(abs(y[i]) * size[i] ** 3 for i in range(n)) / n
    squares = sum(s**2 for s in size) / n
    flat = sum(abs(y[i]) * size[i] for i in range(n)) / n
    target = math.sqrt(sum(v**2 for v in y) / n)

    def inner(w):
        total = 0.0
        for k in range(1, len(w)):
            total += math.prod(v**2 for v in w[:k])
        return total

    def rate(w):
        curved = np.linalg.norm(mean) + 3 * kappa * inner(w) * cubes
        return c * (min(flat, curved) + math.prod(w) * squares)

    def reached(w):
        along = np.linalg.norm(mean) + kappa * inner(w) * cubes
        return math.prod(w) * min(along, target * math.sqrt(squares))

    first = math.prod(np.linalg.norm(w, 2) for w in weights)
    root = math.sqrt(share)
    return rate, reached, target * ((1 - root) * target - root * math.sqrt(squares) * first)


@pytest.mark.parametrize("widths", [(2, 6, 1), (2, 3, 4, 1), (2, 3, 3, 3, 1)])
@pytest.mark.parametrize(("activation", "kappa"), [("tanh", 1 / 3), ("sin", 1 / 6), ("relu", 1e9)])
def test_the_recursion_as_written(widths, activation, kappa):
    weights = layers(0.01 if len(widths) == 3 else 0.1, widths)
    x, eta = np.column_stack([X, np.ones(20)]), 0.1
    rate, reached, need = naive(weights, x, ODD, 0.9, kappa, 2.0)
    w, steps = [np.linalg.norm(v, 2) for v in weights], 0
    while reached(w) < need:
        gain = rate(w)
        w = [v + eta * gain * math.prod(w[:k] + w[k + 1 :]) for k, v in enumerate(w)]
        steps += 1
    found = plateau_bound(weights, X, ODD, learning_rate=eta, activation=activation)
    assert found.steps == pytest.approx(steps, abs=1)
    assert steps > 5
    # A step of descent goes less far than the flow.
    assert eta * found.steps >= found.time


def test_the_time_is_the_integral():
    weights = layers(0.05, (2, 3, 4, 1))
    x = np.column_stack([X, np.ones(20)])
    rate, reached, need = naive(weights, x, ODD, 0.9, 1 / 3, 2.0)
    start = np.array([np.linalg.norm(v, 2) for v in weights]) ** 2

    def at(rho):
        return np.sqrt(start + rho).tolist()

    end = np.geomspace(1e-6, 10, 20_000)
    last = next(r for r in end if reached(at(r)) >= need)
    expected, _ = quad(lambda r: 1 / (2 * rate(at(r)) * math.prod(at(r))), 0, last, limit=200)
    assert plateau_bound(weights, X, ODD).time == pytest.approx(expected, rel=2e-3)


def test_the_closed_form_of_two_equal_layers():
    draw = np.random.default_rng(1)
    one, two = draw.normal(size=(6, 2)), draw.normal(size=(1, 6))
    weights = [1e-4 * w / np.linalg.norm(w, 2) for w in (one, two)]
    x = np.column_stack([X, np.ones(20)])
    g = np.linalg.norm(x.T @ ODD / 20)
    sizes = np.linalg.norm(x, axis=1)
    bend = np.mean(sizes**2) + np.mean(np.abs(ODD) * sizes**3)
    cubes = np.mean(np.abs(ODD) * sizes**3) / 3
    square = np.mean(ODD**2)
    need = square * (1 - math.sqrt(0.9)) - math.sqrt(0.9 * square * np.mean(sizes**2)) * 1e-8
    last = math.sqrt((-g + math.sqrt(g**2 + 4 * cubes * need)) / (2 * cubes))
    expected = statement("P1").function()(last, 1e-4, g, bend, 2.0)
    assert plateau_bound(weights, X, ODD).time == pytest.approx(expected, rel=1e-3)


def test_what_grows_with_the_scale():
    """log(1/σ) where g is not 0, 1/σ² where it is, 1/σ for three layers; zeros stay for ever."""
    g = np.linalg.norm([np.mean(X * ODD), np.mean(ODD)])
    a, b = (plateau_bound(layers(s), X, ODD).time for s in (1e-4, 1e-6))
    assert (b - a) * 2 * g == pytest.approx(math.log(100), rel=0.01)
    a, b = (plateau_bound(layers(s), X, EVEN).time for s in (1e-3, 1e-4))
    assert b / a == pytest.approx(100, rel=0.01)
    a, b = (plateau_bound(layers(s, (2, 3, 3, 1)), X, ODD).time for s in (1e-4, 1e-5))
    assert b / a == pytest.approx(10, rel=0.01)
    still = [np.zeros((3, 2)), np.zeros((1, 3))]
    found = plateau_bound(still, X, ODD, learning_rate=0.1, most=50)
    assert (found.steps, found.time) == (50, math.inf)
    # One layer of 0 is moved by the other.
    assert 0 < plateau_bound([layers()[0], np.zeros((1, 6))], X, ODD).time < math.inf
    # Large weights: nothing is certain.
    assert plateau_bound(layers(1.0), X, ODD, learning_rate=0.1).steps == 0
    times = [plateau_bound(layers(), X, ODD, share=s).time for s in (0.5, 0.9, 0.99)]
    assert times == sorted(times, reverse=True)
    long = plateau_bound(layers(1e-6), X, ODD, learning_rate=0.01, most=10)
    assert long.steps == pytest.approx(long.time / 0.01, abs=2)


def test_two_outputs_and_a_target_of_one_axis():
    both = np.column_stack([ODD, X])
    found = plateau_bound(layers(widths=(2, 6, 2)), X, both, learning_rate=0.1)
    assert 5 < found.steps < plateau_bound(layers(), X, ODD / 10, learning_rate=0.1).steps
    flat, column = (plateau_bound(layers(), X, y).time for y in (ODD, ODD[:, None]))
    assert flat == column


def test_condensation_as_written():
    weights, eta, c = layers(1e-4), 0.1, 2.0
    found = condensation_bound(weights, X, ODD, learning_rate=eta, fall=0.02)
    x = np.column_stack([X, np.ones(20)])
    g, sizes = x.T @ ODD / 20, np.linalg.norm(x, axis=1)
    gamma = np.linalg.norm(g)
    bend = np.mean(sizes**2) + np.mean(np.abs(ODD) * sizes**3)
    first = m = max(np.linalg.norm(w, 2) for w in weights)
    for _ in range(found.step):
        m *= 1 + eta * c * (gamma + bend * m**2)
    formula = statement("P2").function()
    for (w, b), a, cosine in zip(weights[0], weights[1][0], found.cosines, strict=True):
        s = math.sqrt(a**2 + w**2 + b**2)
        along = abs(a + (w * g[0] + b * g[1]) / gamma) / math.sqrt(2)
        tau = formula(along / s, m, first, gamma, bend)
        expected = math.sqrt((1 - tau**2) / (1 + tau**2)) if 0 < tau < 1 else 0.0
        assert cosine == pytest.approx(expected, abs=1e-4)
    assert 0 < found.neurons(0.9) <= 6
    assert found.share(0.5) >= found.share(0.95) > 0
    flow = condensation_bound(weights, X, ODD, fall=0.02)
    assert flow.step is None
    assert flow.time == pytest.approx(found.time, rel=0.1)
    np.testing.assert_allclose(found.direction, g / gamma)


def test_all_neurons_condense_as_the_scale_goes_to_0():
    """Whatever the angle and the fall: the theorem's corollary."""
    draw = np.random.default_rng(3)
    for cosine, sigma, fall in ((0.95, 1e-6, 1e-3), (0.999, 1e-9, 1e-5)):
        weights = [sigma * draw.normal(size=(8, 2)), sigma * draw.normal(size=(1, 8))]
        found = condensation_bound(weights, X, ODD, fall=fall)
        assert found.neurons(cosine) == 8
        assert found.share(cosine) > 0.999


def test_any_scale_of_weights():
    """Squares and products of norms leave float64 before the norms do."""
    for sigma, widths in [(1e-170, (2, 6, 1)), (1e-100, (2, 3, 3, 3, 1)), (5e-324, (2, 3, 1)),
                          (1e200, (2, 6, 1))]:  # fmt: skip
        found = plateau_bound(layers(sigma, widths), X, ODD, learning_rate=0.1, most=10)
        assert math.isfinite(found.time)
        # What is certain of larger weights is certain of these.
        assert found.time >= plateau_bound(layers(max(sigma, 1e-60), widths), X, ODD).time
        assert (found.steps > 0) == (sigma < 1)
    times = [plateau_bound(layers(s), X, ODD).time for s in (1e-120, 1e-140)]
    g = np.linalg.norm([np.mean(X * ODD), np.mean(ODD)])
    assert (times[1] - times[0]) * 2 * g == pytest.approx(math.log(1e20), rel=0.01)
    for sigma in (1e-100, 1e-170, 1e-300):
        found = condensation_bound(layers(sigma), X, ODD, fall=1e-3)
        assert found.neurons(0.99) == 6
        assert found.share(0.99) > 0.999
        # The flow grows by 2‖g‖ in a unit of time.
        nats = math.log(0.01 / sigma)
        assert found.time * 2 * g == pytest.approx(nats, rel=0.05)


@pytest.mark.parametrize("bound", [plateau_bound, condensation_bound])
@pytest.mark.parametrize(
    ("weights", "x", "y", "options", "line"),
    [
        ([np.ones((1, 2))], X, ODD, {}, "layers have shapes"),
        (layers(widths=(4, 6, 1)), X, ODD, {}, "layer 1 has 4 columns; pass 1"),
        ([np.ones((3, 2)), np.ones((1, 4))], X, ODD, {}, "layer 2 has 4 columns; pass 3"),
        (layers(widths=(2, 6, 2)), X, ODD, {}, "target has 1 column, and|layers have shapes"),
        ([np.full((3, 2), np.nan), np.ones((1, 3))], X, ODD, {}, "layer 1 has 6 non-finite"),
        (layers(), X, ODD[:5], {}, "target has 5 rows, inputs 20"),
        (layers(), X, ODD, {"activation": "gelu"}, "activation is 'gelu'"),
        (layers(), X, ODD, {"learning_rate": 0.0}, "learning_rate is 0; pass η > 0"),
        (layers(1.0), X, ODD, {"learning_rate": -1.0}, "learning_rate is -1; pass η > 0"),
        (layers(1e200), X, ODD, {"learning_rate": 0.0}, "learning_rate is 0; pass η > 0"),
        (layers(), X, ODD, {"factor": -1.0}, "factor"),
        (layers(), np.full(20, np.inf), ODD, {}, "inputs has 20 non-finite"),
    ],
)
def test_one_line(bound, weights, x, y, options, line):
    with pytest.raises(InputError, match=line):
        bound(weights, x, y, **options)


@pytest.mark.parametrize(
    ("weights", "y", "options", "line"),
    [
        (layers(), EVEN, {}, "target has mean y x = 0 up to rounding"),
        (layers(1.0), ODD, {}, "layers have norms up to .* pass smaller weights"),
        (layers(1e200), ODD, {}, "layers have norms up to .* pass smaller weights"),
        (layers(0.0), ODD, {}, "layers are 0, which no step changes"),
        (layers(), ODD, {"activation": "relu"}, "not linear to second order"),
        (layers(), ODD, {"learning_rate": 10.0}, "learning_rate is 10; pass ≤"),
        (layers(widths=(2, 3, 3, 1)), ODD, {}, "pass two, with one output"),
    ],
)
def test_one_line_of_condensation(weights, y, options, line):
    with pytest.raises(InputError, match=line):
        condensation_bound(weights, X, y, **options)
