"""Samples that depend on each other are read together: time first, batch statistics, graphs."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from epsrank import RankMonitor
from epsrank.numerics.monitor.measuring.probe_set import as_probe_set
from epsrank.theory.errors import InputError
from tests.numerics.monitor.heads.models import Net

pytestmark = pytest.mark.filterwarnings("ignore::epsrank.RankWarning")

N = 300  # more than a reading sends through the model at once


def attending(m, x):
    h = m.embed(x)[None]
    return m.head((h + m.attention(h, h, h)[0])[0])


def body():
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh())


CASES = {
    "time on the first axis": lambda: (
        Net(lambda m, x: m.head(m.rnn(x)[0]), rnn=nn.GRU(3, 8), head=nn.Linear(8, 2)),
        torch.randn(N, 2, 3),
    ),
    "statistics of the batch": lambda: (
        nn.Sequential(
            nn.Linear(3, 8), nn.BatchNorm1d(8, track_running_stats=False), nn.Linear(8, 2)
        ),
        torch.randn(N, 3),
    ),
    "attention over the batch": lambda: (
        Net(
            attending, embed=nn.Linear(3, 8),
            attention=nn.MultiheadAttention(8, 2, batch_first=True), head=nn.Linear(8, 2),
        ),
        torch.randn(N, 3),
    ),
    # Some rows of it fit no few nodes: such a probe was refused.
    "a graph": lambda: (
        Net(lambda m, x, a: m.head(a @ m.body(x)), body=body(), head=nn.Linear(8, 2)),
        (torch.randn(N, 3), torch.rand(N, N)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("weighed", [False, True])
def test_the_loss_is_that_of_all_samples_together(name, weighed):
    torch.manual_seed(0)
    model, probe = CASES[name]()
    model.eval()
    u = model(*probe) if isinstance(probe, tuple) else model(probe)
    y = u.detach() + torch.randn_like(u)
    weights = torch.arange(N) % 3 > 0 if weighed else None
    seen = []

    def inputs_of(model, loss, data):
        seen.append(data.inputs)
        return loss(data.outputs(model), data.targets)

    with RankMonitor(
        model, probe=probe, targets=y, loss=nn.MSELoss(), every=1, warn=False,
        quantities={"loss": inputs_of}, weights=None if weights is None else weights.double(),
    ) as monitor:  # fmt: skip
        monitor.measure()
    [reading] = [r.reading for r in monitor.latest.values() if r.reading is not None]
    kept = slice(None) if weights is None else weights
    assert reading.loss == pytest.approx(F.mse_loss(u[kept], y[kept]).item(), rel=1e-5)
    if not weighed:
        # Quantities get the samples as they were given.
        assert type(seen[0]) is type(probe)
        [quantity] = monitor.history.quantities
        assert quantity.value == pytest.approx(reading.loss, rel=1e-5)


def test_inputs_of_a_step_are_one_batch():
    torch.manual_seed(0)
    model, x = CASES["statistics of the batch"]()
    u = model(x)
    y = u.detach() + torch.randn_like(u)
    with RankMonitor(model, loss=nn.MSELoss(), every=1, warn=False) as monitor:
        monitor.step(targets=y, inputs=x)
    [reading] = [r.reading for r in monitor.latest.values() if r.reading is not None]
    assert reading.loss == pytest.approx(F.mse_loss(u, y).item(), rel=1e-5)


class Noisy(nn.Module):
    def forward(self, x):
        return x + torch.randn_like(x)


class Counting(nn.Module):
    """A state that every pass moves on, which changes outputs and makes no sample depend."""

    def __init__(self):
        super().__init__()
        self.register_buffer("passes", torch.zeros(()))

    def forward(self, x):
        self.passes += 1
        return x * self.passes


@pytest.mark.parametrize(
    "model",
    [
        body(),
        nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.LayerNorm(8)),
        nn.Sequential(nn.Linear(3, 8), Noisy()),
        nn.Sequential(nn.Linear(3, 8), Counting()),
        nn.Sequential(nn.Linear(3, 8), nn.Flatten(0)),
    ],
)
def test_samples_for_themselves_are_still_cut_and_drawn(model):
    x = torch.randn(40, 3)
    before = torch.get_rng_state()
    probe = as_probe_set(x, None, 16, 0, model=model)
    assert not probe.together
    assert probe.n_samples == 16
    assert torch.equal(before, torch.get_rng_state())
    assert all(float(value.sum()) == 0 for name, value in model.named_buffers() if "pass" in name)


def test_what_depends_on_each_other_is_not_drawn_from():
    model, probe = CASES["time on the first axis"]()
    with pytest.raises(InputError, match=r"none can be drawn; pass max_samples=300 for one pass"):
        as_probe_set(probe, None, 16, 0, model=model)
    given = as_probe_set(probe, None, N, 0, model=model)
    assert given.together
    assert given.samples is probe
