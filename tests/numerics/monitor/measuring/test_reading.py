"""The last layer's reading against `loss_floor`, naive losses and a network trained on digits."""

from __future__ import annotations

import functools
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from epsrank import RankMonitor
from epsrank.numerics.losses import understood
from epsrank.numerics.monitor.measuring.reading import Head, Rows, matched, read_last_layer
from epsrank.numerics.monitor.records.record import LayerReading
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.loss_floor import loss_floor

SQUARES, CLASSES = understood("mse"), understood("cross_entropy")


def linear(n=6, k=3, bias=True, seed=0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(n, k, bias=bias)


def rows_of(*pieces, limit=10_000) -> Rows:
    rows = Rows(limit)
    for piece in pieces:
        rows.add(piece)
    return rows


@functools.cache
def digits():
    """64-40-40-10 tanh trained on digits until the loss is about 0.07."""
    x, y = load_digits(return_X_y=True)
    x, y = torch.tensor(x / 16, dtype=torch.float32), torch.tensor(y)
    torch.manual_seed(0)
    body = nn.Sequential(nn.Linear(64, 40), nn.Tanh(), nn.Linear(40, 40), nn.Tanh())
    head = nn.Linear(40, 10)
    optimiser = torch.optim.Adam([*body.parameters(), *head.parameters()], 1e-3)
    for _ in range(700):
        batch = torch.randint(0, len(x), (128,))
        optimiser.zero_grad()
        F.cross_entropy(head(body(x[batch])), y[batch]).backward()
        optimiser.step()
    with torch.no_grad():
        return body(x), y, head, float(F.cross_entropy(head(body(x)), y))


def test_digits_are_norm_limited_with_a_gap_below_one_percent():
    features, labels, head, loss = digits()
    assert 0.05 < loss < 0.1
    reading = read_last_layer(features, labels, Head.of(head), loss=CLASSES, bias="feature")
    assert reading.loss == pytest.approx(loss, rel=1e-5)
    assert reading.reachable <= reading.attained <= reading.loss
    assert reading.attained - reading.reachable <= 0.01 * reading.attained
    # The classes can be separated: a head not twice as large halves the loss.
    assert reading.name == "norm-limited"
    assert 1 < reading.half_ratio < 2
    assert 0.8 < reading.reachable / reading.loss < 1
    free = read_last_layer(features, labels, Head.of(head), loss=CLASSES, bias="free")
    assert free.name == reading.name
    assert free.loss == reading.loss
    assert free.norm < reading.norm
    strict = convex_floor(
        features,
        labels,
        coefficients=head.weight.T,
        bias="feature",
        bias_value=head.bias,
        audit=True,
    )
    assert strict.reachable <= reading.attained
    assert strict.gap <= 0.01 * strict.attained


def test_a_head_turned_away_is_optimiser_limited():
    features, labels, head, _ = digits()
    turned = Head(np.roll(Head.of(head).weight, 1, axis=1), None)
    reading = read_last_layer(features, labels, turned, loss=CLASSES, bias="feature")
    assert reading.name == "optimiser-limited"
    assert reading.ratio_lower > 4
    assert reading.bias is None


@pytest.mark.parametrize("bias", ["free", "feature", "fixed"])
@pytest.mark.parametrize("has_bias", [True, False])
def test_squares_agree_with_the_floor_of_the_data(bias, has_bias):
    rng = torch.Generator().manual_seed(1)
    features = torch.randn(200, 6, generator=rng)
    targets = torch.randn(200, 3, generator=rng)
    module = linear(bias=has_bias)
    reading = read_last_layer(features, targets, Head.of(module), loss=SQUARES, bias=bias)
    chain = "feature" if bias == "free" else bias
    wanted = loss_floor(
        features, targets, eps=1e-6, coefficients=module.weight.T,
        bias=chain if has_bias else None, bias_value=module.bias if has_bias else None,
    )  # fmt: skip
    if bias == "free" or not has_bias:
        # The reading of the floor, whatever the bias of its chain.
        same = LayerReading.of(wanted.verdict, kind="mse", n_samples=200)
        assert (reading.name, reading.bias, reading.norm) == (same.name, same.bias, same.norm)
        assert reading.half_ratio == pytest.approx(same.half_ratio, rel=1e-9)
        assert reading.ratio_upper == pytest.approx(same.ratio_upper, rel=1e-9)
        return
    assert reading.bias == bias
    assert reading.loss == pytest.approx(wanted.loss, rel=1e-9)
    assert reading.norm == pytest.approx(wanted.coefficient_norm, rel=1e-12)
    assert reading.reachable <= wanted.reachable <= reading.attained
    assert reading.reachable == pytest.approx(wanted.reachable, rel=1e-5)
    naive = F.mse_loss(module(features), targets).item() * 3
    assert reading.loss == pytest.approx(naive, rel=1e-5)


def test_rows_are_copies_and_bounded():
    piece = torch.ones(5, 2)
    rows = rows_of(piece, torch.zeros(5, 2), limit=7)
    piece.zero_()
    kept = rows.features()
    assert kept.tolist() == [[1, 1]] * 5 + [[0, 0]] * 2
    assert rows.total == 10
    assert Rows(3).features() is None


def test_targets_are_matched_to_rows():
    features = torch.arange(12.0).reshape(6, 2)
    phi, labels = matched(rows_of(features), torch.tensor([0, 1, -100, 1, 0, 1]), CLASSES)
    assert labels.tolist() == [0, 1, 1, 0, 1]
    assert phi.tolist() == features[[0, 1, 3, 4, 5]].tolist()
    # Tokens: (2, 3) labels belong to 6 rows.
    _, labels = matched(rows_of(features), torch.tensor([[0, 1, 1], [0, 0, 1]]), CLASSES)
    assert labels.tolist() == [0, 1, 1, 0, 0, 1]
    phi, goal = matched(rows_of(features, limit=4), torch.rand(6, 3), SQUARES)
    assert (len(phi), goal.shape) == (4, (4, 3))


@pytest.mark.parametrize(
    ("targets", "kind"),
    [
        (torch.zeros(5, dtype=torch.long), "cross_entropy"),
        (torch.full((6,), -100), "cross_entropy"),
        (torch.tensor(1.0), "mse"),
        (torch.rand(7, 2), "mse"),
    ],
)
def test_targets_that_do_not_fit_are_named(targets, kind):
    with pytest.raises(InputError, match="targets"):
        matched(rows_of(torch.zeros(6, 2)), targets, understood(kind))


def test_no_features_are_named():
    with pytest.raises(InputError, match="targets"):
        matched(Rows(5), torch.zeros(6), SQUARES)


@pytest.mark.parametrize("module", [None, nn.Conv2d(1, 1, 1), nn.Identity()])
def test_heads_that_are_not_linear_are_refused(module):
    with pytest.raises(InputError, match="head"):
        Head.of(module)


def test_heads_that_do_not_fit_are_refused():
    arguments = {"bias": "feature"}
    head = Head.of(linear(4, 3))
    labels = torch.tensor([0, 1])
    with pytest.raises(InputError, match="head"):
        read_last_layer(torch.ones(2, 5), labels, head, loss=CLASSES, **arguments)
    with pytest.raises(InputError, match="target"):
        read_last_layer(torch.ones(2, 4), torch.ones(2, 2), head, loss=SQUARES, **arguments)
    broken = Head(np.full((4, 3), np.nan), None)
    with pytest.raises(InputError, match="NaN"):
        read_last_layer(torch.ones(2, 4), labels, broken, loss=CLASSES, **arguments)
    large = Head(np.zeros((4, 2**21)), None)
    with pytest.raises(InputError, match="weights"):
        read_last_layer(torch.ones(2, 4), labels, large, loss=CLASSES, **arguments)


def test_soft_targets():
    features, labels, head, loss = digits()
    soft = F.one_hot(labels, 10).float()
    hard = read_last_layer(features, labels, Head.of(head), loss=CLASSES, bias="feature")
    same = read_last_layer(features, soft, Head.of(head), loss=CLASSES, bias="feature")
    assert same.loss == pytest.approx(loss, rel=1e-5)
    assert same.reachable == pytest.approx(hard.reachable, rel=1e-9)


def own_losses():
    """Losses as a training uses them, with targets for 60 samples and 3 outputs."""
    generator = torch.Generator().manual_seed(3)
    real = torch.randn(60, 3, generator=generator)
    labels = torch.randint(0, 3, (60,), generator=generator)
    some = torch.where(torch.arange(60) % 5 == 0, -100, labels)
    weight = torch.tensor([1.0, 0.5, 2.0])
    return [
        (nn.MSELoss(), real), (nn.MSELoss(reduction="sum"), real), (F.l1_loss, real),
        (nn.HuberLoss(delta=0.5), real), (nn.SmoothL1Loss(beta=0.1), real),
        (nn.CrossEntropyLoss(weight=weight, label_smoothing=0.1), some),
        (nn.CrossEntropyLoss(reduction="sum"), labels),
        (nn.CrossEntropyLoss(), real.softmax(dim=1)),
        (nn.BCEWithLogitsLoss(pos_weight=weight), real.sigmoid()),
        (partial(F.binary_cross_entropy_with_logits, reduction="sum"), (real > 0).float()),
        (partial(F.gaussian_nll_loss, var=2.0), real),
    ]  # fmt: skip


@pytest.mark.parametrize(("loss", "targets"), own_losses())
def test_a_reading_has_the_loss_of_the_training(loss, targets):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
    probe = torch.randn(60, 2)
    settings = {"probe": probe, "targets": targets, "loss": loss, "every": 1, "overhead": 1.0}
    with RankMonitor(model, warn=False, **settings) as monitor:
        record = monitor.step()[-1]
    reading = record.reading
    assert reading is not None, record
    with torch.no_grad():
        want = float(loss(model(probe), targets))
    constant = 0.5 * np.log(2.0) if reading.kind == "gaussian_nll" else 0.0
    assert reading.loss + constant == pytest.approx(want, rel=1e-6)
    assert reading.reachable <= reading.attained <= reading.loss * (1 + 1e-9)


def test_a_loss_that_is_not_understood_is_refused_before_the_training():
    with pytest.raises(InputError, match=r"loss is BCELoss.*BCEWithLogitsLoss"):
        RankMonitor(nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 1)), loss=nn.BCELoss())
