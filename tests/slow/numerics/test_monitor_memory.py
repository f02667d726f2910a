"""Ten thousand measurements: the memory of the process stays where it was."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
import torch
from torch import nn

from epsrank.numerics.monitor import RankMonitor


def resident() -> float:
    """Memory of this process in MiB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * 4096 / 2**20


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc")
@pytest.mark.parametrize("loss", ["mse", "cross_entropy"])
@pytest.mark.parametrize("probe", [True, False])
def test_memory_is_flat_over_ten_thousand_measurements(loss, probe):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 6), nn.Tanh(), nn.Linear(6, 3))
    x = torch.randn(32, 2)
    targets = torch.randn(32, 3) if loss == "mse" else torch.randint(0, 3, (32,))
    optimiser = torch.optim.SGD(model.parameters(), 1e-3)
    keywords = {"probe": x, "targets": targets} if probe else {"forgetting": 0.9}
    sizes = []
    with RankMonitor(model, loss=loss, every=1, max_records=500, warn=False, **keywords) as monitor:
        for step in range(10_001):
            optimiser.zero_grad()
            value = model(x).square().mean()
            value.backward()
            optimiser.step()
            monitor.step(value, None if probe else targets)
            if step in (1000, 10_000):
                gc.collect()
                sizes.append(resident())
    assert len(monitor.history) <= 500
    assert monitor.history.steps[-1] >= 9_999
    # 9000 measurements; one row kept of each would be some 18 MiB.
    assert sizes[1] - sizes[0] < 4
