"""F8, R, R′, R″ and F9 against naive formulas, balls, and cases where the answer is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import brentq

from epsrank.theory.errors import InputError
from epsrank.theory.floor.change.counterfactual import counterfactual_floor
from epsrank.theory.floor.change.distances import new_direction, rank_distance, rank_forced
from epsrank.theory.floor.change.explain import explain_drop
from epsrank.theory.floor.change.rank_used import rank_used

X = np.linspace(-1, 1, 60)


def naive_value(features, target, norm):
    """V(B) with a free bias: centre, and solve the secular equation on the normal equations."""
    phi, y = features - features.mean(axis=0), target - target.mean(axis=0)
    gram, cross = phi.T @ phi / len(phi), phi.T @ y / len(phi)

    def head(mu):
        return np.linalg.solve(gram + mu * np.eye(len(gram)), cross)

    def loss(weight):
        return float(np.mean(np.sum((phi @ weight - y) ** 2, axis=1)))

    if np.linalg.norm(head(1e-13)) <= norm:
        return loss(head(1e-13))
    return loss(head(brentq(lambda mu: np.linalg.norm(head(mu)) - norm, 1e-13, 1e6, xtol=1e-15)))


def drop(seed=0, n=5):
    """Features before and after, target, and the head after."""
    rng = np.random.default_rng(seed)
    before = np.tanh(np.outer(X, rng.normal(size=n)) + rng.normal(size=n))
    after = np.tanh(np.outer(X, 5 * rng.normal(size=n)) + rng.normal(size=n))
    target = np.sin(5 * X)[:, None]
    phi = np.column_stack([after, np.ones(60)])
    full = np.linalg.lstsq(phi, target)[0]
    return before, after, target, full[:-1], float(np.mean((phi @ full - target) ** 2)), full[-1]


@pytest.mark.parametrize("seed", range(3))
def test_the_counterfactual_floor_is_v_of_the_features_before(seed):
    before, after, target, weight, loss, _ = drop(seed)
    norm = float(np.linalg.norm(weight))
    found = counterfactual_floor(
        before, target, norm, loss, features_after=after, coefficients_after=weight
    )
    naive = naive_value(before, target, norm)
    assert found.reachable <= naive * (1 + 1e-9)
    assert found.reachable == pytest.approx(naive, rel=1e-6)
    assert found.proven == (naive > loss)
    assert found.ratio == pytest.approx(naive / loss, rel=1e-6)
    # The distance is one that the features really moved.
    moved = np.linalg.norm((after - before) / np.sqrt(60), 2)
    assert 0 <= found.distance <= moved
    balls = counterfactual_floor(before, target, norm, loss, certify=True)
    assert found.reachable <= balls.reachable * (1 + 1e-12)
    assert balls.reachable <= naive * (1 + 1e-9)
    assert balls.attained - balls.reachable <= 1e-12 * balls.attained
    # Shifts of the target, and of what the features before were scaled to, do not matter.
    moved = counterfactual_floor(before, target + 100, norm, loss)
    assert moved.ratio == pytest.approx(found.ratio, rel=1e-6)
    scaled = counterfactual_floor(
        0.01 * before, target, norm, loss, features_after=after, coefficients_after=weight
    )
    assert scaled.unit_ratio == pytest.approx(found.unit_ratio, rel=1e-6)


def test_features_scaled_up_change_and_c_says_so():
    """φ_t = 100 φ_s: the features had to change, by a mixing of norm up to 100, in no number."""
    before, _, target, _, _, _ = drop(1)
    after = 100 * before
    phi = np.column_stack([after, np.ones(60)])
    full = np.linalg.lstsq(phi, target)[0]
    loss, weight = float(np.mean((phi @ full - target) ** 2)) * 1.01, full[:-1]
    norm = float(np.linalg.norm(weight))
    found = counterfactual_floor(
        before, target, norm, loss, features_after=after, coefficients_after=weight
    )
    assert found.proven
    assert 1 < found.factor_below <= found.factor <= 100 * (1 + 1e-6)
    assert found.factor_below == pytest.approx(found.factor, rel=1e-3)
    assert found.unit_ratio <= 1.01  # rescaled, they are the same features
    used = rank_used(after, target, norm, loss, rank_before=5)
    assert not used.necessary


def test_no_proof_where_the_features_stayed():
    before, _, target, _, _, _ = drop(2)
    loss = naive_value(before, target, 2.0)
    found = counterfactual_floor(before, target, 2.0, loss * 1.001)
    assert not found.proven
    assert found.factor <= 1 + 1e-6
    assert "no proof" in str(found)


@pytest.mark.parametrize("p", range(6))
def test_rank_used_is_v_in_the_leading_directions(p):
    _, after, target, weight, loss, _ = drop(0)
    norm = float(np.linalg.norm(weight))
    centred = after - after.mean(axis=0)
    vectors = np.linalg.svd(centred)[2][:p].T
    naive = naive_value(after @ vectors, target, norm) if p else float(np.var(target))
    found = rank_used(after, target, norm, loss, rank_before=p, loss_before=0.5)
    assert found.reachable == pytest.approx(naive, rel=1e-6)
    assert found.reachable <= naive * (1 + 1e-9)
    assert found.necessary == (p < 5)
    assert found.carries == (naive >= 0.5)
    # The bound of λ_{p+1} is one.
    sigma = np.linalg.svd(centred / np.sqrt(60), compute_uv=False)
    assert found.eigenvalue <= (sigma[p] ** 2 if p < 5 else 0) * (1 + 1e-6) + 1e-30
    levels = [naive_value(after @ np.linalg.svd(centred)[2][:q].T, target, norm) for q in (1, 2, 3)]
    needed = found.rank_needed
    assert all(
        (level > 1.25 * loss) == (q < needed) for q, level in zip((1, 2, 3), levels, strict=True)
    )
    balls = rank_used(after, target, norm, loss, rank_before=p, certify=True)
    assert found.reachable <= balls.reachable * (1 + 1e-12) + 1e-300
    assert balls.attained <= naive * (1 + 1e-6)


def test_where_all_directions_are_too_few_no_more_are_counted_than_there_are():
    rng = np.random.default_rng(0)
    features, target = rng.normal(size=(40, 3)), rng.normal(size=(40, 1))
    found = rank_used(features, target, 1e-3, 1e-6, rank_before=1)
    assert found.rank_needed == 4
    assert "of 3 directions" not in str(found)
    assert "all directions together do not come within a quarter of the loss" in str(found)


def test_a_turned_direction_is_told_from_a_new_one():
    """The features turn towards the target: they had to change, and one direction sufficed."""
    before, after = X[:, None], np.cos(9 * X)[:, None]
    target = np.cos(9 * X)
    change = counterfactual_floor(before, target, 1.0, 1e-6)
    used = rank_used(after, target, 1.0, 1e-6, rank_before=1, loss_before=0.5)
    assert change.proven
    assert (used.necessary, used.rank_needed) == (False, 1)


def test_cross_entropy_has_both_proofs():
    labels = np.arange(60) % 3
    before = X[:, None]
    after = np.eye(3)[labels] + 0.01 * np.random.default_rng(0).normal(size=(60, 3))
    change = counterfactual_floor(before, labels, 20.0, 0.01, loss="cross_entropy")
    assert change.proven
    assert change.ratio > 50
    assert change.distance > 0
    used = rank_used(after, labels, 20.0, 0.01, rank_before=1, loss="cross_entropy")
    assert used.necessary
    assert used.rank_needed == 2  # centred, three classes span two directions
    assert 0 < used.eigenvalue < 1


def test_a_new_direction_is_as_large_as_the_loss_asks():
    before, after, target, weight, loss, _ = drop(0)
    norm = float(np.linalg.norm(weight))
    left, _, _ = np.linalg.svd((before - before.mean(axis=0)) / np.sqrt(60), full_matrices=False)
    for p in range(4):
        outside = (after - after.mean(axis=0)) / np.sqrt(60)
        outside = outside - left[:, :p] @ (left[:, :p].T @ outside)
        bound = new_direction(before, target, norm, loss, rank=p)
        assert 0 <= bound <= np.linalg.norm(outside, 2) * (1 + 1e-9)
    assert bound > 1e-3


@pytest.mark.parametrize("bias", ["free", None])
def test_forced_rank_never_exceeds_the_rank(bias):
    rng = np.random.default_rng(3)
    for _ in range(30):
        n, k = rng.integers(1, 7, size=2)
        features = rng.normal(size=(40, n)) * rng.choice([1, 1e-2, 1e-4], size=n)
        weight = rng.normal(size=(n, k)) * 10.0 ** rng.integers(-1, 3)
        shift = rng.normal(size=k) if bias else 0.0
        outputs = features @ weight + shift
        target = outputs + 10.0 ** rng.integers(-4, 1) * rng.normal(size=(40, k))
        eps = 10.0 ** rng.integers(-9, -1)
        rank = int((np.linalg.svd(features / np.sqrt(40), compute_uv=False) ** 2 > eps).sum())
        size = float(np.linalg.norm(weight, 2)) * (1 + 1e-12)
        assert rank_forced(outputs, target, weight_norm=size, eps=eps, bias=bias) <= rank


def test_a_classifier_forces_rank_and_one_output_at_most_one():
    labels = np.eye(4)[np.arange(40) % 4]
    outputs = 0.99 * labels
    assert rank_forced(outputs, labels, weight_norm=3.0, eps=1e-4, bias=None) == 4
    assert rank_forced(outputs, labels, weight_norm=3.0, eps=1e-4) == 3
    target = np.sin(3 * X)
    assert rank_forced(target, target, weight_norm=1.0, eps=1e-9) == 1


def test_distances_to_a_rank_are_attained():
    sigma, eps = np.array([1.0, 0.3, 1e-4, 1e-5]), 1e-4
    features = np.diag(sigma)
    found = rank_distance(features, eps, 4, measure="raw")
    assert found.spectral == pytest.approx(0.01 - 1e-5, rel=1e-9)
    assert found.frobenius == pytest.approx(math.hypot(0.01 - 1e-4, 0.01 - 1e-5), rel=1e-9)
    moved = np.diag(np.maximum(sigma, 0.01 * (1 + 1e-9)))
    assert np.linalg.norm(moved - features, 2) >= found.spectral
    assert found.exceeds([found.spectral / 2])
    assert not found.exceeds([found.spectral, found.spectral])
    assert rank_distance(features, eps, 2, measure="raw").spectral == 0


def test_an_explanation_says_both_in_one_paragraph():
    before, after, target, weight, _, bias = drop(0)
    found = explain_drop(
        before, after, target, coefficients_before=np.zeros((5, 1)), coefficients_after=weight,
        bias_before=target.mean(axis=0), bias_after=bias, eps=1e-2, steps=(10, 20),
    )  # fmt: skip
    text = str(found)
    assert text.startswith("Between steps 10 and 20 the loss fell from")
    assert "The features had to change" in text
    assert f"the ε-rank was {found.rank_before.ends} before" in text
    assert "\n" not in text
    read = found.to_json()
    assert read["text"] == text
    assert read["change"]["proven"] is True


@pytest.mark.parametrize(
    ("call", "match"),
    [
        (lambda: counterfactual_floor(X[:, None], X, 1.0, 0.1, bias="fixed"), "bias"),
        (lambda: counterfactual_floor(X[:, None], X, -1.0, 0.1), "norm_after"),
        (lambda: counterfactual_floor(X[:, None], X, 1.0, math.nan), "loss_after"),
        (lambda: counterfactual_floor(X[:, None], X, 1.0, 0.1, features_after=X[:, None]), "both"),
        (lambda: counterfactual_floor(X[:, None], X, 1.0, 0.1, bias="feature", certify=True),
         "certify"),
        (lambda: rank_used(X[:, None], X, 1.0, 0.1, rank_before=-1), "rank_before"),
        (lambda: rank_used(X[:, None], X, 1.0, 0.1, rank_before=1, bias="feature"), "bias"),
        (lambda: rank_forced(X, np.ones((60, 2)), weight_norm=1.0), "outputs"),
        (lambda: rank_distance(X[:, None], 1e-6, 2), "rank"),
    ],
)  # fmt: skip
def test_bad_input_is_named(call, match):
    with pytest.raises(InputError, match=match) as caught:
        call()
    assert "\n" not in str(caught.value)
