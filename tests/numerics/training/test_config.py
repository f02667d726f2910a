"""Settings: checked as a whole, and the same after a trip through TOML."""

import inspect
import math

import numpy as np
import pytest
import torch

from epsrank.numerics.tasks import load_task
from epsrank.numerics.training import RunConfig
from epsrank.numerics.training.build import build_network, build_optimizer, resolve_device
from epsrank.numerics.training.making import measurement_steps
from epsrank.numerics.training.seeds import Stream, epoch_order, generator
from epsrank.theory.errors import InputError

CONFIGS = [
    RunConfig(),
    RunConfig(task="digits", network="cnn", depth=3, loss="cross-entropy", batch_size=32),
    RunConfig(init="normal", init_scale=0.1, eps=(1 / 3, 1e-300), measure_every=7, probe=11),
    RunConfig(task="mnist", data="/some/place ü.npz", optimizer="lbfgs", seed=2**63 - 1),
    RunConfig(learning_rate=0.1 + 0.2, dtype="float32", device="cpu", bias="fixed", n_train=9),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_toml_round_trip(config, tmp_path):
    assert RunConfig.from_toml(config.to_toml()) == config
    path = tmp_path / "config.toml"
    path.write_text(config.to_toml(), "utf-8")
    assert RunConfig.from_toml(path) == config


def test_learning_rate_of_the_optimiser():
    assert RunConfig(optimizer="lbfgs").learning_rate == 1
    assert RunConfig(optimizer="adam").rate == 1e-3
    assert RunConfig(optimizer="adam", learning_rate=1).rate == 1.0


def test_numpy_integers_are_whole_numbers():
    config = RunConfig(width=np.int64(7), seed=np.uint8(3))
    assert (type(config.width), config.seed) == (int, 3)


@pytest.mark.parametrize(
    ("given", "argument"),
    [
        ({"task": "cosinus"}, "task"),
        ({"task": []}, "task"),
        ({"network": "perceiver"}, "network"),
        ({"network": ["mlp"]}, "network"),
        ({"width": 0}, "width"),
        ({"width": 5.0}, "width"),
        ({"depth": 0}, "depth"),
        ({"network": "cnn", "depth": 1}, "depth"),
        ({"activation": "swish"}, "activation"),
        ({"init": "kaiming"}, "init"),
        ({"init": "he", "init_scale": -1}, "init_scale"),
        ({"init_scale": 2.0}, "init_scale"),
        ({"optimizer": "adagrad"}, "optimizer"),
        ({"learning_rate": 0}, "learning_rate"),
        ({"learning_rate": math.inf}, "learning_rate"),
        ({"learning_rate": "fast"}, "learning_rate"),
        ({"batch_size": 0}, "batch_size"),
        ({"steps": -1}, "steps"),
        ({"steps": None}, "steps"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"dtype": "float16"}, "dtype"),
        ({"device": "tpu"}, "device"),
        ({"eps": ()}, "eps"),
        ({"eps": 1e-6}, "eps"),
        ({"eps": (0.0,)}, "eps"),
        ({"eps": (math.nan,)}, "eps"),
        ({"eps": (1e-6, 1e-6)}, "eps"),
        ({"measure_every": 0}, "measure_every"),
        ({"measure_every": "often"}, "measure_every"),
        ({"loss": "hinge"}, "loss"),
        ({"n_train": 0}, "n_train"),
        ({"probe": 0}, "probe"),
        ({"data": 3}, "data"),
        ({"bias": "none"}, "bias"),
    ],
)
def test_bad_settings_name_the_argument(given, argument):
    with pytest.raises(InputError) as caught:
        RunConfig(**given)
    assert caught.value.argument == argument
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"taks": "digits"}, "taks is 'digits', and is no setting of a run; did you mean task?"),
        ({"width": 3, "zzz": 4}, "zzz is 4, and is no setting of a run; use task, network, "),
    ],
)
def test_unknown_settings_are_named(given, told):
    with pytest.raises(InputError) as refused:
        RunConfig(**given)
    assert str(refused.value).startswith(told)
    assert list(inspect.signature(RunConfig).parameters)[:2] == ["task", "network"]


@pytest.mark.parametrize(
    "text", ["", "# nothing", "width = ", "width = 5\nwidht = 6", "eps = 'small'"]
)
def test_bad_toml(text):
    with pytest.raises(InputError):
        RunConfig.from_toml(text)


def test_missing_file(tmp_path):
    with pytest.raises(InputError, match="cannot be read"):
        RunConfig.from_toml(tmp_path / "config.toml")


@pytest.mark.parametrize("steps", [0, 1, 2, 99, 2000, 15_000])
def test_schedule_has_both_ends_and_no_long_gap(steps):
    chosen = measurement_steps(steps, "auto")
    assert chosen == sorted(set(chosen))
    assert (chosen[0], chosen[-1]) == (0, steps)
    assert np.diff(chosen).max(initial=1) <= max(1, steps // 100)
    assert len(chosen) <= 210
    if steps > 100:
        assert chosen[:6] == [0, 1, 2, 3, 4, 5] or chosen[:5] == [0, 1, 2, 3, 4]


def test_schedule_at_intervals():
    assert measurement_steps(10, 4) == [0, 4, 8, 10]
    assert measurement_steps(0, 4) == [0]


def test_streams_are_apart_and_repeat():
    def draw(*key):
        return torch.rand(4, generator=generator(*key)).tolist()

    keys = [(0, Stream.WEIGHTS), (0, Stream.ORDER), (1, Stream.WEIGHTS), (0, Stream.ORDER, 1)]
    draws = [draw(*key) for key in keys]
    assert draws == [draw(*key) for key in keys]
    assert len({tuple(values) for values in draws}) == 4


def test_an_epoch_visits_every_sample_once():
    orders = [epoch_order(0, 10, epoch) for epoch in range(3)]
    assert all(sorted(order.tolist()) == list(range(10)) for order in orders)
    assert not torch.equal(orders[0], orders[1])


def test_networks_of_all_dtypes_begin_alike_and_leave_the_global_generator():
    task = load_task("cosines", n_train=10)
    before = torch.get_rng_state()
    for init in ("default", "structured"):
        double = build_network(RunConfig(init=init), task)
        single = build_network(RunConfig(init=init, dtype="float32"), task)
        for wide, narrow in zip(double.parameters(), single.parameters(), strict=True):
            assert torch.equal(wide.float(), narrow)
    assert torch.equal(before, torch.get_rng_state())


def test_scale_of_the_structured_layer_keeps_the_centres():
    task = load_task("cosines", n_train=10)
    plain = build_network(RunConfig(init="structured"), task).first_layer
    steep = build_network(RunConfig(init="structured", init_scale=3.0), task).first_layer
    assert torch.equal(steep.weight, 3 * plain.weight)
    torch.testing.assert_close(steep.bias / steep.weight[:, 0], plain.bias / plain.weight[:, 0])


def test_structured_convolution_is_placed_over_images():
    task = load_task("digits", n_train=50)
    model = build_network(RunConfig(network="cnn", init="structured", task="digits"), task)
    z = model.first_layer(task.x.reshape(-1, 1, 8, 8)).detach()
    assert 0.5 < float(z.std()) < 4


def test_convolutions_need_images():
    with pytest.raises(InputError, match="no images"):
        build_network(RunConfig(network="cnn"), load_task("cosines"))


def test_a_line_search_may_evaluate():
    """With max_iter = 1 torch's own default would leave it no evaluation."""
    model = build_network(RunConfig(), load_task("cosines"))
    group = build_optimizer(RunConfig(optimizer="lbfgs"), model).param_groups[0]
    assert (group["max_iter"], group["max_eval"]) == (1, 26)


def test_device():
    assert resolve_device("cpu").type == "cpu"
    if not torch.cuda.is_available():
        assert resolve_device("auto").type == "cpu"
        with pytest.raises(InputError, match="no CUDA"):
            resolve_device("cuda")
