"""Flows from small weights: rates and times against integration, scaling against closed forms."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import solve_ivp

from epsrank.theory.errors import InputError
from epsrank.theory.flows.escape import affine_loss, escape_rate, escape_time, mean_gradient
from epsrank.theory.flows.leading_order import flow, leading_order_blow_up
from epsrank.theory.symbolic.registry import statement

X = np.linspace(-1, 1, 30)
TARGETS = {
    "odd": np.sin(3 * X) + 0.5 * np.sin(8 * X),
    "none": np.sin(np.pi * X) + 0.3 * np.cos(4 * np.pi * X),
    "shifted": np.exp(X) - 1.5 * np.cos(5 * X),
}


def descent(y, scale, seed=0, width=6):
    """−∂loss/∂θ of a two-layer tanh network, and weights of a scale."""
    start = scale * np.random.default_rng(seed).standard_normal((3, width))

    def rhs(_, z):
        a, w, b = z.reshape(3, width)
        h = np.tanh(np.outer(X, w) + b)
        pull = 2 * (y - h @ a) / len(X)
        inner = (pull[:, None] * (1 - h**2)) * a
        return np.concatenate([h.T @ pull, X @ inner, inner.sum(axis=0)])

    return start, rhs


@pytest.mark.parametrize("name", TARGETS)
def test_the_loss_falls_when_the_linearised_flow_says_so(name):
    y, times = TARGETS[name], []
    g = mean_gradient(X, y)
    for scale in (1e-3, 1e-4):
        start, rhs = descent(y, scale)
        a, w, b = start

        def fallen(_, z, y=y):
            a, w, b = z.reshape(3, -1)
            u = np.tanh(np.outer(X, w) + b) @ a
            return np.mean((u - y) ** 2) - 0.9 * np.mean(y**2)

        fallen.terminal = True
        found = solve_ivp(rhs, (0, 100), start.ravel(), rtol=1e-8, atol=1e-12, events=fallen)
        times.append(found.t[-1])
        growing = (a + np.stack([w, b], axis=1) @ g / np.linalg.norm(g)) / np.sqrt(2)
        assert escape_time(X, y, growing) == pytest.approx(times[-1], rel=0.05)
    slope = (times[1] - times[0]) / np.log(10)
    assert slope * escape_rate(X, y) == pytest.approx(1, abs=0.01)


def test_rates_by_their_definition():
    y = TARGETS["shifted"]
    expected = 2 * np.hypot(np.mean(y * X), np.mean(y))
    assert escape_rate(X, y) == pytest.approx(expected)
    assert escape_rate(X[:, None], y, factor=1.0) == pytest.approx(expected / 2)
    centred = 2 * np.hypot(np.mean((y - y.mean()) * X), 0)
    assert escape_rate(X, y, output_bias=True) == pytest.approx(centred)
    # Even on a symmetric domain: no law at all.
    assert escape_rate(X, np.cos(X) + np.cos(30 * X), output_bias=True) == 0
    assert escape_rate(X, 5.0 + 1e-6 * X, output_bias=True) == pytest.approx(
        2e-6 * np.mean(X**2), rel=1e-6
    )
    assert escape_rate([-1.0, 0.0, 1.0], [1.0, 0.0, 1.0], output_bias=True) == 0
    assert escape_time(X, np.zeros(30), [1.0]) == np.inf
    assert affine_loss(X, 2 * X - 1) == pytest.approx(0, abs=1e-28)
    assert affine_loss(X, y) == pytest.approx(np.polyfit(X, y, 1, full=True)[1][0] / 30)


def test_the_formula_of_the_statement_is_that_of_the_code():
    y, scale = TARGETS["odd"], 1e-3
    growing = np.array([0.3, -1.0, 0.7])
    g = np.linalg.norm(mean_gradient(X, y))
    along = np.column_stack([X, np.ones(30)]) @ mean_gradient(X, y) / g
    fall = 0.1 * np.mean(y**2)
    s = np.roots([np.mean(along**2), -2 * g, fall]).min()
    found = statement("B1-escape").function()(scale, s, np.sum(growing**2), escape_rate(X, y))
    assert escape_time(X, y, scale * growing) == pytest.approx(found)


@pytest.mark.parametrize("widths", [(3, 2), (3, 3, 2), (2, 4, 3, 2)])
def test_blow_up_scales_exactly(widths):
    random = np.random.default_rng(1)
    shapes = list(zip((*widths[1:], 1), widths, strict=True))
    start = [random.standard_normal(shape) for shape in shapes]
    if len(start) < 3:
        with pytest.raises(InputError, match="two layers grow exponentially"):
            leading_order_blow_up(start, np.ones(widths[0]))
        return
    v = random.standard_normal(widths[0])
    one = leading_order_blow_up(start, v)
    small = leading_order_blow_up([0.01 * w for w in start], v, factor=2.0)
    assert small.time * 0.01 ** (len(start) - 2) * 2 == pytest.approx(one.time, rel=1e-8)
    # Rows of the first layer have turned to v by then.
    assert one.alignment > 0.999
    assert one.reached < one.time


@pytest.mark.parametrize("count", [3, 4, 5])
def test_balanced_neurons_by_their_closed_form(count):
    found = leading_order_blow_up([[[0.7]]] * count, [1.0], factor=1.5)
    assert found.time == pytest.approx(statement("B4-balanced").function()(0.7, count, 1.5))


def test_the_flow_by_differences_and_what_never_blows_up():
    random = np.random.default_rng(2)
    start = [random.standard_normal(shape) for shape in ((2, 3), (2, 2), (1, 2))]
    v, step = random.standard_normal(3), 1e-6
    got = flow(start, v, 2.0)
    for number, (i, j) in ((0, (1, 2)), (1, (0, 1)), (2, (0, 1))):
        ends = []
        for sign in (1, -1):
            moved = [w.copy() for w in start]
            moved[number][i, j] += sign * step
            ends.append(2.0 * (moved[2] @ moved[1] @ moved[0] @ v)[0])
        assert got[number][i, j] == pytest.approx((ends[0] - ends[1]) / (2 * step))
    assert leading_order_blow_up(start, np.zeros(3)).time == np.inf
    # Signs that pull the weights to 0.
    assert leading_order_blow_up([[[1.0]], [[1.0]], [[-1.0]]], [1.0]).time == np.inf


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: escape_rate(X, np.ones(3)), r"target has shape \(3,\)"),
        (lambda: escape_rate(X, np.full(30, np.nan)), "target has 30 non-finite"),
        (lambda: escape_rate(X, X, factor=0), "factor is 0"),
        (lambda: leading_order_blow_up([[[1]], [[1, 1]], [[1]]], [1]), "layer 2 has shape"),
        (lambda: leading_order_blow_up([[[1]], [[1]], [[1], [1]]], [1]), "pass one output"),
        (lambda: leading_order_blow_up([[[1]]] * 3, 1.0), "layer 1 has shape"),
        (lambda: leading_order_blow_up([[[np.inf]]] * 3, [1]), "layers has 1 non-finite"),
        (lambda: leading_order_blow_up([[[1]]] * 3, [1], factor=-1), "factor is -1"),
    ],
)
def test_bad_arguments_are_one_line(call, words):
    with pytest.raises(InputError, match=words):
        call()
