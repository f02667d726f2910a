"""Counts from a Gram matrix alone: against the definition, in every route, with planted errors."""

from __future__ import annotations

import numpy as np
import pytest

from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Thresholds

from .cases import with_spectrum


@pytest.mark.parametrize("n", [1, 7, 60, 300])
@pytest.mark.parametrize("counts_only", [False, True])
@pytest.mark.parametrize("decades", [0.5, 6, 14])
def test_counts_are_those_of_the_spectrum(n, counts_only, decades):
    spectrum = np.geomspace(3.0, 3.0 * 10**-decades, n)
    problem = GramProblem(with_spectrum(spectrum), 1e-13, counts_only=counts_only)
    for eps in (1e-9, 1e-4, 0.7, 5.0):
        [decision] = problem.decide(Thresholds((eps,)))
        truth = int(np.count_nonzero(spectrum > eps))
        assert decision.lower <= truth <= decision.upper
        assert decision.upper - decision.lower <= 1


def test_wide_counts_take_every_fast_route():
    routes = set()
    for spectrum in (np.full(300, 1.0), np.geomspace(1, 1e-120, 300), np.geomspace(1, 1e-3, 300)):
        problem = GramProblem(with_spectrum(spectrum), 1e-14, counts_only=True)
        [decision] = problem.decide(Thresholds((0.5e-1 if spectrum[-1] == 1e-3 else 1e-6,)))
        routes.add(decision.route)
        assert "enclosure" not in problem.__dict__
        assert decision.lower == decision.upper
    assert routes == {"cholesky", "low-rank", "inertia"}


def with_dead_neurons(spectrum: np.ndarray, dead: int) -> np.ndarray:
    n = len(spectrum) + dead
    alive = np.sort(np.random.default_rng(1).choice(n, len(spectrum), replace=False))
    gram = np.zeros((n, n))
    gram[np.ix_(alive, alive)] = with_spectrum(spectrum)
    return gram


@pytest.mark.parametrize("dead", [1, 40, 200])
@pytest.mark.parametrize("counts_only", [False, True])
def test_dead_neurons_change_nothing(dead, counts_only):
    spectrum = np.geomspace(3.0, 1e-5, 100)
    gram = with_dead_neurons(spectrum, dead)
    for eps in (1e-9, 1e-4, 0.7, 5.0):
        [found] = GramProblem(gram, 1e-13, counts_only=counts_only).decide(Thresholds((eps,)))
        assert found.lower == found.upper == int(np.count_nonzero(spectrum > eps))
    problem = GramProblem(gram, 1e-13)
    assert problem.spectrum.shape == (100 + dead,)
    np.testing.assert_allclose(problem.spectrum[:100], spectrum, atol=1e-11)
    assert (problem.spectrum[100:] <= problem.spectrum_error).all()


def test_dead_neurons_may_count_where_the_matrix_is_rough():
    """An eigenvalue 0 of G̃ may be t of G: above ε = t/2 nothing excludes it."""
    gram = with_dead_neurons(np.full(100, 3.0), 100)
    for counts_only in (False, True):
        [found] = GramProblem(gram, 2e-3, counts_only=counts_only).decide(Thresholds((1e-3,)))
        assert (found.lower, found.upper) == (100, 200)


def test_a_zero_on_the_diagonal_alone_is_no_dead_neuron():
    gram = np.zeros((100, 100))
    gram[0, 1] = gram[1, 0] = 1.0
    for counts_only in (False, True):
        [found] = GramProblem(gram, 0.0, counts_only=counts_only).decide(Thresholds((0.5,)))
        assert found.lower == found.upper == 1


def test_agrees_with_the_features_and_relative_thresholds():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(200, 5)) @ rng.normal(size=(5, 12)) * 3
    gram = features.T @ features / 200
    gram = (gram + gram.T) / 2
    for relative in (False, True):
        found = GramProblem(gram, 1e-11).decide(Thresholds((1e-6, 1e-1), relative))
        wanted = epsilon_ranks(features, [1e-6, 1e-1], relative=relative)
        assert [(d.lower, d.upper) for d in found] == [(r.lower, r.upper) for r in wanted]


def test_the_error_of_the_matrix_opens_the_interval():
    gram = np.diag([1.0, 1e-6, 1e-9])
    assert [d.lower for d in GramProblem(gram, 0.0).decide(Thresholds((0.9e-6,)))] == [2]
    [wide] = GramProblem(gram, 1e-6).decide(Thresholds((0.9e-6,)))
    assert (wide.lower, wide.upper) == (1, 3)
    [unknown] = GramProblem(gram, np.inf).decide(Thresholds((0.9e-6,)))
    assert (unknown.lower, unknown.upper) == (0, 3)


@pytest.mark.parametrize("power", [-900, -400, 400, 900])
def test_any_size_of_float64(power):
    problem = GramProblem(np.diag([3.0, 1.0]) * 2.0**power, 0.0)
    [one] = problem.decide(Thresholds((2.0 * 2.0**power,)))
    assert (one.lower, one.upper) == (1, 1)
    np.testing.assert_allclose(problem.spectrum / 2.0**power, [3.0, 1.0])


@pytest.mark.parametrize(
    "bad", [np.ones((2, 3)), np.array([[1.0, 2.0], [3.0, 4.0]]), np.eye(2) * np.nan]
)
def test_refuses_what_is_no_gram_matrix(bad):
    with pytest.raises(InputError, match="gram"):
        GramProblem(bad, 0.0)


def test_refuses_a_negative_error():
    with pytest.raises(InputError, match="gram_error"):
        GramProblem(np.eye(2), -1.0)
