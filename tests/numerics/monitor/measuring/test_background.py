"""Measuring in a thread of its own gives the same records, in order, and leaves training alone."""

from __future__ import annotations

import threading
import time
import warnings
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank.numerics.monitor import RankMonitor, RankWarning
from epsrank.numerics.monitor.measuring import background
from epsrank.numerics.monitor.measuring.background import Background
from epsrank.numerics.monitor.measuring.measurer import Measurer
from epsrank.theory.errors import InputError

X = torch.randn(200, 6, generator=torch.Generator().manual_seed(0))
Y = (X[:, 0] > 0).long()


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(6, 40), nn.Tanh(), nn.Dropout(0.1), nn.Linear(40, 10), nn.ReLU(), nn.Linear(10, 2)
    )


def train(monitored=True, probe=False, steps=6, every=1, **keywords):
    model = network()
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    monitor, returned = None, []
    if monitored:
        own = {"probe": X, "targets": Y} if probe else {}
        monitor = RankMonitor(
            model, loss="cross_entropy", every=every, warn=False, **own, **keywords
        )
    torch.manual_seed(1)
    for step in range(steps):
        rows = slice(16 * step, 16 * step + 16)
        x, y = X[rows].clone(), Y[rows].clone()
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        optimiser.step()
        if monitor is not None:
            returned += monitor.step(loss, None if probe else y)
            x.zero_()  # a loader may use its memory again
            y.zero_()
    if monitor is not None:
        monitor.close()
    return [p.detach().clone() for p in model.parameters()], monitor, returned


def comparable(record):
    return (
        record.step, record.layer, record.loss, record.n_samples, record.dtype, record.ranks,
        record.quantities, record.reading, record.failure,
    )  # fmt: skip


def assert_same(one, two):
    assert [comparable(record) for record in one] == [comparable(record) for record in two]


@pytest.mark.parametrize("probe", [False, True])
@pytest.mark.parametrize("keywords", [{}, {"quantities": "ranks"}])
def test_the_same_records_and_the_same_training(probe, keywords):
    alone, _, _ = train(monitored=False)
    state = torch.get_rng_state()
    here, front, direct = train(probe=probe, **keywords)
    there, back, returned = train(probe=probe, background=True, **keywords)
    for one, two, three in zip(alone, here, there, strict=True):
        assert torch.equal(one, two)
        assert torch.equal(one, three)
    assert torch.equal(state, torch.get_rng_state())
    assert_same(front.history, back.history)
    assert_same(front.history, direct)
    assert [r.step for r in returned] == [r.step for r in back.history][: len(returned)]
    assert all(record.cost > 0 for record in back.history)
    assert back.overhead > 0


def test_forgetting_adds_up_in_order():
    _, front, _ = train(forgetting=0.5)
    _, back, _ = train(forgetting=0.5, background=True)
    assert_same(front.history, back.history)
    assert back.history[-1].n_samples > 16


class Gate:
    """Holds the thread back until it is opened."""

    def __init__(self, monkeypatch):
        self.open = threading.Event()
        add = Measurer._add

        def late(measurer, name, features, *more):
            assert self.open.wait(20)
            add(measurer, name, features, *more)

        monkeypatch.setattr(Measurer, "_add", late)


def test_what_happens_meanwhile_does_not_enter(monkeypatch):
    """Features, targets and head are those of the measurement, however late the thread is."""
    _, front, _ = train(every=2)
    gate = Gate(monkeypatch)
    timer = threading.Timer(0.5, gate.open.set)
    timer.start()
    _, back, returned = train(every=2, background=True)
    assert_same(front.history, back.history)
    assert [record.step for record in back.history] == [2, 2, 4, 4]
    assert returned == []  # all came with close()


class Late:
    """The samples of the readings, gathered only when they are asked for."""

    def __init__(self, gathered, measurer, moment):
        self._of = partial(gathered, measurer, moment)

    def __getattr__(self, name):
        return getattr(self._of(), name)


def uncopied(thread, action, features):
    """Hand features to the thread as they are, and reuse their memory, as an optimiser may."""
    thread.submit(partial(action, features))
    REUSED.append(features)


REUSED = []


@pytest.mark.parametrize("fault", ["features", "head"])
def test_planted_no_copies(monkeypatch, fault):
    _, front, _ = train(every=2)
    gate = Gate(monkeypatch)

    def overwrite_and_open():
        for features in REUSED:
            features.data.zero_()
        gate.open.set()

    REUSED.clear()
    threading.Timer(0.5, overwrite_and_open).start()
    if fault == "features":
        monkeypatch.setattr(Background, "consume", uncopied)
    else:
        gathered = Measurer._gathered
        monkeypatch.setattr(
            Measurer, "_gathered", lambda self, moment: Late(gathered, self, moment)
        )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RankWarning)
        _, back, _ = train(every=2, background=True)
    monkeypatch.undo()
    assert bool(REUSED) == (fault == "features")
    with pytest.raises(AssertionError):
        assert_same(front.history, back.history)


def test_an_error_of_the_thread_is_the_cause_in_the_record(monkeypatch):
    def fails(measurer, name, features):
        raise RuntimeError("planted")

    monkeypatch.setattr(Measurer, "_add", fails)
    with pytest.warns(RankWarning, match="planted"):
        _, monitor, _ = train(background=True)
    assert all(record.failure == "RuntimeError: planted" for record in monitor.history)
    assert monitor.history.steps == [1, 2, 3, 4, 5]


def test_nan_is_a_cause_of_its_layer_alone():
    model = network()
    with torch.no_grad():
        model[3].weight[0, 0] = torch.nan
    with RankMonitor(model, probe=X, every=1, background=True) as monitor:
        monitor.step()
        with pytest.warns(RankWarning, match="NaN"):
            first, last = monitor.wait()
    assert first.failure is None
    assert "NaN" in last.failure


def test_leaving_waits_and_ends_the_thread_also_after_an_exception(monkeypatch):
    gate = Gate(monkeypatch)
    before = threading.active_count()
    threading.Timer(0.3, gate.open.set).start()
    monitor = RankMonitor(network(), probe=X, every=1, background=True)

    def stopped():
        with monitor:
            monitor.step()
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        stopped()
    assert monitor.history.steps == [1]
    time.sleep(0.05)
    assert threading.active_count() <= before
    monitor.close()


def test_measure_waits_for_its_result():
    with RankMonitor(network(), probe=X, background=True, every=1000) as monitor:
        assert [record.layer for record in monitor.measure()] == list(monitor.layers)
        assert monitor.wait() == []


def test_copies_that_wait_are_bounded(monkeypatch):
    monkeypatch.setattr(background, "_MOST_BYTES", 8 * 100)
    thread, seen, gate = Background(), [], threading.Event()

    def slow(features):
        gate.wait(0.01)
        seen.append((features.clone(), thread._bytes))

    for number in range(10):
        thread.consume(slow, torch.full((60,), float(number), dtype=torch.float64))
    thread.fetch(wait=True)
    thread.close()
    assert [float(values[0]) for values, _ in seen] == list(np.arange(10.0))
    assert max(waiting for _, waiting in seen) <= 8 * 100


def test_when_auto_takes_a_thread(monkeypatch):
    def chosen(choice, grouped=False):
        thread = background.as_background(choice, network(), grouped)
        if thread is not None:
            thread.close()
        return thread is not None

    assert chosen(True)
    assert not chosen(False)
    monkeypatch.setattr(background, "_cores", lambda: torch.get_num_threads() + 1)
    assert chosen("auto")
    assert not chosen("auto", grouped=True)
    monkeypatch.setattr(background, "_cores", lambda: torch.get_num_threads())
    assert not chosen("auto")
    for bad in ("yes", None, 1):
        with pytest.raises(InputError, match="background"):
            background.as_background(bad, network(), False)
    with pytest.raises(InputError, match="process group"):
        background.as_background(True, network(), True)
