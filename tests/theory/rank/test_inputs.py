"""Bad input: one line that names the argument, the value and the remedy."""

from __future__ import annotations

import pickle
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import scipy.sparse
import torch

from epsrank.theory import InputError, Measure, epsilon_rank, epsilon_ranks
from epsrank.theory.data.inputs import as_coefficients, as_eps, as_features, as_norm, as_target
from epsrank.theory.data.measure import as_measure, exact_sum

GOOD = np.eye(3)


@pytest.mark.parametrize(
    ("features", "words"),
    [
        (np.array([[1.0, np.nan], [np.nan, 2.0]]), "features has 2 non-finite entries, the first"),
        (np.array([[1.0, np.inf]]), "the first inf at index (0, 1)"),
        (np.array([[np.inf, -np.inf]]), "has 2 non-finite entries"),
        (np.empty((0, 3)), "features is empty, shape (0, 3)"),
        (np.empty((3, 0)), "features is empty, shape (3, 0)"),
        (np.arange(3.0), "features.reshape(-1, 1)"),
        (np.zeros((2, 3, 4)), "channels are neurons"),
        (np.eye(2) * 1j, "features has dtype complex128"),
        (np.array([[1, "a"]], dtype=object), "features has dtype object"),
        (np.array([["a", "b"]]), "features has dtype str"),
        ([[1.0, 2.0], [3.0]], "pass rows of equal length"),
        (scipy.sparse.eye(3).tocsr(), "features.toarray()"),
        (np.ma.masked_array(np.eye(2), mask=np.eye(2)), "masked"),
        (torch.eye(2, dtype=torch.complex64), "features has dtype complex64"),
        (5.0, "features has 0 dimensions"),
    ],
)
def test_bad_features(features: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        epsilon_rank(features, 1e-6)
    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("eps", [0, 0.0, -1e-6, np.nan, np.inf, "1e-6", None, True, [1e-6]])
def test_bad_eps(eps: Any) -> None:
    with pytest.raises(InputError, match=r"^eps is .*; pass"):
        epsilon_rank(GOOD, eps)


def test_no_eps() -> None:
    with pytest.raises(InputError, match="eps is an empty sequence"):
        epsilon_ranks(GOOD, [])


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ([1.0, 2.0], "features have 3 samples"),
        ([1.0, -2.0, 1.0], "negative entry, -2 at index 1"),
        ([0.0, 0.0, 0.0], "all zero"),
        ([1.0, np.nan, 1.0], "non-finite"),
        ([1.0, np.inf, 1.0], "non-finite"),
        ([[1.0, 2.0, 3.0]], "shape (1, 3)"),
        ([1j, 1, 1], "complex"),
        ([2**60 + 1, 1, 1], "beyond 2^53"),
    ],
)
def test_bad_weights(weights: Any, words: str) -> None:
    with pytest.raises(InputError) as caught:
        epsilon_rank(GOOD, 1e-6, weights=weights)
    assert str(caught.value).startswith("weights ")
    assert words in str(caught.value)


def test_bad_measure() -> None:
    with pytest.raises(InputError, match="measure is 'sum'; choose 'mean', 'raw' or 'volume'"):
        epsilon_rank(GOOD, 1e-6, measure="sum")
    with pytest.raises(InputError, match="weights of a quadrature rule"):
        epsilon_rank(GOOD, 1e-6, measure="volume")


def test_bad_target_coefficients_and_norm() -> None:
    with pytest.raises(InputError, match="target has 2 rows, but the features have 3 samples"):
        as_target([1.0, 2.0], 3)
    with pytest.raises(InputError, match="target has shape"):
        as_target(np.zeros((3, 2, 2)), 3)
    with pytest.raises(InputError, match="target has 1 non-finite"):
        as_target([1.0, np.nan, 2.0], 3)
    with pytest.raises(InputError, match="coefficients has shape"):
        as_coefficients(np.zeros((2, 3)), 3)
    with pytest.raises(InputError, match="beyond 2\\^53"):
        as_coefficients(np.array([2**60 + 1, 0, 0]), 3)
    assert as_coefficients(np.zeros(3), 3).shape == (3, 1)
    for norm in (-1.0, np.nan, "a", None):
        with pytest.raises(InputError, match="norm is"):
            as_norm(norm)
    assert as_norm(np.inf) == np.inf


def test_errors_survive_a_process_boundary() -> None:
    error = InputError("eps", "is 0", "pass a positive number")
    copy = pickle.loads(pickle.dumps(error))
    assert (str(copy), copy.remedy) == (str(error), "pass a positive number")


def test_integers_are_exact_beyond_float64() -> None:
    # As float64 both columns are equal and the rank is 1.
    features = np.array([[2**60 + 1, 2**60], [0, 0], [1, 1]], dtype=np.int64)
    checked = as_features(features)
    assert checked.rounded
    rank = epsilon_rank(features, 1e-40, measure="raw")
    assert (int(rank), rank.dtype) == (2, "int64")
    assert int(epsilon_rank(features.astype(np.float64), 1e-40, measure="raw")) == 1


def test_accepted_kinds_of_arrays() -> None:
    expected = 3
    for features in (
        GOOD,
        GOOD.astype(np.float32),
        GOOD.astype(np.int8),
        GOOD.astype(bool),
        GOOD.astype(np.longdouble),
        np.asfortranarray(GOOD),
        GOOD.tolist(),
        torch.eye(3, requires_grad=True),
        torch.eye(3, dtype=torch.bfloat16),
        torch.eye(6)[::2, ::2],
    ):
        assert int(epsilon_rank(features, 1e-6)) == expected


def test_wide_floats_must_fit() -> None:
    if np.finfo(np.longdouble).nmant > 52:
        with pytest.raises(InputError, match="float64 cannot hold"):
            as_features(np.full((1, 1), np.longdouble(1) / 3))


def test_eps_may_be_any_real_number_type() -> None:
    assert as_eps(np.float32(0.5)) == 0.5
    assert as_eps(Fraction(1, 4)) == 0.25
    assert as_eps(1) == 1.0


def test_measures() -> None:
    weights = np.array([0.1, 0.2, 0.3])
    assert exact_sum(weights) == sum(Fraction(w) for w in weights.tolist())
    assert as_measure("mean", weights, 3).mass == 1
    volume = as_measure("volume", weights, 3)
    assert volume.mass == exact_sum(weights)
    assert as_measure("raw", None, 3).mass == 3
    assert np.allclose(as_measure("mean", None, 4).row_factors(), 0.5)
    assert as_measure(volume, None, 3) is volume
    assert Measure("raw", 3).normaliser == 1


def test_the_measure_decides_the_rank() -> None:
    features = np.eye(100) * 0.05  # λ = 2.5e-3 raw, 2.5e-5 in the mean
    assert int(epsilon_rank(features, 1e-3, measure="raw")) == 100
    assert int(epsilon_rank(features, 1e-3, measure="mean")) == 0
    assert int(epsilon_rank(features, 1e-3, measure="volume", weights=np.full(100, 0.5))) == 100
