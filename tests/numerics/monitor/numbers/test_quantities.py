"""Quantities of a spectrum against literal transcriptions on the feature matrix."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from epsrank.numerics.monitor.numbers.quantities import (
    QUANTITY_NAMES,
    Quantities,
    dormant_fraction,
    quantities,
)
from epsrank.theory.dimension.soft_ranks import alpha_req, srank
from epsrank.theory.rank.of_gram import GramProblem

DIMENSIONS = ("stable_rank", "participation_ratio", "effective_rank", "rankme", "entropy_rank")


def measured(features: np.ndarray) -> Quantities:
    gram = features.T @ features / len(features)
    problem = GramProblem((gram + gram.T) / 2, 1e-13 * float(np.trace(gram)))
    return quantities(problem.spectrum, problem.spectrum_error, np.abs(features).mean(axis=0))


def transcribed(features: np.ndarray) -> dict[str, float]:
    """Each formula as its paper prints it, on singular values of the centred-nowhere features."""
    sigma = torch.linalg.svdvals(torch.from_numpy(features / math.sqrt(len(features)))).numpy()
    lam = sigma**2
    p = sigma / sigma.sum()
    offset = p + 1e-7
    q = lam / lam.sum()
    q = q[q > 0]
    p = p[p > 0]
    return {
        "largest": np.linalg.norm(features, 2) ** 2 / len(features),
        "trace": np.linalg.norm(features, "fro") ** 2 / len(features),
        "stable_rank": (np.linalg.norm(features, "fro") / np.linalg.norm(features, 2)) ** 2,
        "participation_ratio": lam.sum() ** 2 / (lam**2).sum(),
        "effective_rank": math.exp(-(p * np.log(p)).sum()),
        "rankme": math.exp(-(offset * np.log(offset)).sum()),
        "entropy_rank": math.exp(-(q * np.log(q)).sum()),
    }


def random_features(seed: int, n_samples: int = 60, n: int = 12) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(size=(n_samples, n)) @ (rng.normal(size=(n, n)) * np.geomspace(1, 0.01, n))


@given(st.integers(0, 10**6), st.integers(13, 90), st.integers(1, 12))
def test_agree_with_transcriptions(seed, n_samples, n):
    features = random_features(seed, n_samples, n)
    found, wanted = measured(features), transcribed(features)
    for name, value in wanted.items():
        assert getattr(found, name) == pytest.approx(value, rel=2e-5), name
    condition = np.linalg.cond(features) ** 2
    assert found.condition_lower <= condition * (1 + 1e-9)
    if found.condition is not None:
        assert found.condition == pytest.approx(condition, rel=1e-3)


@given(st.integers(0, 10**6), st.floats(1e-3, 1e3))
def test_dimensions_ignore_scale_and_mixing(seed, scale):
    features = random_features(seed)
    rotation = np.linalg.qr(np.random.default_rng(seed + 1).normal(size=(12, 12)))[0]
    one, two = measured(features), measured(scale * features @ rotation)
    for name in DIMENSIONS:
        assert getattr(one, name) == pytest.approx(getattr(two, name), rel=1e-5)
    assert two.trace == pytest.approx(scale**2 * one.trace)
    assert two.largest == pytest.approx(scale**2 * one.largest)


@given(st.integers(0, 10**6))
def test_dimensions_are_ordered_and_below_the_rank(seed):
    found = measured(random_features(seed))
    assert 1 <= found.stable_rank <= 12 + 1e-9
    # Rényi entropies fall with their order: H_∞ ≤ H_2 ≤ H_1.
    assert found.stable_rank <= found.participation_ratio * (1 + 1e-9)
    assert found.participation_ratio <= found.entropy_rank * (1 + 1e-9)
    assert found.entropy_rank <= found.effective_rank * (1 + 1e-9)
    assert found.effective_rank <= 12 + 1e-9


def test_zero_features_have_no_dimension():
    found = measured(np.zeros((5, 3)))
    assert [getattr(found, name) for name in DIMENSIONS] == [0.0] * 5
    assert found.condition is None
    assert found.condition_lower is None
    assert (found.dead, found.dormant) == (1.0, 1.0)


def test_one_sample_and_rank_one_have_one_dimension():
    for features in (np.array([[1.0, -2.0, 3.0]]), np.outer(np.arange(1.0, 9), [1.0, 2, 0.5])):
        found = measured(features)
        for name in ("stable_rank", "participation_ratio", "entropy_rank"):
            assert getattr(found, name) == pytest.approx(1.0, abs=1e-9)
        # σ = √λ lets rounding of 1e-16 in λ show as 1e-8 in σ.
        assert found.effective_rank == pytest.approx(1.0, abs=1e-5)
        assert found.condition is None
        assert found.condition_lower > 1e10


def test_one_neuron():
    found = measured(np.array([[2.0], [4.0]]))
    assert found.condition == pytest.approx(1.0)
    assert found.trace == pytest.approx(10.0)


def test_dormant_neurons_as_in_the_definition():
    activity = np.array([1.0, 1.0, 1.0, 0.0, 0.005])
    score = activity / activity.mean()
    for tau in (0.0, 0.025, 0.9):
        assert dormant_fraction(activity, tau) == pytest.approx(np.mean(score <= tau))
    assert dormant_fraction(activity, 0.0) == 0.2


def test_squares_beyond_float64_do_not_matter():
    for power in (-140.0, 140.0):
        found = quantities(np.array([2.0, 1.0, 1.0]) * 10**power, 0.0, np.ones(3))
        assert found.participation_ratio == pytest.approx(16 / 6)


def test_json_has_every_name_and_no_infinities():
    found = quantities(np.array([1.0, 0.0]), 0.0, np.ones(2))
    assert found.condition_lower == math.inf
    assert set(found.to_json()) == set(QUANTITY_NAMES)
    assert found.to_json()["condition_lower"] is None


def test_srank_and_decay_are_those_of_the_features():
    features = random_features(4, 200, 30)
    found = measured(features)
    assert found.srank == srank(features)
    assert found.alpha_req == pytest.approx(alpha_req(features, definition="gram"), rel=1e-6)
    assert measured(np.zeros((9, 4))).srank == 0
    assert measured(random_features(4, 50, 6)).alpha_req is None
