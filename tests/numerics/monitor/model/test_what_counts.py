"""Which calls are samples of the training; what is none never raises, and says its reason."""

from __future__ import annotations

import threading
import warnings

import pytest
import torch
from torch import nn
from torch.func import functional_call, grad, hessian, jacrev, vmap
from torch.optim.swa_utils import AveragedModel
from torch.utils.flop_counter import FlopCounterMode

from epsrank import InputError, RankMonitor
from epsrank.numerics.monitor.model.capture import Capture
from epsrank.numerics.monitor.model.find import find_layers


def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 1))


def plain(model, x):
    return model(x).square().mean()


def batched(model, x):
    return vmap(model)(x).square().mean()


def laplacian(model, x):
    """The loss of a physics-informed network: second derivatives beside values at the boundary."""
    traces = vmap(hessian(lambda z: model(z).squeeze()))(x).diagonal(dim1=1, dim2=2).sum(1)
    return (traces + 1).square().mean() + model(x[:5]).square().mean()


def slopes(model, x):
    return vmap(jacrev(model))(x).square().mean()


def per_sample(model, x):
    weights = dict(model.named_parameters())

    def one(weights, z):
        return functional_call(model, weights, (z,)).square().sum()

    vmap(grad(one), in_dims=(None, 0))(weights, x)
    return model(x).square().mean()


def ensemble(model, x):
    stacked = {name: torch.stack([p, 2 * p]) for name, p in model.named_parameters()}
    return vmap(lambda weights: functional_call(model, weights, (x,)))(stacked).square().mean()


def traced(model, x):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.trace(model, x)
    return model(x).square().mean()


def exported(model, x):
    torch.fx.symbolic_trace(model)
    return model(x).square().mean()


def faked(model, x):
    from torch._subclasses import FakeTensorMode

    with FakeTensorMode(allow_non_fake_inputs=True) as mode:
        model(mode.from_tensor(x))
    return model(x).square().mean()


def rollout(model, x):
    with torch.no_grad():
        for _ in range(3):
            model(x)
    return model(x).square().mean()


def averaged(model, x):
    AveragedModel(model)(x)
    return model(x).square().mean()


def in_mixed_precision(model, x):
    with torch.autocast("cpu", torch.bfloat16):
        return model(x).float().square().mean()


def in_half(model, x):
    with torch.autocast("cpu", torch.float16):
        return model(x).float().square().mean()


def counted(model, x):
    with FlopCounterMode(display=False) as counter:
        loss = model(x).square().mean()
    assert counter.get_total_flops() == 2 * len(x) * (2 * 6 + 6)
    return loss


def validated(model, x):
    loss = model(x).square().mean()
    with torch.no_grad():
        model.eval()(x)
    model.train()
    with torch.inference_mode():
        model(x)
    return loss


def two_batches(model, x):
    return model(x[:7]).square().mean() + model(x[7:]).square().mean()


def parts(model, x):
    """The parts of the model, called without it."""
    return model[2](model[1](model[0](x))).square().mean()


def in_a_thread(model, x):
    found = []
    thread = threading.Thread(target=lambda: found.append(model(x).square().mean()))
    thread.start()
    thread.join()
    return found[0]


#: A training step, and the rows that a monitor measures of its 20 samples; None where it gives a
#: reason instead, of which a few words are named.
STEPS = {
    plain: (20, None),
    batched: (None, "under torch.func"),
    laplacian: (5, "a part of the samples is missing"),
    slopes: (None, "under torch.func"),
    per_sample: (20, "a part of the samples is missing"),
    ensemble: (None, "under torch.func"),
    traced: (20, None),
    exported: (20, None),
    faked: (20, None),
    rollout: (20, None),
    averaged: (20, None),
    in_mixed_precision: (20, None),
    in_half: (20, None),
    counted: (20, None),
    validated: (20, None),
    two_batches: (20, None),
    parts: (20, None),
    in_a_thread: (20, None),
}


def losses(step, watched):
    model, x = small(), torch.randn(20, 2, generator=torch.Generator().manual_seed(1))
    optimiser, found = torch.optim.SGD(model.parameters(), 0.1), []
    monitor = RankMonitor(model, every=1, warn=False) if watched else None
    for _ in range(3):
        optimiser.zero_grad()
        loss = step(model, x)
        loss.backward()
        optimiser.step()
        found.append(loss.item())
        if monitor is not None:
            monitor.step(loss)
    if monitor is not None:
        monitor.close()
    return found, monitor


@pytest.mark.filterwarnings("ignore::epsrank.RankWarning")
@pytest.mark.filterwarnings("ignore:.torch.jit.script. is deprecated")  # of forward mode in torch
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.__name__)
def test_steps_count_what_they_train_on_and_none_of_them_is_changed(step):
    samples, reason = STEPS[step]
    found, monitor = losses(step, True)
    assert found == losses(step, False)[0]
    assert [record.step for record in monitor.history] == [1, 2]
    for record in monitor.history:
        assert record.n_samples == (samples or 0)
        assert bool(record.ranks) == (samples is not None)
        assert (reason is None) == (record.failure is None)
        assert reason is None or reason in record.failure
    assert nn.Module.__call__ is nn.Module._wrapped_call_impl


@pytest.mark.parametrize("training", [True, False])
def test_a_step_without_gradients_gives_its_reason_once(training):
    model, x = small().train(training), torch.randn(20, 2)
    with RankMonitor(model, every=1) as monitor, warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        for _ in range(4):
            with torch.no_grad():
                model(x)
            monitor.step()
    assert len(said) == 1
    line = str(said[0].message)
    assert line.startswith("1: was called without gradients only, as in validation or a rollout")
    assert "pass probe= to RankMonitor, or inputs= to step()" in line
    # The remedy works.
    with RankMonitor(model, every=1, probe=x) as monitor, torch.no_grad():
        assert monitor.step()[0].n_samples == 20
    with RankMonitor(model, every=1) as monitor, torch.no_grad():
        assert monitor.step(inputs=x)[0].n_samples == 20


def test_trouble_of_one_layer_leaves_the_others_and_the_training_alone():
    model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 6), nn.ReLU(), nn.Linear(6, 1))
    x = torch.randn(5, 2)

    def consume(name, features):
        if name == "1":
            raise MemoryError("no room")
        seen.append(name)

    seen = []
    with Capture(find_layers(model, example=x), consume) as capture:
        model(x).sum().backward()
    assert capture.problems == {"1": "MemoryError: no room"}
    assert seen == ["3"]


def test_two_monitors_do_not_take_each_others_passes_for_samples():
    model, x = small(), torch.randn(20, 2)
    own = RankMonitor(
        model, every=1, probe=x, quantities={"slope": lambda m, loss, d: d.outputs(m).sum()}
    )
    with RankMonitor(model, every=1) as other, own:
        for _ in range(3):
            model(x).sum().backward()
            other.step()
            own.step()
    assert [record.n_samples for record in other.history] == [20, 20]


@pytest.mark.parametrize(
    ("loss", "line"),
    [
        (1j, "loss is 1j"),
        ("0.5", "loss is '0.5'"),
        (b"1", "loss is b'1'"),
        ([1.0], "loss is [1.0]"),
        (torch.tensor(1j), "loss is a tensor of complex64 numbers and shape () on cpu"),
        (torch.ones(3, dtype=torch.int64), "loss is a tensor of int64 numbers and shape (3,)"),
        (torch.ones((), device="meta"), "loss is a tensor of float32 numbers and shape () on meta"),
    ],
    ids=str,
)
def test_a_loss_that_is_no_number_is_refused_in_one_line(loss, line):
    with RankMonitor(small(), every=100) as monitor:
        with pytest.raises(InputError) as caught:
            monitor.step(loss)
        assert str(caught.value).startswith(line)
        assert str(caught.value).endswith("; pass the loss tensor or a float")
        monitor.step(torch.tensor([1.0, 3.0]))
        assert monitor._losses.mean() == 2.0


def test_a_model_can_be_scripted_and_traced_at_any_moment():
    model, x = small(), torch.randn(20, 2)
    expected = model(x)

    def both():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # both are on their way out
            return torch.jit.script(model)(x), torch.jit.trace(model, x)(x)

    with RankMonitor(model, every=1) as monitor:
        for _ in range(2):
            assert all(torch.equal(expected, found) for found in both())
            model(x).sum().backward()
            assert all(torch.equal(expected, found) for found in both())
            monitor.step()
    assert [record.n_samples for record in monitor.history] == [20]
