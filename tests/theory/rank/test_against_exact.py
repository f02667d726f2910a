"""No interval may ever be wrong: 1000 random and adversarial matrices, counted in integers."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
import torch

from epsrank.theory import epsilon_rank
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.rank.enclosure import SpectrumEnclosure
from epsrank.theory.rank.of_features import RankProblem
from epsrank.theory.rank.routes.ball import ball_count
from epsrank.theory.rank.routes.exact import exact_count

from .cases import random_cases, true_rank


def test_no_interval_is_wrong_on_1000_cases() -> None:
    routes, unresolved = set(), 0
    for features, weights, measure, eps in random_cases(1000, seed=20261122):
        rank = epsilon_rank(features, eps, weights=weights, measure=measure)
        truth = true_rank(features, eps, weights, measure)
        assert rank.lower <= truth <= rank.upper, (features.tolist(), weights, measure, eps)
        routes.add(rank.route)
        unresolved += not rank.resolved
    assert routes == {"gram", "svd", "exact"}  # or the cases no longer reach every route
    assert unresolved == 0


def assert_encloses(enclosure: SpectrumEnclosure, problem: RankProblem) -> None:
    """Check lower_k ≤ λ_k ≤ upper_k for every k by counting in integers just beside each end."""
    gram = problem.integers
    unit = problem.weighted.scale / gram.scale
    for k, (low, high) in enumerate(zip(enclosure.lower, enclosure.upper, strict=True)):
        if high < np.inf and high > 0:
            assert exact_count(gram, Fraction(float(high)) * unit) <= k
        if low > 0:
            just_below = Fraction(float(low)) * unit * (1 - Fraction(1, 2**80))
            assert exact_count(gram, just_below) >= k + 1


def test_every_eigenvalue_lies_in_its_enclosure() -> None:
    for features, weights, measure, _ in random_cases(200, seed=5):
        checked = as_features(features)
        problem = RankProblem(checked, as_measure(measure, weights, checked.n_samples))
        assert_encloses(problem.fast, problem)
        assert_encloses(problem.accurate, problem)


def test_the_check_of_enclosures_can_fail() -> None:
    problem = RankProblem(as_features(np.diag([1.0, 0.5])), as_measure("raw", None, 2))
    good = problem.fast
    with pytest.raises(AssertionError):
        assert_encloses(SpectrumEnclosure(good.values, good.lower, good.upper * 0.9), problem)
    with pytest.raises(AssertionError):
        assert_encloses(SpectrumEnclosure(good.values, good.lower * 1.1, good.upper), problem)


def test_ball_and_exact_counts_agree() -> None:
    for features, weights, measure, eps in random_cases(200, seed=7):
        checked = as_features(features)
        problem = RankProblem(checked, as_measure(measure, weights, checked.n_samples))
        theta = problem.integers.threshold(Fraction(eps))
        count, _ = ball_count(problem.integers, theta, max_bits=1024)
        # None only where an eigenvalue equals ε to 1024 bits: a tie, left to the exact route.
        assert count in (None, exact_count(problem.integers, theta))


@pytest.mark.parametrize("seed", range(5))
def test_float32_features_at_small_eps_are_never_a_wrong_integer(seed: int) -> None:
    generator = np.random.default_rng(seed)
    x = np.linspace(-1, 1, 400)[:, None]
    features = np.tanh(x * generator.normal(0, 2, 30) + generator.normal(0, 1, 30))
    narrow = features.astype(np.float32)
    rank = epsilon_rank(narrow, 1e-8)
    assert int(rank) == true_rank(narrow, 1e-8)
    low, high = rank.storage
    assert low <= true_rank(features, 1e-8) <= high  # before rounding to float32
    # The Gram matrix accumulated in float32, as a training loop would, is what goes wrong.
    naive = np.linalg.eigvalsh(narrow.T @ narrow / np.float32(400))
    assert int((naive > 1e-8).sum()) != int(rank)


def test_bfloat16_tensors_are_taken_exactly_and_say_what_they_cannot_know() -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.tanh(torch.randn(300, 12, generator=generator, dtype=torch.float64) / 8)
    narrow = features.to(torch.bfloat16)
    rank = epsilon_rank(narrow, 1e-3)
    assert rank.dtype == "bfloat16"
    assert int(rank) == true_rank(narrow.float().numpy(), 1e-3)
    low, high = rank.storage
    assert low <= true_rank(features.numpy(), 1e-3) <= high


def test_well_separated_spectra_give_one_number_by_the_fast_route() -> None:
    generator = np.random.default_rng(3)
    for n in (2, 17, 60):
        left = np.linalg.qr(generator.standard_normal((200, n)))[0]
        right = np.linalg.qr(generator.standard_normal((n, n)))[0]
        rank = n // 2
        values = np.where(np.arange(n) < rank, 1.0, 1e-5)
        features = left * values @ right.T
        result = epsilon_rank(features, 1e-6, measure="raw")
        assert (int(result), result.route) == (rank, "gram")
