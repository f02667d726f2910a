"""A training with a monitor is the one without, in all that a model holds, at every moment."""

from __future__ import annotations

import copy
import functools
import io
import pickle
import random
import warnings
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel

from epsrank import RankMonitor
from epsrank.numerics.monitor.model.state import State
from tests.numerics.monitor.model.stateful_models import MARKED, MODELS, Tracker


def fingerprint(value, seen=None):
    """Return what can be compared of all that an object holds; hooks and attributes included."""
    seen = {} if seen is None else seen
    if isinstance(value, (bool, int, float, str, bytes, type(None))):
        return repr(value)
    if id(value) in seen:
        return seen[id(value)][0]
    seen[id(value)] = len(seen), value  # held, since another may get its number
    if isinstance(value, torch.Tensor):
        numbers = value.detach().clone().numpy().tobytes()  # NumPy fixes the size of memory
        grad = None if value.grad_fn else fingerprint(value.grad, seen)
        return type(value).__name__, tuple(value.shape), numbers, value.requires_grad, grad
    if isinstance(value, np.ndarray):
        return value.tobytes()
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    if isinstance(value, np.random.Generator):
        return str(value.bit_generator.state)
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, dict):
        # Hooks have numbers that all hooks of a process share.
        return [
            (key if isinstance(key, str) else "", fingerprint(own, seen))
            for key, own in value.items()
        ]
    if isinstance(value, (nn.Module, Tracker, SimpleNamespace)):
        return type(value).__name__, fingerprint(dict(vars(value)), seen)
    if isinstance(value, (list, tuple, set)) or type(value).__name__ == "deque":
        return [fingerprint(own, seen) for own in value]
    return repr(value).split(" at 0x")[0]


def different(left, right, path=""):
    """Return where two fingerprints differ first, in short; an empty text where they do not."""
    if left == right:
        return ""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        for number, (a, b) in enumerate(zip(left, right, strict=False)):
            if a != b:
                name = f"{left[0]}" if isinstance(left[0], str) else f"{number}"
                return different(a, b, f"{path}/{name}")
    return f"{path}: {str(left)[:100]} and {str(right)[:100]}"


def saved(model):
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda model: pickle.loads(pickle.dumps(model)),
    "save": saved,
    "averaged": AveragedModel,
}


def copied(model):
    """Return what comes of each copy: its fingerprint, or the error that the model gives alone."""
    found = []
    for make in COPIES.values():
        try:
            found.append(fingerprint(make(model)))
        except Exception as error:
            found.append(f"{type(error).__name__}: {error}")
    return found


def train(name, watching, *, copying=False, steps=2):
    """Train a model, and return all that it held at every moment."""
    torch.manual_seed(5)
    random.seed(5)
    np.random.seed(5)
    model = MODELS[name]()
    x, y = torch.randn(9, 3), torch.randn(9, 2)
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    found = []

    def look(*more):
        state = torch.get_rng_state(), random.getstate(), np.random.get_state()[1].tobytes()
        found.append((fingerprint(model), fingerprint(list(state)), *more))
        if copying:
            found.append(copied(model))

    with watching(model, torch.randn(7, 3, generator=torch.Generator().manual_seed(0))) as step:
        look()
        for _ in range(steps):
            batch = x.clone().requires_grad_(name in MARKED)
            optimiser.zero_grad()
            output = model(batch)
            look(fingerprint(output))
            loss = (output - y).square().mean()
            loss.backward()
            optimiser.step()
            step(loss.detach(), batch)
            look()
    look()
    return found, model


class Alone:
    def __init__(self, model, probe):
        pass

    def __enter__(self):
        return lambda loss, batch: None

    def __exit__(self, *_):
        return None


class Watched(Alone):
    """With a monitor at every step; what it measured stays in `history`."""

    probed = False

    def __init__(self, model, probe):
        kept = {"probe": probe} if self.probed else {}
        self.monitor = RankMonitor(model, every=1, warn=False, **kept)
        Watched.last = self.monitor

    def __enter__(self):
        self.monitor.__enter__()
        return self.step

    def step(self, loss, batch):
        self.monitor.step(loss)

    def __exit__(self, *error):
        self.monitor.__exit__(*error)


class Probed(Watched):
    probed = True


class Again(Watched):
    """The batch is sent through the model once more."""

    def step(self, loss, batch):
        self.monitor.step(loss, inputs=batch)


@pytest.fixture(autouse=True)
def _quiet():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@functools.cache
def alone(name):
    return train(name, Alone, copying=True)[0]


@pytest.mark.parametrize("watching", [Watched, Probed, Again])
@pytest.mark.parametrize("name", MODELS)
def test_a_watched_training_is_the_one_without(name, watching):
    # Copies at every moment where something is under way between them.
    copying = watching is Watched
    expected = alone(name)
    if not copying:
        expected = [moment for moment in expected if isinstance(moment, tuple)]
    found, _ = train(name, watching, copying=copying)
    assert len(found) == len(expected)
    for number, (mine, theirs) in enumerate(zip(found, expected, strict=True)):
        assert not different(mine, theirs), f"moment {number}: {different(mine, theirs)}"
    history = Watched.last.history
    assert len(history.steps) >= 1
    reasons = {record.failure for record in history if record.failure is not None}
    assert not reasons
    assert nn.Module.__call__ is nn.Module._wrapped_call_impl


def test_the_comparison_can_fail(monkeypatch):
    monkeypatch.setattr(State, "put_back", lambda self: None)
    for name in ("MovingAverage", "Tracked", "Resized", "Initialised", "Draws", "Scheduled"):
        expected, _ = train(name, Alone)
        assert train(name, Probed)[0] != expected
