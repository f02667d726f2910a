"""Models that do not go the same way in every pass: branches, experts, calls that come before."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from epsrank import LayerQuantity, RankMonitor, epsilon_rank
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import learned, probe_pass

X = torch.randn(60, 5, generator=torch.Generator().manual_seed(0))


class Branch(nn.Module):
    """Goes another way for more than 20 samples, and still another where one of them is large."""

    def __init__(self, way):
        super().__init__()
        self.way = way
        self.a, self.head = nn.Linear(5, 7), nn.Linear(7, 2)
        self.side = nn.Sequential(nn.Linear(5, 5), nn.ReLU())
        self.weight = nn.Parameter(torch.randn(5, 5))
        self.act = nn.ReLU()

    def forward(self, x):
        if len(x) > 20:
            x = self.aside(x)
        return self.head(self.act(self.a(x)) if self.way == "same" else torch.relu(self.a(x)))

    def aside(self, x):
        if self.way == "module":
            return x + self.side(x)
        if self.way == "function":
            return x + torch.relu(self.side[0](x))
        if self.way == "product":
            return x + torch.relu(x @ self.weight)
        if self.way == "same":
            return x + self.act(x @ self.weight)
        return torch.relu(x)


def entering(model, module, x):
    """Return what enters a module in a pass."""
    kept = []
    hook = module.register_forward_pre_hook(lambda _, args: kept.append(args[0].detach()))
    model.eval()(x)
    hook.remove()
    return torch.cat(kept)


def _keep(seen, name, rows):
    seen.setdefault(name, []).append(rows)


def passed(plan, x):
    """Return the features of all layers, and the plan that was learnt."""
    while True:
        seen: dict[str, list[torch.Tensor]] = {}
        capture = probe_pass(plan, x, partial(_keep, seen))
        better = learned(plan, capture)
        if better is None:
            return {name: torch.cat(rows) for name, rows in seen.items()}, plan
        plan = better


@pytest.mark.parametrize("way", ["module", "function", "product", "same", "alone"])
def test_a_branch_that_the_example_does_not_take(way):
    torch.manual_seed(0)
    model = Branch(way)
    seen, plan = passed(find_layers(model, example=X[:2]), X)
    name = "a:act" if way == "same" else "a:relu"
    assert torch.equal(seen[name], entering(model, model.head, X))
    # What the branch gives is measured, or named as skipped.
    other = {"module": "side.1", "same": "Branch:act"}.get(way, "")
    known = {*plan.names, *(layer.name for layer in plan.skipped)}
    assert len(seen) == 2
    assert not other or other in known
    assert plan.last.name == name


def test_an_expert_that_one_sample_reaches():
    class Experts(nn.Module):
        def __init__(self):
            super().__init__()
            self.experts = nn.ModuleList(
                nn.Sequential(nn.Linear(5, 6), nn.Tanh()) for _ in range(3)
            )
            self.mix, self.head = nn.Linear(6, 4), nn.Linear(4, 2)

        def forward(self, x):
            out = x.new_zeros(len(x), 6)
            for number, expert in enumerate(self.experts):
                chosen = (x[:, 0] * 10).round().long() % 3 == number
                if chosen.any():
                    out[chosen] = expert(x[chosen])
            return self.head(torch.relu(self.mix(out)))

    model = Experts()
    x = X[:].clone()
    x[:, 0] = 0
    x[30, 0], x[59, 0] = 0.1, 0.2
    y = torch.zeros(60, dtype=torch.long)
    with RankMonitor(model, probe=x, targets=y, loss="cross_entropy", every=1) as monitor:
        assert [layer.name for layer in monitor.skipped if layer.name.endswith(".1")]
        assert {r.layer for r in monitor.step()} == {
            "experts.0.1", "experts.1.1", "experts.2.1", "mix:relu"
        }  # fmt: skip
    counts = [monitor.latest[f"experts.{number}.1"].n_samples for number in range(3)]
    assert counts == [58, 1, 1]
    inside = entering(model, model.head, x)
    assert monitor.latest["mix:relu"].rank().lower == epsilon_rank(inside, 1e-6).lower
    assert monitor.latest["mix:relu"].reading is not None
    assert {layer["name"] for layer in monitor.history.metadata["layers"]} == set(monitor.layers)


def test_batches_that_go_different_ways_and_parts_of_a_probe():
    torch.manual_seed(0)
    model = Branch("function")
    wanted = torch.cat([entering(model, model.head, part) for part in (X[:4], X[4:])])
    seen, _ = passed(find_layers(model, example=X[:2]), [X[:4], X[4:]])
    assert torch.equal(seen["a:relu"], wanted)
    with RankMonitor(model, probe=[X[:4], X[4:]], every=1) as monitor:
        monitor.step()
        assert monitor.latest["a:relu"].n_samples == 60
        assert monitor.latest["a:relu"].failure is None


def test_a_quantity_of_a_layer_follows_the_branch():
    torch.manual_seed(0)
    model = Branch("product")
    rows = []
    quantity = LayerQuantity("a:relu", lambda features: rows.append(features) or 1.0)
    with RankMonitor(model, probe=X, quantities={"q": quantity}, every=1) as monitor:
        monitor.step()
    wanted = entering(model, model.head, X).double().numpy()
    assert np.array_equal(rows[-1], wanted)


def test_a_model_that_never_repeats_itself_is_measured_all_the_same():
    class Restless(Branch):
        ways = 0

        def forward(self, x):
            type(self).ways += 1
            return super().forward(x[: 10 + 30 * (type(self).ways % 2)])

    model = Restless("function")
    for _ in range(4):
        seen, _ = passed(find_layers(model, example=X[:2]), X)
        assert seen["a:relu"].shape[1] == 7


def test_what_enters_the_head_where_another_layer_gives_it_in_another_pass():
    class Early(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.head = nn.Linear(5, 5), nn.Linear(5, 5), nn.Linear(5, 2)

        def forward(self, x):
            x = torch.tanh(self.a(x))
            return self.head(torch.tanh(self.b(x)) if len(x) > 20 else x)

    model = Early()
    seen, plan = passed(find_layers(model, example=X[:2]), [X[:4], X[4:]])
    assert plan.last.name == "head (input)"
    wanted = torch.cat([entering(model, model.head, part) for part in (X[:4], X[4:])])
    assert torch.equal(seen["head (input)"], wanted)
    assert len(seen["b:tanh"]) == 56
