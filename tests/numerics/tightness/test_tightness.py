"""Tightness of networks: their heads, PINNs, runs and checkpoints, against arrays made by hand."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from epsrank.numerics.operators import BoundaryProblem, poisson
from epsrank.numerics.tasks import load_task
from epsrank.numerics.tightness import tightness
from epsrank.numerics.training import RunConfig, train
from epsrank.theory.errors import InputError
from epsrank.theory.floor.tightness.layer import layer_tightness

EPS = (1e-2, 1e-6)
X = torch.linspace(-1, 1, 60, dtype=torch.float64)[:, None]
Y = torch.sin(4 * X)


def network(outputs=1, last=None):
    torch.manual_seed(0)
    layers = [nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, outputs)]
    return nn.Sequential(*layers, *([] if last is None else [last])).double()


def head_of(model):
    phi = model[:2](X).detach().numpy()
    return phi, model[2].weight.detach().numpy().T, model[2].bias.detach().numpy()


def assert_same(one, other):
    for name in ("loss", "reachable", "norm"):
        left, right = getattr(one, name), getattr(other, name)
        left, right = (getattr(own, "value", own) for own in (left, right))
        assert left == pytest.approx(right, rel=1e-9), name
    for left, right in zip(one.by_eps, other.by_eps, strict=True):
        assert left.rank == right.rank
        assert left.floor.lower == pytest.approx(right.floor.lower, rel=1e-6, abs=1e-15)


def test_a_network_is_its_features_and_its_head():
    model = network()
    phi, weight, bias = head_of(model)
    given = {"coefficients": weight, "bias": "feature", "bias_value": bias, "eps": EPS}
    expected = layer_tightness(phi, Y.numpy(), **given)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    for data in (
        (X, Y),
        (X.numpy(), Y.numpy()),
        TensorDataset(X, Y),
        DataLoader(TensorDataset(X, Y), batch_size=7),
    ):
        found = tightness(model, data, eps=EPS)
        assert_same(found.last, expected)
        assert found.form == "u = φW + b"
        assert found.scale == 1
    assert_same(tightness(model, X, targets=Y, eps=EPS).last, expected)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert model.training
    assert not model[2]._forward_hooks
    weights = np.linspace(0, 1, 60)
    weighted = tightness(model, (X, Y), eps=EPS, weights=weights).last
    assert_same(weighted, layer_tightness(phi, Y.numpy(), weights=weights, **given))
    free = tightness(model, (X, Y), eps=EPS, bias="free").last
    assert_same(free, layer_tightness(phi, Y.numpy(), **(given | {"bias": "free"})))


@pytest.mark.parametrize(
    ("entry", "words"),
    [(-0.5, "negative entry, -0.5 at index 3"), (np.nan, r"NaN at index \(3,\)")],
)
def test_weights_that_are_none_are_refused(entry, words):
    weights = np.ones(60)
    weights[3] = entry
    with pytest.raises(InputError, match=f"weights.*{words}"):
        tightness(network(), (X, Y), eps=EPS, weights=weights)


class Ends(nn.Module):
    """2·(φW + b) + x, which is u = D(φW + b) + r."""

    def __init__(self):
        super().__init__()
        self.body = network()

    def forward(self, x):
        return 2 * self.body(x) + x


def test_what_follows_the_head_is_part_of_it():
    model = Ends().double()
    phi, weight, bias = head_of(model.body)
    found = tightness(model, (X, Y), eps=EPS)
    expected = layer_tightness(
        2 * phi, Y.numpy(), coefficients=weight, bias="feature", bias_value=bias, eps=EPS,
        constant=np.full(60, 2.0), offset=X.numpy(),
    )  # fmt: skip
    assert_same(found.last, expected)
    assert found.form == "u = 2·(φW + b) + r"


LABELS = (X[:, 0] > -0.3).long() + (X[:, 0] > 0.5)
LOSSES = {
    "mse": (nn.MSELoss(), torch.cat([Y, Y**2], 1), 2),
    "cross entropy": (nn.CrossEntropyLoss(label_smoothing=0.1), LABELS, 3),
    "huber": (nn.HuberLoss(delta=0.3), torch.cat([Y, Y**2], 1), 2),
    "bce": (nn.BCEWithLogitsLoss(), (Y > 0).double(), 1),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_are_those_of_the_training_up_to_the_scale(name):
    loss, targets, outputs = LOSSES[name]
    model = network(outputs)
    found = tightness(model, (X, targets), loss=loss, eps=(1e-6,), norms=())
    own = float(loss(model(X), targets).detach())
    assert found.scale * found.last.loss.value == pytest.approx(own)
    assert found.last.reachable.lower <= found.last.reachable.upper <= found.last.loss.upper
    assert found.state != "violated"
    # The bound is one: no head that is trained comes below.
    phi = model[:2](X).detach()
    weight, bias = model[2].weight.detach().clone(), model[2].bias.detach().clone()
    for _ in range(60):
        weight.requires_grad_(), bias.requires_grad_()
        value = loss(phi @ weight.T + bias, targets)
        assert float(value.detach()) >= found.scale * found.last.reachable.lower
        steps = torch.autograd.grad(value, (weight, bias))
        with torch.no_grad():
            weight, bias = weight - steps[0], bias - steps[1]
            size = math.sqrt(float(weight.square().sum() + bias.square().sum()))
            weight, bias = (part * min(1.0, found.last.norm / size) for part in (weight, bias))
    json.dumps(found.to_json(), allow_nan=False)


class Hard(nn.Module):
    """u = (1 − x²)(φW + b) + x: boundary values built in."""

    def __init__(self):
        super().__init__()
        self.body = network()

    def forward(self, x):
        return (1 - x**2) * self.body(x) + x


PROBLEM = BoundaryProblem(
    "−u″ = 16 sin 4x on [−1, 1], u = sin 4x at the ends", poisson(), ((-1.0, 1.0),),
    lambda x: 16 * np.sin(4 * x[:, 0]), lambda x: np.sin(4 * x[:, 0]), kappa=10.0, n_interior=40,
)  # fmt: skip


@pytest.mark.parametrize("make", [network, Hard])
def test_a_pinn_has_features_under_its_operator(make):
    model = make().double()
    system = PROBLEM.system()
    found = tightness(model, PROBLEM, eps=EPS).last
    assert found.loss.value == pytest.approx(system.loss(model))
    assert found.measure == "volume"
    assert found.state != "violated"
    # Column by column: the head replaced by unit vectors, minus what it gives for 0.
    body = model if make is network else model.body
    own = [parameter.detach().clone() for parameter in body[2].parameters()]

    def image(weight, bias):
        with torch.no_grad():
            body[2].weight.copy_(weight), body[2].bias.copy_(bias)
        return system.features(model)

    zero = image(0 * own[0], 0 * own[1])
    columns = [image(torch.eye(8)[j : j + 1], 0 * own[1]) - zero for j in range(8)]
    columns.append(image(0 * own[0], 0 * own[1] + 1) - zero)
    image(*own)
    head = np.append(own[0].numpy().ravel(), own[1].numpy())
    expected = layer_tightness(
        np.hstack(columns), system.target - zero, coefficients=head, weights=system.weights,
        measure="volume", eps=EPS,
    )  # fmt: skip
    assert_same(found, expected)
    assert_same(tightness(model, system, eps=EPS).last, expected)


REFUSED = {
    "no affine end": (lambda: network(last=nn.Hardtanh(-0.1, 0.1)), {"head": "2"}, "not affine"),
    "no head": (lambda: nn.Sequential(nn.Flatten()), {}, "head|layers"),
    "targets": (network, {"data": X}, "targets are missing"),
    "sizes": (network, {"data": (X, Y[:5])}, "5, 60"),
    "inputs": (network, {"data": (torch.ones(60, 3), Y)}, "data does not run"),
    "columns": (lambda: network(2), {}, "1 column, but the head has 2"),
    "loss": (network, {"loss": "hinge"}, "hinge"),
    "bias": (network, {"bias": "none"}, "bias is 'none'"),
    "index": (network, {"index": 2}, "measurement of a run"),
    "nonlinear": (network, {"data": load_task("burgers")}, "linear operator"),
    "checkpoint": (network, {"checkpoints": {1: network(2).state_dict()}}, r"checkpoints\[1\]"),
    "no checkpoints": (network, {"checkpoints": {}}, "checkpoints"),
    "measure": (network, {"measure": "raw", "max_samples": 10}, "max_samples"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_has_no_bound_says_why(name):
    make, given, message = REFUSED[name]
    given = {"data": (X, Y)} | given
    with pytest.raises(InputError, match=message) as caught:
        tightness(make(), given.pop("data"), **given)
    assert "\n" not in str(caught.value)


def test_a_thing_that_is_no_network():
    with pytest.raises(InputError, match=r"torch\.nn\.Module"):
        tightness(3, (X, Y))


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    config = RunConfig(
        task="cosines", width=8, depth=1, steps=40, measure_every=20, n_train=50, device="cpu"
    )
    return train(config, tmp_path_factory.mktemp("runs") / "one")


def test_a_run_is_rebuilt_at_its_measurements(run):
    found = tightness(run.out, eps=run.config.eps)
    assert [record.step for record in found.records] == [r.step for r in run.records]
    for record, kept in zip(found.records, run.records, strict=True):
        assert record.loss.value == pytest.approx(kept.loss)
        assert record.reachable.value == pytest.approx(kept.reachable)
        assert record.envelope.value == pytest.approx(kept.envelope)
        assert [at.floor.value for at in record.by_eps] == pytest.approx(kept.floors)
    assert found.last.by_norm
    assert not found.records[0].by_norm
    assert len(found.table()) == len(found.records) * 3
    assert tightness(run, moments=2, eps=(1e-6,)).records[0].step == run.records[0].step
    # Of one moment it is the last, not the first.
    assert tightness(run, moments=1, eps=(1e-6,)).last.step == run.records[-1].step
    one = tightness(run, index=0, eps=(1e-6,))
    assert [record.step for record in one.records] == [0]
    assert one.last.verdict.name == run.reading(0).name
    with pytest.raises(InputError, match="3 measurements"):
        tightness(run, index=9)
    with pytest.raises(InputError, match="those of the run"):
        tightness(run, (X, Y))


def test_a_damaged_checkpoint_is_left_out_with_its_reason(tmp_path, run):
    import shutil

    folder = tmp_path / "copy"
    shutil.copytree(run.out, folder)
    victim = sorted((folder / "checkpoints").glob("*20*"))[0]
    victim.write_bytes(b"\0" * 100)
    found = tightness(folder, eps=(1e-6,))
    assert [record.step for record in found.records] == [0, 40]
    assert len(found.left_out) == 1
    assert found.left_out[0].startswith("step 20")


def test_checkpoints_of_ones_own_are_moments(tmp_path):
    from safetensors.torch import save_file

    model, other = network(), network()
    with torch.no_grad():
        other[2].weight.mul_(3)
    file = tmp_path / "w.safetensors"
    save_file(other.state_dict(), file)
    found = tightness(model, (X, Y), eps=EPS, checkpoints={5: file, 1: model.state_dict()})
    assert [record.step for record in found.records] == [1, 5]
    assert_same(found.last, tightness(other, (X, Y), eps=EPS).last)
    assert_same(found.records[0], tightness(model, (X, Y), eps=EPS).last)


def test_a_task_brings_its_measure():
    task = load_task("poisson-1d")
    found = tightness(network(), task, eps=EPS)
    assert found.last.loss.value == pytest.approx(
        tightness(network(), load_task("poisson-1d"), eps=EPS).last.loss.value
    )
    assert found.last.measure == task.measure
    plain = load_task("cosines", n_train=40)
    assert tightness(network(), plain, eps=EPS).last.n_samples == 40
    assert tightness(network(), plain, eps=EPS, max_samples=10).last.n_samples == 10
