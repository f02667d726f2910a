"""Which layers are found: by structure, by a watched pass, by name; and what the plan says."""

from __future__ import annotations

import json

import pytest
import torch
from torch import nn

from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import probe_pass
from epsrank.numerics.networks import MLP, ResNet, SmallCNN
from epsrank.theory.errors import InputError
from tests.numerics.monitor.model.first_call import plan_at_first_call


def sequential():
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 5), nn.Tanh(), nn.Linear(5, 2))


NETWORKS = [
    (MLP(3, 8, 3), torch.randn(5, 3)),
    (MLP(3, 8, 2, activation="gaussian"), torch.randn(5, 3)),
    (MLP(3, 8, 2, activation="cosine"), torch.randn(5, 3)),
    (ResNet(3, 8, 4), torch.randn(5, 3)),
    (SmallCNN((2, 9, 9), 6, 3), torch.randn(5, 2, 9, 9)),
    (SmallCNN((2, 9, 9), 6, 3, activation="relu", pooling="flatten"), torch.randn(5, 2, 9, 9)),
]


@pytest.mark.parametrize(("model", "x"), NETWORKS, ids=lambda item: type(item).__name__)
def test_the_suites_own_networks_show_exactly_their_hidden_layers(model, x):
    plan, seen = find_layers(model, example=x), {}
    probe_pass(plan, x, lambda name, rows: seen.setdefault(name, []).append(rows.clone()))
    with torch.no_grad():
        hidden = model.hidden(x)
    assert len(plan.layers) == len(hidden)
    for name, truth in zip(plan.names, hidden, strict=True):
        rows = truth if truth.ndim == 2 else truth.movedim(1, -1).reshape(-1, truth.shape[1])
        assert torch.equal(torch.cat(seen[name]), rows)
    assert plan.last is plan.layers[-1]
    assert plan.head is model.head


def test_without_an_example_functions_are_seen_where_they_enter_the_next_weights():
    plan = find_layers(MLP(3, 8, 3))
    assert plan.names == ("layers.1 (input)", "layers.2 (input)", "head (input)")
    assert plan.last.name == "head (input)"
    assert find_layers(sequential()).names == ("1", "3")
    assert find_layers(sequential()).last.name == "3"


def test_plan_at_first_call_looks_once_and_can_be_cancelled():
    model, x, plans = MLP(3, 8, 2), torch.randn(5, 3), []
    plan_at_first_call(model, plans.append)
    model(x=x)  # by name, too
    model(x)
    assert [plan.names for plan in plans] == [("layers.0:tanh", "layers.1:tanh")]
    assert not model._forward_pre_hooks
    cancel = plan_at_first_call(model, plans.append)
    cancel()
    model(x)
    assert len(plans) == 1


def test_an_example_that_does_not_fit_is_named():
    with pytest.raises(InputError) as error:
        find_layers(sequential(), example=(torch.randn(5, 4), torch.zeros(5)))
    line = str(error.value)
    assert line.startswith("probe does not run through Sequential (")
    assert line.endswith("without targets: a tensor, a tuple of them, or a dict")
    assert "\n" not in line
    model = sequential()
    with pytest.raises(InputError, match="does not run"):
        find_layers(model, example=torch.randn(5, 3))
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_names_patterns_modules_and_mappings():
    model = sequential()
    assert find_layers(model, "1", head=None).names == ("1",)
    assert find_layers(model, ["?"], head=None).names == ("0", "1", "2", "3", "4")
    assert find_layers(model, [model[3], "1"]).names == ("3", "1", "4 (input)")
    plan = find_layers(model, {"code": model[1]}, head="4")
    assert plan.names == ("code", "4 (input)")
    assert plan.last.module is model[4]
    reasons = {layer.name: layer.reason for layer in plan.skipped}
    assert reasons["3"] == "not among the layers asked for"
    assert find_layers(model, head=model[2]).last.name == "1"
    assert find_layers(model, head=None).last is None


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ({"layers": "laeyrs.*"}, "layers 'laeyrs.*' matches no module; did you mean 'layers.1'"),
        ({"layers": ["zzz"]}, "layers 'zzz' matches no module; choose among head, layers"),
        ({"layers": [nn.ReLU()]}, "layers has 'ReLU', which is outside the model"),
        ({"layers": {"a": "layers.0"}}, "layers has 'a', which is outside the model"),
        ({"layers": 3}, "layers is 3; pass 'auto', names, modules, or a mapping"),
        ({"head": "haed"}, "head 'haed' is no module of the model; did you mean 'head'?"),
        ({"head": nn.Linear(2, 2)}, "head is a Linear outside the model"),
        ({"layers": [], "head": None}, "layers [] finds nothing to measure in MLP"),
    ],
)
def test_wrong_names(arguments, line):
    with pytest.raises(InputError) as error:
        find_layers(MLP(3, 8, 2), **arguments)
    assert str(error.value).startswith(line)


def test_the_plan_prints_and_goes_to_json():
    plan = find_layers(SmallCNN((2, 9, 9), 6, 2), example=torch.randn(3, 2, 9, 9))
    assert str(plan).splitlines() == [
        "2 layers measured, 2 skipped",
        "  convolutions.0:tanh: output of tanh, neurons on axis -3",
        "  dense:tanh: output of tanh = φ",
        "  head: head",
        "  skipped convolutions.0: before the activation",
        "  skipped dense: before the activation",
    ]
    assert plan._repr_html_().startswith("<pre>2 layers")
    data = json.loads(json.dumps(plan.to_json()))
    assert data["layers"][1] == {
        "name": "dense:tanh",
        "type": "tanh",
        "at": "call",
        "axis": -1,
        "role": "last",
    }


def test_an_unreached_module_says_so():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = sequential(), nn.Linear(3, 3)

        def forward(self, x):
            return self.used(x)

    plan = find_layers(Half(), example=torch.randn(3, 4))
    reasons = {layer.name: layer.reason for layer in plan.skipped}
    assert reasons["unused"] == "not called in the example pass"


@pytest.mark.parametrize(
    "probe",
    [
        torch.randn(7, 4),
        (torch.randn(7, 4),),
        {"input": torch.randn(7, 4)},
        [torch.randn(3, 4), torch.randn(4, 4)],
        torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.randn(7, 4)), 3),
    ],
    ids=["tensor", "tuple", "dict", "list", "loader"],
)
def test_probes_of_all_kinds(probe):
    model, rows = sequential(), []
    plan = find_layers(model, example=probe)
    for _ in range(2):
        capture = probe_pass(plan, probe, lambda name, r: rows.append((name, len(r))), batch_size=3)
    assert sum(count for name, count in rows if name == "1") == 14
    assert capture.calls["1"] >= 2


@pytest.mark.parametrize(
    ("probe", "line"),
    [
        (torch.randn(0, 4), "probe is empty; pass at least one sample"),
        ([], "probe is empty; pass at least one sample"),
        ((torch.randn(3, 4), torch.randn(2, 4)), "probe has tensors of lengths [2, 3]; "),
        ({"mode": "fast"}, "probe has no tensor; "),
        (iter([torch.randn(3, 4)]), "probe can be read only once; pass a list or a loader"),
        (3.5, "probe is float; pass a tensor, a tuple, a dict or a loader"),
    ],
)
def test_probes_that_cannot_be_used(probe, line):
    plan = find_layers(sequential())
    with pytest.raises(InputError) as error:
        probe_pass(plan, probe, lambda *_: None)
    assert str(error.value).startswith(line)
    with pytest.raises(InputError, match="batch_size"):
        probe_pass(plan, torch.randn(3, 4), lambda *_: None, batch_size=0)


def test_large_images_come_in_pieces_and_in_order():
    model = nn.Sequential(nn.Conv2d(1, 32, 1), nn.ReLU())
    x = torch.randn(40, 1, 64, 64)
    plan, pieces = find_layers(model, head=None), []
    probe_pass(plan, x, lambda name, rows: pieces.append(rows.clone()))
    assert len(pieces) == 2
    with torch.no_grad():
        truth = model(x).movedim(1, -1).reshape(-1, 32)
    assert torch.equal(torch.cat(pieces), truth)


def test_stages_are_looked_into_and_single_blocks_are_blocks_too():
    class Block(nn.Module):
        def __init__(self, width):
            super().__init__()
            self.up, self.down = nn.Linear(width, 8), nn.Linear(8, width)

        def forward(self, x):
            return x + self.down(torch.relu(self.up(x)))

    class NetStage(nn.Module):
        def __init__(self, *blocks):
            super().__init__()
            self.blocks = nn.Sequential(*blocks)

        def forward(self, x):
            return self.blocks(x)

    model = nn.Sequential(
        nn.Sequential(NetStage(Block(4), Block(4)), NetStage(Block(4))), nn.Linear(4, 2)
    )
    blocks = ("0.0.blocks.0", "0.0.blocks.1", "0.1.blocks.0")
    assert find_layers(model).names == (*blocks, "1 (input)")
    plan = find_layers(model, example=torch.randn(3, 4))
    assert plan.names == blocks
    assert plan.last.name == "0.1.blocks.0"


class OwnRecurrence(nn.Module):
    def __init__(self):
        super().__init__()
        self.read, self.keep, self.head = nn.Linear(3, 8), nn.Linear(8, 8), nn.Linear(8, 2)

    def forward(self, x):
        hidden = x.new_zeros(len(x), 8)
        for t in range(x.shape[1]):
            hidden = torch.tanh(self.read(x[:, t]) + self.keep(hidden))
        return self.head(hidden)


@pytest.mark.parametrize("length", [4, 30])
def test_a_loop_over_time_is_one_layer(length):
    plan = find_layers(OwnRecurrence(), example=torch.randn(5, length, 3))
    assert len(plan.layers) == 2
    assert plan.last.name == "head (input)"
    assert plan.layers[0].callee == "tanh"
    rows = []
    probe_pass(plan, torch.randn(5, length, 3), lambda name, r: rows.append((name, len(r))))
    assert sum(count for name, count in rows if name == plan.layers[0].name) == 5 * length


def test_behind_an_activation_there_is_no_linear_head_unless_it_is_named():
    model = nn.Sequential(nn.Linear(9, 6), nn.ReLU(), nn.Linear(6, 9), nn.Sigmoid())
    for example in (None, torch.randn(4, 9)):
        plan = find_layers(model, example=example)
        assert plan.names == ("1", "3")
        assert plan.head is plan.last is None
    plan = find_layers(model, head="2", example=torch.randn(4, 9))
    assert plan.names == ("1",)
    assert plan.last.name == "1"
    assert plan.head is model[2]
    reasons = {layer.name: layer.reason for layer in plan.skipped}
    assert reasons["3"] == "acts on the head: the model's output, no features"
