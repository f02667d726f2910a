"""Jets of networks: the same derivatives as nested forward differentiation, and their adjoints."""

from __future__ import annotations

import pytest
import torch

from epsrank.numerics.networks import ACTIVATIONS, MLP, ResNet
from epsrank.numerics.operators import Jet, burgers, derivatives, heat, laplacian, partial, poisson


def points(n=12, d=2, seed=0):
    return torch.rand(n, d, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def network(kind=MLP, activation="tanh", d=2, seed=0):
    torch.manual_seed(seed)
    return kind(d, 7, 3, activation=activation).double()


def reference(function, x):
    """(2, 1): value, both slopes and the second derivative along the first axis."""
    first = partial(function, 0)
    parts = (function(x), first(x), partial(function, 1)(x), partial(first, 0)(x))
    return torch.stack(parts)


@pytest.mark.parametrize("kind", [MLP, ResNet])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_jets_are_nested_derivatives(kind, activation):
    model, x = network(kind, activation), points()
    jet = derivatives(model, x, (2, 1))
    found = torch.stack([jet.value, jet.first(0), jet.first(1), jet.second(0)])
    torch.testing.assert_close(found, reference(model, x), rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_adjoints_are_those_of_nested_derivatives(activation):
    model, x = network(activation=activation), points()
    weights = torch.randn(4, 12, 1, dtype=torch.float64)

    def slopes(parts):
        loss = (weights * parts).square().sum()
        return torch.autograd.grad(loss, list(model.parameters()), allow_unused=True)

    jet = derivatives(model, x, (2, 1))
    mine = slopes(torch.stack([jet.value, jet.first(0), jet.first(1), jet.second(0)]))
    for own, other in zip(mine, slopes(reference(model, x)), strict=True):
        if other is not None:
            torch.testing.assert_close(own, other, rtol=1e-9, atol=1e-11)


def test_the_adjoint_can_be_differentiated():
    model, x = network(), points(4)

    def loss(weight):
        state = dict(model.named_parameters()) | {"layers.1.weight": weight}

        def function(z):
            return torch.func.functional_call(model, state, (z,))

        return burgers()(function)(x).square().mean()

    weight = model.layers[1].weight.detach().clone().requires_grad_()
    assert torch.autograd.gradgradcheck(loss, (weight,), atol=1e-6)


@pytest.mark.parametrize("orders", [(0, 0), (1, 0), (0, 2), (1, 2), (2, 2)])
def test_orders_per_axis(orders):
    model, x = network(), points()
    jet = derivatives(model, x, orders)
    torch.testing.assert_close(jet.value, model(x))
    for axis, order in enumerate(orders):
        if order >= 1:
            torch.testing.assert_close(jet.first(axis), partial(model, axis)(x))
        else:
            with pytest.raises(ValueError, match="not in tuple"):
                jet.first(axis)
        if order == 2:
            torch.testing.assert_close(jet.second(axis), laplacian(model, (axis,))(x))


def test_arithmetic_by_leibniz():
    def function(z):
        u, v = torch.tanh(z @ matrix), torch.cos(z @ matrix)
        shift = torch.arange(3.0, dtype=torch.float64)
        parts = [2 * u * v - v, 1 - u + shift, (u - 0.5) * shift, shift * u + v, -u.square() * 3.0]
        return torch.cat(parts, dim=1)

    matrix = torch.randn(2, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    x = points()
    carried = function(_seeded(x))
    assert isinstance(carried, Jet)
    jet = derivatives(function, x, (2, 1))
    found = torch.stack([jet.value, jet.first(0), jet.first(1), jet.second(0)])
    torch.testing.assert_close(found, reference(function, x), rtol=1e-12, atol=1e-13)


def _seeded(x):
    unit = torch.eye(2, dtype=x.dtype)
    zero = torch.zeros_like(x)
    return Jet(torch.stack([x, unit[0].expand_as(x), unit[1].expand_as(x), zero]), (0, 1))


def test_other_functions_are_differentiated_forward():
    def function(z):
        return torch.sinh(z[:, :1]) * z[:, 1:] ** 3

    x = points()
    jet = derivatives(function, x, (2, 1))
    torch.testing.assert_close(jet.second(0), function(x))
    torch.testing.assert_close(heat(0.5)(function)(x), jet.first(1) - 0.5 * function(x))


def test_one_input_becomes_many_functions():
    centres = torch.linspace(-1, 1, 8, dtype=torch.float64)
    x = points(d=1)

    def function(z):
        return torch.tanh(3 * (z - centres))

    assert isinstance(function(Jet(torch.stack([x, torch.ones_like(x)]), (0,))), Jet)
    t = torch.tanh(3 * (x - centres))
    torch.testing.assert_close(derivatives(function, x, (2,)).second(0), -18 * t * (1 - t**2))


def test_faults_of_a_function_are_its_own():
    with pytest.raises(AttributeError, match="nowhere"):
        derivatives(lambda z: z.nowhere(), points(), (1, 1))


def test_a_planted_wrong_rule_is_caught(monkeypatch):
    import epsrank.numerics.operators.jets as jets

    def wrong(z):
        value, slope, bend, third = jets._tanh(z)
        return value, slope, -bend, third

    monkeypatch.setitem(jets._RULES, torch.tanh, wrong)
    model, x = network(), points()
    assert not torch.allclose(poisson()(model)(x), -laplacian(model)(x), rtol=1e-3)
