"""Measured ε-ranks at initialisation, and slopes chosen by prediction, on real layers."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from torch import nn

from epsrank.numerics.first_layer.initial_rank import initial_network, measured_ranks
from epsrank.numerics.first_layer.slope import as_slope
from epsrank.numerics.first_layer.structured import structured_first_layer_
from epsrank.numerics.networks import ACTIVATIONS, MLP, activation_function, initialise_
from epsrank.numerics.training import RunConfig
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.catalogue import SIGMAS, layer_kernel
from epsrank.theory.kernels.depth import first_layer
from epsrank.theory.kernels.initialisation import LAWS, LayerInit, layer_init
from epsrank.theory.kernels.input_measure import box_measure
from epsrank.theory.kernels.placed import placement
from epsrank.theory.kernels.prediction import initial_ranks
from epsrank.theory.rank import epsilon_rank

LINE = box_measure((-1.0, 1.0))


def test_kernels_and_networks_have_the_same_activations():
    z = torch.linspace(-4, 4, 101, dtype=torch.float64)
    assert set(ACTIVATIONS) <= set(SIGMAS)
    for name in ACTIVATIONS:
        expected = activation_function(name)(z).numpy()
        np.testing.assert_allclose(SIGMAS[name](z.numpy()), expected, atol=1e-14)


@pytest.mark.parametrize("name", LAWS)
def test_laws_have_the_variances_of_the_networks(name):
    with torch.device("meta"):
        bare = MLP(40, 400, 2)
    model = bare.double().to_empty(device="cpu")
    initialise_(model, name, generator=torch.Generator().manual_seed(0))
    for layer, fan_in in zip(model.layers, (40, 400), strict=True):
        law = layer_init(name, fan_in, 400)
        weight, bias = layer.weight.detach(), layer.bias.detach()
        assert float(weight.var()) * fan_in == pytest.approx(law.weight_variance, rel=0.05)
        assert float((bias**2).mean()) == pytest.approx(law.bias_variance, rel=0.25)
        spread = float(weight.abs().max()) / float(weight.std())
        assert (spread < 1.8) == (law.distribution == "uniform")


@pytest.mark.parametrize(
    ("activation", "dimension", "data"),
    [("tanh", 2, False), ("cosine", 1, False), ("gaussian", 1, False), ("tanh", 4, True)],
)
def test_the_placed_law_is_that_of_the_layer(activation, dimension, data):
    rng = np.random.default_rng(0)
    inputs = box_measure([(-1.0, 2.0)] * dimension, n_points=30)
    where = (
        {"data": rng.standard_normal((60, dimension))}
        if data
        else {"domain": [(-1.0, 2.0)] * dimension}
    )
    width = 6000
    law = placement(activation, 50, **where).neurons(inputs, 0.8)
    layer = nn.Linear(dimension, width, dtype=torch.float64)
    structured_first_layer_(
        layer,
        **where,
        activation=activation,
        generator=torch.Generator().manual_seed(0),
        gamma=0.8,
    )
    x = torch.as_tensor(inputs.points)
    features = activation_function(activation)(layer(x)).detach().numpy()
    values, _ = law.kernel()
    assert np.abs(features @ features.T / width - values).max() < 0.06
    other, _ = placement(activation, 50, **where).neurons(inputs, 1.6).kernel()
    assert np.abs(features @ features.T / width - other).max() > 0.06


@pytest.mark.parametrize("dimension", [1, 2, 3])
@pytest.mark.parametrize("activation", ["tanh", "cosine", "gaussian"])
def test_the_rules_slope_is_the_layers(activation, dimension):
    layer = nn.Linear(dimension, 30, dtype=torch.float64)
    domain = [(-1.0, 2.0)] * dimension
    result = structured_first_layer_(layer, domain, activation=activation)
    expected = placement(activation, 30, domain=domain).rule_slope()
    assert float(result.slopes[0]) == pytest.approx(expected, rel=1e-12)


def test_measured_ranks_are_the_certified_ranks_of_the_features():
    model = initial_network(LINE, "tanh", 20, 2, seed=4)
    with torch.no_grad():
        layers = [part.numpy() for part in model.hidden(torch.as_tensor(LINE.points))]
    found = measured_ranks(LINE, "tanh", width=20, depth=2, seeds=1, seed=4, eps=[1e-6, 1e-3])
    expected = [
        int(epsilon_rank(part, eps, weights=LINE.measure.weights))
        for part in layers
        for eps in (1e-6, 1e-3)
    ]
    assert [item.lower[0] for item in found] == expected
    json.dumps([item.to_json() for item in found], allow_nan=False)
    assert "1 seed" in str(found[0])


def test_many_neurons_on_few_inputs_count_by_the_transpose():
    few = box_measure((-1.0, 1.0), n_points=12)
    wide = measured_ranks(few, "tanh", width=30, seeds=2)[0]
    model = initial_network(few, "tanh", 30, 1)
    with torch.no_grad():
        (features,) = model.hidden(torch.as_tensor(few.points))
    assert wide.lower[0] == int(epsilon_rank(features, 1e-6, weights=few.measure.weights))


def test_estimate_and_measurement_agree_and_a_wrong_variance_does_not():
    init = LayerInit("normal", 4.0, 4.0)
    found = measured_ranks(LINE, "erf", width=60, init=init, seeds=12)[0]
    right = initial_ranks(LINE, "erf", width=60, init=init)[0].estimate
    wrong = initial_ranks(LINE, "erf", width=60, init=LayerInit("normal", 1.0, 1.0))[0].estimate
    error = float(np.hypot(found.standard_error, right.standard_error))
    assert abs(found.mean - right.mean) <= 4 * error
    assert abs(found.mean - wrong.mean) > 4 * error


def test_uniform_entries_of_given_variance():
    init = LayerInit("uniform", 0.5, 0.2)
    model = initial_network(LINE, "relu", 3000, 1, init=init)
    layer = model.first_layer
    assert float(layer.weight.detach().var()) == pytest.approx(0.5, rel=0.1)
    assert float(layer.bias.detach().abs().max()) <= (3 * 0.2) ** 0.5
    law = first_layer(LINE, layer_kernel("relu"), init)
    with torch.no_grad():
        features = model.hidden(torch.as_tensor(LINE.points))[0].numpy()
    assert np.abs(features @ features.T / 3000 - law.kernel()[0]).max() < 0.05


@pytest.mark.parametrize("activation", ["tanh", "gaussian"])
def test_auto_slope_gives_a_layer_of_the_rank_asked_for(activation):
    layer = nn.Linear(1, 30, dtype=torch.float64)
    result = structured_first_layer_(
        layer,
        (-1.0, 1.0),
        activation=activation,
        gamma="auto:18",
        generator=torch.Generator().manual_seed(0),
    )
    x = torch.as_tensor(LINE.points)
    features = activation_function(activation)(layer(x)).detach()
    rank = int(epsilon_rank(features, 1e-6, weights=LINE.measure.weights))
    assert 16 <= rank <= 20
    assert "at least 18" in str(result)


def test_auto_slope_over_data_and_for_a_convolution():
    rng = np.random.default_rng(1)
    layer = nn.Linear(6, 12)
    structured_first_layer_(
        layer, data=rng.standard_normal((50, 6)), activation="tanh", gamma="auto"
    )
    images = rng.standard_normal((5, 1, 8, 8))
    result = structured_first_layer_(
        nn.Conv2d(1, 6, 3), data=images, activation="tanh", gamma="auto:4"
    )
    assert "predicts" in result.formula


def test_slopes_as_settings():
    assert as_slope("2.5") == 2.5
    assert as_slope("auto:7") == "auto:7"
    assert as_slope(None) is None
    for wrong in ("auto:", "auto:0", "fast", 0.0, -1, True, np.inf):
        with pytest.raises(InputError, match="auto:RANK"):
            as_slope(wrong)
    config = RunConfig(init="structured", slope="auto:9")
    assert RunConfig.from_toml(config.to_toml()) == config
    assert RunConfig(init="structured", slope="3").slope == 3.0
    with pytest.raises(InputError, match="structured"):
        RunConfig(slope=3.0)
