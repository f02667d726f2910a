"""Where there is no reading there is a reason, it is true, and its remedy works."""

from __future__ import annotations

import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.data import DataLoader

from epsrank import RankMonitor
from epsrank.theory.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore::epsrank.RankWarning")

N = 30
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(N, 5, generator=GENERATOR)
LABELS = torch.randint(0, 3, (N,), generator=GENERATOR)
VALUES = torch.randn(N, 3, generator=GENERATOR)


def network(width=3):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, width))


class Labelled(nn.Module):
    """Takes its labels and gives its loss, as models of Hugging Face do."""

    def __init__(self, shift=0, form=dict):
        super().__init__()
        self.net, self.shift, self.form = network(), shift, form

    def forward(self, x, labels=None):
        u = self.net(x)
        if labels is None:
            return {"logits": u}
        loss = F.cross_entropy(u[: len(u) - self.shift], labels[self.shift :])
        return {"loss": loss, "logits": u} if self.form is dict else (loss, u)


class Two(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
        self.a, self.b = nn.Linear(8, 3), nn.Linear(8, 3)

    def forward(self, x):
        return self.a(self.body(x)), self.b(self.body(x))


class Dueling(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
        self.v, self.a = nn.Linear(8, 1), nn.Linear(8, 3)

    def forward(self, x):
        a = self.a(self.body(x))
        return self.v(self.body(x)) + a - a.mean(1, keepdim=True)


class Weighed(Dueling):
    def forward(self, x):
        return x[:, :1] * self.v(self.body(x)) + self.a(self.body(x))


class Mixing(nn.Module):
    """A convolution whose channels are mixed at every position."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.net = nn.Sequential(nn.Conv2d(1, 2, 3), nn.Tanh(), nn.Conv2d(2, 3, 3))

    def forward(self, x):
        u = self.net(x[:, :1, None, None].expand(-1, 1, 5, 5)).mean((2, 3))
        return u - u.mean(1, keepdim=True)


def measured(model, step=None, **arguments):
    """Return the record of the last layer, and the monitor."""
    with RankMonitor(model, every=1, **arguments) as monitor:
        monitor.step(**(step or {}))
    return monitor.latest[monitor.plan.last.name], monitor


def batches():
    return DataLoader([{"x": a, "labels": b} for a, b in zip(X, LABELS, strict=True)], 8)


@pytest.mark.parametrize("probe", [batches, lambda: {"x": X, "labels": LABELS}])
@pytest.mark.parametrize("form", [dict, tuple])
def test_a_model_that_takes_its_labels_is_read_by_them(probe, form):
    model = Labelled(form=form)
    record, _ = measured(model, probe=probe(), loss="cross_entropy")
    true = F.cross_entropy(model.net(X), LABELS).item()
    assert record.reading.loss == pytest.approx(true, rel=1e-5)


@pytest.mark.parametrize("probe", [batches, lambda: {"x": X, "labels": LABELS}])
def test_labels_that_the_model_shifts_are_refused(probe):
    with pytest.raises(InputError, match=r"targets are the .labels. .*a causal model shifts"):
        RankMonitor(Labelled(shift=1), probe=probe(), loss="cross_entropy")
    # The remedy, and ranks without a loss.
    pairs = [({"x": X}, LABELS)]
    record, _ = measured(Labelled(shift=1), probe=pairs, loss="cross_entropy")
    assert record.reading is not None
    record, _ = measured(Labelled(shift=1), probe=probe())
    assert record.reading is None
    assert record.failure is None


def test_targets_in_a_list_of_batches():
    model = network()
    record, _ = measured(
        model, probe=[X[:9], X[9:]], targets=[LABELS[:9], LABELS[9:]], loss="cross_entropy"
    )
    assert record.reading.loss == pytest.approx(F.cross_entropy(model(X), LABELS).item(), rel=1e-5)


ONES, NONE = torch.ones(N), torch.zeros(N, dtype=torch.bool)
WITH = {"probe": X, "targets": LABELS, "loss": "cross_entropy"}


@pytest.mark.parametrize(
    ("make", "arguments", "reason"),
    [
        (
            network,
            {"probe": X, "loss": "mse"},
            "the probe has no targets; pass RankMonitor(targets",
        ),
        (network, {**WITH, "targets": 0 * LABELS - 100}, "all left out by ignored labels"),
        (
            network,
            {**WITH, "mask": lambda x: x[:, 0] > 99},
            "mask or weights leave out every sample",
        ),
        (
            network,
            {**WITH, "probe": [X[:9], X[9:]], "targets": LABELS[:20]},
            "pass one target for every sample of the probe",
        ),
        (
            Two,
            {"probe": X, "heads": ["b", "a"], "targets": {"a": VALUES}, "loss": "mse"},
            "targets have 'a', and none for 'b'",
        ),
        (
            Dueling,
            {"probe": X, "head": "a", "targets": VALUES, "loss": "huber"},
            "head gives what is mixed on the way to the outputs",
        ),
        (
            Dueling,
            {"probe": X, "head": "v", "targets": VALUES, "loss": "huber"},
            "head gives one number that is a part of several outputs",
        ),
        (
            Weighed,
            {"probe": X, "head": "v", "targets": VALUES, "loss": "huber"},
            "head gives one number that is a part of several outputs",
        ),
        (
            Mixing,
            {"probe": X, "targets": VALUES, "loss": "huber", "head": "net.2"},
            "head gives what is mixed on the way to the outputs",
        ),
    ],
)
def test_the_reason_is_the_true_one_and_stands_in_the_plan(make, arguments, reason):
    record, monitor = measured(make(), step={"targets": LABELS}, **arguments)
    assert record.reading is None
    assert reason in record.failure
    if "mask" not in arguments:
        assert record.ranks
        assert record.failure in str(monitor.plan)


@pytest.mark.parametrize("name", ["mask", "weights"])
@pytest.mark.parametrize("probe", [X, [X[:9], X[9:]]])
def test_what_leaves_out_every_sample_is_refused(name, probe):
    with pytest.raises(InputError, match=f"{name} leaves? out every sample"):
        RankMonitor(network(), **{**WITH, "probe": probe, name: 0.0 * ONES})


def test_without_a_probe_the_reason_names_step():
    model = network()
    with RankMonitor(model, loss="mse", every=1) as monitor:
        for _ in range(2):
            model(X)
            monitor.step()
    assert "no targets are known; pass step(targets=…)" in monitor.latest["1"].failure
    with RankMonitor(model, loss="mse", every=1) as monitor:
        for _ in range(2):
            model(X)
            monitor.step(targets=VALUES)
    assert monitor.latest["1"].reading is not None


class Function(nn.Module):
    """A network whose output is made by a function."""

    def __init__(self, call):
        super().__init__()
        self.body, self.last = nn.Sequential(nn.Linear(5, 8), nn.Tanh()), nn.Linear(8, 3)
        self.table, self.call = nn.Embedding(3, 8), call

    def forward(self, x):
        return self.call(self, self.body(x))


NO_HEAD = [
    (
        nn.Sequential(network(), nn.Sigmoid()),
        "Sigmoid.*what comes before, and train with nn.BCEWith",
    ),
    (nn.Sequential(network(), nn.Softplus()), "Softplus.*leave loss= and targets out"),
    (Function(lambda m, h: m.last(h).sigmoid()), r"sigmoid\(\) makes.*nn.BCEWithLogitsLoss"),
    (Function(lambda m, h: F.linear(h, m.table.weight)), "product with 'table.weight'; make it a"),
    (Function(lambda m, h: h @ m.table.weight.T), "product with 'table.weight'; make it a module"),
    (
        nn.Sequential(network(4), nn.Unflatten(1, (2, 2)), nn.ConvTranspose1d(2, 3, 1)),
        "is a ConvTr",
    ),
    (
        nn.Sequential(network(4), nn.Unflatten(1, (2, 2)), nn.Conv1d(2, 2, 1, groups=2)),
        "is a Conv1",
    ),
]


@pytest.mark.parametrize(("model", "message"), NO_HEAD)
def test_where_no_layer_gives_the_output_it_is_said_what_does(model, message):
    with pytest.raises(InputError, match=message):
        RankMonitor(model, probe=X, targets=VALUES, loss="mse")
    RankMonitor(model, probe=X).close()


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.w = nn.Linear(2, 8), nn.Parameter(torch.ones(3, 8))
        self.b = nn.Parameter(torch.zeros(3))

    def forward(self, x):
        return F.linear(torch.tanh(self.body(x)), self.w, self.b)


def test_a_head_that_is_a_call_is_named_by_its_weight():
    said = r"is a product with 'w'; make it a module, .* with self.head.weight = self.w,"
    with pytest.raises(InputError, match=said):
        RankMonitor(Functional(), probe=torch.ones(4, 2), targets=torch.ones(4, 3), loss="mse")


def test_a_reason_whose_numbers_change_is_said_once():
    """Signs and exponents differ as well: a derivative changes from -58.3 to -5.83e-05."""
    model = nn.Sequential(network(), Bent())
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        monitor = RankMonitor(model, probe=X, targets=VALUES, loss="mse", head="0.2", every=1)
        for scale in (1, -1e-6, 3e5):
            with torch.no_grad():
                model[0][2].weight.mul_(scale)
            monitor.step()
    assert len({record.failure for record in monitor.history if record.failure}) > 1
    assert ["is not affine" in str(warning.message) for warning in said] == [True]


class Bent(nn.Module):
    def forward(self, x):
        return x + x**2


def test_a_column_of_the_head_is_read_once_the_model_returns_it():
    """A mean beside a log-variance."""
    model, y = network(2), VALUES[:, :1]
    with pytest.raises(InputError, match=r"let the model return .*name that entry: output="):
        RankMonitor(model, probe=X, targets=y, loss="mse")

    class Split(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = model

        def forward(self, x):
            u = self.net(x)
            return {"mean": u[:, :1], "variance": u[:, 1:].exp()}

    both = Split()
    # Variances of the network's own are no targets.
    record, _ = measured(both, probe=X, targets=y, loss=nn.GaussianNLLLoss(), output="mean")
    assert "or nn.MSELoss() where the network gives them" in record.failure
    record, _ = measured(both, probe=X, targets=y, loss=nn.MSELoss(), output="mean")
    assert record.reading.loss == pytest.approx(F.mse_loss(model(X)[:, :1], y).item(), rel=1e-5)


def test_the_remedies_work():
    class Tied(Function):
        def __init__(self):
            super().__init__(lambda m, h: m.head(h))
            self.head = nn.Linear(8, 3, bias=False)
            self.head.weight = self.table.weight

    model = Tied()
    record, _ = measured(model, probe=X, targets=VALUES, loss=nn.MSELoss())
    assert record.reading.loss == pytest.approx(F.mse_loss(model(X), VALUES).item(), rel=1e-5)
