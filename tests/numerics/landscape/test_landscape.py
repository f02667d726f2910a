"""Slices of a known loss, directions at the scale of the weights, and the shape of lines."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from epsrank.numerics.landscape import (
    filter_normalised,
    line_shape,
    losses_on_lines,
    losses_on_plane,
    path_directions,
)
from epsrank.theory.errors import InputError


def linear(seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(3, 4), nn.Tanh(), nn.Linear(4, 2)).double()


def squares(model):
    return sum((p**2).sum() for p in model.parameters())


def test_filters_have_the_length_of_the_weights():
    state = linear().state_dict()
    state["0.weight"][2] = 0.0
    direction = filter_normalised(state, torch.Generator().manual_seed(1))
    for name in ("0.weight", "2.weight"):
        torch.testing.assert_close(direction[name].norm(dim=1), state[name].norm(dim=1))
    torch.testing.assert_close(direction["0.bias"].norm(), state["0.bias"].norm())
    assert not direction["0.weight"][2].any()
    # Scaling the network scales the direction: that is what the normalisation is for.
    twice = {name: 2 * value for name, value in state.items()}
    again = filter_normalised(twice, torch.Generator().manual_seed(1))
    torch.testing.assert_close(again["0.weight"], 2 * direction["0.weight"])


def test_plane_of_a_quadratic_is_the_quadratic_and_the_model_is_left_alone():
    model = linear()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    draw = torch.Generator().manual_seed(2)
    first, second = filter_normalised(before, draw), filter_normalised(before, draw)

    def inner(u, v):
        return float(sum((u[k] * v[k]).sum() for k in before))

    a, b = [-1.0, 0.0, 0.5], [0.0, 2.0]
    values = losses_on_plane(model, squares, first, second, a, b)
    for i, alpha in enumerate(a):
        for j, beta in enumerate(b):
            point = {k: before[k] + alpha * first[k] + beta * second[k] for k in before}
            assert values[i, j] == pytest.approx(inner(point, point), rel=1e-13)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name])


def test_model_is_left_alone_after_an_exception():
    model = linear()
    before = {k: v.clone() for k, v in model.state_dict().items()}
    calls = []

    def failing(module):
        calls.append(1)
        if len(calls) > 2:
            raise RuntimeError("no loss")
        return squares(module)

    direction = filter_normalised(before, torch.Generator().manual_seed(0))
    with pytest.raises(RuntimeError, match="no loss"):
        losses_on_lines(model, failing, [direction], [-1.0, 0.0, 1.0])
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items())


def test_overflow_is_infinite():
    model = linear()
    direction = filter_normalised(model.state_dict(), torch.Generator().manual_seed(0))
    values = losses_on_lines(model, squares, [direction], [0.0, 1e300])
    assert np.isfinite(values[0, 0])
    assert np.isinf(values[0, 1])


def test_plane_of_a_planar_path_holds_all_of_it():
    centre = linear().state_dict()
    draw = torch.Generator().manual_seed(3)
    first, second = filter_normalised(centre, draw), filter_normalised(centre, draw)
    places = [(3.0, 1.0), (2.0, -1.0), (0.5, 0.2), (0.0, 0.0)]
    states = [{k: centre[k] + p * first[k] + q * second[k] for k in centre} for p, q in places]
    d1, d2, path, share = path_directions(states)
    assert share == pytest.approx(1.0, abs=1e-12)
    assert torch.equal(path[-1], torch.zeros(2, dtype=torch.float64))
    for state, (p, q) in zip(states, path.tolist(), strict=True):
        for name in centre:
            torch.testing.assert_close(centre[name] + p * d1[name] + q * d2[name], state[name])
    # A path that leaves the plane is not held whole.
    third = filter_normalised(centre, draw)
    states[2] = {k: states[2][k] + 2 * third[k] for k in centre}
    assert path_directions(states)[3] < 0.999


@pytest.mark.parametrize("count", [0, 2])
def test_too_short_a_path(count):
    state = linear().state_dict()
    with pytest.raises(InputError, match="three"):
        path_directions([state] * count)
    with pytest.raises(InputError, match="on a line"):
        path_directions([state] * 4)


def test_shape_of_parabolas_and_of_hills():
    a = np.linspace(-0.5, 0.5, 11)
    up = np.stack([2 + 3 * c * a**2 for c in (1.0, 2.0, 4.0)])
    found = line_shape(up, a)
    assert found.curvature == pytest.approx(np.log10(2 * 3 * 2 / 2), abs=1e-9)
    assert found.rise == pytest.approx(np.log10((2 + 6 * 0.25) / 2), abs=1e-9)
    assert found.not_convex == 0
    hill = line_shape(4 - up + 2, a)
    assert hill.curvature == -np.inf
    assert hill.not_convex == 1
    assert hill.to_json()["curvature"] is None


@pytest.mark.parametrize("a", [[-1.0, 0.0, 2.0], [0.0, 1.0, 2.0], [-1.0, 1.0], [1.0, 0.0, -1.0]])
def test_bad_coordinates(a):
    with pytest.raises(InputError, match="equispaced"):
        line_shape(np.ones((2, len(a))), np.array(a))
    with pytest.raises(InputError, match="positive"):
        line_shape(np.zeros((2, 3)), np.array([-1.0, 0.0, 1.0]))
