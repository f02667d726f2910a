"""TransNet's first layer: density of hyperplanes, the tuned slope, and what it is placed over."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from epsrank.numerics.first_layer.transnet import _SLOPES, transnet_first_layer_
from epsrank.numerics.networks import ACTIVATIONS
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.errors import InputError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def placed(n, d, domain, **given):
    layer = torch.nn.Linear(d, n).double()
    given = {"activation": "tanh", "generator": generator(), "gamma": 3.0} | given
    return layer, transnet_first_layer_(layer, domain, **given)


def test_hyperplanes_have_uniform_density_in_the_ball():
    """[S6] theorem 1: how many planes pass within τ of x does not depend on x."""
    layer, _ = placed(200_000, 2, [(-3.0, 1.0), (0.0, 3.0)])
    centre, radius, tau = np.array([-1.0, 1.5]), 2.5, 0.1
    weight, bias = layer.weight.detach().numpy() / 3.0, layer.bias.detach().numpy() / 3.0
    counts = []
    for x in np.array([centre, [0.0, 2.0], [-2.5, 2.5], [-1.0, -0.7]]):
        counts.append(np.mean(np.abs(weight @ x + bias) < tau))
    # A plane is that near with probability τ/R, the share of offsets in [0, R] from both sides.
    np.testing.assert_allclose(counts, tau / radius, rtol=0.05)
    np.testing.assert_allclose(np.linalg.norm(weight, axis=1), 1.0)
    distances = -bias - weight @ centre
    assert distances.min() >= -radius
    assert distances.max() <= 0


def test_the_tuned_slope_fits_other_fields_better():
    _, result = placed(60, 2, (-1.0, 1.0), gamma=None)
    assert "tuned" in result.formula
    x = np.random.default_rng(7).uniform(-1, 1, (800, 2))
    omega = np.random.default_rng(8).normal(size=(200, 2)) / (0.25 * np.sqrt(2))
    field = np.cos(x @ omega.T + np.random.default_rng(9).uniform(0, 6.28, 200)).sum(axis=1)

    def error(slope):
        other, _ = placed(60, 2, (-1.0, 1.0), gamma=slope)
        features = torch.tanh(other(torch.from_numpy(x))).detach().numpy()
        return np.linalg.norm(features @ np.linalg.lstsq(features, field)[0] - field)

    best = float(result.slopes[0])
    assert error(best) < min(error(best / 8), error(best * 8))
    assert any(abs(best * np.sqrt(2) - slope) < 1e-12 for slope in _SLOPES)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_is_tuned(activation):
    layer, result = placed(10, 1, (0.0, 2.0), activation=activation, gamma=None)
    assert torch.isfinite(layer.weight).all()
    assert result.activation == activation


def test_over_data_and_patches():
    x = np.random.default_rng(0).normal(size=(200, 5)) + 3
    layer = torch.nn.Linear(5, 8).double()
    result = transnet_first_layer_(layer, data=x, activation="tanh", generator=generator())
    assert result.mode == "data"
    assert result.domain is None
    radius = np.linalg.norm(x - x.mean(axis=0), axis=1).max()
    distance = result.offsets - result.directions @ torch.from_numpy(x.mean(axis=0))
    assert float(distance.abs().max()) <= radius
    convolution = torch.nn.Conv2d(1, 4, 3).double()
    images = np.random.default_rng(1).random((20, 1, 8, 8))
    transnet_first_layer_(convolution, data=images, activation="tanh", generator=generator())


def test_it_is_a_setting_of_a_run():
    def bias(**changes):
        run = train(
            RunConfig(width=9, steps=0, device="cpu", init="transnet", n_train=40, **changes)
        )
        return run.network().first_layer.bias.detach()

    assert torch.equal(bias(), bias())
    assert not torch.equal(bias(), bias(seed=1))
    torch.testing.assert_close(bias(slope=6.0), 2 * bias(slope=3.0))
    torch.testing.assert_close(bias(slope=3.0, init_scale=2.0), bias(slope=6.0))
    assert torch.isfinite(bias(slope="auto:5")).all()


def test_refuses():
    layer = torch.nn.Linear(1, 4)
    for given in ({}, {"domain": (-1, 1), "data": [0.0, 1.0]}):
        with pytest.raises(InputError, match="exclude each other"):
            transnet_first_layer_(layer, **given, activation="tanh")
    with pytest.raises(InputError, match="no bias"):
        transnet_first_layer_(torch.nn.Linear(1, 4, bias=False), (-1, 1), activation="tanh")
