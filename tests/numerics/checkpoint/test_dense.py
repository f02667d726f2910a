"""Networks as plain arrays: the same numbers, and refusals that say what is wrong."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from epsrank.numerics.checkpoint.dense import dense_network, network_of_run
from epsrank.numerics.networks import MLP, ResNet
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.errors import InputError


@pytest.mark.parametrize("activation", ["tanh", "relu", "erf", "sine", "cosine", "gaussian"])
def test_an_mlp_keeps_its_numbers(activation):
    torch.manual_seed(0)
    model = MLP(2, 7, 2, activation=activation).double()
    network = dense_network(model)
    x = torch.rand(20, 2, dtype=torch.float64)
    expected = model.hidden(x)[-1].detach().numpy()
    np.testing.assert_allclose(network.features(x.numpy()), expected, rtol=1e-13, atol=1e-15)
    assert network.activation == activation
    outputs = network.features(x.numpy()) @ network.head + network.offset
    np.testing.assert_allclose(outputs, model(x).detach().numpy(), rtol=1e-12, atol=1e-14)


def test_a_sequential_of_float32():
    model = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 4, bias=False), nn.Tanh())
    network = dense_network(model)
    assert network.depth == 2
    assert network.head is None
    assert (network.biases[1] == 0).all()
    assert (network.weights[0] == model[0].weight.detach().numpy()).all()
    with_head = dense_network(nn.Sequential(*model, nn.Linear(4, 1)))
    assert with_head.head.shape == (4, 1)
    named = dense_network(nn.Sequential(nn.Linear(1, 3), nn.Identity()), activation="sine")
    assert named.activation == "sine"


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (nn.Sequential(nn.Linear(1, 2), nn.Linear(2, 2)), "out of turn"),
        (nn.Sequential(nn.Linear(1, 2), nn.Tanh(), nn.Linear(2, 2), nn.ReLU()), "one kind"),
        (nn.Sequential(nn.Linear(1, 2), nn.GELU()), "name it"),
        (nn.Sequential(nn.Linear(1, 2)), "no hidden layer"),
        (nn.Sequential(), "no hidden layer"),
        (nn.Conv1d(1, 1, 1), "is a Conv1d"),
        (ResNet(1, 4, 2), "is a ResNet"),
    ],
)
def test_other_networks_are_refused(model, words):
    with pytest.raises(InputError, match=words):
        dense_network(model)


def test_the_network_of_a_run(tmp_path):
    run = train(RunConfig(width=4, depth=1, steps=3, n_train=20, device="cpu", activation="erf"))
    network = network_of_run(run)
    assert network.activation == "erf"
    x = run.task.x.numpy()
    np.testing.assert_allclose(network.features(x), run.last_layer().features, rtol=1e-12)
    residual = train(RunConfig(network="resnet", width=4, steps=2, n_train=20, device="cpu"))
    with pytest.raises(InputError, match="resnet"):
        network_of_run(residual)
