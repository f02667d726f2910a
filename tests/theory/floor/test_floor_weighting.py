"""Scaling by powers of two: nothing is lost at any size of features, targets and weights."""

import numpy as np
import pytest

from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.floor.decomposed.weighting import residual_norm, weighted_problem
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.numbers.scaled import frobenius, row_norms


def rebuilt(problem):
    return np.ldexp(problem.matrix, problem.feature_exponent)


def test_weights_that_vanish_where_features_are_enormous():
    features = np.array([[1e250, 1e250], [1e-250, 3e-250]])
    law = as_measure("raw", np.array([0.0, 4.0]), 2)
    problem = weighted_problem(as_features(features), np.array([[1e300], [1e-300]]), law)
    np.testing.assert_allclose(rebuilt(problem), [[0, 0], [2e-250, 6e-250]], rtol=1e-15)
    assert problem.matrix.max() >= 0.25
    assert np.ldexp(problem.target, problem.target_exponent)[1, 0] == pytest.approx(2e-300)


@pytest.mark.parametrize("scale", [1e-300, 1e-20, 1.0, 1e20, 1e300])
def test_entries_keep_their_digits(scale):
    rng = np.random.default_rng(0)
    features, weights = rng.standard_normal((7, 3)) * scale, rng.uniform(0, 1, 7)
    problem = weighted_problem(
        as_features(features), np.zeros((7, 1)), as_measure("raw", weights, 7)
    )
    np.testing.assert_allclose(rebuilt(problem), np.sqrt(weights)[:, None] * features, rtol=1e-15)
    assert 0.25 <= np.abs(problem.matrix).max() < 1


def test_zero_features_and_targets():
    problem = weighted_problem(
        as_features(np.zeros((4, 2))), np.zeros((4, 1)), as_measure("mean", None, 4)
    )
    assert not problem.matrix.any()
    assert residual_norm(problem, np.ones((2, 1))) == 0


@pytest.mark.parametrize("size", [0, 1, 5, 1024, 1025, 5000])
def test_norms_of_any_length_and_size(size):
    values = np.random.default_rng(size).standard_normal(size)
    for scale in (1.0, 1e300, 1e-300):
        assert frobenius(values * scale) == pytest.approx(np.linalg.norm(values) * scale)
    rows = np.array([[3e200, 4e200], [3e-200, 4e-200], [0, 0]])
    np.testing.assert_allclose(row_norms(rows), [5e200, 5e-200, 0], rtol=1e-15)


def test_losses_beyond_float64_are_infinite_and_not_an_error():
    result = loss_floor(np.full((3, 1), 1e200), np.ones(3), eps=1e-6, coefficients=[1e200])
    assert result.loss == np.inf
    assert result.reachable <= 1
    assert result.to_json()["loss"] is None
