"""Gaps that only some of the samples show: a forecast that may lie, and counts that may not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from epsrank.theory import epsilon_rank
from epsrank.theory.rank import counts, epsilon_ranks
from epsrank.theory.rank.routes import gram_float32 as narrow
from epsrank.theory.rank.routes.foresight import Foresight, eigenvalues_near
from epsrank.theory.rank.routes.gram_float32 import form_gram_float32, narrow_sizes

from .cases import random_cases, true_rank, with_spectrum

N, WIDTH = 2600, 260


def rotated(spectrum: Any, n_samples: int = N, seed: int = 0) -> Any:
    """Return features whose Gram matrix has a spectrum to float64 precision, and no silent neuron.

    Parameters
    ----------
    spectrum : array_like, shape (n,)
        Eigenvalues of the mean Gram matrix.
    n_samples : int
        N.
    seed : int
        Of the directions.

    Returns
    -------
    ndarray of float64, shape (N, n)
        Φ.
    """
    generator = np.random.default_rng(seed)
    n = len(spectrum)
    left = np.linalg.qr(generator.standard_normal((n_samples, n)))[0]
    right = np.linalg.qr(generator.standard_normal((n, n)))[0]
    return (left * np.sqrt(n_samples * np.asarray(spectrum))) @ right


HALF = np.repeat([2.0, 1e-9], WIDTH // 2)


def by_columns(spectrum: Any) -> Any:
    return np.asfortranarray(with_spectrum(spectrum, 1))


def float32_error(features: Any, eps: float) -> float:
    """Return the E that a count at ε is formed with, in the units of λ."""
    sizes = narrow_sizes(features, None)
    assert sizes is not None
    errors = [
        error / N
        for chunk, error in narrow.errors_of_chunks(sizes, N)
        if counts._PARTS * chunk <= N
    ]
    return next((error for error in errors if error <= counts._WANTED * eps), errors[-1])


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("weighted", [False, True])
def test_half_of_the_directions_empty_is_seen(dtype: Any, weighted: bool) -> None:
    features = rotated(HALF).astype(dtype)
    weights = np.random.default_rng(1).choice([0.5, 1.0, 3.0], N) if weighted else None
    found = epsilon_rank(features, 0.5, weights=weights, counts_only=True)
    assert int(found) == WIDTH // 2
    assert found.route == "gram-float32"
    assert found.lower == int(epsilon_rank(features, 0.5, weights=weights))


@pytest.mark.parametrize("shape", ["log", "linear"])
@pytest.mark.parametrize("share", [0.02, 0.1, 0.4])
def test_dense_spectra_are_seen_to_be_dense(shape: str, share: float) -> None:
    n = 1000
    spectrum = np.geomspace(1, 1e-3, n) if shape == "log" else np.linspace(1e-3, 1, n)
    matrix = by_columns(spectrum)
    for theta in (0.01, 0.1, 0.5):
        truth = np.count_nonzero(np.abs(spectrum - theta) < share * theta)
        assert truth / 3 - 1 <= eigenvalues_near(matrix, theta, share * theta) <= 3 * truth + 1


def test_gaps_are_seen_to_be_empty() -> None:
    half = by_columns(np.repeat([2.0, 1e-9], 200))
    for theta in (0.1, 0.5, 1.0):
        assert eigenvalues_near(half, theta, theta / 4) < 0.1
    bulk = by_columns(np.r_[np.linspace(1, 3, 200), np.linspace(0, 0.2, 200)])
    assert eigenvalues_near(bulk, 0.5, 0.2) < 0.5
    assert eigenvalues_near(bulk, 1.1, 0.2) > 5


def test_a_forecast_is_always_the_same_and_leaves_other_draws_alone() -> None:
    matrix = by_columns(np.geomspace(1, 1e-4, 300))
    np.random.seed(1)  # that the global state does not matter is the point
    state = np.random.get_state()[1].copy()
    first = eigenvalues_near(matrix, 0.01, 0.002)
    assert np.array_equal(state, np.random.get_state()[1])
    np.random.seed(2)
    assert eigenvalues_near(matrix, 0.01, 0.002) == first
    lower = matrix.copy(order="F")
    lower[np.tril_indices(300, -1)] = np.nan  # what stands below the diagonal is arbitrary
    assert eigenvalues_near(lower, 0.01, 0.002) == first


@pytest.mark.parametrize("n", [1, 2, 5])
def test_forecasts_of_small_and_odd_matrices(n: int) -> None:
    assert eigenvalues_near(np.zeros((n, n), order="F"), 0.5, 0.1) == 0
    assert eigenvalues_near(np.asfortranarray(np.eye(n)), 1.0, 0.1) == pytest.approx(n)
    assert eigenvalues_near(np.asfortranarray(np.eye(n)), 3.0, 0.1) == 0
    assert eigenvalues_near(np.full((n, n), np.nan, order="F"), 0.5, 0.1) == np.inf
    assert eigenvalues_near(np.full((n, n), 1e308, order="F"), 0.5, 0.1) in (0, np.inf)


@pytest.mark.parametrize("lie", [0.0, np.inf])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_a_lying_forecast_costs_time_only(
    lie: float, dtype: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    eps = 0.5
    error = float32_error(rotated(HALF), eps)
    assert 0 < error < eps / 2
    ends = [eps * (1 + sign * 1e-5) for sign in (-1, 1)]
    ends += [(eps + s * error) * (1 + r * 1e-3) for s in (-1, 1) for r in (-1, 1)]
    spectra = [HALF, np.geomspace(2, 1e-9, WIDTH), np.linspace(0.4, 0.6, WIDTH)]
    spectra += [np.r_[HALF[1:], value] for value in ends]
    monkeypatch.setattr(counts, "eigenvalues_near", lambda *_: lie)
    monkeypatch.setattr(counts, "_NEAR", -1.0)  # nothing is expected of a look at some neurons
    monkeypatch.setattr(Foresight, "blind", lambda *_: True)
    routes = set()
    for spectrum in spectra:
        features = rotated(spectrum).astype(dtype)
        found = epsilon_rank(features, eps, counts_only=True)
        assert found.resolved
        assert int(found) == int(epsilon_rank(features, eps))
        assert int(found) == np.count_nonzero(np.asarray(spectrum) > eps)
        routes.add(found.route)
    assert ("gram-float32" in routes) == (lie == 0)
    assert routes - {"gram-float32"}


def test_lies_about_600_cases_make_no_count_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(5)
    monkeypatch.setattr(counts, "_WIDE_ENOUGH", 1)
    monkeypatch.setattr(counts, "_LONG_ENOUGH", 1)
    monkeypatch.setattr(counts, "_MANY", 0.0)
    monkeypatch.setattr(counts, "_PARTS", 1)
    monkeypatch.setattr(counts, "_NEAR", -1.0)
    monkeypatch.setattr(Foresight, "blind", lambda *_: True)
    monkeypatch.setattr(counts, "_SHARE", 100.0)
    monkeypatch.setattr(counts, "eigenvalues_near", lambda *_: generator.choice([0.0, 9.0]))
    monkeypatch.setattr(narrow, "_CHUNKS", (8, 4, 3))
    monkeypatch.setattr(narrow, "PREVIEW", 0.1)
    routes = set()
    for features, weights, measure, eps in random_cases(600, seed=41):
        rank = epsilon_rank(features, eps, weights=weights, measure=measure, counts_only=True)
        truth = true_rank(features, eps, weights, measure)
        assert rank.lower <= truth <= rank.upper, (features.tolist(), weights, measure, eps)
        routes.add(rank.route)
    assert {"gram-float32", "gram", "exact"} <= routes


def test_forgetting_the_error_of_float32_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    features = rotated(np.r_[HALF[2:], 1000.0, 0.5])
    sizes = narrow_sizes(features, None)
    assert sizes is not None
    rounded = form_gram_float32(features, None, sizes, 512)
    assert rounded is not None
    exact = features.T @ features / N
    last = WIDTH // 2  # counted from the largest
    here, there = (np.sort(np.linalg.eigvalsh(m))[-last] for m in (exact, rounded[0] / N))
    eps = float(here + there) / 2
    assert abs(here - there) > 1e-7  # float64 tells them apart
    truth = last if here > eps else last - 1
    assert int(epsilon_rank(features, eps, counts_only=True)) == truth
    monkeypatch.setattr(counts, "eigenvalues_near", lambda *_: 0.0)
    assert int(epsilon_rank(features, eps, counts_only=True)) == truth
    right = form_gram_float32
    monkeypatch.setattr(
        counts, "form_gram_float32", lambda m, r, s, _, stop: (right(m, r, s, 512)[0], 0.0)
    )
    monkeypatch.setattr(
        "epsrank.theory.rank.routes.inertia._GROWTH", 2e-8
    )  # nearer than the error was
    wrong = epsilon_rank(features, eps, counts_only=True)
    assert (int(wrong), wrong.route) == (2 * last - 1 - truth, "gram-float32")


def test_a_part_is_what_its_samples_add_up_to() -> None:
    generator = np.random.default_rng(3)
    matrix = generator.standard_normal((5000, 40)).astype(np.float32)
    matrix *= np.linspace(0, 3, 5000, dtype=np.float32)[:, None]  # not the same everywhere
    sizes = narrow_sizes(matrix, None)
    assert sizes is not None
    parts = []

    def look(part: Any, seen: int) -> bool:
        parts.append((np.triu(part), seen))
        return False

    whole = form_gram_float32(matrix, None, sizes, 64, look)
    plain = form_gram_float32(matrix, None, sizes, 64)
    assert whole is not None
    assert plain is not None
    assert np.linalg.norm(whole[0] - plain[0], 2) <= whole[1] + plain[1]
    assert np.array_equal(whole[0], whole[0].T)
    ((part, seen),) = parts
    assert 1250 <= seen <= 1320
    scaled = part * 5000 / seen
    assert np.allclose(scaled.diagonal(), np.diagonal(whole[0]), rtol=0.15)
    assert form_gram_float32(matrix, None, sizes, 64, lambda *_: True) is None
    once = form_gram_float32(matrix, None, sizes, 8192, lambda *_: True)  # no part of one chunk
    assert once is not None


def test_a_forecast_against_float32_is_heeded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    monkeypatch.setattr(counts, "eigenvalues_near", lambda *_: calls.append(0) or 9.0)
    monkeypatch.setattr(counts, "_NEAR", -1.0)
    monkeypatch.setattr(Foresight, "blind", lambda *_: True)
    features = rotated(np.geomspace(2, 1e-3, WIDTH))
    eps = [0.5, 0.6, 0.7]
    found = epsilon_ranks(features, eps, counts_only=True)
    usual = epsilon_ranks(features, eps)
    assert [int(r) for r in found] == [int(r) for r in usual]
    assert "gram-float32" not in {r.route for r in found}
    assert len(calls) == 1


def test_no_float32_product_where_its_error_is_too_large(monkeypatch: pytest.MonkeyPatch) -> None:
    def formed(*_: Any) -> Any:
        raise AssertionError("formed")

    monkeypatch.setattr(counts, "form_gram_float32", formed)
    features = rotated(np.geomspace(1, 1e-12, WIDTH))
    assert int(epsilon_rank(features, 1e-6, counts_only=True)) == WIDTH // 2
    # The error is small enough, but some of the neurons show that there is no gap.
    few = rotated(np.geomspace(1, 1e-12, WIDTH)) * np.sqrt(10)
    error = float32_error(few, 0.5)
    assert error < 0.05
    truth = np.count_nonzero(np.geomspace(10, 1e-11, WIDTH) > 0.5)
    assert int(epsilon_rank(few, 0.5, counts_only=True)) == truth
