"""RankMonitor on code that torch.compile's default backend made: C++ on the CPU."""

from __future__ import annotations

import shutil
import warnings

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank.numerics.monitor import RankMonitor

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None and shutil.which("clang++") is None,
    reason="needs a C++ compiler; g++ and clang++ are not found",
)


def train(backend, watched, **keywords):
    torch.compiler.reset()
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Linear(6, 20), nn.Tanh(), nn.Dropout(0.1), nn.Linear(20, 12), nn.ReLU(), nn.Linear(12, 3)
    )
    model = torch.compile(net, backend=backend) if backend else net
    optimiser = torch.optim.SGD(net.parameters(), 0.1)
    monitor = RankMonitor(model, every=2, **keywords) if watched else None
    torch.manual_seed(1)
    for _ in range(6):
        x = torch.randn(16, 6)
        optimiser.zero_grad()
        loss = F.cross_entropy(model(x), torch.arange(16) % 3)
        loss.backward()
        optimiser.step()
        if monitor is not None:
            monitor.step(loss)
    if monitor is not None:
        monitor.close()
    return list(net.parameters()), monitor


def test_inductor_is_measured_and_does_not_notice():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of the compiler itself
        alone, _ = train("inductor", False)
        made = torch._dynamo.utils.counters["stats"]["unique_graphs"]
        assert made
        found = {}
        for name, keywords in (("batch", {}), ("probe", {"probe": torch.eye(6)})):
            watched, found[name] = train("inductor", True, **keywords)
            assert all(torch.equal(p, q) for p, q in zip(alone, watched, strict=True))
        _, eager = train(None, True)
    for record, wanted in zip(found["batch"].history, eager.history, strict=True):
        assert record.failure is None
        assert (record.step, record.layer, record.n_samples) == (wanted.step, wanted.layer, 16)
        assert [(r.lower, r.upper) for r in record.ranks] == [
            (r.lower, r.upper) for r in wanted.ranks
        ]
        # Inductor draws other dropout masks than eager code, so that the weights differ.
        assert record.quantities.trace == pytest.approx(wanted.quantities.trace, rel=0.5)
    assert found["probe"].history.steps == [2, 4, 6]
