"""Compiled, wrapped and refused models."""

from __future__ import annotations

import warnings
from typing import ClassVar

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import probe_pass
from epsrank.numerics.monitor.model.wrappers import clean_name, is_compiled, runnable, unwrap
from epsrank.theory.errors import InputError
from tests.numerics.monitor.model.first_call import plan_at_first_call


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1, self.fc2, self.fc3 = nn.Linear(5, 8), nn.Linear(8, 8), nn.Linear(8, 2)
        self.act, self.norm = nn.Tanh(), nn.BatchNorm1d(8)

    def forward(self, x):
        return self.fc3(self.act(self.norm(self.fc2(F.relu(self.fc1(x))))))


def features_of(net, x):
    hidden = F.relu(net.fc1(x))
    return {"fc1:relu": hidden, "act": net.act(net.norm(net.fc2(hidden)))}


def whole(net):
    return torch.compile(net, backend="eager")


def traced(net):
    return torch.compile(net, backend="aot_eager")


def in_place(net):
    net.compile(backend="eager")
    return net


def a_part(net):
    net.act = torch.compile(net.act, backend="eager")
    return net


@pytest.fixture(autouse=True)
def _fresh_compiler():
    torch._dynamo.reset()
    yield
    torch._dynamo.reset()


@pytest.mark.filterwarnings("ignore:The .grad attribute")  # of the compiler itself
@pytest.mark.parametrize("compile_", [whole, traced, in_place, a_part])
def test_compiled_models_are_measured_and_stay_compiled(compile_):
    torch.manual_seed(0)
    net, x = Net(), torch.randn(12, 5)
    twin = Net()
    twin.load_state_dict(net.state_dict())
    model = compile_(net)
    assert is_compiled(model)
    assert unwrap(model) is net
    model(x)
    compiled = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert compiled
    twin(x)
    plans = []
    plan_at_first_call(model, plans.append)
    model(x)
    plan = plans[0]
    assert plan.names == ("fc1:relu", "act")
    assert plan.compiled
    truth = features_of(twin, x)  # batch statistics of training mode
    seen = {}
    with Capture(plan, lambda name, rows: seen.setdefault(name, []).append(rows.clone())) as c:
        output = model(x)
        output.sum().backward()
    twin(x).sum().backward()
    assert c.calls == {"fc1:relu": 1, "act": 1}
    for name, (rows,) in seen.items():
        assert torch.equal(rows, truth[name])
    for (name, a), b in zip(net.named_parameters(), twin.parameters(), strict=True):
        assert torch.equal(a.grad, b.grad), name
    for a, b in zip(net.buffers(), twin.buffers(), strict=True):
        assert torch.equal(a, b)
    seen.clear()
    probe_pass(plan, x, lambda name, rows: seen.setdefault(name, []).append(rows.clone()))
    net.eval()
    for name, truth in features_of(net, x).items():
        torch.testing.assert_close(seen[name][0], truth)
    net.train()
    model(x)
    # Neither the measurement nor the probe made anything compile again.
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] == compiled
    assert is_compiled(model)
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks


def test_names_are_those_of_the_plain_model():
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    net = nn.Sequential(
        checkpoint_wrapper(nn.Sequential(nn.Linear(4, 6), nn.ReLU())), nn.Linear(6, 2)
    )
    plan = find_layers(torch.compile(net, backend="eager"), example=torch.randn(3, 4))
    assert plan.names == ("0.1",)
    assert plan.last.name == "0.1"
    assert clean_name("module.blocks._orig_mod.act") == "module.blocks.act"
    # A module of the user's that happens to be called "module" is no wrapper.
    user = nn.Sequential()
    user.module = nn.Linear(3, 2)
    assert unwrap(user) is user


class FullyShardedDataParallel(nn.Module):
    """Stands in by name: a sharded model runs only through its wrapper."""

    #: One entry for each pass; of the class, since attributes of a model are put back.
    ran: ClassVar[list[int]] = []

    def __init__(self, module):
        super().__init__()
        self._fsdp_wrapped_module = module

    def forward(self, x):
        self.ran.append(1)
        return self._fsdp_wrapped_module(x)


def test_a_sharded_model_runs_through_its_wrapper():
    net, x = Net(), torch.randn(6, 5)
    model = FullyShardedDataParallel(net)
    assert runnable(model) is model
    plan = find_layers(model, example=x)
    assert plan.names == ("fc1:relu", "act")
    assert unwrap(model) is net
    before = len(model.ran)
    probe_pass(plan, x, lambda *_: None)
    assert len(model.ran) == before + 1
    assert model.training
    assert net.training


def quantised():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.ao.quantization.quantize_dynamic(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))


def scripted():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return torch.jit.script(nn.Sequential(nn.Linear(4, 4), nn.ReLU()))


@pytest.mark.parametrize(
    ("build", "line"),
    [
        (quantised, "model is quantised (layer '0'); measure the model before quantisation"),
        (scripted, "model is TorchScript (RecursiveScriptModule); measure the model it came from"),
        (
            lambda: nn.Sequential(nn.Linear(4, 4, dtype=torch.complex64), nn.Tanh()),
            "model has complex weights (layer '0'); ε-rank is defined here for real features: "
            "measure real and imaginary parts",
        ),
        (
            lambda: nn.Sequential(nn.LazyLinear(4), nn.ReLU()),
            "model has uninitialised lazy weights (layer '0'); "
            "run one batch through it first: model(x)",
        ),
        (lambda: "resnet18", "model is str; pass a torch.nn.Module"),
        (
            lambda: nn.Sequential(nn.Embedding(3, 4), nn.MaxPool1d(2)),
            "layers 'auto' finds nothing to measure in Sequential; name the modules to measure: "
            "layers=['encoder.*'] or layers=[model.encoder]",
        ),
    ],
    ids=["quantised", "scripted", "complex", "lazy", "no model", "nothing"],
)
def test_refused_with_a_remedy(build, line):
    with pytest.raises(InputError) as error:
        find_layers(build())
    assert str(error.value) == line


def test_complex_and_integer_outputs_are_skipped_with_the_reason():
    class Spectral(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc, self.act, self.head = nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 2)
            self.wave, self.bins = Wave(), Bins()

        def forward(self, x):
            x = self.act(self.fc(x))
            self.bins(x)
            return self.head(self.wave(x).real)

    class Wave(nn.Module):
        def forward(self, x):
            return torch.fft.fft(x)

    class Bins(nn.Module):
        def forward(self, x):
            return x.argmax(-1)

    model, x = Spectral(), torch.randn(3, 4)
    plan = find_layers(model, example=x)
    reasons = {layer.name: layer.reason for layer in plan.skipped}
    assert reasons["wave"] == "complex-valued: ε-rank is defined here for real features"
    assert reasons["bins"] == "gives int64, not features"
    assert plan.names == ("act", "head (input)")
    # Named all the same, they are noted as problems and disturb nothing.
    named = find_layers(model, ["wave", "bins", "act"], head=None, example=x)
    seen = {}
    capture = probe_pass(named, x, lambda name, rows: seen.update({name: rows}))
    assert set(seen) == {"act"}
    assert set(capture.problems) == {"wave", "bins"}


def test_a_lazy_model_is_measured_once_it_has_run():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.Sequential(nn.LazyLinear(4), nn.ReLU(), nn.Linear(4, 2))
    model(torch.randn(3, 5))
    assert find_layers(model).names == ("1",)


def test_bfloat16_under_autocast_is_widened_exactly():
    from epsrank.numerics.gram.layer import LayerAccumulator

    model = nn.Sequential(nn.Linear(5, 8), nn.ReLU(), nn.Linear(8, 2))
    plan, x = find_layers(model), torch.randn(40, 5)
    sums, kept = LayerAccumulator(8), []
    with (
        Capture(plan, lambda _, rows: (sums.update(rows), kept.append(rows.clone()))),
        torch.autocast("cpu", torch.bfloat16),
    ):
        model(x)
    assert kept[0].dtype == torch.bfloat16
    gram = sums.gram()
    assert gram.dtype == "bfloat16"
    exact = kept[0].double().numpy()
    np.testing.assert_allclose(gram.values, exact.T @ exact / 40, rtol=1e-14)


def test_one_module_at_two_widths_is_a_problem_and_not_a_crash():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.act = nn.Linear(4, 6), nn.Linear(6, 7), nn.ReLU()

        def forward(self, x):
            return self.act(self.b(self.act(self.a(x))))

    model, x = Two(), torch.randn(3, 4)
    plan = find_layers(model, ["act"], head=None)  # without an example the two are not told apart
    seen = []
    capture = probe_pass(plan, x, lambda name, rows: seen.append(rows.shape))
    assert seen == [(3, 6)]
    assert "7 neurons, and had 6" in capture.problems["act"]
    assert find_layers(model, example=x).names == ("a:act", "b:act")
