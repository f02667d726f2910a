"""Frequency errors and barriers against their formulas, and where they are known."""

from __future__ import annotations

import cmath
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank import (
    BarrierTo,
    FrequencyError,
    InputError,
    QuantityData,
    frequency_errors,
    losses_between,
    principal_coordinates,
)
from tests.numerics.phenomena.cases import cross_entropy, mlp, samples

N = 40
GRID = -math.pi + 2 * math.pi * np.arange(N) / N


def wave(x, amplitudes):
    return sum(a * np.sin(k * x + 0.3 * k) for k, a in amplitudes.items())


@pytest.mark.parametrize("method", ["grid", "least-squares"])
def test_each_wave_has_its_own_error(method):
    y = wave(GRID, {1: 1.0, 3: 2.0, 5: 3.0})
    t = wave(GRID, {1: 1.0, 3: 1.0, 5: 0.0, 9: 4.0})
    found = frequency_errors(GRID, y, t, [1, 3, 5], method=method)
    assert found == pytest.approx([0, 0.5, 1], abs=1e-12)


def test_off_the_bins_least_squares_sees_one_wave_and_the_grid_two():
    x = np.linspace(-5, 5, 100)
    y, t = np.sin(x) + np.sin(3 * x), np.sin(x)
    assert frequency_errors(x, y, t, [1, 3], method="least-squares") == pytest.approx([0, 1])
    leaking = frequency_errors(x, y, t, [2, 3, 4, 5, 6], method="grid")
    assert ((leaking > 0.05) & (leaking < 0.999)).any()


def test_along_the_principal_component_as_written():
    draw = np.random.default_rng(0)
    x, y, t = draw.normal(size=(12, 3)) * [5, 1, 1], draw.normal(size=(12, 2)), np.zeros((12, 2))
    t[:, 0] = y[:, 0] + 0.1 * draw.normal(size=12)
    p = principal_coordinates(x)
    gamma = 2.5

    def literal(values):
        return [
            sum(v * cmath.exp(-2j * math.pi * a * gamma) for v, a in zip(column, p, strict=True))
            / 12
            for column in values.T
        ]

    goal = literal(y)
    apart = math.sqrt(sum(abs(a - b) ** 2 for a, b in zip(literal(t), goal, strict=True)))
    expected = apart / math.sqrt(sum(abs(a) ** 2 for a in goal))
    assert frequency_errors(x, y, t, [gamma], method="principal")[0] == pytest.approx(expected)
    # Largest variance, whatever the sign that LAPACK gives.
    assert abs(np.corrcoef(p, x[:, 0])[0, 1]) > 0.95
    assert principal_coordinates(-x) == pytest.approx(1 - p)


def test_a_network_that_has_the_target_has_no_error_and_labels_count_as_unit_vectors():
    model, data = mlp(), samples()
    with torch.no_grad():
        outputs = model(data.inputs)
    own = QuantityData(data.inputs, outputs)
    assert FrequencyError(1.5, method="principal")(model, None, own) == 0
    found = FrequencyError(1.5, method="principal")(model, None, data)
    expected = frequency_errors(
        data.inputs, F.one_hot(data.targets, 3), outputs.softmax(-1), [1.5], method="principal"
    )
    assert found == pytest.approx(expected[0])


def test_a_segment_through_a_hill_has_its_barrier():
    """L(w) = (w² − 1)²: ±1 are minima, and the hill between them is 1 high."""

    class Square(nn.Module):
        def __init__(self, w):
            super().__init__()
            self.w = nn.Parameter(torch.tensor([w], dtype=torch.float64))

        def forward(self, x):
            return (self.w**2).expand(len(x), 1)

    data = QuantityData(torch.ones(3, 1).double(), torch.ones(3, 1).double())
    quantity = BarrierTo(Square(-1.0).state_dict())
    assert quantity(Square(1.0), F.mse_loss, data) == pytest.approx(1)
    assert BarrierTo(Square(1.0).state_dict())(Square(1.0), F.mse_loss, data) == 0


def test_losses_between_are_those_of_models_with_such_weights():
    first, second, data = mlp(0), mlp(1), samples()
    found = losses_between(first, second.state_dict(), cross_entropy, data, points=3)
    middle = mlp()
    with torch.no_grad():
        for m, a, b in zip(*(net.parameters() for net in (middle, first, second)), strict=True):
            m.copy_((a + b) / 2)
        expected = [
            cross_entropy(net(data.inputs), data.targets) for net in (first, middle, second)
        ]
    assert found == pytest.approx([float(value) for value in expected])


def test_convex_losses_have_no_barrier():
    data = QuantityData(samples().inputs, torch.zeros(30, 1).double())
    one, two = (nn.Linear(8, 1).double() for _ in range(2))
    assert BarrierTo(two.state_dict())(one, F.mse_loss, data) == 0


X = np.arange(6.0)


ONES = np.ones(8)


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: frequency_errors(X, X, X, [1], method="fft"), "method is 'fft'"),
        (lambda: frequency_errors(X, X, X[:3], [1]), r"outputs has shape \(3, 1\)"),
        (lambda: frequency_errors(X**2, X, X, [1]), "not equispaced"),
        (lambda: frequency_errors(X, X, X, [1.5]), "pass whole numbers up to 3"),
        (lambda: frequency_errors(np.eye(6), X, X, [1]), "x has 6 columns"),
        (lambda: principal_coordinates(np.ones((4, 2))), "no principal component"),
        (lambda: frequency_errors(np.ones(8), ONES, ONES, [1]), "x is not equispaced"),
        (lambda: frequency_errors(ONES, ONES, ONES, [math.nan]), "frequencies has 1 non-finite"),
        (lambda: frequency_errors(ONES, ONES, ONES, ["a"]), "frequencies"),
        (
            lambda: frequency_errors(ONES, ONES, ONES, range(1, 5), method="least-squares"),
            "frequencies are 4, which is more than 8 points can tell apart; pass at most 3",
        ),
        (lambda: FrequencyError(1, method="fft"), "method is 'fft'"),
        (
            lambda: FrequencyError(1)(mlp(), None, QuantityData(torch.ones(3, 8))),
            "targets are missing",
        ),
        (lambda: BarrierTo(3), "state is a int"),
        (lambda: BarrierTo({})(mlp(), cross_entropy, samples()), r"other weights \(0.bias"),
        (lambda: BarrierTo({}, points=1), "points is 1"),
    ],
)
def test_what_cannot_be_measured_is_one_line(call, match):
    with pytest.raises(InputError, match=match):
        call()
