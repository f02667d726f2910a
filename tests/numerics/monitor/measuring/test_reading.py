"""The last layer's reading against `loss_floor`, naive losses and a network trained on digits."""

from __future__ import annotations

import functools
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.nn import functional as F

from epsrank import RankMonitor, RankWarning
from epsrank.numerics.losses import understood
from epsrank.numerics.monitor.heads.rows import HeadRows, joined
from epsrank.numerics.monitor.heads.share import Share, matched
from epsrank.numerics.monitor.measuring.reading import read_last_layer
from epsrank.numerics.monitor.model.effective import effective_weight
from epsrank.numerics.monitor.records.record import LayerReading
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.loss_floor import loss_floor

SQUARES, CLASSES = understood("mse"), understood("cross_entropy")


def linear(n=6, k=3, bias=True, seed=0) -> nn.Linear:
    torch.manual_seed(seed)
    return nn.Linear(n, k, bias=bias)


def rows_of(features, head, weight=None, bias=None) -> HeadRows:
    if weight is None:
        weight, bias = effective_weight(head)
    outputs = features.double() @ torch.from_numpy(weight)
    bias = None if bias is None else bias[None]
    return HeadRows(
        features, weight, bias, None, None, outputs, 1, outputs.shape, 1, "u = φW + b"
    )  # fmt: skip


def read(features, targets, head, loss, bias):
    share = Share(rows_of(features, head), targets)
    return read_last_layer(share, "head", loss=loss, bias=bias)


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
    reading = read(features, labels, head, CLASSES, "feature")
    assert reading.loss == pytest.approx(loss, rel=1e-5)
    assert reading.reachable <= reading.attained <= reading.loss
    assert reading.attained - reading.reachable <= 0.01 * reading.attained
    # The classes can be separated: a head not twice as large halves the loss.
    assert reading.name == "norm-limited"
    assert 1 < reading.half_ratio < 2
    assert 0.8 < reading.reachable / reading.loss < 1
    free = read(features, labels, head, CLASSES, "free")
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
    turned = rows_of(features, None, np.roll(effective_weight(head)[0], 1, axis=1))
    reading = read_last_layer(Share(turned, labels), "head", loss=CLASSES, bias="feature")
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
    reading = read(features, targets, module, SQUARES, bias)
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


def six(targets, loss, columns=2, limit=6, weights=None):
    """Match targets with six rows of a head with two or more outputs."""
    features = torch.arange(12.0).reshape(6, 2)
    rows = replace(rows_of(features, linear(2, columns)), weights=weights)
    return matched(rows.first(limit), 6, targets, loss)


def test_targets_are_matched_to_rows():
    features = torch.arange(12.0).reshape(6, 2)
    share = six(torch.tensor([0, 1, -100, 1, 0, 1]), CLASSES)
    assert share.targets.tolist() == [0, 1, 1, 0, 1]
    assert share.rows.features.tolist() == features[[0, 1, 3, 4, 5]].tolist()
    # Tokens: (2, 3) labels belong to 6 rows.
    share = six(torch.tensor([[0, 1, 1], [0, 0, 1]]), CLASSES)
    assert share.targets.tolist() == [0, 1, 1, 0, 0, 1]
    share = six(torch.rand(6, 3), SQUARES, columns=3, limit=4)
    assert (len(share.rows), share.targets.shape) == (4, (4, 3))


def test_samples_without_weight_are_left_out():
    weights = torch.tensor([1.0, 0.0, 2.0, 1.0, 0.0, 1.0])
    share = six(torch.tensor([0, 1, 1, -100, 0, 1]), CLASSES, weights=weights)
    assert share.targets.tolist() == [0, 1, 1]
    assert share.rows.weights.tolist() == [1.0, 2.0, 1.0]
    assert len(share.rows) == len(share.rows.features) == 3


@pytest.mark.parametrize(
    ("targets", "loss"),
    [
        (torch.zeros(5, dtype=torch.long), CLASSES),
        (torch.full((6,), -100), CLASSES),
        (torch.tensor(1.0), SQUARES),
        (torch.rand(7, 2), SQUARES),
        (torch.rand(6, 3), SQUARES),
    ],
)
def test_targets_that_do_not_fit_are_named(targets, loss):
    with pytest.raises(InputError, match="targets"):
        six(targets, loss)


def test_batches_are_joined():
    features = torch.randn(5, 6)
    parts = [rows_of(features[:2], linear()), rows_of(features[2:], linear())]
    assert torch.equal(joined(parts).features, features)
    with pytest.raises(InputError, match="head"):
        joined([parts[0], rows_of(features, linear(6, 2))])


def test_heads_that_cannot_be_read_are_refused():
    labels = torch.tensor([0, 1])
    features = torch.ones(2, 4)
    broken = Share(rows_of(features, None, np.full((4, 3), np.nan)), labels)
    with pytest.raises(InputError, match="NaN"):
        read_last_layer(broken, "head", loss=CLASSES, bias="feature")
    large = Share(rows_of(features, None, np.zeros((4, 2**21))), labels)
    with pytest.raises(InputError, match="weights"):
        read_last_layer(large, "head", loss=CLASSES, bias="feature")


def test_soft_targets():
    features, labels, head, loss = digits()
    soft = F.one_hot(labels, 10).float()
    hard = read(features, labels, head, CLASSES, "feature")
    same = read(features, soft, head, CLASSES, "feature")
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


def test_padding_that_labels_mark_is_told_where_ranks_count_it():
    model = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Linear(8, 3))
    labels = torch.arange(12) % 3
    padded = torch.where(torch.arange(12) < 4, -100, labels)
    given = {"probe": torch.randn(12, 2), "loss": nn.CrossEntropyLoss()}
    with pytest.warns(
        RankWarning, match=r"4 of 12 labels are -100: .* pass mask=\(targets != -100"
    ):
        RankMonitor(model, targets=padded, **given).close()
    # Nothing is said where nothing is ignored, or all that is is left out.
    RankMonitor(model, targets=labels, **given).close()
    RankMonitor(model, targets=padded, mask=padded != -100, **given).close()
