"""RankMonitor in real training loops: what it measures, and that nobody notices it."""

from __future__ import annotations

import gc
import math
import tracemalloc
import warnings

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

import epsrank
from epsrank.numerics.monitor import RankMonitor, RankWarning
from epsrank.numerics.monitor.records.history import History
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank
from tests.numerics.monitor.digits import digits


class TinyTransformer(nn.Module):
    """Eight tokens of eight pixels each, with dropout."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(8, 16)
        self.blocks = nn.ModuleList(
            nn.TransformerEncoderLayer(16, 2, 32, dropout=0.1, batch_first=True) for _ in range(2)
        )
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = self.embed(x.reshape(-1, 8, 8))
        for block in self.blocks:
            x = block(x)
        return self.head(x.mean(dim=1))


def mlp():
    return nn.Sequential(
        nn.Linear(64, 20), nn.Tanh(), nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 10)
    )


def cnn():
    return nn.Sequential(
        nn.Unflatten(1, (1, 8, 8)), nn.Conv2d(1, 6, 3), nn.BatchNorm2d(6), nn.ReLU(),
        nn.Dropout(0.2), nn.Conv2d(6, 8, 3), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
        nn.Linear(8, 10),
    )  # fmt: skip


MODELS = {"mlp": mlp, "cnn": cnn, "transformer": TinyTransformer}


def train(make, steps=12, batch=32, monitored=None, seed=0):
    """Train with everything random, and return all that a monitor could disturb."""
    torch.manual_seed(seed)
    x, y = digits()
    model = make()
    optimiser = torch.optim.AdamW(model.parameters(), 3e-3)
    monitor = None if monitored is None else monitored(model, x, y)
    losses, gradients = [], []
    model.train()
    for _ in range(steps):
        chosen = torch.randint(0, len(x), (batch,))
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x[chosen]), y[chosen])
        loss.backward()
        optimiser.step()
        losses.append(loss.detach().clone())
        gradients.append([p.grad.clone() for p in model.parameters()])
        if monitor is not None:
            monitor.step(loss, y[chosen] if monitor._parts is None else None)
    if monitor is not None:
        monitor.close()
    state = {name: value.clone() for name, value in model.state_dict().items()}
    modes = [module.training for module in model.modules()]
    return losses, gradients, state, modes, torch.get_rng_state(), monitor


def same(left, right):
    a, b = left[:5], right[:5]
    flat = lambda run: [*run[0], *(g for step in run[1] for g in step), *run[2].values(), run[4]]  # noqa: E731
    return a[3] == b[3] and all(torch.equal(p, q) for p, q in zip(flat(a), flat(b), strict=True))


CASES = {
    "probe": lambda m, x, y: RankMonitor(
        m, probe=x, targets=y, loss="cross_entropy", every=3, warn=False
    ),
    "ranks": lambda m, x, y: RankMonitor(m, probe=x, quantities="ranks", eps=(1e-4,), every=3),
    "batches": lambda m, x, y: RankMonitor(m, loss="cross_entropy", every=3, warn=False),
    "forgetting": lambda m, x, y: RankMonitor(m, forgetting=0.9, every=2),
}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("case", CASES)
def test_training_is_the_same_bit_for_bit(name, case):
    alone = train(MODELS[name])
    watched = train(MODELS[name], monitored=CASES[case])
    assert same(alone, watched)
    history = watched[5].history
    wanted = [3, 6, 9, 12] if case in {"probe", "ranks"} else [3, 6, 9]
    assert history.steps == (wanted if case != "forgetting" else [2, 4, 6, 8, 10])
    assert all(record.failure is None for record in history)


def test_the_comparison_can_fail():
    def careless(model, x, y):
        class Careless(RankMonitor):
            def step(self, *args, **kwargs):
                torch.rand(1)
                return super().step(*args, **kwargs)

        return Careless(model, probe=x, every=3)

    assert not same(train(mlp), train(mlp, monitored=careless))


def test_numbers_are_those_of_the_features():
    x, y = digits()
    torch.manual_seed(0)
    model = mlp()
    with RankMonitor(
        model, probe=x, every=1, eps=(1e-6, 1e-2), targets=y, loss="cross_entropy"
    ) as m:
        records = m.step(1.0)
    with torch.no_grad():
        features = {"1": model[:2](x), "3": model[:4](x)}
    assert [record.layer for record in records] == ["1", "3"]
    for record in records:
        phi = features[record.layer]
        for entry in record.ranks:
            wanted = epsilon_rank(phi, entry.eps)
            assert (entry.lower, entry.upper) == (wanted.lower, wanted.upper)
        sigma = torch.linalg.svdvals(phi.double()) / math.sqrt(len(phi))
        own = record.quantities
        assert own.trace == pytest.approx(float(sigma.square().sum()))
        assert own.largest == pytest.approx(float(sigma[0] ** 2))
        assert own.dead == pytest.approx(float((phi == 0).all(dim=0).float().mean()))
        assert (record.n_samples, record.dtype, record.loss) == (400, "float32", 1.0)
    assert records[0].reading is None
    reading = records[1].reading
    assert reading.loss == pytest.approx(float(F.cross_entropy(model(x), y).detach()), rel=1e-5)
    assert m.latest["3"] == records[1]
    assert m.layers == ("1", "3")
    assert {skipped.name for skipped in m.skipped} >= {"0", "2"}


def test_batches_are_measured_as_they_pass():
    x, y = digits()
    torch.manual_seed(0)
    model = mlp()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    with RankMonitor(model, every=1, loss="mse", bias="fixed") as m:
        assert m.step(1.0) == []
        assert m._watch.active
        model(x[:50])
        with torch.no_grad():
            model.eval()
            model(x)  # validation does not count
            model.train()
        goal = F.one_hot(y[:50], 10).float()
        records = m.step(2.0, goal)
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert [record.n_samples for record in records] == [50, 50]
    assert records[0].step == 1
    with torch.no_grad():
        wanted = epsilon_rank(model[:4](x[:50]), 1e-6)
        naive = F.mse_loss(model(x[:50]), goal) * 10
    assert records[1].rank().lower == wanted.lower
    assert records[1].reading.loss == pytest.approx(float(naive), rel=1e-5)
    assert records[1].reading.bias == "fixed"
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())


def test_gradient_accumulation_gives_all_its_batches():
    x, _ = digits()
    model = mlp()
    with RankMonitor(model, every=1) as m:
        m.step()
        for chunk in torch.split(x, 100):
            model(chunk).sum().backward()
        assert [record.n_samples for record in m.step()] == [400, 400]


def test_forgetting_adds_up_what_was_seen():
    x, _ = digits()
    model = mlp()
    with RankMonitor(model, every=1, forgetting=0.5) as m:
        m.step()
        seen = []
        for _ in range(4):
            model(x[:30])
            seen.append(m.step()[0].n_samples)
    assert seen == [30, 60, 90, 120]


def test_inputs_to_step_are_sent_through_again():
    x, y = digits()
    model = mlp().train()
    with RankMonitor(model, every=2, loss="cross_entropy") as m:
        assert m.step(1.0, y[:64], inputs=x[:64]) == []
        records = m.step(1.0, y[:64], inputs=x[:64])
    assert [record.n_samples for record in records] == [64, 64]
    assert records[1].reading.n_samples == 64
    assert model.training


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # of the compiler itself
def test_compiled_models_need_no_probe():
    x, y = digits()
    records = []
    for compiled in (False, True):
        torch.compiler.reset()
        torch.manual_seed(0)
        model = torch.compile(mlp(), backend="eager") if compiled else mlp()
        with RankMonitor(model, every=2, loss="cross_entropy") as m:
            for step in range(4):
                rows = slice(20 * step, 20 * step + 20)
                F.cross_entropy(model(x[rows]), y[rows]).backward()
                m.step(targets=y[rows])
        records.append(list(m.history))
    assert [record.step for record in records[1]] == [2, 2]
    for eager, other in zip(*records, strict=True):
        assert other.failure is None
        assert (other.layer, other.n_samples) == (eager.layer, 20)
        assert other.ranks == eager.ranks
        assert other.reading == eager.reading
    model = torch.compile(mlp(), backend="eager")
    with RankMonitor(model, every=1) as m:
        assert m.step(inputs=x[:20])[0].n_samples == 20
    with RankMonitor(model, probe=x, every=1) as m:
        assert m.step()[0].failure is None


def test_a_resumed_training_goes_on_counting():
    x, _ = digits()
    with RankMonitor(mlp(), probe=x, every=10, first_step=37) as m:
        for _ in range(15):
            m.step()
    assert m.history.steps == [40, 50, 52]  # the last on leaving
    with RankMonitor(mlp(), probe=x, first_step=37) as m:
        assert m.step()[0].step == 38
    for bad in (-1, 1.0, True, "2"):
        with pytest.raises(InputError, match="first_step"):
            RankMonitor(mlp(), first_step=bad)


def test_measure_at_any_time():
    x, _ = digits()
    model = mlp()
    with RankMonitor(model, probe=x, every=1000) as m:
        assert [record.step for record in m.measure()] == [0, 0]
        m.step()
        assert m.measure()[0].step == 1
    with RankMonitor(model) as m, pytest.raises(InputError, match="probe"):
        m.measure()


def test_losses_between_measurements_are_averaged():
    x, _ = digits()
    with RankMonitor(mlp(), probe=x, every=3) as m:
        for loss in (1.0, torch.tensor(2.0), torch.tensor([2.0, 4.0], requires_grad=True)):
            m.step(loss)
        for _ in range(3):
            m.step()
    assert [record.loss for record in m.history.of_layer("1")] == [2.0, None]


def test_nan_weights_become_a_record_and_one_warning():
    x, y = digits()
    model = mlp()
    with RankMonitor(model, probe=x, targets=y, loss="cross_entropy", every=1) as m:
        m.step(0.5)
        with torch.no_grad():
            model[0].weight.fill_(math.nan)
        with pytest.warns(RankWarning, match="2 layers.*NaN") as caught:
            records = m.step(math.nan)
        assert len(caught) == 1
        m.step(math.nan)  # said once
        assert all("NaN" in record.failure for record in records)
        assert math.isnan(records[0].loss)
        with torch.no_grad():
            model[0].weight.normal_()
        assert m.step(0.5)[0].failure is None


def test_infinite_heads_leave_the_ranks():
    x, y = digits()
    model = mlp()
    with RankMonitor(model, probe=x, targets=y, loss="cross_entropy", every=1) as m:
        with torch.no_grad():
            model[-1].bias.fill_(math.inf)
        with pytest.warns(RankWarning, match="no reading"):
            records = m.step()
    assert records[1].ranks
    assert records[1].reading is None


def test_a_probe_that_fails_in_mid_training_does_not_end_it():
    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.body, self.angry = mlp(), False

        def forward(self, x):
            if self.angry:
                raise RuntimeError("out of memory\nand a long trace")
            return self.body(x)

    x, _ = digits()
    model = Moody()
    with RankMonitor(model, probe=x, every=1) as m:
        model.angry = True
        with pytest.warns(RankWarning, match="out of memory"):
            records = m.step()
        model.angry = False
        assert "out of memory" in records[0].failure
        assert m.step()[0].failure is None


def test_a_solver_that_fails_is_a_record(monkeypatch):
    x, _ = digits()
    with RankMonitor(mlp(), probe=x, every=1) as m:

        def broken(*args, **keywords):
            raise np.linalg.LinAlgError("did not converge")

        monkeypatch.setattr("epsrank.numerics.monitor.measuring.layer_numbers.quantities", broken)
        with pytest.warns(RankWarning, match="converge"):
            records = m.step()
    assert "LinAlgError" in records[0].failure
    assert records[0].n_features == 20


def test_layers_that_are_not_reached_say_so():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.two, self.second = nn.Tanh(), nn.Tanh(), True

        def forward(self, x):
            return self.two(self.one(x)) if self.second else self.one(x)

    model = Two()
    with RankMonitor(model, layers=["one", "two"], head=None, every=1) as m:
        m.step()
        model.second = False
        model(torch.randn(5, 3))
        with pytest.warns(RankWarning, match="did not reach"):
            records = m.step()
    assert records[0].failure is None
    assert "did not reach" in records[1].failure
    assert "if it was replaced or removed, make a new RankMonitor" in records[1].failure


def test_exceptions_in_the_loop_remove_the_hooks_and_close_the_sinks():
    x, _ = digits()
    model, sink = mlp(), Collecting()
    monitors = []

    def loop():
        with RankMonitor(model, every=1, sinks=[sink]) as m:
            monitors.append(m)
            m.step()
            assert m._watch.active
            model(x[:3])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        loop()
    [m] = monitors
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in model.modules())
    assert sink.closed == 1
    m.close()
    assert sink.closed == 1
    with pytest.raises(InputError, match="closed"):
        m.step()


class Collecting:
    def __init__(self):
        self.logged, self.closed = [], 0

    def log(self, step, values):
        self.logged.append((step, values))

    def close(self):
        self.closed += 1


def test_sinks_get_every_measurement():
    x, _ = digits()
    sink = Collecting()
    with RankMonitor(mlp(), probe=x, every=2, sinks=[sink]) as m:
        for _ in range(4):
            m.step(1.5)
    assert [step for step, _ in sink.logged] == [2, 4]
    assert 1.5 in sink.logged[0][1].values()


def test_a_sink_that_fails_is_left_out():
    class Broken(Collecting):
        def log(self, step, values):
            raise OSError("disk full")

    x, _ = digits()
    other = Collecting()
    with RankMonitor(mlp(), probe=x, every=1, sinks=[Broken(), other]) as m:
        with pytest.warns(RankWarning, match="disk full"):
            m.step()
        m.step()
    assert len(other.logged) == 2
    assert len(m.history) == 4


def test_signatures_reach_the_user_once():
    x, _ = digits()
    model = mlp()
    with warnings.catch_warnings(record=True) as caught, RankMonitor(model, probe=x, every=1) as m:
        warnings.simplefilter("always")
        for _ in range(40):
            m.step(0.7)
    assert [(w.category, w.filename) for w in caught] == [(RankWarning, __file__)]
    assert "plateau" in str(caught[0].message)
    assert [signature.name for signature in m.warnings] == ["plateau"]
    with warnings.catch_warnings(), RankMonitor(model, probe=x, every=1, warn=False) as m:
        warnings.simplefilter("error")
        for _ in range(40):
            m.step(0.7)
    assert [signature.name for signature in m.warnings] == ["plateau"]


def test_the_draw_of_a_large_probe_is_by_seed():
    x, y = digits()
    model = mlp()
    state = torch.get_rng_state()

    def ranks(seed):
        with RankMonitor(
            model, probe=x, targets=y, loss="cross_entropy", max_samples=60, seed=seed, every=1
        ) as m:
            m.step()
            return m.latest["3"].quantities, m.latest["3"].n_samples

    assert ranks(0) == ranks(0)
    assert ranks(0)[1] == 60
    assert ranks(0) != ranks(1)
    assert torch.equal(state, torch.get_rng_state())


def test_the_history_becomes_a_file_and_a_figure(tmp_path):
    x, y = digits()
    with RankMonitor(
        mlp(), probe=x, targets=y, loss="cross_entropy", every=1, eps=(1e-3, 1e-6)
    ) as m:
        with pytest.raises(InputError, match="no measurement"):
            m.plot()
        for _ in range(3):
            m.step(1.0)
    for suffix in ("csv", "json", "parquet"):
        getattr(m.history, f"to_{suffix}")(tmp_path / f"h.{suffix}")
        assert list(History.read(tmp_path / f"h.{suffix}")) == list(m.history)
    metadata = History.read(tmp_path / "h.json").metadata
    assert metadata["eps"] == [1e-3, 1e-6]
    assert metadata["versions"]["torch"] == torch.__version__ or metadata["versions"]["torch"]
    assert [layer["name"] for layer in metadata["layers"]] == ["1", "3"]
    figure = m.plot(tmp_path / "m.svg")
    assert (tmp_path / "m.svg").stat().st_size > 1000
    assert "0.001" in figure.axes[1].get_ylabel()
    assert "reachable" in figure.axes[0].get_legend().get_texts()[1].get_text()


def test_plots_without_targets_and_with_failures():
    x, _ = digits()
    model = mlp()
    with RankMonitor(model, probe=x, every=1) as m:
        m.step(1.0)
        with torch.no_grad():
            model[0].weight.fill_(math.nan)
        with pytest.warns(RankWarning):
            m.step(2.0)
        m.plot().canvas.draw()


def test_overhead_is_measured_and_auto_measures_at_once():
    x, _ = digits()
    with RankMonitor(mlp(), probe=x) as m:
        assert m.overhead == 0.0
        assert len(m.step(1.0)) == 2
        assert m.overhead > 0
        assert m.history[0].cost > 0
        assert "probe" in repr(m)


@pytest.mark.parametrize("quantities", ["auto", "all", "ranks"])
@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("measure", ["mean", "raw"])
def test_measures_and_thresholds(quantities, relative, measure):
    x, _ = digits()
    model = mlp()
    with RankMonitor(
        model, probe=x, every=1, quantities=quantities, relative=relative, measure=measure, eps=1e-3
    ) as m:
        record = m.step()[0]
    with torch.no_grad():
        wanted = epsilon_rank(model[:2](x), 1e-3, relative=relative, measure=measure)
    assert (record.rank().lower, record.rank().upper) == (wanted.lower, wanted.upper)
    assert (record.measure, record.relative) == (measure, relative)
    assert (record.quantities is None) == (quantities == "ranks")


def test_wide_layers_are_sketched(monkeypatch):
    monkeypatch.setattr("epsrank.numerics.monitor.measuring.settings.WIDE", 15)
    x, _ = digits()
    model = mlp()
    with RankMonitor(model, probe=x, every=1, eps=1e-4) as m:
        wide, narrow = m.step()
    with RankMonitor(model, probe=x, every=1, eps=1e-4, quantities="all") as m:
        full, same = m.step()
    assert wide.quantities.sketched is not None
    assert wide.quantities.rankme_lower <= full.quantities.rankme <= wide.quantities.rankme_upper
    assert full.quantities.rankme > 1
    assert wide.quantities.stable_rank == pytest.approx(full.quantities.stable_rank, rel=1e-5)
    assert int(wide.rank()) == int(full.rank())
    assert narrow.quantities == same.quantities


def test_zero_features_have_rank_zero():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with torch.no_grad():
        model[0].weight.zero_()
        model[0].bias.fill_(-1)
    for relative in (False, True):
        with RankMonitor(model, probe=torch.randn(9, 3), every=1, relative=relative) as m:
            record = m.step()[0]
        assert (record.rank().lower, record.rank().upper) == (0, 0)
        assert record.quantities.dead == 1.0


BAD = {
    "model": ({}, "model"),
    "eps": ({"eps": 0}, "eps"),
    "no eps": ({"eps": ()}, "eps"),
    "measure": ({"measure": "volume"}, "measure"),
    "quantities": ({"quantities": "some"}, "quantities"),
    "loss": ({"loss": "hinge"}, "loss"),
    "bias": ({"bias": "loose"}, "bias"),
    "relative": ({"relative": 1}, "relative"),
    "every": ({"every": 0}, "every"),
    "overhead": ({"overhead": 2.0}, "overhead"),
    "forgetting": ({"forgetting": 1.0}, "forgetting"),
    "forgetting a probe": ({"forgetting": 0.5, "probe": torch.ones(3, 64)}, "forgetting"),
    "max_samples": ({"max_samples": 0}, "max_samples"),
    "max_records": ({"max_records": 1}, "max_records"),
    "layers": ({"layers": ["missing"]}, "layers"),
    "targets without loss": ({"probe": torch.ones(3, 64), "targets": torch.ones(3)}, "loss"),
    "targets without probe": ({"targets": torch.ones(3), "loss": "mse"}, "probe"),
    "target rows": (
        {"probe": torch.ones(3, 64), "targets": torch.ones(4), "loss": "mse"}, "targets",
    ),
    "probe width": ({"probe": torch.ones(3, 63)}, "probe"),
    "probe type": ({"probe": 3}, "probe"),
    "probe generator": ({"probe": (torch.ones(3, 64) for _ in range(2))}, "probe"),
    "empty probe": ({"probe": torch.ones(0, 64)}, "probe"),
    "seed": ({"probe": torch.ones(3, 64), "seed": 0.5}, "seed"),
    "batch_size": ({"probe": torch.ones(3, 64), "batch_size": 0}, "batch_size"),
    "sinks": ({"sinks": [print]}, "sinks"),
    "process_group": ({"process_group": object()}, "process_group"),
    "head": ({"loss": "mse", "head": None}, "head"),
    "label": (
        {"probe": torch.ones(2, 64), "targets": torch.tensor([0, 10]), "loss": "cross_entropy"},
        "targets",
    ),
    "columns": (
        {"probe": torch.ones(2, 64), "targets": torch.ones(2, 9), "loss": "mse"}, "targets",
    ),
    "vector": ({"probe": torch.ones(2, 64), "targets": torch.ones(2), "loss": "mse"}, "targets"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_bad_arguments_are_one_line_at_construction(case):
    keywords, argument = BAD[case]
    with pytest.raises(InputError) as caught:
        RankMonitor("model" if case == "model" else mlp(), **keywords)
    assert caught.value.argument == argument
    assert "\n" not in str(caught.value)


def test_a_loss_that_is_no_number_is_refused():
    with RankMonitor(mlp()) as m, pytest.raises(InputError, match="loss"):
        m.step("low")


def test_the_public_name():
    assert epsrank.RankMonitor is RankMonitor
    assert epsrank.RankWarning is RankWarning


def test_memory_is_flat_over_measurements():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 4), nn.Tanh(), nn.Linear(4, 1))
    x = torch.randn(8, 2)
    with RankMonitor(
        model, probe=x, targets=x[:, :1], loss="mse", every=1, max_records=10, warn=False
    ) as m:
        for step in range(60):
            m.step(float(step))
        gc.collect()
        tracemalloc.start()
        try:
            for step in range(60):
                m.step(float(step))
            gc.collect()
            growth = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
    # The rows kept are all newer than the start: some 2 kB each. A leak of one would be 120 kB.
    assert growth < 80_000
    assert len(m.history) <= 10


def test_the_last_step_is_measured_on_leaving():
    x, y = digits()

    def steps(count, **keywords):
        with RankMonitor(mlp(), every=4, **keywords) as m:
            for _ in range(count):
                m.step(1.0)
            before = m.overhead
        return m, before

    m, before = steps(6, probe=x, targets=y, loss="cross_entropy")
    assert m.history.steps == [4, 6]
    for record in m.latest.values():
        assert record.step == 6
        assert str(record).startswith("step 6, ")
    assert list(m.latest.values())[-1].reading is not None
    assert m.overhead == pytest.approx(before, rel=0.5)  # without what came after the training
    assert m.overhead == m.overhead
    assert steps(8, probe=x)[0].history.steps == [4, 8]
    assert steps(0, probe=x)[0].history.steps == []
    assert steps(6, probe=x, at_exit=False)[0].history.steps == [4]
    m = RankMonitor(mlp(), every=4, probe=x)
    m.step()
    m.__exit__(ZeroDivisionError, ZeroDivisionError(), None)
    assert m.history.steps == []
    for keywords in ({"at_exit": True}, {"at_exit": "yes", "probe": x}):
        with pytest.raises(InputError, match="at_exit"):
            RankMonitor(mlp(), **keywords)


def test_a_reading_that_costs_more_than_is_earned_waits_and_says_so():
    x, y = digits()
    with RankMonitor(mlp(), probe=x, targets=y, loss="cross_entropy", overhead=1e-6) as m:
        *_, last = m.step(1.0)  # with warnings as errors: nothing is wrong
        assert last.ranks
        assert last.reading is None
        assert last.failure.startswith("no reading yet: it takes some ")
        assert "monitor.measure() reads at once" in last.failure
        assert m.measure()[-1].reading is not None
    for keywords in ({"every": 1}, {"overhead": 1.0}):
        with RankMonitor(
            mlp(), probe=x[:50], targets=y[:50], loss="cross_entropy", **keywords
        ) as m:
            assert m.step(1.0)[-1].reading is not None
