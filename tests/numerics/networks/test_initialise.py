"""Initialisations: their laws, and one generator as the only source of randomness."""

import math

import numpy as np
import pytest
import torch

from epsrank.numerics.networks import INITIALISATIONS, MLP, SmallCNN, initialise_
from epsrank.theory.errors import InputError


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def test_default_is_torchs_default_law():
    network = initialise_(MLP(100, 200, 2), "default", generator=generator())
    weight = network.layers[0].weight.detach().numpy()
    assert abs(weight).max() <= 0.1
    # A uniform law on ±1/√fan_in, to four standard errors of mean and mean square.
    assert abs(weight.mean()) < 4 * 0.1 / math.sqrt(3 * weight.size)
    assert weight.var() == pytest.approx(0.01 / 3, rel=4 * math.sqrt(0.8 / weight.size))
    assert network.layers[0].bias.abs().max() <= 0.1
    assert network.layers[0].bias.std() > 0.04


@pytest.mark.parametrize(
    ("init", "scale", "deviation"),
    [
        ("xavier", None, math.sqrt(2 / 300)),
        ("xavier", 2.0, 2 * math.sqrt(2 / 300)),
        ("he", None, math.sqrt(2 / 100)),
        ("uniform", 3.0, 3 / math.sqrt(3)),
        ("normal", 0.5, 0.5),
        ("normal", None, 0.1),
    ],
)
def test_deviation_of_the_weights(init, scale, deviation):
    network = initialise_(MLP(100, 200, 1), init, scale=scale, generator=generator())
    weight = network.layers[0].weight.detach().numpy()
    assert weight.std() == pytest.approx(deviation, rel=0.03)
    zero = init in ("xavier", "he")
    assert bool((network.layers[0].bias == 0).all()) == zero


def test_orthogonal():
    network = initialise_(MLP(30, 30, 1).double(), "orthogonal", scale=2.0, generator=generator())
    weight = network.layers[0].weight.detach().numpy()
    np.testing.assert_allclose(weight @ weight.T, 4 * np.eye(30), atol=1e-13)


def test_convolutions_count_their_receptive_field():
    network = initialise_(SmallCNN((4, 8, 8), 64, 2), "he", generator=generator())
    deviation = float(network.first_layer.weight.detach().std())
    assert deviation == pytest.approx(math.sqrt(2 / 36), rel=0.05)


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_same_generator_same_weights_whatever_the_dtype(init):
    scale = None
    double = initialise_(MLP(3, 5, 2).double(), init, scale=scale, generator=generator(7))
    single = initialise_(MLP(3, 5, 2), init, scale=scale, generator=generator(7))
    other = initialise_(MLP(3, 5, 2), init, scale=scale, generator=generator(8))
    for wide, narrow in zip(double.parameters(), single.parameters(), strict=True):
        assert torch.equal(wide.float(), narrow)
    assert not torch.equal(single.head.weight, other.head.weight)


@pytest.mark.parametrize("init", INITIALISATIONS)
def test_global_generator_is_untouched(init):
    network = MLP(3, 5, 2)
    before = torch.get_rng_state()
    initialise_(network, init, generator=generator())
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("init", "scale", "argument"),
    [
        ("kaiming", None, "init"),
        (["he"], None, "init"),
        ("he", 0.0, "init_scale"),
        ("he", math.nan, "init_scale"),
        ("he", "2", "init_scale"),
        ("he", True, "init_scale"),
        ("default", 2.0, "init_scale"),
    ],
)
def test_bad_input_names_the_argument(init, scale, argument):
    with pytest.raises(InputError) as caught:
        initialise_(MLP(1, 2, 1), init, scale=scale, generator=generator())
    assert caught.value.argument == argument
