"""L2 with few directions: never above the loss of any head of the norm."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex import lipschitz as module
from epsrank.theory.floor.convex.classes import CrossEntropy
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.convex.lipschitz import lipschitz_floor
from epsrank.theory.floor.convex.losses import AbsoluteError, ConvexLoss, Huber

LOSSES: list[ConvexLoss] = [CrossEntropy(), Huber(0.7), AbsoluteError()]


def problem(loss, seed, n_samples=60, n=6, k=3):
    """Features with a graded spectrum from 1 to 1e-6, and targets that the small end decides."""
    rng = np.random.default_rng(seed)
    basis = np.linalg.qr(rng.normal(size=(n_samples, n)))[0] * np.sqrt(n_samples)
    features = basis * np.geomspace(1, 1e-3, n) @ np.linalg.qr(rng.normal(size=(n, n)))[0]
    scores = basis @ rng.normal(size=(n, k))
    return features, scores.argmax(axis=1) if isinstance(loss, CrossEntropy) else scores


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@given(
    seed=st.integers(0, 10**6),
    eps=st.sampled_from([1e-9, 1e-4, 1e-2, 0.3, 10.0]),
    radius=st.sampled_from([0.0, 0.3, 3.0, 100.0]),
)
def test_no_head_of_the_norm_is_below_the_floor(loss, seed, eps, radius):
    features, target = problem(loss, seed)
    found = lipschitz_floor(features, target, eps=eps, loss=loss, norm=radius, n_outputs=3)
    goal = loss.targets(target, 60, 3)
    best = convex_floor(features, target, loss=loss, norm=radius, n_outputs=3)
    assert found.floor <= best.attained + best.evaluation_error
    rng = np.random.default_rng(seed)
    for _ in range(10):
        point = rng.normal(size=(6, 3))
        point *= radius / np.linalg.norm(point)
        assert found.floor <= loss.evaluate(features @ point, goal)[0].mean() + 1e-12
    sigma = np.linalg.svd(features / np.sqrt(60), compute_uv=False)
    true_tail = sigma[found.directions] ** 2 if found.directions < 6 else 0.0
    assert true_tail <= found.tail <= true_tail + 1e-9
    assert found.directions == np.count_nonzero(sigma**2 > eps)


@given(seed=st.integers(0, 10**6))
def test_all_directions_give_the_reachable_loss(seed):
    loss = CrossEntropy()
    features, target = problem(loss, seed)
    full = convex_floor(features, target, norm=2.0, n_outputs=3)
    found = lipschitz_floor(features, target, eps=1e-12, norm=2.0, n_outputs=3)
    assert found.directions == 6
    # The tail is rounding, of which the root counts.
    assert found.floor == pytest.approx(full.reachable, rel=2e-3, abs=1e-5)


def test_the_floor_rises_as_the_rank_falls_where_the_rest_is_small():
    features, target = problem(CrossEntropy(), 4)
    found = [
        lipschitz_floor(features, target, eps=eps, norm=1.0, n_outputs=3)
        for eps in (1e-12, 1e-5, 1e-3)
    ]
    assert [one.directions for one in found] == sorted(one.directions for one in found)[::-1]
    assert found[0].restricted <= found[1].restricted <= found[2].restricted
    assert found[2].floor > 0


def test_a_floor_without_its_tail_is_caught(monkeypatch):
    """Features along one direction of size ε decide the labels: leaving out the tail is wrong."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 2, 50)
    features = np.stack([np.ones(50), 0.05 * (2.0 * labels - 1)], axis=1)
    arguments = {"eps": 0.01, "norm": 40.0, "n_outputs": 2}
    honest = lipschitz_floor(features, labels, **arguments)
    best = convex_floor(features, labels, norm=40.0, n_outputs=2).attained
    assert honest.directions == 1
    assert honest.floor <= best
    real = module._directions

    def forgetful(*args):
        part = real(*args)
        return module._Directions(part.features, part.defect, part.rounding, 0.0)

    monkeypatch.setattr(module, "_directions", forgetful)
    assert lipschitz_floor(features, labels, **arguments).floor > best


@pytest.mark.parametrize("bias", ["feature", "fixed"])
def test_biases_and_weights(bias):
    loss = CrossEntropy()
    features, target = problem(loss, 8)
    rng = np.random.default_rng(1)
    weight, b, shares = rng.normal(size=(6, 3)), rng.normal(size=3), rng.uniform(size=60)
    found = lipschitz_floor(
        features, target, eps=1e-3, coefficients=weight, bias=bias, bias_value=b, weights=shares
    )
    best = convex_floor(
        features, target, coefficients=weight, bias=bias, bias_value=b, weights=shares
    )
    assert 0 < found.floor <= best.attained
    assert found.norm == best.norm
    assert found.bias == bias
    assert "directions" in str(found)
    assert "directions" in found._repr_html_()
    assert found.to_json()["rank"]["upper"] == found.directions


@pytest.mark.parametrize(
    ("change", "argument"),
    [
        ({"loss": "mse"}, "loss"),
        ({"eps": 0.0}, "eps"),
        ({"norm": None}, "norm"),
        ({"features": np.full((60, 6), 1e200)}, "features"),
    ],
)
def test_refuses(change, argument):
    features, target = problem(CrossEntropy(), 0)
    arguments = {"features": features, "target": target, "eps": 1e-3, "norm": 1.0} | change
    with pytest.raises(InputError, match=argument):
        lipschitz_floor(arguments.pop("features"), arguments.pop("target"), **arguments)
