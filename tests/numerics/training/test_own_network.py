"""Networks, targets and activations of the user's in a run: layers, resumption, changed sources."""

from __future__ import annotations

import re
import sys
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch

from epsrank import Run, RunConfig, load_run, tightness, train
from epsrank.numerics.plots.run_figures import figure_of_run
from epsrank.numerics.tasks import load_task
from epsrank.numerics.training.build import build_network
from epsrank.theory.errors import InputError

CODE = '''
import numpy as np, torch
from torch import nn
from epsrank import structured_first_layer_
from epsrank.numerics.networks import MLP

def chirp(x):
    return np.cos(20 * x**2)
chirp.domain = (-1, 1)

def make(n_inputs, n_outputs, width, activation, depth=2):
    layers, size = [], n_inputs
    for _ in range(depth):
        layers += [nn.Linear(size, width), nn.Tanh()]
        size = width
    return nn.Sequential(*layers, nn.Linear(size, n_outputs))

class Functional(nn.Module):
    """Functions, one module called twice, dropout, a head without bias, and a flat output."""
    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(1, 12), nn.Linear(12, 10)
        self.c, self.act, self.drop = nn.Linear(10, 1, bias=False), nn.Tanh(), nn.Dropout(0.2)
        self.norm = nn.BatchNorm1d(12)
    def forward(self, x):
        y = torch.tanh(self.norm(self.a(x)))
        return self.c(self.drop(self.act(self.b(self.act(y)))))[:, 0]

class Smooth(Functional):
    def __init__(self):
        super().__init__()
        self.norm = nn.Identity()

class Hard(Functional):
    def forward(self, x):
        return (1 - x[:, 0] ** 2) * super().forward(x)

class Tokens(nn.Module):
    def __init__(self):
        super().__init__()
        self.a, self.c = nn.Linear(4, 6), nn.Linear(6, 10)
    def forward(self, x):
        return self.c(torch.relu(self.a(x.reshape(len(x), 16, 4))).mean(dim=1))

class Conv(nn.Module):
    def __init__(self, image_shape):
        super().__init__()
        self.a, self.act, self.c = nn.Conv2d(image_shape[0], 6, 3), nn.ReLU(), nn.Linear(216, 10)
    def forward(self, x):
        return self.c(self.act(self.a(x)).flatten(1))

def placed():
    model = nn.Sequential(nn.Linear(1, 9), nn.Tanh(), nn.Linear(9, 1))
    structured_first_layer_(model[0], (-1, 1), activation="tanh")
    return model

def suite(n_inputs, width):
    return MLP(n_inputs, width, 1)

ready = nn.Sequential(nn.Linear(1, 5), nn.Tanh(), nn.Linear(5, 1))
class Late(Functional):
    def forward(self, x):
        if len(x) > 20: raise ValueError("too many")
        return super().forward(x)
def wrong_inputs(): return nn.Linear(7, 1)
def wrong_outputs(): return nn.Sequential(nn.Linear(1, 4), nn.Tanh(), nn.Linear(4, 3))
def tuple_(): return (1, 2)
def fails(): raise OSError("no file")
number = 3
'''


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "own_nets_of_a_user.py").write_text(CODE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delitem(sys.modules, "own_nets_of_a_user", raising=False)
    return tmp_path


def named(name):
    return f"own_nets_of_a_user:{name}"


def settings(name="make", **given):
    usual = {"steps": 6, "n_train": 30, "device": "cpu", "measure_every": 3, "task": named("chirp")}
    return RunConfig(network=named(name), **(usual | given))


@pytest.mark.parametrize(
    ("name", "given", "widths", "floor"),
    [
        ("make", {"width": 7, "depth": 3}, [7, 7, 7], True),
        ("Functional", {"batch_size": 10}, [12, 12, 10], True),
        ("Functional", {"dtype": "float32", "bias": "fixed"}, [12, 12, 10], True),
        ("Hard", {}, [12, 12, 10], False),
        ("Tokens", {"task": "digits", "loss": "cross-entropy"}, [6, 6], True),
        ("Conv", {"task": "digits", "optimizer": "sgd"}, [6, 216], True),
        ("make", {"task": "poisson-1d", "n_train": 10, "width": 5}, [5, 5], True),
        ("Smooth", {"task": "poisson-1d", "n_train": 10}, [12, 12, 10], True),
        ("placed", {}, [9], True),
        ("suite", {"width": 6}, [6], True),
        ("ready", {}, [5], True),
        ("make", {"init": "xavier", "width": 5}, [5, 5], True),
    ],
)
def test_any_network_is_measured_and_drawn(name, given, widths, floor):
    run = train(settings(name, **given))
    assert run.status == "complete"
    last = run.records[-1]
    assert [layer.n_features for layer in last.layers] == widths
    assert run.n_layers == len(widths)
    assert (last.reading is not None) is floor
    if not floor:
        assert "is not φW + b" in last.reason
        figure_of_run(run, "staircase")
        return
    if last.chain is not None:
        assert last.chain != "violated"
        assert last.loss == pytest.approx(last.training_loss, rel=1e-4)
    # The network is made anew from the checkpoint, and gives the numbers that were measured.
    found = run.last_layer()
    assert found.features.shape[1] == widths[-1]
    outputs = np.square(found.outputs - found.target).sum(axis=1)
    if run.config.loss == "mse":
        weights = np.ones(len(outputs)) if found.measure.weights is None else found.measure.weights
        loss = outputs @ weights / float(found.measure.normaliser)
        assert loss == pytest.approx(last.loss, rel=1e-6)


def test_every_figure_of_such_a_run(folder):
    run = train(settings(width=6), folder / "a")
    for kind in ("floor", "reading"):
        figure_of_run(load_run(folder / "a"), kind)
    assert run.config.title.startswith(f"{named('chirp')}, {named('make')}, default init")
    weights = load_run(folder / "a").network().state_dict()
    assert next(iter(weights)) == "0.weight"  # as the user's own network has it


def test_a_resumed_run_comes_to_the_same_bits(folder):
    config = settings("Functional", batch_size=8, optimizer="momentum")
    whole = train(config)
    torch.manual_seed(1)  # of no influence
    train(config, folder / "a", stop_after=4)
    again = train(config, folder / "a", resume=True)
    assert [r.to_json() for r in again.records] == [r.to_json() for r in whole.records]
    other = train(replace(config, seed=1))
    assert other.records[0].loss != whole.records[0].loss


def test_an_object_of_the_user_stays_as_it_is(monkeypatch, folder):
    monkeypatch.syspath_prepend(str(folder))
    import own_nets_of_a_user as mine

    before = {name: value.clone() for name, value in mine.ready.state_dict().items()}
    first, second = (train(settings("ready")).records[-1].loss for _ in range(2))
    assert first == second
    assert all(torch.equal(value, before[name]) for name, value in mine.ready.state_dict().items())


def test_objects_stand_for_their_names(monkeypatch, folder):
    monkeypatch.syspath_prepend(str(folder))
    import own_nets_of_a_user as mine

    config = RunConfig(task=mine.chirp, network=mine.make, activation=torch.nn.functional.softplus)
    assert (config.task, config.network) == (named("chirp"), named("make"))
    assert config.activation.endswith(":softplus")
    assert RunConfig.from_toml(config.to_toml()) == config
    assert RunConfig(domain=(0, 1)).domain == ((0.0, 1.0),)
    full = RunConfig(task="data", data=["x.npy", "y.npy"], domain=[[0, 1], [0, 2]])
    assert RunConfig.from_toml(full.to_toml()) == full
    with pytest.raises(InputError, match="no module has under a name"):
        RunConfig(task=lambda x: x)


@pytest.mark.parametrize(
    ("old", "new"), [("20 * x**2", "21 * x**2"), ("width), nn.Tanh()", "width), nn.SiLU()")]
)
def test_a_changed_source_is_not_resumed_under(folder, old, new):
    config = settings(width=4)
    train(config, folder / "a", stop_after=3)
    file = folder / "own_nets_of_a_user.py"
    before = file.read_text()
    file.write_text(before.replace(old, new) + "\n")
    with pytest.raises(InputError, match=r"^task has another source than when .*put it back"):
        train(config, folder / "a", resume=True)
    # To look at it is another matter, as long as the data are the same.
    if "x**2" in old:
        told = r"are not those of the run: .*:chirp has another source .*; put it back"
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # nothing is said of checkpoints, which are whole
            for ask in (Run.network, Run.last_whole, tightness):
                with pytest.raises(InputError, match=told):
                    ask(load_run(folder / "a"))
    else:
        with pytest.warns(UserWarning, match="has another source than when the run was made"):
            load_run(folder / "a").network()
    file.write_text(before + " " * 7)  # another time and size, and then the very bytes
    file.write_text(before)
    assert train(config, folder / "a", resume=True).status == "complete"


@pytest.mark.parametrize(
    ("name", "given", "said"),
    [
        ("wrong_inputs", {}, r"wrong_inputs fails on x of shape \(3, 1\) \(RuntimeError"),
        ("wrong_outputs", {}, r"gives \(3, 3\) for 3 samples, and .* has 1 output"),
        ("tuple_", {}, "returned a tuple"),
        ("fails", {}, r"OSError: no file at own_nets_of_a_user\.py:\d+"),
        ("number", {}, "is a int"),
        ("missing", {}, "has no missing"),
        ("Functional", {"width": 20}, "^width is 20, but .* has no parameter width"),
        ("Functional", {"activation": "relu"}, "has no parameter activation"),
        ("Functional", {"init": "structured"}, "call structured_first_layer_ in its factory"),
        ("make", {"loss": "cross-entropy"}, "has no classes"),
        ("Late", {}, r"Late failed at step 0 \(ValueError: too many at own_nets_of_a_user"),
    ],
)
def test_bad_networks_are_refused_in_one_line(name, given, said, folder):
    with pytest.raises(InputError, match=said) as caught:
        train(settings(name, **given), folder / "a")
    assert "\n" not in str(caught.value)
    assert name == "Late" or not (folder / "a").exists()


def test_its_layers_are_those_of_its_own_pass():
    """Against a literal forward pass, written out."""
    config = settings("Functional")
    task = load_task(config.task, n_train=30)
    model = build_network(config, task).eval()
    inner, x = model.model, task.x
    with torch.no_grad():
        y = torch.tanh(inner.norm(inner.a(x)))
        z = torch.tanh(y)
        expected = [y, z, torch.tanh(inner.b(z))]
        found = model.hidden(x)
    assert all(torch.equal(left, right) for left, right in zip(found, expected, strict=True))
    assert not re.search("hook", str(inner._forward_hooks))
