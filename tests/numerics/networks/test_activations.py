"""σ by name: the suite's, any function of torch, and a user's own; the same for all commands."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from epsrank import RunConfig, train
from epsrank.cli import main
from epsrank.numerics.networks.activations import (
    ACTIVATIONS,
    activation_function,
    check_activation,
    is_piecewise_linear,
    theory_activation,
)
from epsrank.theory.errors import InputError
from epsrank.theory.kernels.catalogue import SIGMAS

TORCH = ("softplus", "silu", "mish", "selu", "hardtanh", "softsign", "atan", "sinc", "log_ndtr")
Z = torch.linspace(-3, 3, 13, dtype=torch.float64)


@pytest.fixture
def mine(tmp_path, monkeypatch):
    (tmp_path / "acts.py").write_text(
        "import torch\n\ndef snake(z):\n    return z + torch.sin(z) ** 2\n\n"
        "def centred(z):\n    return z - z.mean(dim=0)\n\ndef first(z):\n    return z[:1]\n\n"
        "def total(z):\n    return z.sum()\n\ndef fails(z):\n    raise ValueError('no σ')\n\n"
        "number = 3\n\nclass Wave(torch.nn.Module):\n    def forward(self, z):\n"
        "        return torch.sin(z)\n\nPReLU = torch.nn.PReLU\n"
    )
    monkeypatch.chdir(tmp_path)


def test_torch_and_theory_know_the_same_functions():
    for name in SIGMAS:
        found = activation_function(name)(Z).numpy()
        np.testing.assert_allclose(found, SIGMAS[name](Z.numpy()), atol=1e-14)
        assert theory_activation(name) == name


@pytest.mark.parametrize("name", TORCH)
def test_any_function_of_torch_is_known_by_name(name):
    sigma = theory_activation(name)
    np.testing.assert_array_equal(sigma(Z.numpy()), activation_function(name)(Z).numpy())
    assert sigma.__name__ == name


def test_a_users_own_are_known_by_module_and_name(mine):
    assert torch.equal(activation_function("acts:snake")(Z), Z + torch.sin(Z) ** 2)
    assert torch.equal(activation_function("acts:Wave")(Z), torch.sin(Z))
    assert torch.equal(activation_function("torch.nn:Softplus")(Z), torch.nn.Softplus()(Z))
    check_activation("nowhere:f")  # settings are read where the code is not


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("tanhh", "choose one of tanh, .* softplus, or module:name"),
        ("softmax", "is softmax, which does not act entrywise"),
        ("dropout", "is dropout, which does not act entrywise"),
        ("linear", r"is linear, which fails on a tensor \(TypeError"),
        ("load", "is 'load'"),
        ("manual_seed", "is 'manual_seed'"),
        ("relu_", "is 'relu_'"),
        ("__init__", "is '__init__'"),
        (3, "is 3"),
        ([], r"is \[\]"),
        ("acts:none", "acts has no none"),
        ("acts:total", "does not act entrywise"),
        ("acts:centred", "does not act entrywise"),
        ("acts:first", "does not act entrywise"),
        ("acts:fails", r"ValueError: no σ at acts\.py:16"),
        ("acts:number", "is acts:number, a int"),
        ("acts:PReLU", "has parameters"),
        ("nowhere:f", "nowhere cannot be imported"),
    ],
)
def test_what_is_no_activation_is_refused_in_one_line(mine, name, said):
    with pytest.raises(InputError, match=f"^activation .*{said}") as caught:
        activation_function(name)
    assert "\n" not in str(caught.value)


def test_which_have_no_second_derivative():
    flat = {name for name in ACTIVATIONS if is_piecewise_linear(activation_function(name))}
    assert flat == {"relu"}
    for name in ("leaky_relu", "hardtanh", "relu6", "step", "identity"):
        assert is_piecewise_linear(activation_function(name))


def test_training_and_prediction_take_the_same_names(mine):
    shared = {"width": 5, "depth": 1, "steps": 2, "n_train": 20, "device": "cpu"}
    for name in ("softplus", "acts:snake"):
        for init in ("default", "structured"):
            run = train(RunConfig(activation=name, init=init, **shared))
            assert run.status == "complete"
        words = ["--activation", name, "--width", "5", "--points", "20", "--draws", "1"]
        for more in ([], ["--init", "structured", "--measure-seeds", "1"]):
            done = CliRunner().invoke(main, ["predict", *words, *more])
            assert done.exit_code == 0, done.output
    done = CliRunner().invoke(main, ["predict", "--activation", "acts:fails"])
    assert done.exit_code == 2
    assert "ValueError: no σ at acts.py:16" in done.output
    with pytest.raises(InputError, match="'hardtanh', whose second derivative is 0"):
        train(RunConfig(task="poisson-1d", activation="hardtanh", **shared))
