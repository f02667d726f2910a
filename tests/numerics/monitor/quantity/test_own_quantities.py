"""Quantities of the user's own: what they get, what they say, and that no training notices them."""

from __future__ import annotations

import functools
import itertools
import math
import random
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import epsrank
from epsrank import Estimate, OverheadBudget, QuantityData, RankMonitor, RankWarning
from epsrank.numerics.monitor.model.copies import same_bits
from epsrank.numerics.monitor.model.put_back import AsItWas
from epsrank.numerics.monitor.model.state import State
from epsrank.numerics.monitor.quantity.losses import cross_entropy, squares
from epsrank.theory.errors import InputError
from tests.numerics.monitor.digits import digits


def mlp():
    return nn.Sequential(nn.Linear(64, 12), nn.Tanh(), nn.Linear(12, 10))


def cnn():
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Dropout(0.2), nn.Flatten(), nn.Linear(216, 10),
    )  # fmt: skip


def gradient_norm(model, loss, data):
    value = loss(data.outputs(model), data.targets)
    gradients = torch.autograd.grad(value, list(model.parameters()))
    return torch.stack([g.square().sum() for g in gradients]).sum().sqrt()


# What a quantity can do to a training. True: that has to be named as a cause.


def draws(model, loss, data):
    random.random(), np.random.rand(), torch.rand(3)
    return 1.0


def trains(model, loss, data):
    model.train()
    data.outputs(model)  # dropout, and running means
    model[0].extra = "an attribute"
    return 1.0


def backward(model, loss, data):
    loss(data.outputs(model), data.targets).backward()
    return 1.0


def clears(model, loss, data):
    model.zero_grad()
    return 1.0


def scales_gradients(model, loss, data):
    for p in model.parameters():
        if p.grad is not None:
            p.grad *= 2
    return 1.0


def perturbs(model, loss, data):
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1
            p -= 0.1
    return 1.0


def perturbs_data(model, loss, data):
    for p in model.parameters():
        p.data = p.data + 1
    return 1.0


def doubles(model, loss, data):
    return float(model.double()(data.inputs.double()).sum())


def replaces(model, loss, data):
    last = list(model)[-1]
    last.weight = nn.Parameter(torch.zeros(10, last.weight.shape[1]))
    return 1.0


def freezes(model, loss, data):
    model.requires_grad_(False)
    return 1.0


def hooks(model, loss, data):
    def draw(*_):
        torch.rand(1)

    model.register_forward_hook(draw)
    model[0].register_forward_pre_hook(draw)
    return 1.0


def adds(model, loss, data):
    model.add_module("more", nn.Dropout())
    return 1.0


def writes_samples(model, loss, data):
    data.inputs.zero_()
    data.targets.zero_()
    return 1.0


def raises(model, loss, data):
    model.train(), model.zero_grad(), torch.rand(1)
    raise RuntimeError("no such thing\nsecond line")


def turns_gradients_off(model, loss, data):
    torch.set_grad_enabled(False)
    return 1.0


INVASIVE = {
    draws: None, trains: None, freezes: None, hooks: None, adds: None, writes_samples: None,
    turns_gradients_off: None, backward: "changed .grad (", scales_gradients: "changed .grad (",
    clears: "changed .grad (", perturbs: "changed parameters (",
    perturbs_data: "changed parameters (", doubles: "changed parameters (",
    replaces: "changed parameters (weight)", raises: "RuntimeError: no such thing; it changed",
}  # fmt: skip


def train(make, quantity=None, steps=6, background=False):
    """Train with everything random, and return all that could be disturbed."""
    for seed in (torch.manual_seed, random.seed, np.random.seed):
        seed(0)
    x, y = digits(100)
    model = make()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    quantities = "auto" if quantity is None else ["auto", {"mine": quantity}]
    monitor = RankMonitor(
        model, probe=x.clone(), targets=y.clone(), loss="cross_entropy", every=2, warn=False,
        quantities=quantities, background=background,
    )  # fmt: skip
    seen = []
    model.train()
    # Around the monitor, which reports what a thread has finished when it is closed.
    with warnings.catch_warnings(record=True) as said, monitor:
        warnings.simplefilter("always")
        for _ in range(steps):
            rows = torch.randperm(len(x))[:32]
            loss = F.cross_entropy(model(x[rows]), y[rows])
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            monitor.step(loss)
            # After the monitor: gradients too are those of the training.
            gradients = [p.grad.clone() for p in model.parameters()]
            seen += [loss.detach().clone(), *gradients]
    state = [*seen, *model.state_dict().values(), torch.get_rng_state()]
    moments = [t for s in optimiser.state.values() for t in s.values()]
    others = [
        [module.training for module in model.modules()],
        [p.requires_grad for p in model.parameters()],
        list(model.state_dict()),
        [len(module._forward_hooks) for module in model.modules()],
        random.getstate(),
        np.random.get_state()[1].tolist(),
        torch.is_grad_enabled(),
    ]
    ranks = [(r.step, r.layer, str(r.ranks), str(r.reading)) for r in monitor.history]
    return [t.clone() for t in state + moments], others, ranks, monitor, said


def same(left, right):
    return left[1:3] == right[1:3] and all(map(same_bits, left[0], right[0]))


alone = functools.cache(train)


@pytest.mark.parametrize("make", [mlp, cnn])
@pytest.mark.parametrize("quantity", [gradient_norm, *INVASIVE], ids=lambda f: f.__name__)
def test_the_training_is_the_same_bit_for_bit(make, quantity):
    watched = train(make, quantity)
    assert same(alone(make), watched)
    records = watched[3].history.quantities
    assert [(own.step, own.name) for own in records] == [(2, "mine"), (4, "mine"), (6, "mine")]
    cause = INVASIVE.get(quantity)
    for own in records:
        assert (own.value is None) == (quantity is raises)
        assert own.seconds > 0
        assert own.cause is None if cause is None else cause in own.cause
    # One warning, however often.
    said = [str(w.message) for w in watched[4] if issubclass(w.category, RankWarning)]
    assert len(said) == (cause is not None)
    assert all(line.startswith("quantity mine: ") and "\n" not in line for line in said)


def test_the_comparison_can_fail(monkeypatch):
    monkeypatch.setattr(AsItWas, "put_back", lambda self: None)
    # Hooks are put back with all else that a pass may change.
    monkeypatch.setattr(State, "put_back", lambda self: None)
    for quantity in (backward, scales_gradients, perturbs, perturbs_data, hooks):
        assert not same(alone(mlp), train(mlp, quantity))


@pytest.mark.parametrize("quantity", [gradient_norm, backward, draws])
def test_in_the_background_they_are_those_of_their_step(quantity):
    ahead, beside = train(mlp, quantity), train(mlp, quantity, background=True)
    assert same(ahead, beside)
    values = [[own.value for own in run[3].history.quantities] for run in (ahead, beside)]
    assert values[0] == values[1]


def test_values_are_those_of_the_quantity_alone():
    torch.manual_seed(0)
    x, y = digits(50)
    model = mlp()
    with RankMonitor(
        model, probe=x, targets=y, loss="cross_entropy", every=1, quantities={"g": gradient_norm}
    ) as monitor:
        [*_, last] = monitor.step()
    expected = gradient_norm(model, F.cross_entropy, QuantityData(x, y))
    assert last.own_quantities[0].value == pytest.approx(float(expected), rel=1e-6)
    assert monitor.history.of_quantity("g")[0] == last.own_quantities[0]
    with pytest.raises(InputError, match=r"name is 'h'; choose one of: g"):
        monitor.history.of_quantity("h")


def test_what_a_quantity_gets():
    got = []

    def look(model, loss, data):
        got.append((model, loss, data, model.training, torch.is_grad_enabled()))
        return 0.0

    x, _ = digits(30)
    model = torch.compile(mlp(), backend="eager")
    with (
        torch.no_grad(),
        RankMonitor(model, probe=x, every=1, quantities={"f": look}) as monitor,
    ):
        monitor.step()
    inner, loss, data, training, gradients = got[0]
    assert inner is model._orig_mod
    assert loss is None
    assert data.targets is None
    assert not training
    assert gradients
    assert torch.equal(data.inputs, x)
    assert data.inputs.data_ptr() != x.data_ptr()
    with pytest.raises(AttributeError):
        data.inputs = None


@pytest.mark.parametrize("kind", ["tuple", "mapping", "batches"])
def test_probes_of_all_kinds(kind):
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.act, self.head = nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 2)

        def forward(self, a, b):
            return self.head(self.act(self.body(a + b)))

    a, b = torch.randn(20, 3), torch.randn(20, 3)
    probe = {
        "tuple": (a, b),
        "mapping": {"b": b, "a": a},
        "batches": [(a[:15], b[:15]), {"a": a[15:], "b": b[15:]}],
    }[kind]
    seen = []
    model = Two()
    with RankMonitor(
        model, probe=probe, every=1,
        quantities={"sum": lambda m, loss, data: seen.append(data.outputs(m)) or 1},
    ) as monitor:  # fmt: skip
        monitor.step()
    assert torch.allclose(seen[0], model(a, b))
    assert monitor.history.quantities[0].cause is None


def test_the_samples_are_those_of_the_part_measured():
    counts = []

    def count(model, loss, data):
        assert torch.equal(data.targets, data.inputs[:, 0])
        counts.append(len(data.inputs))
        return len(data.inputs)

    x = torch.randn(2000, 5)
    model = nn.Sequential(nn.Linear(5, 20), nn.Tanh(), nn.Linear(20, 1))
    with RankMonitor(
        model, probe=x, targets=x[:, 0].clone(), loss="mse", every=OverheadBudget(1e-9),
        quantities={"n": count},
    ) as monitor:  # fmt: skip
        monitor.step(1.0)
        monitor.measure()
    history = monitor.history
    assert counts == [80, 2000]
    assert [r.n_samples for r in history] == [own.value for own in history.quantities] == counts
    assert [r.probe_part for r in history] == [0.04, 1.0]


def test_what_goes_wrong_is_a_record_with_its_cause_and_one_warning():
    x, _ = digits(30)
    faults = {
        "fails": lambda m, loss, d: 1 / 0,
        "nan": lambda m, loss, d: torch.tensor(math.nan),
        "nan_estimate": lambda m, loss, d: Estimate(math.nan, 0, 1),
        "list": lambda m, loss, d: [1.0],
        "vector": lambda m, loss, d: torch.ones(3),
        "text": lambda m, loss, d: "3",
        "nothing": lambda m, loss, d: None,
        "upside_down": lambda m, loss, d: Estimate(1.0, 2.0, 3.0),
        "no_loss": lambda m, loss, d: loss(d.outputs(m), d.targets),
        "infinite": lambda m, loss, d: math.inf,
        "fine": lambda m, loss, d: np.float32(2),
    }
    monitor = RankMonitor(mlp(), probe=x, every=1, quantities=faults)
    with pytest.warns(RankWarning) as said, monitor:
        monitor.step(), monitor.step()
    causes = {own.name: (own.value, own.cause) for own in monitor.history.quantities}
    assert len(monitor.history.quantities) == 2 * len(faults)
    nan = (None, "the value is NaN")
    remedy = "; return one number or an Estimate"
    assert causes == {
        "fails": (None, "ZeroDivisionError: division by zero"),
        "nan": nan,
        "nan_estimate": nan,
        "list": (None, f"value is a list{remedy}"),
        "vector": (None, f"value is a Tensor of shape (3,){remedy}"),
        "text": (None, f"value is a str{remedy}"),
        "nothing": (None, f"value is None{remedy}"),
        "upside_down": (None, "value is 1.0, outside of [2.0, 3.0]; order them"),
        "no_loss": (None, "TypeError: 'NoneType' object is not callable"),
        "infinite": (math.inf, None),
        "fine": (2.0, None),
    }
    assert sorted(str(w.message).split()[1] for w in said) == sorted(
        f"{name}:" for name, (_, cause) in causes.items() if cause
    )
    # Where the warning points, and that layers are as ever.
    assert {w.filename for w in said} == {__file__}
    assert all(record.failure is None for record in monitor.history)


def test_an_interrupt_goes_through_and_leaves_the_model_as_it_was():
    def slow(model, loss, data):
        perturbs_data(model, loss, data)
        raise KeyboardInterrupt

    x, _ = digits(30)
    model = mlp()
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(KeyboardInterrupt):
        RankMonitor(model, probe=x, every=1, quantities={"slow": slow}).step()
    assert all(map(same_bits, before, model.parameters()))


def test_a_pass_that_fails_is_the_cause():
    class Breaks(nn.Sequential):
        broken = False

        def forward(self, x):
            if self.broken:
                raise RuntimeError("broken")
            return super().forward(x)

    x, _ = digits(30)
    model = Breaks(nn.Linear(64, 4), nn.Tanh(), nn.Linear(4, 1))
    with RankMonitor(model, probe=x, every=1, quantities={"f": draws}) as monitor:
        monitor.step()
        model.broken = True
        with pytest.warns(RankWarning, match="broken") as said:
            monitor.step()
    assert len(said) == 1
    assert [(own.value, own.cause) for own in monitor.history.quantities] == [
        (1.0, None),
        (None, "RuntimeError: broken"),
    ]


def test_each_draws_the_same_numbers_whichever_others_there_are():
    x, _ = digits(30)

    def number(model, loss, data):
        return torch.rand(1)

    def values(quantities):
        torch.manual_seed(5)
        with RankMonitor(mlp(), probe=x, every=1, quantities=quantities) as monitor:
            monitor.step()
        return {own.name: own.value for own in monitor.history.quantities}

    both = values({"a": draws, "b": number})
    assert both["b"] == values({"b": number})["b"]


def test_weights_that_are_nan_are_no_change():
    x, _ = digits(30)
    model = mlp()
    with torch.no_grad():
        model[0].weight[0, 0] = math.nan
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with RankMonitor(model, probe=x, every=1, quantities={"f": draws}) as monitor:
            monitor.step()
    assert monitor.history.quantities[0].cause is None


@pytest.mark.parametrize(
    "dtype",
    [torch.bool, torch.uint8, torch.bfloat16, torch.float32, torch.float64, torch.complex128],
)
def test_numbers_are_compared_bit_by_bit(dtype):
    tensor = torch.ones(2, 3).to(dtype)
    assert same_bits(tensor, tensor.clone())
    assert same_bits(tensor.T, tensor.T.contiguous())
    other = tensor.clone()
    other[1, 2] = 0
    assert not same_bits(tensor, other)
    assert not same_bits(tensor, tensor[:1])
    if dtype.is_floating_point:
        assert same_bits(tensor * math.nan, tensor * math.nan)
        assert not same_bits(tensor * 0, tensor * -0.0)
    assert same_bits(tensor[0, 0], tensor[1, 1])
    assert same_bits(tensor[:0], tensor[:0])


def test_sparse_gradients_are_put_back():
    model = nn.Sequential(nn.Embedding(9, 3, sparse=True), nn.Linear(3, 1))
    model(torch.tensor([1, 4, 4])).sum().backward()
    gradient = model[0].weight.grad
    before, values = AsItWas(model), gradient.coalesce().to_dense()
    assert before.put_back() is None
    model(torch.tensor([2])).sum().backward()
    assert "0.weight" in str(before.put_back())
    assert torch.equal(model[0].weight.grad.to_dense(), values)
    assert before.put_back() is None


def test_tied_weights_and_memory_that_is_shared_stay_so():
    model = nn.Sequential(nn.Linear(4, 4), nn.Linear(4, 4))
    model[1].weight = model[0].weight
    flat = torch.randn(16)
    model[0].weight.data = flat.view(4, 4)
    before = AsItWas(model)
    model[0].weight.data = torch.zeros(4, 4)
    flat += 1
    assert "parameters (0.weight)" in str(before.put_back())
    assert model[1].weight is model[0].weight
    assert model[0].weight.data_ptr() == flat.data_ptr()


def test_the_time_is_part_of_the_price():
    clock = itertools.count()
    booked = []

    class Budget(OverheadBudget):
        def spent(self, seconds):
            booked.append(seconds)
            super().spent(seconds)

    def slow(model, loss, data):
        import time

        began = time.perf_counter()
        while time.perf_counter() - began < 0.2:
            next(clock)
        return 1.0

    x, _ = digits(30)
    kept = {"quantities": {"slow": slow}, "at_exit": False}
    with RankMonitor(mlp(), probe=x, every=Budget(0.01), **kept) as monitor:
        monitor.step()
        for _ in range(50):
            monitor.step()
    [own] = monitor.history.quantities
    assert own.seconds >= 0.2
    assert max(booked) >= 0.2
    assert monitor.history[0].cost >= 0.2
    assert monitor.overhead > 0.2


def test_the_first_part_is_chosen_by_what_quantities_cost():
    counts = []

    def slow(model, loss, data):
        import time

        time.sleep(0.05)
        counts.append(len(data.inputs))
        return 1.0

    x = torch.randn(2000, 5)
    make = lambda: nn.Sequential(nn.Linear(5, 20), nn.Tanh(), nn.Linear(20, 1))  # noqa: E731
    # 0.15 s for the first part: three times what the quantity takes on the least of 80 samples.
    with RankMonitor(
        make(), probe=x, every=OverheadBudget(0.015), quantities={"slow": slow}
    ) as monitor:
        monitor.step()
    assert counts[0] == 80
    assert monitor.history[0].n_samples == counts[-1] < 2000
    assert len(monitor.history.quantities) == 1


QUANTITY = {"f": draws}


@pytest.mark.parametrize(
    ("given", "choice", "names"),
    [
        ("auto", "auto", []),
        ("ranks", "ranks", []),
        (QUANTITY, "auto", ["f"]),
        (["all", QUANTITY], "all", ["f"]),
        ([QUANTITY, {"g": gradient_norm}, "ranks"], "ranks", ["f", "g"]),
        ([QUANTITY], "auto", ["f"]),
        (("ranks",), "ranks", []),
        ({}, "auto", []),
        ({"f": functools.partial(lambda m, loss, d, k: k, k=2), "g": max}, "auto", ["f", "g"]),
    ],
)
def test_words_mappings_and_lists_of_both(given, choice, names):
    x, _ = digits(30)
    with RankMonitor(mlp(), probe=x, every=1, quantities=given) as monitor:
        assert monitor.settings.quantities == choice
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            monitor.step()
    assert [own.name for own in monitor.history.quantities] == names
    assert monitor.history.metadata.get("own_quantities", []) == names
    assert monitor.history.metadata["quantities"] == choice
    assert (monitor.history[0].quantities is None) == (choice == "ranks")


@pytest.mark.parametrize(
    ("given", "line"),
    [
        ("some", "quantities is 'some'; choose one of 'auto', 'all', 'ranks'"),
        (
            3,
            "quantities is 3; choose one of 'auto', 'all', 'ranks', a mapping of names to "
            "callables, or a list of both",
        ),
        (["auto", "all"], "quantities hold 'auto' and 'all'; choose one"),
        ([QUANTITY, QUANTITY], "quantities have 'f' twice; name each one once"),
        (
            {"f": 3},
            "quantities have a int as 'f'; pass a callable quantity(model, loss, data)",
        ),
        (
            {"f": lambda model: 1},
            "quantities have 'f', which does not take three arguments (too many positional "
            "arguments); pass a callable quantity(model, loss, data)",
        ),
        *(
            (
                {name: draws},
                f"quantities have the name {name!r}; use ASCII letters, digits, '_', '-' and "
                "'.', a letter or digit first",
            )
            for name in ("", "a,b", 'a"b', "a\n", "λ", "_a", 3)
        ),
    ],
)
def test_bad_arguments_are_refused_in_one_line(given, line):
    x, _ = digits(30)
    with pytest.raises(InputError) as found:
        RankMonitor(mlp(), probe=x, quantities=given)
    assert str(found.value) == line


def test_a_probe_is_needed_and_a_group_refused():
    with pytest.raises(InputError) as found:
        RankMonitor(mlp(), quantities=QUANTITY)
    assert str(found.value) == (
        "quantities hold f, but there is no probe; pass probe= with the samples that they are "
        "measured on"
    )
    with pytest.raises(InputError) as found:
        RankMonitor(mlp(), probe=digits(30)[0], quantities=QUANTITY, process_group=object())
    assert str(found.value) == (
        "quantities hold f, but there is a process group; leave them out, or measure in one "
        "process without a group"
    )


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("3",), "value is a str; "),
        ((1.0, 2.0), "value is 1.0, outside of [2.0, inf]; "),
        ((1.0, None, 0.5), "value is 1.0, outside of [-inf, 0.5]; "),
        ((1.0, math.nan), "low is NaN; "),
        ((1.0, 0.0, 2.0, "sure"), "meaning is 'sure'; "),
        ((1.0, None, None, "certified"), "meaning is 'certified'; pass low"),
        ((1.0, 0.0, 2.0, "confidence"), "level is None; "),
        ((1.0, 0.0, 2.0, "certified", 0.9), "level is 0.9; "),
        ((1.0, 0.0, 2.0, "confidence", 1.0), "level is 1.0; pass a probability"),
    ],
)
def test_estimates_that_make_no_sense(arguments, line):
    with pytest.raises(InputError) as found:
        Estimate(*arguments)
    assert str(found.value).startswith(line)


def test_estimates():
    one_sided = Estimate(torch.tensor(2.0), low=np.float64(1.5), meaning="certified")
    assert (one_sided.value, one_sided.low, one_sided.high) == (2.0, 1.5, None)
    assert type(one_sided.value) is type(one_sided.low) is float
    assert Estimate(3, 2, 4, "confidence", 0.9) == Estimate(3.0, 2.0, 4.0, "confidence", 0.9)
    assert epsrank.Estimate is Estimate


def test_losses_are_those_of_the_reading():
    torch.manual_seed(0)
    x, y = digits(60)
    for kind, targets in (("cross_entropy", y), ("mse", F.one_hot(y, 10).float())):
        with RankMonitor(
            mlp(), probe=x, targets=targets, loss=kind, every=1, warn=False,
            quantities={"loss": lambda m, loss, d: loss(d.outputs(m), d.targets)},
        ) as monitor:  # fmt: skip
            [last] = monitor.step()
        assert last.own_quantities[0].value == pytest.approx(last.reading.loss, rel=1e-5)


def test_losses_on_all_shapes():
    u, labels = torch.randn(4, 3, 5), torch.randint(5, (4, 3))
    labels[0, 0] = -100
    flat = F.cross_entropy(u.reshape(12, 5), labels.reshape(12))
    assert torch.allclose(cross_entropy(u, labels), flat)
    assert torch.allclose(cross_entropy(u.movedim(2, 1), labels), flat)
    likely = torch.softmax(torch.randn(4, 5), dim=1)
    assert torch.allclose(cross_entropy(u[:, 0], likely), F.cross_entropy(u[:, 0], likely))
    goal = torch.randn(4, 3, 5)
    assert torch.allclose(squares(u, goal), 5 * F.mse_loss(u, goal))
    # (N, 1) beside (N,): one output, no table of differences.
    assert torch.allclose(squares(u[:, 0, :1], goal[:, 0, 0]), (u - goal)[:, 0, 0].square().mean())
    for loss, bad in ((squares, goal[:, :2]), (cross_entropy, labels[:, :2]), (squares, None)):
        with pytest.raises(InputError, match="targets"):
            loss(u, bad)
    with pytest.raises(InputError, match="outputs are a list; pass a tensor"):
        squares([u], goal)
