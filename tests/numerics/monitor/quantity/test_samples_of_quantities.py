"""Quantities see the samples that readings see, and their loss is the reading's."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank import LayerQuantity, RankMonitor, participation_ratio

pytestmark = pytest.mark.filterwarnings("ignore::epsrank.RankWarning")

N, T = 20, 3
GENERATOR = torch.Generator().manual_seed(0)
X = torch.randn(N, T, 5, generator=GENERATOR)
CLASSES = torch.tensor([1.0, 2.0, 0.5])
VALUES = torch.randn(N, T, 3, generator=GENERATOR)
LABELS = torch.randint(0, 3, (N, T), generator=GENERATOR)
LABELS[:4, 0] = -100
LOSSES = [
    ("mse", VALUES), (nn.MSELoss(), VALUES), (nn.HuberLoss(delta=0.7), VALUES),
    (nn.L1Loss(reduction="sum"), VALUES), (partial(F.smooth_l1_loss, beta=0.5), VALUES),
    ("bce", (VALUES > 0).float()), (nn.BCEWithLogitsLoss(pos_weight=CLASSES), VALUES.sigmoid()),
    (partial(F.gaussian_nll_loss, var=1.0), VALUES),
    ("cross_entropy", LABELS), (nn.CrossEntropyLoss(weight=CLASSES, label_smoothing=0.1), LABELS),
    (nn.CrossEntropyLoss(reduction="sum"), LABELS), (nn.CrossEntropyLoss(), VALUES.softmax(-1)),
    ("cross_entropy", VALUES.softmax(-1)),
]  # fmt: skip


def the_loss(model, loss, data):
    return loss(data.outputs(model), data.targets)


def network(width=3):
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(5, 8), nn.Tanh(), nn.Linear(8, width))


@pytest.mark.parametrize(
    ("number", "tokens"), [(n, True) for n in range(len(LOSSES))] + [(1, False), (9, False)]
)
def test_the_loss_of_a_quantity_is_that_of_the_reading(number, tokens):
    loss, targets = LOSSES[number]
    x, y = (X, targets) if tokens else (X[:, 0], targets[:, 0])
    size = X[..., 0] if tokens else X[:, 0, 0]
    for counted in ({}, {"mask": size > 0}, {"weights": size.abs() * (size > -1)}):
        pieces = {"q": the_loss, "pr": LayerQuantity("1", participation_ratio)}
        with RankMonitor(
            network(),
            probe=x,
            targets=y,
            loss=loss,
            quantities=pieces,
            every=1,
            warn=False,
            **counted,
        ) as monitor:
            monitor.step()
        record = monitor.latest["1"]
        found = {own.name: own for own in monitor.history.quantities}
        assert found["q"].value == pytest.approx(record.reading.loss, rel=1e-5)
        if "weights" in counted:
            assert "weights let samples count differently" in found["pr"].cause
        else:
            assert found["pr"].value == pytest.approx(record.quantities.participation_ratio)


@pytest.mark.parametrize("shape", [(N,), (N, 1)])
@pytest.mark.parametrize("squeezed", [False, True])
@pytest.mark.parametrize("loss", ["mse", nn.MSELoss(), nn.BCEWithLogitsLoss()])
def test_one_column_is_not_spread_over_samples(shape, squeezed, loss):
    model = nn.Sequential(*network(1), *([nn.Flatten(0)] if squeezed else []))
    y = (VALUES[:, 0, 0] > 0).float().reshape(shape)
    with RankMonitor(
        model, probe=X[:, 0], targets=y, loss=loss, quantities={"q": the_loss}, every=1, warn=False
    ) as monitor:
        monitor.step()
    [found] = monitor.history.quantities
    assert found.value == pytest.approx(monitor.latest["1"].reading.loss, rel=1e-5)


def test_targets_of_another_shape_are_refused_and_not_broadcast():
    def wrong(model, loss, data):
        return loss(data.outputs(model), data.targets[:, :1])

    with RankMonitor(
        network(), probe=X[:, 0], targets=VALUES[:, 0], loss=nn.MSELoss(), quantities={"q": wrong},
        every=1, warn=False,
    ) as monitor:  # fmt: skip
        monitor.step()
    assert "targets have shape (20, 1), the outputs (20, 3)" in monitor.history.quantities[0].cause


def test_several_heads_have_a_loss_each():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.body = nn.Sequential(nn.Linear(5, 8), nn.Tanh())
            self.a, self.b = nn.Linear(8, 3), nn.Linear(8, 3)

        def forward(self, x):
            return {"a": self.a(self.body(x)), "b": self.b(self.body(x))}

    def of_both(model, loss, data):
        outputs = data.outputs(model)
        return sum(loss[head](outputs[head], data.targets[head]) for head in ("a", "b"))

    mask = X[:, 0, 0] > 0
    with RankMonitor(
        Two(), probe=X[:, 0], heads=["a", "b"], targets={"a": VALUES[:, 0], "b": LABELS[:, 1]},
        loss={"a": nn.MSELoss(), "b": "cross_entropy"}, mask=mask, quantities={"q": of_both},
        every=1, warn=False,
    ) as monitor:  # fmt: skip
        monitor.step()
    readings = [record.reading.loss for record in monitor.latest.values() if record.reading]
    assert len(readings) == 2
    assert monitor.history.quantities[0].value == pytest.approx(sum(readings), rel=1e-5)


def test_what_a_quantity_sees_of_masks():
    seen = []

    def look(model, loss, data):
        seen.append(data)
        return 0.0

    rows = []
    of_targets = LayerQuantity("1", lambda x, y: rows.append((x, y)) or 0.0, with_targets=True)
    size, flat = X[..., 0], LABELS.reshape(-1)
    batches = [X[:10], X[10:]]
    for probe, targets, mask, kept in (
        (X[:, 0], LABELS[:, 1], size[:, 0] > 0, size[:, 0] > 0),
        ([X[:9, 0], X[9:, 0]], LABELS[:, 1], size[:, 0] > 0, size[:, 0] > 0),
        (X, LABELS, size > 0, size.reshape(-1) > 0),
        (batches, flat, [size[:10] > 0, size[10:] > 0], size.reshape(-1) > 0),
        (batches, flat, lambda batch: batch[..., 0] > 0, size.reshape(-1) > 0),
    ):
        with RankMonitor(
            network(), probe=probe, targets=targets, mask=mask, loss="cross_entropy", every=1,
            quantities={"look": look, "f": of_targets},
        ) as monitor:  # fmt: skip
            monitor.step()
        assert [own.cause for own in monitor.history.quantities] == [None, None]
        assert np.array_equal(rows[-1][1], targets.reshape(-1)[kept].numpy())
        assert len(rows[-1][0]) == int(kept.sum())
        # Samples are left out, tokens have weights.
        assert (seen[-1].weights is None) == (len(kept) == N)
        assert len(seen[-1].targets) == (int(kept.sum()) if len(kept) == N else len(targets))
