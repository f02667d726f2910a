"""The trial ``rewinding``: iterative magnitude pruning, rewound, its controls, its early phase."""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from epsrank.numerics.experiments.diagnostics.trials.small import (
    Images,
    accuracy,
    batches,
    images,
    network,
    numbers,
    stream,
)
from epsrank.numerics.phenomena.connectivity import barrier_of, losses_between
from epsrank.theory.rank import epsilon_rank

State = dict[str, Tensor]
Mask = dict[str, Tensor]
_BATCH, _MOMENTUM = 60, 0.9
_EPS = 1e-6


class _Training:
    """One network on one data set, trained again and again from given weights."""

    def __init__(self, settings: Mapping[str, Any]) -> None:
        self.settings = settings
        self.data: Images = images(settings["task"], settings["seed"], settings["samples"], 1000)
        self.inputs = self.data.train.inputs.shape[1]

    def fresh(self, index: int = 0) -> nn.Module:
        """Return one of the networks that the seed draws; the first is the one that is pruned."""
        s = self.settings
        return network(s["network"], self.inputs, s["width"], s["seed"], index)

    def run(
        self,
        model: nn.Module,
        mask: Mask,
        order: int,
        *,
        start: int = 0,
        kept: int | None = None,
        watch: Any = None,
    ) -> State | None:
        """Train from a step on, in one of the orders of the seed; return weights of step `kept`."""
        optimizer = torch.optim.SGD(model.parameters(), self.settings["rate"], momentum=_MOMENTUM)
        _apply(model, mask)
        found: State | None = None
        x, y = self.data.train.inputs, self.data.train.targets
        steps = self.settings["steps"]
        drawn = batches(len(x), _BATCH, steps, self.settings["seed"], order)
        for step, batch in enumerate(drawn):
            # A rewound training has an order of its own, and what this shows from that step on.
            if step < start:
                continue
            if step == kept:
                found = _state(model)
            if watch is not None:
                watch(step, model)
            value = F.cross_entropy(model(x[batch]), y[batch])
            optimizer.zero_grad()
            value.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            _apply(model, mask)
        return found

    def accuracy_from(self, state: State, mask: Mask, order: int, start: int) -> float:
        """Train from weights, and return the accuracy at the end."""
        model = self.fresh()
        model.load_state_dict(state)
        self.run(model, mask, order, start=start)
        return accuracy(model, self.data.test)


def rewinding_trial(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Prune 20 % a round, rewind to each of some steps, and train the controls at the last mask.

    `settings`: ``task``, ``network``, ``width``, ``samples``, ``rate``, ``steps``, ``rewind``
    (steps k, the first one 0), ``rounds``, ``share``, ``early`` (steps of the timeline), ``seed``.
    """
    training = _Training(settings)
    timeline = _Timeline(training, settings["early"])
    found: dict[str, Any] = {"accuracy": {}, "barrier": {}, "kept": []}
    last: tuple[Mask, State] | None = None
    for k in settings["rewind"]:
        model = training.fresh()
        mask = {n: torch.ones_like(p) for n, p in model.named_parameters() if p.ndim > 1}
        start = _state(model)
        # The training without a mask is the same for every k, and watched once.
        held = training.run(model, mask, 0, kept=k, watch=timeline if k == 0 else None)
        early = start if k == 0 else held
        assert early is not None
        accuracies = [accuracy(model, training.data.test)]
        kept = [1.0]
        for pruned in range(settings["rounds"]):
            mask = _pruned(model, mask, settings["share"])
            kept.append(_density(mask))
            model.load_state_dict(early)
            training.run(model, mask, pruned + 1, start=k)
            accuracies.append(accuracy(model, training.data.test))
        found["accuracy"][str(k)], found["kept"] = accuracies, kept
        (found["barrier"][str(k)],) = numbers([_barrier(training, early, k)])
        last = mask, early
    assert last is not None
    mask, early = last
    k = settings["rewind"][-1]
    order = settings["rounds"] + 1
    found["controls"] = {
        name: training.accuracy_from(state, changed, order, k)
        for name, (state, changed) in _controls(training, early, mask).items()
    }
    found["series"] = timeline.series()
    return found


def _controls(training: _Training, early: State, mask: Mask) -> dict[str, tuple[State, Mask]]:
    """Return weights and masks of the controls, all at the density of the last mask."""
    draw = stream(training.settings["seed"], "controls")
    other = _state(training.fresh(1))
    signs, sizes, within = dict(early), dict(early), dict(early)
    shuffled: Mask = {}
    every = torch.cat([m.reshape(-1) for m in mask.values()])
    every = every[torch.randperm(len(every), generator=draw)]
    for name, m in mask.items():
        w = early[name]
        signs[name] = torch.sign(w) * other[name].abs()
        sizes[name] = torch.where(torch.rand(w.shape, generator=draw) < 0.5, w, -w)
        on = m.reshape(-1) > 0
        values = w.reshape(-1).clone()
        chosen = values[on]
        values[on] = chosen[torch.randperm(len(chosen), generator=draw)]
        within[name] = values.reshape(w.shape)
        shuffled[name], every = every[: m.numel()].reshape(m.shape), every[m.numel() :]
    layers = {
        n: m.reshape(-1)[torch.randperm(m.numel(), generator=draw)].reshape(m.shape)
        for n, m in mask.items()
    }
    return {
        "rewound": (early, mask),
        "re-initialised": (other, mask),
        "signs only": (signs, mask),
        "magnitudes only": (sizes, mask),
        "weights shuffled within layers": (within, mask),
        "mask shuffled within layers": (early, layers),
        "mask shuffled globally": (early, shuffled),
    }


def _barrier(training: _Training, early: State, k: int) -> float:
    """Return the barrier on samples held out between two trainings from step k in other orders.

    NaN where the loss of a network on the segment is not finite.
    """
    ends = []
    after = training.settings["rounds"] + 2  # orders that no other training has
    for order in (after, after + 1):
        model = training.fresh()
        model.load_state_dict(early)
        training.run(model, {}, order, start=k)
        ends.append(model)
    losses = losses_between(ends[0], ends[1].state_dict(), F.cross_entropy, training.data.test)
    return barrier_of(losses) if np.isfinite(losses).all() else math.nan


def _state(model: nn.Module) -> State:
    return {name: value.detach().clone() for name, value in model.state_dict().items()}


@torch.no_grad()
def _apply(model: nn.Module, mask: Mask) -> None:
    for name, parameter in model.named_parameters():
        if name in mask:
            parameter.mul_(mask[name])


def _pruned(model: nn.Module, mask: Mask, share: float) -> Mask:
    """Return a mask without the smallest of the weights that are left, of all layers together."""
    held = dict(model.named_parameters())
    left = torch.cat([held[n].detach().abs()[m > 0] for n, m in mask.items()])
    bound = left.sort().values[int(share * len(left))]
    return {n: m * (held[n].detach().abs() >= bound) for n, m in mask.items()}


def _density(mask: Mask) -> float:
    return float(sum(m.sum() for m in mask.values())) / sum(m.numel() for m in mask.values())


class _Timeline:
    """What the early phase looks like, by iteration."""

    def __init__(self, training: _Training, most: int) -> None:
        self._training, self._most = training, most
        self._rows: list[dict[str, float]] = []
        self._start: Tensor | None = None
        self._before: list[Tensor] = []

    def __call__(self, step: int, model: nn.Module) -> None:
        if step > self._most:
            return
        now = torch.cat([p.detach().reshape(-1) for p in model.parameters()])
        start = now if self._start is None else self._start
        self._start = start
        last = [*self._before, now]
        updates = [b - a for a, b in pairwise(last)]
        self._before = last[-2:]
        # Powers of two are enough for the eye.
        if step & (step - 1) and step != self._most:
            return
        few = slice(0, 300)
        x, y = self._training.data.train.inputs[few], self._training.data.train.targets[few]
        training = model.training
        model.eval()
        value = F.cross_entropy(model(x), y)
        g = torch.autograd.grad(value, list(model.parameters()))
        with torch.no_grad():
            features = nn.Sequential(*list(model.children())[:-1])(x)
        model.train(training)
        cosine = float("nan")
        if len(updates) == 2:
            cosine = float(F.cosine_similarity(updates[0], updates[1], dim=0))
        self._rows.append({
            "step": step,
            "loss": float(value.detach()),
            "gradient_norm": float(torch.cat([t.reshape(-1) for t in g]).norm()),
            "weight": float(now.abs().mean()),
            "distance": float((now - start).norm()),
            "signs_changed": float((torch.sign(now) != torch.sign(start)).double().mean()),
            "cosine_of_updates": cosine,
            "accuracy": accuracy(model, self._training.data.test),
            "rank": float(epsilon_rank(features.double(), _EPS).lower),
        })  # fmt: skip

    def series(self) -> dict[str, list[float | None]]:
        """Return the columns."""
        return {n: numbers([row[n] for row in self._rows]) for n in self._rows[0]}
