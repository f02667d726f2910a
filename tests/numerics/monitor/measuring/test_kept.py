"""Features kept along a training, and the explanation of a drop between two of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from epsrank import InputError, RankMonitor, RunConfig, train
from epsrank.numerics.monitor.measuring.kept import KeptFeatures


def test_what_is_kept_is_spread_and_bounded():
    kept, share = KeptFeatures(4), object()
    for step in range(1, 100):
        kept.add(step, share)
        assert len(kept.steps) <= 5
        assert kept.steps[0] == 1
        assert kept.steps[-1] == step
    gaps = np.diff(kept.steps[:-1])
    assert gaps.max() <= 2 * gaps.min()
    off = KeptFeatures(0)
    off.add(1, share)
    assert off.steps == ()


def watched(keep: int, steps: int = 6) -> RankMonitor:
    torch.manual_seed(0)
    x = torch.linspace(-1, 1, 40)[:, None]
    y = torch.sin(4 * x)
    model = nn.Sequential(nn.Linear(1, 8), nn.Tanh(), nn.Linear(8, 1))
    optimiser = torch.optim.Adam(model.parameters(), 0.05)
    with RankMonitor(
        model, probe=x, targets=y, loss="mse", every=1, keep_features=keep, background=False,
        probe_part="whole",
    ) as monitor:  # fmt: skip
        for _ in range(steps):
            optimiser.zero_grad()
            loss = ((model(x) - y) ** 2).mean()
            loss.backward()
            optimiser.step()
            monitor.step(loss)
    return monitor


def test_a_monitor_explains_a_drop():
    monitor = watched(16, 10)
    first, last = monitor.kept_steps[0], monitor.kept_steps[-1]
    found = monitor.explain(first, last)
    readings = {record.step: record.reading for record in monitor.history if record.reading}
    assert found.loss_before == pytest.approx(readings[first].loss, rel=1e-6)
    assert found.loss_after == pytest.approx(readings[last].loss, rel=1e-6)
    assert str(found).startswith(f"Between steps {first} and {last} the loss fell from")
    with pytest.raises(InputError, match="step_b"):
        monitor.explain(first, 999)


def test_without_features_it_says_how_to_keep_them():
    with pytest.raises(InputError, match="keep_features"):
        watched(0, 1).explain(1, 1)


def test_a_run_explains_any_two_measured_steps(tmp_path):
    run = train(
        RunConfig(width=8, depth=1, steps=6, n_train=30, device="cpu", learning_rate=0.05,
                  measure_every=3),
        out=tmp_path / "run",
    )  # fmt: skip
    found = run.explain(0, 6)
    assert found.loss_after == pytest.approx(run.records[-1].loss, rel=1e-9)
    assert found.rank.rank_before == run.records[0].rank().upper
    with pytest.raises(InputError, match="nearest measured step is 6"):
        run.explain(0, 5)
