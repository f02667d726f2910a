"""Counts from a few directions: never wrong where they decide, whatever the directions are."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import epsrank.theory.rank.routes.projection as module
from epsrank.theory import epsilon_rank
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.data.weighted import weight_roots
from epsrank.theory.numbers.dyadic import float_below
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.rank.routes.foresight import Foresight

from .cases import random_cases, true_rank

N, WIDTH = 2600, 260
HOPEFUL = Foresight(np.ones(1), 100, 10)


def tanh_neurons(n_samples: int = N, width: int = WIDTH, seed: int = 0) -> Any:
    draw = np.random.default_rng(seed)
    x = np.linspace(-1, 1, n_samples)[:, None]
    return np.tanh(x * draw.uniform(-5, 5, width) + draw.uniform(-3, 3, width))


def interval(features: Any, eps: float, weights: Any, measure: str) -> tuple[int, int] | None:
    """Return the counts of the route alone."""
    checked = as_features(features)
    law = as_measure(measure, weights, checked.n_samples)
    roots, shift = weight_roots(law)
    theta = Fraction(eps) * law.normaliser * Fraction(4) ** shift
    if not float_below(theta) > 0 or not checked.exact:
        return None
    found = module.projected_enclosure(checked.given, roots, float_below(theta), HOPEFUL)
    return None if found is None else found.count(theta, theta)


def integer_rank(features: Any, eps: float) -> int:
    """Return the count by the singular values of LAPACK, where these are far from √ε."""
    sigma = np.linalg.svd(features, compute_uv=False) / np.sqrt(len(features))
    assert np.abs(sigma / np.sqrt(eps) - 1).min() > 1e-3
    return int(np.count_nonzero(sigma > np.sqrt(eps)))


def lying(kind: str) -> Any:
    """Return directions that have nothing to do with the samples."""

    def directions(matrix: Any, roots: Any, threshold: float, outlook: Foresight) -> Any:
        n = matrix.shape[1]
        draw = np.random.default_rng(n)
        wanted = max(1, n // 2)
        basis = np.linalg.qr(draw.standard_normal((n, n)))[0][:, :wanted]
        if kind == "skewed":  # ‖VᵀV − I‖ is about a tenth, and has to be paid for
            basis = basis @ (np.eye(wanted) + 0.1 * np.eye(wanted, k=1) / 2)
        return np.ascontiguousarray(basis)

    return directions


def take(monkeypatch: Any, variant: str) -> None:
    """Have all directions allowed, and ρ taken as a difference or from another product."""
    for name in ("_NARROW", "_NARROW_FINE"):
        monkeypatch.setattr(module, name, 1.0)
    monkeypatch.setattr(module, "_ROUGH", 0.0 if variant == "quick" else np.inf)


@pytest.mark.parametrize("variant", ["quick", "accurate"])
@pytest.mark.parametrize("kind", ["honest", "random", "skewed"])
def test_the_interval_contains_the_exact_count(kind: str, variant: str, monkeypatch: Any) -> None:
    take(monkeypatch, variant)
    if kind != "honest":
        monkeypatch.setattr(module, "_directions", lying(kind))
    tried = decided = 0
    for features, weights, measure, eps in random_cases(600, seed=11):
        with np.errstate(over="ignore", invalid="ignore"):
            found = interval(features, eps, weights, measure)
        if found is None:
            continue
        tried += 1
        decided += found[0] == found[1]
        assert found[0] <= true_rank(features, eps, weights, measure) <= found[1]
    assert tried > 200
    assert decided > (50 if kind == "honest" else 5)


def test_a_forgotten_remainder_is_caught(monkeypatch: Any) -> None:
    """Two directions of equal size, one of which V lacks: only ρ knows of it."""
    features = np.eye(2) * np.sqrt(2.0)
    take(monkeypatch, "quick")
    monkeypatch.setattr(module, "_directions", lambda *_: np.array([[1.0], [0.0]]))
    assert interval(features, 0.5, None, "mean") == (1, 2)
    monkeypatch.setattr(module, "_energy", lambda *_: 2.0)  # as if A were AP
    assert interval(features, 0.5, None, "mean") == (1, 1)
    assert true_rank(features, 0.5) == 2


def test_a_forgotten_residual_is_caught(monkeypatch: Any) -> None:
    """The same where ρ is ‖A − B̂Vᵀ‖²."""
    features = np.eye(2) * np.sqrt(2.0)
    take(monkeypatch, "accurate")
    monkeypatch.setattr(module, "_directions", lambda *_: np.array([[1.0], [0.0]]))
    assert interval(features, 0.5, None, "mean") == (1, 2)
    monkeypatch.setattr(module.math, "hypot", lambda *_: 0.0)  # as if A were AP
    assert interval(features, 0.5, None, "mean") == (1, 1)
    assert true_rank(features, 0.5) == 2


def test_small_thresholds_are_decided_without_singular_directions_of_all(monkeypatch: Any) -> None:
    features = tanh_neurons()
    monkeypatch.setattr("epsrank.theory.rank.of_features.svd_enclosure", None)
    for eps in (1e-11, 1e-12, 1e-13):
        found, alone = epsilon_rank(features, eps), epsilon_rank(features, eps, counts_only=True)
        assert found.route == alone.route == "projection"
        assert found.resolved
        assert int(found) == int(alone) == integer_rank(features, eps)
    assert epsilon_rank(features, 1e-11, relative=True).route == "projection"


def test_the_gram_matrix_suffices_for_most_relative_thresholds(monkeypatch: Any) -> None:
    features = np.random.default_rng(0).standard_normal((60, 8))
    monkeypatch.setattr("epsrank.theory.rank.of_features.svd_enclosure", None)
    found = epsilon_rank(features, 0.5, relative=True)
    assert found.route == "gram"
    assert found.resolved


@pytest.mark.parametrize("dtype", ["float64", "float32", "float16"])
@pytest.mark.parametrize("weighted", [False, True])
def test_layers_of_low_rank_take_this_route(dtype: str, weighted: bool) -> None:
    features = tanh_neurons().astype(dtype)
    weights = np.random.default_rng(1).uniform(0.5, 2, N) if weighted else None
    eps = [1e-2, 1e-4] if dtype != "float16" else [1e-1, 1e-2]
    counts = epsilon_ranks(features, eps, weights=weights, counts_only=True)
    for found, whole in zip(counts, epsilon_ranks(features, eps, weights=weights), strict=True):
        assert found.route == "projection"
        assert (found.lower, found.upper) == (whole.lower, whole.upper)
        assert whole.resolved


def test_where_it_cannot_decide_others_do() -> None:
    features = tanh_neurons()
    found = epsilon_rank(features, 1e-22, counts_only=True)
    assert found.route != "projection"
    assert str(found) == str(epsilon_rank(features, 1e-22))


def test_the_global_generator_is_not_touched() -> None:
    state = np.random.get_state()[1].copy()
    first = epsilon_rank(tanh_neurons(), 1e-2, counts_only=True)
    assert (np.random.get_state()[1] == state).all()
    assert str(first) == str(epsilon_rank(tanh_neurons(), 1e-2, counts_only=True))


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e300])
def test_numbers_out_of_range_decide_nothing(value: float) -> None:
    features = np.full((40, 4), 1.0)
    features[3, 2] = value
    with np.errstate(over="ignore", invalid="ignore"):
        found = module.projected_enclosure(features, None, 1.0, HOPEFUL)
    assert found is None
