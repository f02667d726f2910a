"""Counts alone: right whatever was guessed, bounds that hold, and no spectrum that was not made."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch

from epsrank.theory import InputError, epsilon_rank
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.numbers.rounding import squared_frobenius
from epsrank.theory.rank import counts, epsilon_ranks
from epsrank.theory.rank.problem import Thresholds
from epsrank.theory.rank.routes import gram_float32 as narrow
from epsrank.theory.rank.routes import parts as silent
from epsrank.theory.rank.routes import parts as some_samples
from epsrank.theory.rank.routes.foresight import Foresight, foresee
from epsrank.theory.rank.routes.gram_float32 import (
    errors_of_chunks,
    form_gram_float32,
    narrow_sizes,
)
from epsrank.theory.rank.routes.parts import full_on_some_samples, look

from .cases import random_cases, true_rank
from .test_rounding import exact_product


def features_of(kind: str, n_samples: int = 2600, n: int = 260, seed: int = 0) -> Any:
    generator = np.random.default_rng(seed)
    gaussian = generator.standard_normal((n_samples, n))
    if kind == "gaussian":
        return gaussian
    if kind == "duplicates":
        gaussian[:, 7] = gaussian[:, 100]
        return gaussian
    if kind == "tanh":
        x = np.linspace(-1, 1, n_samples)[:, None]
        return np.tanh(x * generator.uniform(-9, 9, n) + generator.uniform(-9, 9, n))
    if kind == "silent":  # every other neuron
        return gaussian * np.where(np.arange(n) % 2, 1.0, 1e-4)
    rotation = np.linalg.qr(generator.standard_normal((n, n)))[0]
    return gaussian @ (rotation * 10.0 ** -np.linspace(0, 2, n))


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(
    ("kind", "eps", "routes"),
    [
        ("gaussian", 1e-6, {"samples"}),
        ("duplicates", 1e-6, {"gram"}),
        ("silent", 0.1, {"gram-float32", "gram"}),
        ("tanh", 5.0, {"projection"}),
        ("decades", 1e-2, {"gram", "svd"}),
    ],
)
def test_counts_are_those_of_the_usual_routes(
    dtype: Any, kind: str, eps: float, routes: set[str]
) -> None:
    features = features_of(kind).astype(dtype)
    weights = np.random.default_rng(1).choice([0.5, 1.0, 3.0], len(features))
    for weighting in (None, weights):
        found = epsilon_rank(features, eps, weights=weighting, counts_only=True)
        usual = epsilon_rank(features, eps, weights=weighting)
        assert (found.lower, found.upper) == (usual.lower, usual.upper)
        assert found.resolved
        assert found.route in routes
        assert usual.noise_floor * 0.99 <= found.noise_floor <= usual.noise_floor * 1.05


def test_no_count_is_wrong_on_600_cases(monkeypatch: pytest.MonkeyPatch) -> None:
    """Widths, lengths and guesses are taken away, so that the routes meet matrices of all kinds."""
    monkeypatch.setattr(counts, "_WIDE_ENOUGH", 1)
    monkeypatch.setattr(counts, "_LONG_ENOUGH", 1)
    monkeypatch.setattr(counts, "_SHARE", 100.0)
    monkeypatch.setattr(counts, "_NEAR", np.inf)
    monkeypatch.setattr(narrow, "_CHUNKS", (8, 4, 3))
    monkeypatch.setattr(some_samples, "_PAYS", 0.0)
    monkeypatch.setattr(some_samples, "_PER_NEURON", 1.1)
    monkeypatch.setattr(Foresight, "full", lambda *_: True)
    routes = set()
    for features, weights, measure, eps in random_cases(600, seed=31):
        rank = epsilon_rank(features, eps, weights=weights, measure=measure, counts_only=True)
        truth = true_rank(features, eps, weights, measure)
        assert rank.lower <= truth <= rank.upper, (features.tolist(), weights, measure, eps)
        routes.add(rank.route)
    assert {"samples", "gram-float32", "gram", "svd", "exact"} <= routes


def test_no_count_is_wrong_where_neurons_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counts, "_WIDE_ENOUGH", 1)
    monkeypatch.setattr(counts, "_LONG_ENOUGH", 1)
    monkeypatch.setattr(silent, "_PAYS", 1e-9)
    monkeypatch.setattr(silent, "_SHARE", 0.9)
    left_out = 0
    for features, weights, measure, eps in random_cases(600, seed=37):
        rank = epsilon_rank(features, eps, weights=weights, measure=measure, counts_only=True)
        truth = true_rank(features, eps, weights, measure)
        assert rank.lower <= truth <= rank.upper, (features.tolist(), weights, measure, eps)
        left_out += "silent" in rank.reason
    assert left_out >= 50


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_dead_neurons_are_left_out(dtype: Any) -> None:
    features = np.maximum(features_of("gaussian"), 0).astype(dtype)
    features[:, ::2] = 0
    weights = np.random.default_rng(1).choice([0.5, 1.0, 3.0], len(features))
    for weighting in (None, weights):
        found = epsilon_rank(features, 1e-6, weights=weighting, counts_only=True)
        assert int(found) == 130
        assert "130 silent neurons" in found.reason
    nothing = epsilon_rank(features * dtype(1e-6), 0.1, counts_only=True)
    assert (int(nothing), nothing.route) == (0, "silent")


def whispering(share: float) -> tuple[Any, float]:
    """Return features: one neuron has 99.95 % of ε, and the others a share of ε together."""
    signal = np.sign(np.sin(np.arange(2600.0)))
    features = np.zeros((2600, 260))
    features[:, 0] = np.sqrt(0.9995) * signal
    features[:, 1:] = np.sqrt(share / 259) * signal[:, None]
    return features, 1.0


def test_many_that_are_silent_alone_are_not_silent_together() -> None:
    features, eps = whispering(0.5)
    assert int(epsilon_rank(features, eps, counts_only=True)) == 1
    assert "silent" not in epsilon_rank(features, eps, counts_only=True).reason


def test_forgetting_what_silent_neurons_have_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    features, eps = whispering(0.0009)  # λ_1 = 1.0004 ε
    assert int(epsilon_rank(features, eps)) == 1
    assert int(epsilon_rank(features, eps, counts_only=True)) == 1
    monkeypatch.setattr(silent.Audible, "lowered", lambda self, threshold: threshold)
    assert int(epsilon_rank(features, eps, counts_only=True)) == 0


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("low", [False, True])
def test_wrong_guesses_cost_time_only(
    full: bool, low: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Foresight, "full", lambda *_: full)
    monkeypatch.setattr(Foresight, "low", lambda *_: low)
    for kind, eps in (("gaussian", 1e-6), ("silent", 0.1), ("duplicates", 1e-6), ("tanh", 1e-3)):
        features = features_of(kind)
        gram = features.T @ features / len(features)
        truth = int(np.count_nonzero(np.linalg.eigvalsh(gram) > eps))
        for only in (False, True):
            assert int(epsilon_rank(features, eps, counts_only=only)) == truth


def exact_norm_of_error(product: Any, weighted: Any) -> float:
    exact = exact_product(weighted.T, weighted)
    n = len(product)
    gaps = [
        [float(Fraction(float(product[i, j])) - exact[i][j]) for j in range(n)] for i in range(n)
    ]
    return float(np.linalg.norm(np.array(gaps), 2))


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["gaussian", "positive", "graded", "tiny", "one-hot"])
@pytest.mark.parametrize("chunk", [4096, 64])
def test_float32_products_stay_within_their_bound(dtype: Any, kind: str, chunk: int) -> None:
    generator = np.random.default_rng(0)
    matrix = generator.standard_normal((1500, 4))
    if kind == "positive":
        matrix = np.abs(matrix) + 1
    elif kind == "graded":
        matrix *= 10.0 ** np.array([0, -3, -8, 4])
    elif kind == "tiny":  # products, and some entries, are below the range of float32
        matrix *= 10.0 ** np.array([0, -22, -30, -44])
    elif kind == "one-hot":
        matrix = np.eye(4)[generator.integers(0, 4, 1500)] * 1.1
    matrix = matrix.astype(dtype)
    sizes = narrow_sizes(matrix, None)
    assert sizes is not None
    product, bound = form_gram_float32(matrix, None, sizes, chunk)
    assert np.array_equal(product, product.T)
    error = exact_norm_of_error(product, matrix.astype(np.float64))
    assert error <= bound
    assert bound <= 1e-3 * np.linalg.norm(product, 2)
    roots = np.sqrt(generator.uniform(0, 2, 1500).round(3))
    sizes = narrow_sizes(matrix, roots)
    assert sizes is not None
    product, bound = form_gram_float32(matrix, roots, sizes, chunk)
    # √w in float64 is off by 2⁻⁵³, far below what is looked at here.
    assert exact_norm_of_error(product, matrix.astype(np.float64) * roots[:, None]) <= bound


def test_float32_error_is_not_forgotten() -> None:
    # 1 + 2⁻²⁴ is 1 in float32: rounded features have equal columns, the given ones have not.
    matrix = np.ones((4096, 2))
    matrix[::2, 1] += 2.0**-24
    sizes = narrow_sizes(matrix, None)
    assert sizes is not None
    product, bound = form_gram_float32(matrix, None, sizes, 4096)
    assert np.linalg.matrix_rank(product) == 1
    assert bound >= exact_norm_of_error(product, matrix) > 1e-5


def test_sizes_are_upper_bounds_and_see_disjoint_supports() -> None:
    generator = np.random.default_rng(3)
    for matrix in (
        generator.standard_normal((900, 30)),
        np.eye(30)[generator.integers(0, 30, 900)],
    ):
        sizes = narrow_sizes(matrix.astype(np.float32), None)
        assert sizes is not None
        moduli = np.abs(matrix.astype(np.float32)).astype(np.float64)
        assert sizes.norm >= np.linalg.norm(moduli, 2) ** 2
        assert sizes.norm <= moduli.sum(0).max() * moduli.sum(1).max() * 1.01
        assert sizes.largest >= moduli.max()
    assert sizes.norm < sizes.square / 10
    assert narrow_sizes(np.full((9, 3), 1e-20), None) is None
    assert narrow_sizes(np.full((9, 3), 1e30), None) is None
    assert narrow_sizes(np.zeros((9, 3)), None) is None
    quick = [error for _, error in errors_of_chunks(sizes, 10_000)]
    assert quick == sorted(quick, reverse=True)


def test_an_eigenvalue_within_the_float32_error_is_left_to_float64() -> None:
    features = features_of("silent").astype(np.float32)
    gram = features.astype(np.float64).T @ features.astype(np.float64) / len(features)
    value = float(np.sort(np.linalg.eigvalsh(gram))[::-1][129])  # the last one above the gap
    for eps, truth in ((value * (1 - 1e-7), 130), (value * (1 + 1e-7), 129)):
        found = epsilon_rank(features, eps, counts_only=True)
        assert int(found) == truth
        assert found.route != "gram-float32"


def test_some_samples_never_overclaim() -> None:
    features = features_of("gaussian")
    smallest = float(np.linalg.eigvalsh(features.T @ features)[0])
    hopeful = Foresight(np.full(65, 1e9), 65, 260)
    assert full_on_some_samples(features, None, 1e-3 * smallest, hopeful) == 391
    assert full_on_some_samples(features, None, 0.9 * smallest, hopeful) is None
    assert full_on_some_samples(features, None, 1.1 * smallest, hopeful) is None
    assert full_on_some_samples(features_of("duplicates"), None, 1e-9, hopeful) is None
    assert full_on_some_samples(features[:500], None, 1e-9, hopeful) is None  # does not pay
    assert full_on_some_samples(features * 1e200, None, 1e-9, hopeful) is None
    weights = np.zeros(2600)
    weights[:200] = 1.0  # rank 200 at most
    assert full_on_some_samples(features, weights, 1e-9, hopeful) is None


def test_foresight_tells_the_ends_from_the_middle() -> None:
    for kind, theta, full, low in (
        ("gaussian", 1e-6, True, False),
        ("tanh", 1e-3, False, True),
        ("decades", 1e-2, False, False),
    ):
        features = features_of(kind) / np.sqrt(2600)
        outlook = look(features, None, theta)
        assert (outlook.full(theta), outlook.low(0.5)) == (full, low), kind
    nothing = foresee(np.zeros((5, 5)), 20, 1.0)
    assert not nothing.full(1.0)
    assert nothing.low(0.5)
    assert nothing.near(1.0, 0.5) == 0
    assert foresee(np.full((5, 5), np.nan), 20, 1.0).pivots.size == 0


def test_a_count_has_no_spectrum_and_says_so() -> None:
    features = features_of("gaussian")
    found = epsilon_rank(features, 1e-6, counts_only=True)
    for name in ("spectrum", "spectrum_error", "storage"):
        with pytest.raises(InputError, match="counts_only left no spectrum"):
            getattr(found, name)
    assert found.to_json()["storage"] is None
    assert "route samples" in str(found)
    small = epsilon_rank(features[:50, :20], 1e-6, counts_only=True)
    assert small.route == "gram"
    with pytest.raises(InputError, match="counts_only"):
        _ = small.spectrum


def test_several_thresholds_keep_their_order() -> None:
    features = torch.from_numpy(features_of("silent")).float()
    eps = [0.1, 1e-12, 5.0, 0.05]
    found = epsilon_ranks(features, eps, counts_only=True)
    usual = epsilon_ranks(features, eps)
    assert [r.eps for r in found] == eps
    assert [(r.lower, r.upper) for r in found] == [(r.lower, r.upper) for r in usual]
    assert "gram-float32" in {r.route for r in found}


def test_exact_and_relative_counts_go_the_usual_way() -> None:
    features = features_of("gaussian", 2600, 256)
    assert epsilon_rank(features, 1e-6, relative=True, counts_only=True).route == "gram"
    few = np.random.default_rng(0).integers(-2, 3, (40, 6))
    assert epsilon_rank(few, 0.5, exact=True, counts_only=True).route == "exact"


def test_narrow_features_are_not_widened_until_asked() -> None:
    checked = as_features(torch.ones(4, 3))
    assert checked.given.dtype == np.float32
    assert checked.values.dtype == np.float64
    assert checked.values is checked.values
    for dtype in (np.float32, np.float16):
        bad = np.ones((4, 3), dtype=dtype)
        bad[2, 1] = np.inf
        with pytest.raises(InputError, match=r"index \(2, 1\)"):
            as_features(bad)
        assert as_features(np.full((600, 300), 60000, dtype=dtype)).exact
    large = as_features(np.array([[2**60 + 1, 0]]))
    assert large.rounded
    assert large.integers is not None
    assert large.values[0, 0] == 2.0**60
    problem = counts.CountProblem(large, as_measure("mean", None, 1))
    assert [found.resolved for found in problem.decide(Thresholds((1.0,)))] == [False]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
def test_squared_frobenius_is_an_upper_bound(dtype: Any) -> None:
    matrix = np.random.default_rng(0).standard_normal((300, 7)).astype(dtype)
    exact = sum(Fraction(float(x)) ** 2 for x in matrix.ravel())
    assert exact <= Fraction(squared_frobenius(matrix)) <= exact * Fraction(102, 100)
    roots = np.sqrt(np.linspace(0, 2, 300))
    assert squared_frobenius(matrix, roots) >= float(
        (matrix.astype(float) ** 2).T.dot(roots**2).sum()
    )
    tiny = np.full((3, 2), 1e-30, dtype=np.float32)
    assert squared_frobenius(tiny) == pytest.approx(6e-60)
