"""A monitored run is the unmonitored one, bit for bit, and nothing stays behind."""

from __future__ import annotations

import gc
import random
import weakref

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.find import find_layers
from epsrank.numerics.monitor.model.probing import probe_pass
from epsrank.theory.errors import InputError
from tests.numerics.monitor.model.first_call import plan_at_first_call


class Noisy(nn.Module):
    """Batch norm, dropout, functional and shared activations, and random numbers of all kinds."""

    def __init__(self):
        super().__init__()
        self.conv, self.bn = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4)
        self.fc1, self.fc2, self.fc3 = nn.Linear(36, 16), nn.Linear(16, 16), nn.Linear(16, 3)
        self.act, self.drop = nn.GELU(), nn.Dropout(0.3)
        self.register_buffer("count", torch.zeros(()))

    def forward(self, x):
        self.count = self.count + 1  # a new tensor in the place of the buffer
        x = F.relu(self.bn(self.conv(x)), inplace=True).flatten(1)
        x = self.drop(self.act(self.fc1(x)))
        if random.random() < 0.5:
            x = x + float(np.random.rand()) * torch.rand(())
        return self.fc3(F.dropout(self.act(self.fc2(x)), training=self.training))


def train(measure, *, autocast=False, steps=20):
    torch.manual_seed(3)
    random.seed(3)
    np.random.seed(3)
    model = Noisy()
    x, y = torch.randn(64, 1, 5, 5), torch.randint(3, (64,))
    optimiser = torch.optim.AdamW(model.parameters())
    trace = []
    measured = measure(model, x)
    for step in range(steps):
        with measured(step), torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            rows = torch.randperm(64)[:16]
            output = model(x[rows])
            loss = F.cross_entropy(output, y[rows])
        optimiser.zero_grad()
        loss.backward()
        trace += [output.detach(), loss.detach(), *(p.grad.clone() for p in model.parameters())]
        optimiser.step()
    state = [*model.parameters(), *model.buffers(), torch.get_rng_state()]
    modes = [module.training for module in model.modules()]
    return trace + state, modes, random.getstate(), np.random.get_state()[1].tolist(), model


class Nothing:
    def __enter__(self):
        return self

    def __exit__(self, *_):
        return None


def unmeasured(model, x):
    return lambda step: Nothing()


def captured(model, x):
    plan = find_layers(model, example=x)
    assert len(plan.layers) >= 3
    return lambda step: Capture(plan, lambda name, features: features.square().sum())


def planned_late(model, x):
    plans = []
    plan_at_first_call(model, plans.append)
    return lambda step: Capture(plans[0], lambda *_: None) if plans else Nothing()


def probed(model, x):
    plan = find_layers(model, example=x)

    def measured(step):
        model.fc2.eval()
        probe_pass(plan, x, lambda name, features: torch.rand(3), batch_size=7)
        assert model.training
        assert not model.fc2.training
        model.fc2.train()
        return Nothing()

    return measured


@pytest.mark.parametrize("autocast", [False, True], ids=["float32", "autocast"])
@pytest.mark.parametrize("measure", [captured, planned_late, probed])
def test_bit_for_bit(measure, autocast):
    plain, *others, _ = train(unmeasured, autocast=autocast)
    watched, *theirs, model = train(measure, autocast=autocast)
    assert others == theirs
    for a, b in zip(plain, watched, strict=True):
        assert torch.equal(a, b)
    assert_no_hooks(model)


def test_a_probe_inside_autocast_does_not_cut_the_gradient():
    # Weights that autocast converted without gradients must not serve the step that follows.
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    plan = find_layers(model)
    with torch.autocast("cpu", torch.bfloat16):
        probe_pass(plan, torch.randn(9, 4), lambda *_: None)
        model(torch.randn(9, 4)).sum().backward()
    assert all(parameter.grad is not None for parameter in model.parameters())


def assert_no_hooks(model):
    for module in model.modules():
        assert not module._forward_hooks
        assert not module._forward_pre_hooks
        assert not module._forward_hooks_always_called
    assert torch.overrides._get_current_function_mode() is None
    assert nn.Module.__call__ is nn.Module._wrapped_call_impl


def test_hooks_are_gone_after_exceptions_wherever_they_happen():
    model, x = Noisy(), torch.randn(6, 1, 5, 5)
    plan = find_layers(model, example=x)
    with pytest.raises(ZeroDivisionError), Capture(plan, lambda *_: None):
        raise ZeroDivisionError
    assert_no_hooks(model)
    # In the model's own forward, with a functional activation under watch …
    with pytest.raises(RuntimeError), Capture(plan, lambda *_: None):
        model(torch.randn(6, 1, 6, 6))
    assert_no_hooks(model)
    # … in a probe pass …
    with pytest.raises(RuntimeError):
        probe_pass(plan, torch.randn(6, 1, 6, 6), lambda *_: None)
    assert_no_hooks(model)

    # … and in the consumer.
    def broken(name, features):
        raise ZeroDivisionError

    assert set(probe_pass(plan, x, broken).problems) == set(plan.names)
    with Capture(plan, broken) as capture:
        model(x).sum().backward()
    assert capture.problems == dict.fromkeys(plan.names, "ZeroDivisionError: ")
    assert_no_hooks(model)
    assert model.training


def test_an_input_error_of_the_consumer_does_not_reach_the_pass():
    model, x = Noisy(), torch.randn(6, 1, 5, 5)
    plan = find_layers(model, example=x)

    def refuses(name, features):
        raise InputError("features", "have 3 NaN entries", "mend the layer")

    with Capture(plan, refuses) as capture:
        model(x).sum().backward()
    assert set(capture.problems) == set(plan.names)
    assert "3 NaN" in capture.problems["bn:relu"]


def test_between_measurements_there_is_no_hook_and_starting_twice_is_harmless():
    model, x = Noisy(), torch.randn(6, 1, 5, 5)
    plan = find_layers(model, example=x)
    assert_no_hooks(model)
    capture = Capture(plan, lambda *_: None)
    capture.start()
    watched = nn.Module.__call__
    assert watched is not nn.Module._wrapped_call_impl
    capture.start()
    assert nn.Module.__call__ is watched
    assert capture.active
    capture.stop()
    capture.stop()
    assert not capture.active
    assert_no_hooks(model)


@pytest.mark.parametrize("graph", [True, False])
def test_no_activation_stays_alive(graph):
    alive = []  # not in the model, whose attributes are put back after a probe

    class Watched(nn.Module):
        def __init__(self):
            super().__init__()
            self.fc1, self.fc2, self.act = nn.Linear(4, 8), nn.Linear(8, 2), nn.Tanh()

        def forward(self, x):
            hidden = self.act(F.relu(self.fc1(x)))
            alive.append(weakref.ref(hidden))
            return self.fc2(hidden)

    model, x = Watched(), torch.randn(5, 4)
    plan = find_layers(model, example=x)
    seen = []
    capture = Capture(plan, lambda name, features: seen.append(float(features.sum())))
    gc.disable()  # reference counts alone have to suffice: no cycles through tensors
    try:
        with capture:
            output = model(x)
            if graph:
                output.sum().backward()
        del output
        probe_pass(plan, x, lambda name, features: seen.append(float(features.sum())))
        assert seen
        assert [ref() for ref in alive] == [None] * 4
    finally:
        gc.enable()


def test_validation_between_two_steps_is_not_measured():
    model, x = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(5, 4)
    plan = find_layers(model)
    with Capture(plan, lambda *_: None) as capture:
        model.eval()
        with torch.no_grad():
            model(x)
        with torch.inference_mode():
            model(x)
        assert not capture.calls
        model(x)  # fine-tuning in evaluation mode: gradients are on
        assert capture.calls == {"1": 1}
        model.train()
        model(x)
        assert capture.calls == {"1": 2}


def test_inference_mode_can_be_probed_and_sums_stay_usable():
    from epsrank.numerics.gram.layer import LayerAccumulator

    model, x = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)), torch.randn(5, 4)
    plan, sums = find_layers(model), LayerAccumulator(8)
    with torch.inference_mode():
        probe_pass(plan, x, lambda _, features: sums.update(features))
    probe_pass(plan, x, lambda _, features: sums.update(features))
    assert sums.gram().n_samples == 10


def test_the_probe_itself_is_not_overwritten():
    model, x = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(4, 2)), torch.randn(5, 4)
    before = x.clone()
    probe_pass(find_layers(model, example=x), x, lambda *_: None)
    assert torch.equal(x, before)


class Lifted(nn.Module):
    def __init__(self):
        super().__init__()
        self.lift, self.head = nn.Linear(5, 8), nn.Linear(8, 2)
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.encoder = nn.TransformerEncoder(layer, 2)

    def forward(self, x, padding=None):
        return self.head(self.encoder(F.relu(self.lift(x)), src_key_padding_mask=padding))


@pytest.fixture
def fused(monkeypatch):
    """Count how often a Transformer layer evaluates by the fused path."""
    path, count = torch._transformer_encoder_layer_fwd, []
    monkeypatch.setattr(
        torch, "_transformer_encoder_layer_fwd", lambda *args: (count.append(1), path(*args))[1]
    )
    return count


@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_validation_keeps_the_fused_path_of_transformers(fused):
    # A hook on such a layer, or a watch on functions, turns that path off.
    model, x, padding = Lifted(), torch.randn(4, 6, 5), torch.arange(6).repeat(4, 1) > 3

    def validate():
        fused.clear()
        model.eval()
        with torch.no_grad():
            outputs = model(x), model(x, padding)
        model.train()
        assert len(fused) == 4
        return outputs

    before = validate()
    plan = find_layers(model, example=x)
    assert plan.names == ("lift:relu", "encoder.layers.0", "encoder.layers.1")
    with Capture(plan, lambda *_: None) as capture:
        model(x).sum().backward()
        for a, b in zip(before, validate(), strict=True):
            assert torch.equal(a, b)
        assert capture.calls == dict.fromkeys(plan.names, 1)
        model(x)
        assert capture.calls == dict.fromkeys(plan.names, 2)
        with pytest.raises(RuntimeError):
            model(torch.randn(4, 6, 7))
    assert_no_hooks(model)


def test_hundreds_of_measurements_leave_nothing_in_memory():
    model, x = Noisy(), torch.randn(4, 1, 5, 5)
    plan = find_layers(model, example=x)
    capture = Capture(plan, lambda *_: None)

    def measure(times):
        for _ in range(times):
            with capture:
                model(x)
            probe_pass(plan, x, lambda *_: None)
        gc.collect()
        return len(gc.get_objects())

    measure(3)
    assert measure(120) <= measure(3) + 20
