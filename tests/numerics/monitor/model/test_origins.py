"""What enters a layer of weights: the model's input past earlier layers, or what they gave."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from epsrank.numerics.monitor.model import trace
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.origins import RAW, UNKNOWN, Origins


def expert(wide=5):
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, wide))


class Experts(nn.Module):
    """Every sample goes to the expert that the gate chooses."""

    def __init__(self):
        super().__init__()
        self.gate, self.head = nn.Linear(4, 2), nn.Linear(5, 2)
        self.experts = nn.ModuleList([expert(), expert()])

    def forward(self, x):
        chosen, y = self.gate(x).argmax(-1), x.new_zeros(len(x), 5)
        for i, one in enumerate(self.experts):
            y[chosen == i] = one(x[chosen == i])
        return self.head(y)


class Tokens(Experts):
    """Likewise, by positions in the order of experts and with the gate's weights."""

    def forward(self, x):
        weight, chosen = self.gate(x).softmax(-1).topk(1, -1)
        y = torch.zeros(len(x), 5)
        for i, one in enumerate(self.experts):
            where = torch.nonzero(chosen[:, 0] == i)[:, 0]
            y.index_add_(0, where, one(torch.index_select(x, 0, where)) * weight[where])
        return self.head(y)


@pytest.mark.parametrize("kind", [Experts, Tokens])
def test_what_the_gate_chooses_for_an_expert_is_no_feature_however_many_it_chooses(kind):
    for seed in range(40):
        torch.manual_seed(seed)
        model = kind()
        with torch.no_grad():
            chosen = model.gate(x := torch.randn(50, 4)).argmax(-1)
        if len(set(chosen.tolist())) < 2:
            continue
        plan = find_layers(model, example=x)
        assert plan.names == ("experts.0.1", "experts.1.1", "head (input)"), seed


def test_without_origins_the_gate_s_choice_is_mistaken_for_features(monkeypatch):
    def lost(self, value):
        return frozenset([UNKNOWN])

    monkeypatch.setattr(Origins, "of", lost)
    wrong = 0
    for seed in range(12):
        torch.manual_seed(seed)
        wrong += "experts.0.0 (input)" in find_layers(Experts(), example=torch.randn(50, 4)).names
    assert wrong


class Hidden(Experts):
    """Experts behind a hidden layer, which is measured once."""

    def __init__(self):
        super().__init__()
        self.first = nn.Linear(4, 4)

    def forward(self, x):
        return super().forward(torch.relu(self.first(x)))


def test_experts_behind_a_hidden_layer_do_not_measure_it_again():
    for seed in range(12):
        torch.manual_seed(seed)
        plan = find_layers(Hidden(), example=torch.randn(50, 4))
        assert plan.names[0] == "first:relu"
        assert not any("experts" in name and "(input)" in name for name in plan.names)


class Maxout(nn.Module):
    """Maxima over three linear functions: no activation is called, and the width changes."""

    def __init__(self):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 18), nn.Linear(6, 15), nn.Linear(5, 2)

    def forward(self, x):
        x = self.first(x).view(len(x), 6, 3).amax(-1)
        return self.head(self.second(x).view(len(x), 5, 3).amax(-1))


def test_maxout_is_measured_where_it_enters_the_next_weights():
    plan = find_layers(Maxout(), example=torch.randn(7, 4))
    assert plan.names == ("second (input)", "head (input)")


class Again(nn.Module):
    """The model's input enters every layer beside the one before it, or alone."""

    def __init__(self, alone):
        super().__init__()
        self.alone = alone
        self.first, self.head = nn.Linear(4, 6), nn.Linear(10, 2)
        self.second = nn.Linear(4 if alone else 10, 6)

    def forward(self, x):
        y = torch.relu(self.first(x))
        z = torch.relu(self.second(x * 2 if self.alone else torch.cat([x, y], 1)))
        return self.head(torch.cat([x, z], 1))


@pytest.mark.parametrize("alone", [True, False])
def test_the_input_beside_measured_layers_is_no_layer(alone):
    plan = find_layers(Again(alone), example=torch.randn(7, 4))
    assert plan.names == ("first:relu", "second:relu", "head (input)")


class Own(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        return x.sin()

    @staticmethod
    def backward(ctx, grad):
        raise NotImplementedError


def through_numpy(x):
    return torch.from_numpy(np.sin(x.numpy()))


class Unfollowed(nn.Module):
    def __init__(self, function):
        super().__init__()
        self.first, self.second, self.head = nn.Linear(4, 6), nn.Linear(6, 6), nn.Linear(6, 2)
        self.function = function

    def forward(self, x):
        return self.head(self.function(self.second(self.function(self.first(x)))))


@pytest.mark.parametrize("function", [Own.apply, through_numpy, torch.vmap(torch.sin)])
def test_what_cannot_be_followed_is_known_by_its_shape(function):
    plan = find_layers(Unfollowed(function), example=torch.randn(7, 4))
    assert plan.names == ("second (input)", "head (input)")


def followed(function, *arguments):
    """Return the marks of what a function gives for arguments marked 0, 1, …"""
    origins = Origins([])
    for number, argument in enumerate(arguments):
        origins.put(argument, [number])
    with trace.Frames(lambda *_: None, {}, origins):
        return origins.of(function(*arguments))


def write(x, y):
    x[y > 0] = y[y > 0]
    return x


def write_into_a_view(x, y):
    x[1:].copy_(y[1:])
    return x


@pytest.mark.parametrize(
    ("function", "marks"),
    [
        (lambda x, y: x + y, {0, 1}),
        (lambda x, y: x[y > 0], {0}),
        (lambda x, y: torch.where(y > 0, x, 0.0), {0}),
        (lambda x, y: x[y.argsort()], {0}),
        (lambda x, y: torch.stack([y[None].T, y[None].mT]), {1}),
        (lambda x, y: torch.cat(y.split(1))[None], {1}),
        (lambda x, y: torch.zeros(3), set()),
        (lambda x, y: torch.from_numpy(x.numpy()), {UNKNOWN}),
        (lambda x, y: torch.ops.aten.sin(y), {1}),
        (lambda x, y: y.detach().data.clone(), {1}),
        (write, {0, 1}),
        (write_into_a_view, {0, 1}),
    ],
)
def test_values_have_origins_and_choices_have_none(function, marks):
    assert followed(function, torch.randn(4), torch.randn(4)) == marks


def test_integers_carry_the_input_and_weights_carry_nothing():
    origins = Origins([embedding := nn.Embedding(5, 3)])
    tokens = torch.tensor([1, 2])
    origins.put(tokens, [RAW])
    with trace.Frames(lambda *_: None, {}, origins):
        rows = embedding(tokens)
        chosen = (rows.argmax(-1) + tokens).float()
    assert origins.of(rows) == {RAW}
    assert origins.of(chosen) == {RAW}
    assert origins.of(embedding.weight) == set()
    assert origins.of(torch.ones(2)) == {UNKNOWN}
