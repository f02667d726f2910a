"""Which head is read: never the wrong one without a word."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from epsrank.numerics.monitor import RankMonitor, RankWarning
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.theory.errors import InputError
from tests.numerics.monitor.heads.models import Dueling, Low

pytestmark = pytest.mark.filterwarnings(f"ignore::{RankWarning.__module__}.RankWarning")

X = torch.randn(30, 4, generator=torch.Generator().manual_seed(1))
Y = torch.arange(30) % 3


class TwoHeads(nn.Module):
    """Classes, and something else."""

    def __init__(self, output=dict):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Sequential(nn.Linear(4, 10), nn.Tanh())
        self.cls, self.aux = nn.Linear(10, 3), nn.Linear(10, 8)
        self.output = output

    def forward(self, x):
        h = self.body(x)
        both = {"cls": self.cls(h), "aux": self.aux(h)}
        return both if self.output is dict else tuple(both.values())


def monitored(model, **options):
    options = {"probe": X, "targets": Y, "loss": "cross_entropy", **options}
    with RankMonitor(model, every=1, warn=False, **options) as monitor:
        monitor.measure()
    return monitor


def test_several_heads_are_named_and_one_is_asked_for():
    plan = find_layers(TwoHeads(), example=X)
    assert plan.head is None
    assert plan.candidates == ("cls", "aux")
    assert "choose with head=" in str(plan)
    reasons = {layer.name: layer.reason for layer in plan.skipped}
    assert "head='cls'" in reasons["cls"]
    with pytest.raises(InputError, match="'cls' and 'aux' all give outputs; say which"):
        monitored(TwoHeads())
    # Ranks need no head.
    assert monitored(TwoHeads(), targets=None, loss=None).latest["body.1"].ranks


@pytest.mark.parametrize("output", [dict, tuple])
def test_the_head_that_is_named_is_read(output):
    model = TwoHeads(output)
    with torch.no_grad():
        h = model.body(X)
        wanted = {"cls": F.cross_entropy(model.cls(h), Y), "aux": F.cross_entropy(model.aux(h), Y)}
    for name, loss in wanted.items():
        monitor = monitored(model, head=name)
        reading = monitor.latest["body.1"].reading
        assert reading.head == name
        assert reading.loss == pytest.approx(float(loss), rel=1e-5)
        assert f"head: {name}: u = φW + b" in str(monitor.plan)


def test_every_head_has_a_reading_of_its_own():
    model = TwoHeads()
    goal = torch.randn(30, 8)
    monitor = monitored(
        model, heads=["cls", model.aux], targets={"cls": Y, "aux": goal},
        loss={"cls": "cross_entropy", "aux": "mse"},
    )  # fmt: skip
    with torch.no_grad():
        out = model(X)
    readings = {record.reading.head: record.reading for record in monitor.latest.values()}
    assert readings["cls"].loss == pytest.approx(float(F.cross_entropy(out["cls"], Y)), rel=1e-5)
    assert readings["aux"].loss == pytest.approx(8 * float(F.mse_loss(out["aux"], goal)), rel=1e-5)
    assert set(monitor.latest) == {"body.1", "aux (input)"}


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"head": "cls", "heads": ["aux"]}, "heads are given, and so is head"),
        ({"heads": ["cls", "nothing"]}, "no module of the model"),
        ({"heads": []}, "are none"),
        ({"head": "cls", "output": 1.5}, "output is 1.5"),
        ({"heads": ["cls", "aux"], "loss": {"other": "mse"}}, "name the head 'other'"),
        ({"heads": ["cls", "aux"], "targets": {"other": Y}}, "name the head 'other'"),
    ],
)
def test_heads_that_do_not_fit_are_refused(options, words):
    with pytest.raises(InputError, match=words):
        monitored(TwoHeads(), **options)


def test_an_output_is_chosen_among_several_of_one_head():
    class Both(TwoHeads):
        def forward(self, x):
            logits = self.cls(self.body(x))
            return {"logits": logits, "scaled": 4 * logits}

    model = Both()
    assert "say which has the targets" in str(monitored(model).latest["body.1"].failure)
    for name in ("logits", "scaled"):
        with torch.no_grad():
            wanted = float(F.cross_entropy(model(X)[name], Y))
        reading = monitored(model, output=name).latest["body.1"].reading
        assert reading.loss == pytest.approx(wanted, rel=1e-5)
    with pytest.raises(InputError, match="the model gives 'logits', 'scaled'"):
        monitored(model, output="other")


def test_dueling_heads_are_asked_for():
    with pytest.raises(InputError, match="'value' and 'advantage'"):
        monitored(Dueling(), loss="mse", targets=torch.randn(30, 3))


def test_a_layer_with_an_adapter_is_one_head():
    model = nn.Sequential(nn.Linear(4, 10), nn.Tanh(), Low(nn.Linear(10, 3)))
    assert [head.name for head in find_layers(model, example=X).heads] == ["2"]


class Mixed(nn.Module):
    """A layer and products with parameters beside it, as in a KAN; or one after the other."""

    def __init__(self, call):
        super().__init__()
        self.body, self.base = nn.Sequential(nn.Linear(4, 10), nn.Tanh()), nn.Linear(10, 3)
        self.c = nn.Parameter(torch.randn(3, 10, 2))
        self.u, self.v = nn.Parameter(torch.randn(10, 2)), nn.Parameter(torch.randn(2, 3))
        self.mix, self.call = nn.Parameter(torch.randn(3, 3)), call

    def forward(self, x):
        return self.call(self, self.body(x))


def powers(h):
    return torch.stack([h**2, h**3], -1)


@pytest.mark.parametrize(
    ("call", "weights"),
    [
        (lambda m, h: m.base(h) + torch.einsum("nip,oip->no", powers(h), m.c), "c"),
        (lambda m, h: m.base(h) + h @ m.u @ m.v, "v"),
        (lambda m, h: F.linear(h, F.normalize(m.u @ m.v, dim=0).T) + m.base(h), "u"),
    ],
)
def test_a_product_beside_a_layer_gives_the_output_too(call, weights):
    model = Mixed(call)
    said = rf"'base' and a product with '{weights}' both give the output; say head='base'"
    with pytest.raises(InputError, match=said):
        monitored(model)
    reading = monitored(model, head="base").latest["body.1"].reading
    assert reading.form == "u = φW + b + r"
    assert reading.loss == pytest.approx(F.cross_entropy(model(X), Y).item(), rel=1e-5)
    # Ranks need no head.
    assert monitored(model, targets=None, loss=None).latest["body.1"].ranks
    # Without a probe the first batch shows it.
    with RankMonitor(model, loss="cross_entropy", every=1, warn=False) as monitor:
        for _ in range(2):
            model(X)
            monitor.step(targets=Y)
    assert f"product with {weights!r}" in monitor.latest[monitor.plan.last.name].failure


def test_a_product_after_a_layer_is_a_part_of_what_is_made_of_it():
    reading = monitored(Mixed(lambda m, h: m.base(h) @ m.mix), loss="mse",
                        targets=torch.randn(30, 3)).latest["body.1"].reading  # fmt: skip
    assert "a matrix D" in reading.form


def test_a_head_of_the_users_own_comes_before_the_layer_below_it():
    class Cosine(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.randn(3, 6))

        def forward(self, h):
            return F.linear(h, F.normalize(self.weight))

    class Unit(nn.Module):
        def forward(self, h):
            return F.normalize(h)

    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 9), nn.PReLU(), nn.Linear(9, 6), Unit(), Cosine())
    monitor = monitored(model)
    reading = monitor.latest[monitor.plan.last.name].reading
    assert reading.head == "4"
    assert reading.loss == pytest.approx(F.cross_entropy(model(X), Y).item(), rel=1e-5)


def test_modules_that_go_change_nothing_whoever_holds_them():
    class Aided(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.head = nn.Sequential(nn.Linear(4, 10), nn.Tanh()), nn.Linear(10, 3)
            self.aid = nn.Linear(10, 3)

        def forward(self, x):
            return self.head(self.body(x))

    for held in (False, True):
        model = Aided()
        monitor = RankMonitor(model, probe=X, targets=Y, loss="cross_entropy", warn=False)
        kept = model.aid if held else None
        del model.aid
        assert monitor.measure()[-1].failure is None, kept
        monitor.close()


@pytest.mark.parametrize("change", ["replaced", "inserted"])
def test_a_model_that_changes_in_mid_training_is_noticed(change):
    class Growing(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(4, 10), nn.Tanh())
            self.more, self.head = nn.Identity(), nn.Linear(10, 3)

        def forward(self, x):
            return self.head(self.more(self.body(x)))

    model = Growing()
    with RankMonitor(
        model, probe=X, targets=Y, loss="cross_entropy", every=1, warn=False
    ) as monitor:
        assert monitor.measure()[-1].reading is not None
        if change == "replaced":
            model.head = nn.Linear(10, 3)
        else:
            model.more = nn.Sequential(nn.Linear(10, 10), nn.Tanh())
        [record] = [r for r in monitor.measure() if r.layer == "body.1"]
    assert record.reading is None
    assert "make a new RankMonitor" in record.failure


@pytest.mark.parametrize("named", [False, True])
def test_without_a_probe_a_head_is_confirmed_by_the_first_batch(named):
    model = TwoHeads()
    options = {"head": "cls"} if named else {}
    with RankMonitor(model, loss="cross_entropy", every=1, warn=False, **options) as monitor:
        for _ in range(2):
            loss = F.cross_entropy(model(X)["cls"], Y)
            monitor.step(loss, targets=Y)
    record = monitor.latest[monitor.plan.last.name]
    if named:
        assert record.reading.loss == pytest.approx(float(loss.detach()), rel=1e-5)
    else:
        assert "'cls' and 'aux' all give outputs" in record.failure


def test_what_enters_the_head_is_measured_where_something_works_in_place():
    class Masked(nn.Module):
        def __init__(self):
            super().__init__()
            torch.manual_seed(0)
            self.body = nn.Sequential(nn.Linear(4, 12), nn.Tanh())
            self.head = nn.Linear(12, 2)

        def forward(self, x):
            z = self.body(x)
            z[:, :6] = 0
            return self.head(z)

    plan = find_layers(Masked(), example=X)
    assert plan.last.name == "head (input)"
    monitor = monitored(Masked(), loss="mse", targets=torch.randn(30, 2))
    assert monitor.latest["head (input)"].rank().upper <= 6


@pytest.mark.parametrize("updated", [True, False])
def test_weights_that_change_between_calls_of_one_step_have_no_reading(updated):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 10), nn.LeakyReLU(0.2), nn.Linear(10, 3))
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    monitor = RankMonitor(model, every=1, loss="cross_entropy", warn=False)
    for _ in range(2):
        first = model(X)
        F.cross_entropy(first, Y).backward()
        if updated:
            optimiser.step()
        both = torch.cat([first, model(-X)])
        monitor.step(targets=torch.cat([Y, Y]))
    monitor.close()
    record = monitor.latest["1"]
    if updated:
        assert record.reading is None
        assert "changed its weights between two calls of the same step" in record.failure
    else:
        wanted = F.cross_entropy(both, torch.cat([Y, Y])).item()
        assert record.reading.loss == pytest.approx(wanted, rel=1e-5)
