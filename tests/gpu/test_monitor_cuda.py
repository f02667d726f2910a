"""RankMonitor on CUDA: the numbers of the CPU, and a training that does not notice it."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank.numerics.monitor import RankMonitor
from epsrank.numerics.monitor.measuring.background import Background, as_background
from epsrank.numerics.monitor.measuring.watch import LossMeter

pytestmark = pytest.mark.skipif(
    not torch.cuda.is_available(), reason="needs a CUDA device; torch.cuda.is_available() is False"
)


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(10, 32), nn.Tanh(), nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 4)
    )


def data():
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(600, 10, generator=generator)
    return x, torch.randint(0, 4, (600,), generator=generator)


def train(device, monitored, **keywords):
    model = network().to(device)
    x, y = (part.to(device) for part in data())
    optimiser = torch.optim.SGD(model.parameters(), 0.1)
    monitor = None
    if monitored:
        monitor = RankMonitor(model, loss="cross_entropy", every=2, warn=False, **keywords)
    torch.manual_seed(2)
    for _ in range(8):
        batch = torch.randint(0, 600, (64,), device=device)
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x[batch]), y[batch])
        loss.backward()
        optimiser.step()
        if monitor is not None:
            monitor.step(loss, None if "probe" in keywords else y[batch])
    if monitor is not None:
        monitor.close()
    return model, monitor


@pytest.mark.parametrize("where", ["cpu", "cuda"])
def test_a_probe_gives_the_numbers_of_the_cpu(where):
    x, y = data()
    found = []
    for device in ("cpu", "cuda"):
        with RankMonitor(
            network().to(device), probe=x.to(where), targets=y.to(where), loss="cross_entropy",
            every=1, eps=(1e-6, 1e-2),
        ) as monitor:  # fmt: skip
            found.append(monitor.step(torch.tensor(1.0, device=device)))
    for cpu, cuda in zip(*found, strict=True):
        assert cuda.failure is None
        assert [(e.lower, e.upper) for e in cpu.ranks] == [(e.lower, e.upper) for e in cuda.ranks]
        assert cuda.quantities.trace == pytest.approx(cpu.quantities.trace, rel=1e-5)
        assert cuda.loss == cpu.loss
    assert found[1][-1].reading.loss == pytest.approx(found[0][-1].reading.loss, rel=1e-5)


@pytest.mark.parametrize("probe", [True, False])
def test_training_is_the_same_bit_for_bit(probe):
    keywords = {"probe": data()[0], "targets": data()[1]} if probe else {}
    alone, _ = train("cuda", False)
    state = torch.cuda.get_rng_state()
    watched, monitor = train("cuda", True, **keywords)
    assert all(
        torch.equal(p, q) for p, q in zip(alone.parameters(), watched.parameters(), strict=True)
    )
    assert torch.equal(state, torch.cuda.get_rng_state())
    assert len(monitor.history) >= 6
    assert all(record.failure is None for record in monitor.history)


def test_losses_are_added_on_the_device():
    meter = LossMeter()
    for value in (1.0, 2.0, 6.0):
        meter.add(torch.tensor(value, device="cuda", requires_grad=True))
    assert meter._sum == 0.0
    meter.add(3.0)
    assert meter.mean() == 3.0
    assert meter.mean() is None


@pytest.mark.parametrize("probe", [True, False])
def test_a_stream_beside_the_training_gives_the_same_records(probe):
    """The thread's stream sees what was copied, and training stays as it is, bit for bit."""
    keywords = {"probe": data()[0], "targets": data()[1]} if probe else {}
    alone, _ = train("cuda", False)
    _, front = train("cuda", True, **keywords)
    state = torch.cuda.get_rng_state()
    watched, back = train("cuda", True, background=True, **keywords)
    assert all(
        torch.equal(p, q) for p, q in zip(alone.parameters(), watched.parameters(), strict=True)
    )
    assert torch.equal(state, torch.cuda.get_rng_state())
    for one, two in zip(front.history, back.history, strict=True):
        assert two.failure is None
        assert (one.step, one.layer, one.n_samples) == (two.step, two.layer, two.n_samples)
        assert [(r.lower, r.upper) for r in one.ranks] == [(r.lower, r.upper) for r in two.ranks]
        assert two.quantities.trace == pytest.approx(one.quantities.trace, rel=1e-6)
        assert two.reading.loss == pytest.approx(one.reading.loss, rel=1e-6)


def test_features_that_change_in_place_were_copied_before():
    """A slow stream of the thread does not see what training writes later."""
    thread = Background(torch.device("cuda"))
    seen = []
    for number in range(20):
        features = torch.full((512, 512), float(number), device="cuda")
        thread.consume(lambda rows: seen.append((rows @ rows).mean().item()), features)
        features.fill_(-1.0)
    thread.fetch(wait=True)
    thread.close()
    assert seen == [512.0 * number**2 for number in range(20)]


def test_auto_takes_a_thread_on_cuda():
    thread = as_background("auto", network().cuda(), False)
    assert thread is not None
    thread.close()
