"""Callbacks end with a measurement of the last step, as a `with` block does."""

from __future__ import annotations

import sys
import types
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from epsrank.numerics.monitor.integrations import HuggingFaceRankCallback, LightningRankCallback

X = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))


@pytest.fixture(autouse=True)
def packages(monkeypatch):
    """Stand-ins for the packages: the base classes of callbacks are all that is needed of them."""
    for name, base in (("transformers", "TrainerCallback"), ("lightning.pytorch", "Callback")):
        monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
        setattr(sys.modules[name], base, type(base, (), {}))


def model():
    return nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))


def huggingface(callback, steps):
    state = SimpleNamespace(global_step=0, log_history=[])
    given = {"args": SimpleNamespace(world_size=1), "state": state, "control": None}
    callback.on_train_begin(**given, model=model())
    for _ in range(steps):
        callback.on_step_begin(**given)
        state.global_step += 1
        callback.on_step_end(**given)
    callback.on_train_end(**given)
    return [entry["step"] for entry in state.log_history]


def lightning(callback, steps):
    trainer = SimpleNamespace(
        world_size=1, global_step=0, accumulate_grad_batches=1, loggers=[], logged=[]
    )
    module = model()
    module.automatic_optimization = True
    callback.on_train_start(trainer, module)
    for number in range(steps):
        trainer.global_step += 1
        callback.on_train_batch_end(trainer, module, torch.tensor(1.0), (X, None), number)
    callback.on_train_end(trainer, module)
    return list(callback.history.steps)


@pytest.mark.parametrize(
    ("make", "drive"), [(HuggingFaceRankCallback, huggingface), (LightningRankCallback, lightning)]
)
def test_the_last_step_is_measured(make, drive):
    assert drive(make(every=3, probe=X), 5) == [3, 5]
    assert drive(make(every=3, probe=X), 6) == [3, 6]
    assert drive(make(every=3, probe=X, at_exit=False), 5) == [3]
    callback = make(every=3, probe=X)
    drive(callback, 5)
    assert callback.history.steps == [3, 5]


def test_after_an_exception_nothing_more_is_measured():
    callback = LightningRankCallback(every=3, probe=X)
    trainer = SimpleNamespace(world_size=1, global_step=0, accumulate_grad_batches=1, loggers=[])
    module = model()
    module.automatic_optimization = True
    callback.on_train_start(trainer, module)
    trainer.global_step = 1
    callback.on_train_batch_end(trainer, module, torch.tensor(1.0), (X, None), 0)
    callback.on_exception(trainer, module, KeyboardInterrupt())
    assert callback.history.steps == []
