"""Losses of training loops as theory reads them: the same number as PyTorch's, or a reason."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from epsrank import InputError
from epsrank.numerics.losses import understood
from epsrank.theory.floor.convex.floor import convex_floor

N, K = 12, 3
G = torch.Generator().manual_seed(0)
OUT = torch.randn(N, K, generator=G, dtype=torch.float64) * 2
REAL = torch.randn(N, K, generator=G, dtype=torch.float64)
LABELS = torch.randint(0, K, (N,), generator=G)
SOME = torch.where(torch.arange(N) % 3 == 0, -100, LABELS)
OTHER = torch.where(torch.arange(N) % 3 == 0, 1, LABELS)
SOFT = torch.softmax(REAL, dim=1)
YES = torch.rand(N, K, generator=G, dtype=torch.float64)
W = torch.tensor([1.0, 0.25, 3.0], dtype=torch.float64)
VAR = torch.rand(N, K, generator=G, dtype=torch.float64) + 0.1


def cases():
    """Yield each loss with its targets."""
    for how in ("mean", "sum"):
        yield nn.MSELoss(reduction=how), REAL
        yield nn.L1Loss(reduction=how), REAL
        yield nn.HuberLoss(delta=0.3, reduction=how), REAL
        yield nn.SmoothL1Loss(beta=0.2, reduction=how), REAL
        yield nn.SmoothL1Loss(beta=0.0, reduction=how), REAL
        yield nn.CrossEntropyLoss(reduction=how), LABELS
        yield nn.CrossEntropyLoss(weight=W, reduction=how), LABELS
        yield nn.CrossEntropyLoss(reduction=how), SOME
        yield nn.CrossEntropyLoss(weight=W, label_smoothing=0.2, reduction=how), SOME
        # A class of weight 0 keeps its smoothed part; it is not left out.
        yield nn.CrossEntropyLoss(weight=W * (W < 2), label_smoothing=0.2, reduction=how), SOME
        yield nn.CrossEntropyLoss(ignore_index=1, label_smoothing=0.1, reduction=how), OTHER
        yield nn.CrossEntropyLoss(reduction=how), SOFT
        yield nn.CrossEntropyLoss(weight=W, label_smoothing=0.2, reduction=how), SOFT
        yield nn.BCEWithLogitsLoss(reduction=how), YES
        yield nn.BCEWithLogitsLoss(pos_weight=W, reduction=how), YES
        yield nn.BCEWithLogitsLoss(weight=W, pos_weight=W + 1, reduction=how), YES
        yield nn.BCEWithLogitsLoss(weight=YES[:, :1], reduction=how), YES
        yield partial(F.mse_loss, reduction=how), REAL
        yield partial(F.gaussian_nll_loss, var=VAR, reduction=how), REAL
        yield partial(F.gaussian_nll_loss, var=VAR, full=True, eps=0.5, reduction=how), REAL
    yield F.mse_loss, REAL
    yield F.l1_loss, REAL
    yield F.smooth_l1_loss, REAL
    yield F.huber_loss, REAL
    yield partial(F.huber_loss, delta=2.0), REAL
    yield F.cross_entropy, LABELS
    yield partial(partial(F.cross_entropy, label_smoothing=0.3), weight=W), SOME
    yield F.binary_cross_entropy_with_logits, YES
    yield partial(F.binary_cross_entropy_with_logits, pos_weight=W), YES


@pytest.mark.parametrize(("loss", "targets"), list(cases()))
def test_the_value_is_that_of_pytorch(loss, targets):
    read = understood(loss)
    mine = read.of(targets, K)
    assert mine.value(OUT) == pytest.approx(float(loss(OUT, targets)), rel=1e-13)
    # The floor of the same features, targets and scale lies below what they reach.
    eye = np.eye(N)
    found = convex_floor(eye, mine.goal, loss=mine.law, coefficients=OUT.numpy())
    assert mine.scale * found.loss + mine.constant == pytest.approx(mine.value(OUT), rel=1e-13)
    assert found.reachable <= found.loss


def test_gaussian_likelihoods_take_variances_with_the_targets():
    for loss in (nn.GaussianNLLLoss(), nn.GaussianNLLLoss(full=True, eps=0.3)):
        mine = understood(loss).of((REAL, VAR), K)
        assert mine.value(OUT) == pytest.approx(float(loss(OUT, REAL, VAR)), rel=1e-13)
    by_sample = understood(nn.GaussianNLLLoss()).of((REAL, VAR[:, 0]), K)
    want = nn.GaussianNLLLoss()(OUT, REAL, VAR[:, :1])
    assert by_sample.value(OUT) == pytest.approx(float(want), rel=1e-13)
    with pytest.raises(InputError, match="have no variances"):
        understood(nn.GaussianNLLLoss()).of(REAL, K)


def test_tokens_and_single_outputs():
    out = torch.randn(4, 5, K, generator=G, dtype=torch.float64)
    labels = torch.randint(0, K, (4, 5), generator=G)
    mine = understood(nn.CrossEntropyLoss()).of(labels, K)
    want = nn.CrossEntropyLoss()(out.reshape(-1, K), labels.reshape(-1))
    assert mine.value(out.reshape(-1, K)) == pytest.approx(float(want), rel=1e-13)
    one = torch.randn(N, 1, generator=G, dtype=torch.float64)
    yes = (one > 0).double()
    for targets in (yes, yes[:, 0]):
        mine = understood(nn.BCEWithLogitsLoss()).of(targets, 1)
        assert mine.value(one) == pytest.approx(float(nn.BCEWithLogitsLoss()(one, yes)), rel=1e-13)


def test_narrow_targets_are_read():
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        mine = understood(nn.MSELoss()).of(REAL.to(dtype), K)
        want = nn.MSELoss()(OUT, REAL.to(dtype).double())
        assert mine.value(OUT) == pytest.approx(float(want), rel=1e-13)


def test_names_are_sums_over_outputs():
    assert understood("mse").of(REAL, K).value(OUT) == pytest.approx(
        float((OUT - REAL).square().sum(dim=1).mean())
    )
    assert understood("cross-entropy").of(LABELS, K).value(OUT) == pytest.approx(
        float(F.cross_entropy(OUT, LABELS))
    )
    for name in ("bce", "huber", "smooth_l1", "l1"):
        targets = YES if name == "bce" else REAL
        assert understood(name).of(targets, K).value(OUT) > 0


class Mine(nn.MSELoss):
    """The squared error by another name."""


class Changed(nn.MSELoss):
    """Another loss by the same name."""

    def forward(self, input, target):
        return super().forward(input, target) + 1


def test_subclasses_that_compute_the_same_are_read():
    assert understood(Mine(reduction="sum")).of(REAL, K).value(OUT) == pytest.approx(
        float(F.mse_loss(OUT, REAL, reduction="sum"))
    )


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (Changed(), "is Changed, which is not understood; choose one of 'mse'"),
        (nn.BCELoss(), "pass nn.BCEWithLogitsLoss() on the outputs before the sigmoid"),
        (nn.NLLLoss(), "before the log-softmax"),
        (F.nll_loss, "pass F.cross_entropy on the outputs before the log-softmax"),
        (nn.KLDivLoss(), "is KLDivLoss, which is not understood"),
        (lambda outputs, targets: 0.0, "is <lambda>, which is not understood"),
        (
            lambda outputs, targets: 0.0,
            "of other losses no floor is known (ranks need none: leave loss= and targets out)",
        ),
        (nn.MSELoss(reduction="none"), "has reduction='none'"),
        (partial(F.mse_loss, reduction="none"), "has reduction='none'"),
        (partial(F.mse_loss, weight=W), "has weight=; leave it out"),
        (partial(F.cross_entropy, OUT), "name its arguments"),
        ("hinge", "is 'hinge'; choose one of"),
        (3.0, "is a float, which is not understood"),
        (nn.MSELoss, "is the class MSELoss; pass an instance: MSELoss()"),
    ],
)
def test_what_is_not_understood_is_refused_with_what_would_help(loss, words):
    with pytest.raises(InputError) as caught:
        understood(loss)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("loss", "targets", "outputs", "words"),
    [
        (nn.CrossEntropyLoss(), YES[:, :1], 1, "always 0; pass loss='bce'"),
        (nn.CrossEntropyLoss(), YES[:, 0], K, "neither labels nor rows"),
        (nn.CrossEntropyLoss(), SOFT * 2, K, "no distributions"),
        (nn.CrossEntropyLoss(), LABELS + 1, K, "has the label 3"),
        (nn.BCEWithLogitsLoss(), REAL, K, "pass targets from 0 to 1"),
        (nn.BCEWithLogitsLoss(pos_weight=torch.ones(2)), YES, K, "has pos_weight of shape (2,)"),
        (nn.MSELoss(), REAL[:, :2], K, "has 2 columns"),
        (nn.GaussianNLLLoss(), (REAL, torch.ones(5)), K, "variances have shape (5,)"),
    ],
)
def test_targets_that_do_not_fit_are_refused(loss, targets, outputs, words):
    with pytest.raises(InputError) as caught:
        understood(loss).of(targets, outputs)
    assert words in str(caught.value)
