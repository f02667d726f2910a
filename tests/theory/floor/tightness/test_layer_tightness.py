"""The chain of one head against literal formulas, its directions, and faults planted in it."""

from __future__ import annotations

import itertools
import json
import math
from dataclasses import replace

import numpy as np
import pytest

from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.attaining import attaining_family
from epsrank.theory.floor.convex.lipschitz import lipschitz_floor
from epsrank.theory.floor.tightness.enclosed import Enclosed
from epsrank.theory.floor.tightness.layer import layer_tightness

RANDOM = np.random.default_rng(0)
X = np.linspace(-1, 1, 60)
PHI = np.tanh(np.outer(X, 3 * RANDOM.normal(size=8)) + RANDOM.normal(size=8))
TARGET = np.stack([np.sin(4 * X), X**2], axis=1)
HEAD = RANDOM.normal(size=(8, 2))
BIAS = np.array([0.3, -0.2])
WEIGHTS = RANDOM.uniform(0, 2, 60)
EPS = (1e-1, 1e-3, 1e-5)


def literal(features, target, coefficients, root):
    """loss, V, envelope², and per ε rank, floor² and budget, as the formulas are printed."""
    a, y, norm = root[:, None] * features, root[:, None] * target, np.linalg.norm(coefficients)
    loss = np.linalg.norm(a @ coefficients - y) ** 2

    def ridge(mu):
        return np.linalg.solve(a.T @ a + mu * np.eye(a.shape[1]), a.T @ y)

    low, high = 1e-16, 1e4
    for _ in range(200):
        middle = math.sqrt(low * high)
        low, high = (middle, high) if np.linalg.norm(ridge(middle)) > norm else (low, middle)
    best = np.linalg.norm(a @ ridge(high) - y) ** 2
    u, sigma, _ = np.linalg.svd(a, full_matrices=False)
    n = len(sigma)
    d = [np.linalg.norm(y - u[:, :p] @ (u[:, :p].T @ y)) for p in range(n + 1)]
    tails = [*sigma, 0.0]
    envelope = max(max(d[p] - tails[p] * norm, 0) for p in range(n + 1)) ** 2
    rows = []
    for eps in EPS:
        rank = int((sigma**2 > eps).sum())
        floor = max(d[rank] - math.sqrt(eps) * norm, 0) ** 2
        reach = math.sqrt(loss) + math.sqrt(eps) * norm
        rows.append((rank, floor, next(p for p in range(n + 1) if d[p] <= reach)))
    return loss, best, envelope, rows


CASES = {
    "no bias": (None, None, "mean"),
    "feature": ("feature", None, "mean"),
    "fixed": ("fixed", None, "mean"),
    "free": ("free", None, "mean"),
    "weights": ("feature", WEIGHTS, "mean"),
    "volume": ("free", WEIGHTS, "volume"),
    "raw": ("fixed", WEIGHTS, "raw"),
}


@pytest.mark.parametrize("name", CASES)
def test_the_chain_is_that_of_the_formulas(name):
    bias, weights, measure = CASES[name]
    found = layer_tightness(
        PHI, TARGET, coefficients=HEAD, eps=EPS, bias=bias, weights=weights, measure=measure,
        bias_value=None if bias is None else BIAS,
    )  # fmt: skip
    w = np.ones(60) if weights is None else weights
    root = np.sqrt(w / (w.sum() if measure == "mean" else 1.0))
    features, target, head = PHI, TARGET, HEAD
    if bias == "feature":
        features, head = np.hstack([PHI, np.ones((60, 1))]), np.vstack([HEAD, BIAS])
    elif bias == "fixed":
        target = TARGET - BIAS
    elif bias == "free":
        features, target = (v - (w @ v) / w.sum() for v in (PHI, TARGET))
    loss, best, envelope, rows = literal(features, target, head, root)
    if bias == "free":  # of the head as it is, whose bias is not the best one
        loss = np.linalg.norm(root[:, None] * (PHI @ HEAD + BIAS - TARGET)) ** 2
    assert found.loss.value == pytest.approx(loss)
    assert found.norm == pytest.approx(np.linalg.norm(head))
    assert found.reachable.value == pytest.approx(best, rel=1e-6)
    assert found.envelope.value == pytest.approx(envelope, rel=1e-9)
    for at, (rank, floor, budget) in zip(found.by_eps, rows, strict=True):
        assert (at.rank_lower, at.rank_upper) == (rank, rank)
        assert at.floor.value == pytest.approx(floor, rel=1e-9, abs=1e-12)
        assert bias == "free" or at.budget == budget
        assert at.budget <= rank
    assert found.state == "strict"
    assert found.loss_over_reachable.value == pytest.approx(loss / best, rel=1e-6)
    assert [at.norm for at in found.by_norm] == sorted(at.norm for at in found.by_norm)
    values = [at.reachable.value for at in found.by_norm]
    assert values == sorted(values, reverse=True)


@pytest.mark.parametrize("certified", [False, True])
def test_a_tight_construction_has_ratios_of_one(certified):
    family = attaining_family(6, 3, 1e-4, 2.0, 0.5, generator=1)
    found = layer_tightness(
        family.features, family.target, coefficients=family.coefficients, eps=(1e-4,),
        weights=family.weights, measure="raw", certified=certified,
    )  # fmt: skip
    (at,) = found.by_eps
    assert (at.rank_lower, at.rank_upper) == (3, 3)
    for ratio in (
        found.loss_over_reachable, found.reachable_over_envelope, found.loss_over_floor(at),
    ):  # fmt: skip
        assert ratio.lower <= 1 + 1e-12
        assert ratio.value == pytest.approx(1, rel=1e-9)
        assert 1 - 1e-12 <= ratio.upper <= 1 + 1e-9
    assert found.tight(1 + 1e-9)
    assert found.state != "violated"
    assert found.certified == certified == bool(found.certificates)


FOUND = layer_tightness(PHI, TARGET, coefficients=HEAD, eps=EPS)


def scaled(enclosed, factor):
    return Enclosed(*(factor * x for x in (enclosed.lower, enclosed.value, enclosed.upper)))


@pytest.mark.parametrize("factor", [0.9, 1.1, math.nan])
def test_a_wrong_floor_is_caught(factor):
    last = FOUND.by_eps[-1]
    assert last.floor.value > 0
    rows = (*FOUND.by_eps[:-1], replace(last, floor=scaled(last.floor, factor)))
    planted = replace(FOUND, by_eps=rows)
    assert planted.state == "violated"
    assert {link.name for link in planted.links if link.state == "violated"} >= {
        "floor at ε = 1e-05 = (d_p − √ε B)²"
    }


def test_a_wrong_envelope_and_a_wrong_v_are_caught():
    assert FOUND.state == "strict"
    too_high = scaled(FOUND.loss, 1.1)
    assert replace(FOUND, reachable=too_high).state == "violated"
    above = replace(FOUND, envelope=scaled(FOUND.reachable, 1.1))
    assert [link.name for link in above.links if link.state == "violated"] == ["envelope ≤ V(B)"]


def test_each_claim_rests_on_the_end_that_proves_it():
    # V is known to lie in [1, 3] and the loss to be 3.3.
    loose = replace(FOUND, loss=Enclosed(3.3, 3.3, 3.3), reachable=Enclosed(1.0, 2.0, 3.0))
    assert loose.tight(3.31) is True  # by the lower end: loss ≤ 3.31 · 1
    assert loose.tight(1.05) is False  # by the upper end: loss > 1.05 · 3
    assert loose.tight(1.5) is None  # although loss/V is 1.65 by the middle
    ratio = loose.loss_over_reachable
    assert (ratio.lower, ratio.upper) == (pytest.approx(1.1), pytest.approx(3.3))
    assert ratio.lower <= 3.3 / 3
    assert ratio.upper >= 3.3
    zero = Enclosed(0.0, 0.0, 0.0)
    assert math.isnan(zero.over(zero).value)
    assert Enclosed(1.0, 1.0, 1.0).over(zero).upper == math.inf


def test_balls_enclose_what_float64_found_and_prove_the_chain():
    given = {"coefficients": HEAD, "eps": (1e-3,), "bias": "feature", "bias_value": BIAS}
    sure = layer_tightness(PHI, TARGET, certified=True, **given)
    plain = layer_tightness(PHI, TARGET, **given)
    for name in ("loss", "reachable", "envelope"):
        ball, float64 = getattr(sure, name), getattr(plain, name)
        assert float64.lower <= ball.lower <= ball.upper <= float64.upper
    assert sure.by_eps[0].budget == plain.by_eps[0].budget
    assert all(own.holds for own in sure.certificates)
    with pytest.raises(InputError, match="free bias"):
        layer_tightness(PHI, TARGET, certified=True, **(given | {"bias": "free"}))


LABELS = (X > -0.3).astype(int) + (X > 0.5)
THREE = RANDOM.normal(size=(8, 3))


def cross_entropy(head, features=PHI):
    z = features @ head
    z = z - z.max(axis=1, keepdims=True)
    return float(np.mean(np.log(np.exp(z).sum(axis=1)) - z[np.arange(60), LABELS]))


def test_a_cross_entropy_has_certificates_on_both_sides():
    found = layer_tightness(
        PHI, LABELS, coefficients=THREE, loss="cross_entropy", eps=(1e-4, 1e-8), norms=(1.0,)
    )
    assert found.loss.value == pytest.approx(cross_entropy(THREE))
    assert found.envelope is None
    assert found.reachable.lower <= found.reachable.upper < found.loss.lower
    assert found.reachable.upper <= found.reachable.lower * 1.01
    # No head of this norm is below the dual end, tried from that of steepest descent.
    head = THREE * 0.0
    for _ in range(400):
        z = np.exp(PHI @ head)
        slopes = z / z.sum(axis=1, keepdims=True) - np.eye(3)[LABELS]
        head = head - 2.0 * PHI.T @ slopes / 60
        head *= min(1.0, found.norm / np.linalg.norm(head))
        assert cross_entropy(head) >= found.reachable.lower
    assert cross_entropy(head) <= found.reachable.upper * 1.05
    for at in found.by_eps:
        alone = lipschitz_floor(
            PHI, LABELS, eps=at.eps, loss="cross_entropy", coefficients=THREE, n_outputs=3
        )
        assert at.floor.lower == pytest.approx(alone.floor, rel=1e-9)
        assert at.rank_upper == alone.rank.upper
        assert 0 <= at.budget <= at.rank_lower
    assert found.state == "strict"
    json.dumps(found.to_json(), allow_nan=False)


def test_the_budget_of_a_cross_entropy_grows_as_the_loss_falls():
    # A head that is nearly the best one needs directions; that of norm 0 needs none.
    labels = (np.sin(7 * X) > 0).astype(int)
    head = np.zeros((8, 2))
    for _ in range(3000):
        z = np.exp(PHI @ head)
        head = head - 2.0 * PHI.T @ (z / z.sum(axis=1, keepdims=True) - np.eye(2)[labels]) / 60
    given = {"loss": "cross_entropy", "eps": (1e-8,)}
    good = layer_tightness(PHI, labels, coefficients=head, **given)
    none = layer_tightness(PHI, labels, coefficients=0 * head, **given)
    assert none.by_eps[0].budget == 0
    assert good.by_eps[0].budget >= 2
    # Literally: one direction less does not reach this loss.
    _, _, vt = np.linalg.svd(PHI / math.sqrt(60))
    p = good.by_eps[0].budget - 1
    as_large = np.full((p, 2), good.norm / math.sqrt(2 * p))
    few = layer_tightness(PHI @ vt[:p].T, labels, coefficients=as_large, **given)
    assert few.reachable.lower > good.loss.upper


@pytest.mark.parametrize("bias", ["feature", "free", "fixed", None])
@pytest.mark.parametrize("loss", ["huber", "absolute"])
def test_other_losses_and_biases_have_both_ends(loss, bias):
    found = layer_tightness(
        PHI, TARGET[:, 0], coefficients=HEAD[:, 0], loss=loss, bias=bias, eps=(1e-4,), norms=(),
        bias_value=None if bias is None else 0.1, budgets=False,
    )  # fmt: skip
    assert found.reachable.lower <= found.reachable.upper <= found.loss.upper
    assert found.by_eps[0].floor.lower <= found.reachable.upper
    assert found.by_eps[0].budget is None
    assert found.state != "violated"


def test_a_certified_cross_entropy_is_below_the_one_it_audits():
    given = {
        "coefficients": THREE, "loss": "cross_entropy", "eps": (1e-4,), "norms": (),
        "budgets": False,
    }  # fmt: skip
    rows = slice(None, None, 4)
    sure = layer_tightness(PHI[rows], LABELS[rows], certified=True, **given)
    plain = layer_tightness(PHI[rows], LABELS[rows], **given)
    assert 0.99 * plain.reachable.lower <= sure.reachable.lower <= plain.reachable.upper
    assert sure.certified


def test_a_loss_that_is_not_lipschitz_says_why_there_is_no_floor():
    from epsrank.theory.floor.convex.losses import GaussianError

    found = layer_tightness(
        PHI, TARGET[:, 0], coefficients=HEAD[:, 0], loss=GaussianError(np.full((60, 1), 0.5)),
        eps=(1e-4,), norms=(),
    )  # fmt: skip
    assert found.by_eps[0].floor is None
    assert "not Lipschitz" in found.by_eps[0].reason
    assert found.loss_over_floor(found.by_eps[0]) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"eps": ()}, "eps"),
        ({"eps": (0.0,)}, "eps"),
        ({"coefficients": None}, "coefficients"),
        ({"norms": (-1.0,)}, "norms"),
        ({"bias": "loose"}, "bias"),
        ({"tolerance": -1}, "tolerance"),
        ({"loss": "huber", "norms": (math.inf,)}, "finite"),
        ({"features": np.full((60, 8), np.nan)}, "NaN"),
    ],
)
def test_bad_input_is_one_line(change, message):
    given = {"features": PHI, "target": TARGET[:, 0], "coefficients": HEAD[:, 0]} | change
    with pytest.raises(InputError, match=message):
        layer_tightness(given.pop("features"), given.pop("target"), **given)


def test_one_threshold_and_one_norm_need_no_list():
    given = {"coefficients": HEAD}
    listed = layer_tightness(PHI, TARGET, eps=(1e-3,), norms=(2.0,), **given)
    for kind in (float, np.float64, np.array):
        alone = layer_tightness(PHI, TARGET, eps=kind(1e-3), norms=kind(2.0), **given)
        assert alone.to_json() == listed.to_json()
    with pytest.raises(InputError, match="eps is '1e-3'"):
        layer_tightness(PHI, TARGET, eps="1e-3", **given)


@pytest.mark.parametrize("loss", ["squared", "huber"])
def test_ends_at_other_norms_are_those_of_a_falling_function(loss):
    phi = np.logaddexp(0, np.outer(X, np.linspace(0.2, 1.5, 12)) + 0.3)
    norms = (10.0, 1e3, math.inf, 1.0) if loss == "squared" else (10.0, 100.0, 1.0)
    found = layer_tightness(
        phi, np.sin(9 * X), coefficients=np.linspace(-0.1, 0.1, 12), eps=(1e-6,), loss=loss,
        norms=norms,
    )  # fmt: skip
    for less, more in itertools.pairwise(found.by_norm):
        # V(∞) alone is lost to rounding here, and known by what smaller norms reach.
        assert more.reachable.upper <= less.reachable.upper
        assert less.reachable.lower >= more.reachable.lower
        assert more.reachable.lower <= more.reachable.value <= more.reachable.upper
        if less.envelope is not None:
            assert more.envelope.upper <= less.envelope.upper
