"""Networks: their formulas written out, capture against a plain loop, bad input."""

import numpy as np
import pytest
import scipy.special
import torch

from epsrank.numerics.networks import (
    ACTIVATIONS,
    MLP,
    FeatureNetwork,
    ResNet,
    SmallCNN,
    activation_function,
    capture,
    samples_by_neurons,
)
from epsrank.numerics.tasks import load_task
from epsrank.numerics.training.build import build_network
from epsrank.numerics.training.config import RunConfig
from epsrank.theory.data.measure import Measure
from epsrank.theory.errors import InputError

REFERENCE = {
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0),
    "elu": lambda z: np.where(z > 0, z, np.expm1(np.minimum(z, 0))),
    "cosine": np.cos,
    "sine": np.sin,
    "sigmoid": scipy.special.expit,
    "gelu": lambda z: z * scipy.special.ndtr(z),
    "gaussian": lambda z: np.exp(-(z**2)),
    "erf": scipy.special.erf,
}

NETWORKS = {
    "mlp": lambda: MLP(4, 5, 3, 2),
    "resnet": lambda: ResNet(4, 5, 3, 2),
    "cnn-average": lambda: SmallCNN((1, 2, 2), 5, 3, 2),
    "cnn-flatten": lambda: SmallCNN((1, 2, 2), 5, 2, 2, pooling="flatten"),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations_are_the_functions_they_name(name):
    z = np.linspace(-4, 4, 41)
    ours = activation_function(name)(torch.from_numpy(z)).numpy()
    np.testing.assert_allclose(ours, REFERENCE[name](z), rtol=1e-13, atol=1e-15)


@pytest.mark.parametrize("name", NETWORKS)
def test_forward_is_the_head_of_the_last_hidden_layer(name):
    network = NETWORKS[name]()
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    layers = network.hidden(x)
    assert isinstance(network, FeatureNetwork)
    assert layers[-1].shape == (6, 5)
    assert torch.equal(network(x), network.head(layers[-1]))
    assert network(x).shape == (6, 2)


def test_mlp_formula():
    network = MLP(2, 3, 2, 1, "tanh").double()
    x = torch.randn(4, 2, dtype=torch.float64)
    y = x
    for layer, output in zip(network.layers, network.hidden(x), strict=True):
        y = torch.tanh(y @ layer.weight.T + layer.bias)
        torch.testing.assert_close(output, y, rtol=1e-14, atol=1e-15)


def test_resnet_formula_adds_the_increment():
    network = ResNet(2, 3, 3, 1, "relu").double()
    x = torch.randn(4, 2, dtype=torch.float64)
    y = torch.relu(x @ network.lifting.weight.T + network.lifting.bias)
    expected = [y]
    for block in network.blocks:
        y = y + torch.relu(y @ block.weight.T + block.bias)
        expected.append(y)
    for output, want in zip(network.hidden(x), expected, strict=True):
        torch.testing.assert_close(output, want, rtol=1e-14, atol=1e-15)


def test_channels_are_neurons_and_positions_samples():
    output = torch.randn(3, 4, 2, 5)
    rows = samples_by_neurons(output)
    naive = [output[i, :, h, w] for i in range(3) for h in range(2) for w in range(5)]
    assert torch.equal(rows, torch.stack(naive))


def test_weights_of_a_sample_are_shared_by_its_positions():
    weights = np.array([1.0, 3.0])
    np.testing.assert_array_equal(
        Measure("mean", 2, weights).spread(4).weights, [0.5, 0.5, 1.5, 1.5]
    )
    assert Measure("mean", 2).spread(4) == Measure("mean", 4)
    assert Measure("mean", 2, weights).spread(2).weights is weights


@pytest.mark.parametrize("name", NETWORKS)
def test_capture_in_batches_equals_one_pass_and_keeps_no_graph(name):
    network = NETWORKS[name]().double().train()
    x = torch.randn(7, 4, dtype=torch.float64)
    layers = capture(network, x, batch_size=3)
    for layer, output in zip(layers, network.hidden(x), strict=True):
        torch.testing.assert_close(layer, samples_by_neurons(output.detach()))
        assert not layer.requires_grad
    assert network.training
    frozen = next(network.children()).eval()
    capture(network, x)
    assert (network.training, frozen.training) == (True, False)
    assert not network._forward_hooks


def test_cnn_takes_images_and_rows_alike():
    network = SmallCNN((2, 5, 6), 3, 3, 1)
    x = torch.randn(4, 2, 5, 6)
    assert torch.equal(network(x), network(x.reshape(4, -1)))
    assert [tuple(layer.shape) for layer in network.hidden(x)] == [
        (4, 3, 3, 3),
        (4, 3, 2, 2),
        (4, 3),
    ]


@pytest.mark.parametrize(
    ("build", "argument"),
    [
        (lambda: MLP(1, 0, 1), "width"),
        (lambda: MLP(1, 2.0, 1), "width"),
        (lambda: MLP(1, True, 1), "width"),
        (lambda: MLP(1, 2, 0), "depth"),
        (lambda: MLP(0, 2, 1), "n_inputs"),
        (lambda: MLP(1, 2, 1, activation="swish"), "activation"),
        (lambda: MLP(1, 2, 1, activation=["tanh"]), "activation"),
        (lambda: ResNet(1, 2, 0), "depth"),
        (lambda: SmallCNN((1, 4, 4), 2, 1), "depth"),
        (lambda: SmallCNN((4, 4), 2, 2), "image_shape"),
        (lambda: SmallCNN((1, 4, 4), 2, 2, pooling="max"), "pooling"),
        (lambda: MLP(2, 2, 1)(torch.zeros(3, 4)), "x"),
        (lambda: SmallCNN((1, 4, 4), 2, 2)(torch.zeros(3, 5)), "x"),
        (lambda: capture(MLP(1, 2, 1), torch.zeros(0, 1)), "x"),
        (lambda: capture(MLP(1, 2, 1), torch.zeros(1, 1), batch_size=0), "batch_size"),
    ],
)
def test_bad_input_names_the_argument(build, argument):
    with pytest.raises(InputError) as caught:
        build()
    assert caught.value.argument == argument
    assert "\n" not in str(caught.value)


def test_bottleneck_features_are_functions_of_ten_variables():
    config = RunConfig(task="digits", network="bottleneck", width=20, depth=3, loss="cross-entropy")
    task = load_task("digits", n_train=30)
    model = build_network(config, task)
    first, neck, features = model.hidden(task.x)
    assert [tuple(y.shape) for y in (first, neck, features)] == [(30, 20), (30, 10), (30, 20)]
    torch.testing.assert_close(model.features_of_neck(neck), features, rtol=0, atol=0)
    assert tuple(model(task.x).shape) == (30, 10)
    with pytest.raises(InputError, match="depth"):
        RunConfig(network="bottleneck", depth=2)
