"""The public functions: contract, ties, relative thresholds, Gram matrices and spectra."""

from __future__ import annotations

import json
import pickle
from fractions import Fraction

import numpy as np
import pytest
import scipy.linalg

from epsrank.theory import (
    InputError,
    algebraic_rank,
    epsilon_rank,
    epsilon_rank_from_gram,
    epsilon_rank_from_spectrum,
    epsilon_ranks,
)
from epsrank.theory.rank.of_features import RankProblem

from .cases import KINDS, true_rank

TANH = KINDS["tanh neurons"](np.random.default_rng(0), 200, 30)


def test_the_result_carries_what_it_needs() -> None:
    rank = epsilon_rank(TANH, 1e-6)
    assert (rank.eps, rank.measure, rank.dtype) == (1e-6, "mean", "float64")
    assert (rank.n_samples, rank.n_features, rank.route) == (200, 30, "gram")
    assert int(rank) in rank
    assert rank.upper + 1 not in rank
    assert "ε-rank" in str(rank)
    assert "mean measure" in str(rank)
    assert "λ_" in rank.reason
    assert "<span" in rank._repr_html_()
    assert json.loads(json.dumps(rank.to_json()))["lower"] == rank.lower
    assert int(pickle.loads(pickle.dumps(rank))) == int(rank)


def test_the_spectrum_is_certified() -> None:
    rank = epsilon_rank(TANH, 1e-6)
    reference = np.linalg.svd(TANH / np.sqrt(200), compute_uv=False) ** 2
    assert rank.spectrum.shape == (30,)
    assert (np.diff(rank.spectrum) <= 0).all()
    assert np.abs(rank.spectrum - reference).max() <= rank.spectrum_error < 1e-10
    assert rank.noise_floor < 1e-11


def test_an_unresolved_rank_is_not_an_integer() -> None:
    rank = epsilon_rank_from_spectrum([1.0, 0.5, 0.2], 0.5, error=1e-3)
    assert (rank.lower, rank.upper, rank.resolved) == (1, 2, False)
    assert "[1, 2]" in str(rank)
    with pytest.raises(ValueError, match=r"only known to lie in \[1, 2\]"):
        int(rank)


def test_a_route_that_is_too_costly_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(RankProblem, "_integer_seconds", lambda self: 1e9)
    tie = np.eye(4)
    rank = epsilon_rank(tie, 0.25)
    assert (rank.lower, rank.upper) == (0, 4)
    assert "exact=True" in rank.reason
    assert int(epsilon_rank(tie, 0.25, exact=True)) == 0


def test_ties_are_strict() -> None:
    features = np.diag([2.0, 1.0, 1.0, 0.5])
    for eps, rank in ((4.0, 0), (1.0, 1), (0.25, 3), (np.nextafter(0.25, 0), 4)):
        assert int(epsilon_rank(features, eps, measure="raw")) == rank
        assert int(epsilon_rank(features, eps, measure="raw", exact=True)) == rank


@pytest.mark.parametrize("eps", [1e-2, 1e-6, 1e-12, 1e-20, 1e-28])
def test_exact_agrees_with_auto(eps: float) -> None:
    exact = epsilon_rank(TANH, eps, exact=True)
    assert exact.route == "exact"
    assert int(exact) == int(epsilon_rank(TANH, eps)) == true_rank(TANH, eps)


def test_wide_layers_go_by_balls() -> None:
    generator = np.random.default_rng(0)
    x = np.linspace(-1, 1, 300)[:, None]
    features = np.tanh(x * generator.uniform(-3, 3, 80) + generator.uniform(-3, 3, 80))
    rank = epsilon_rank(features, 1e-30)
    assert rank.route == "ball"
    assert int(rank) == true_rank(features, 1e-30)


def test_several_thresholds_share_one_decomposition() -> None:
    thresholds = [1e-2, 1e-9, 1e-4]
    together = epsilon_ranks(TANH, thresholds)
    assert [int(r) for r in together] == [int(epsilon_rank(TANH, e)) for e in thresholds]
    assert together[0].spectrum is together[1].spectrum


def test_relative_thresholds() -> None:
    generator = np.random.default_rng(0)
    features = generator.standard_normal((50, 6)) * 10.0 ** -np.arange(6)
    relative = epsilon_rank(features, 1e-5, relative=True)
    absolute = epsilon_rank(features, 1e-5 * float(relative.spectrum[0]))
    assert int(relative) == int(absolute)
    assert "λ₁" in str(relative)
    for scale in (1e-100, 1e100):
        assert int(epsilon_rank(features * scale, 1e-5, relative=True)) == int(relative)
    tie = epsilon_rank(np.diag([1.0, 0.5]), 0.25, relative=True)
    assert (tie.lower, tie.upper) == (1, 1)  # λ_2 = ελ_1, and λ_1 is a whole number of units


def test_all_zero_features_have_rank_zero() -> None:
    for exact in (False, True):
        rank = epsilon_rank(np.zeros((5, 3)), 1e-300, exact=exact)
        assert int(rank) == 0
        assert (rank.spectrum == 0).all()
    assert int(epsilon_rank(np.zeros((5, 3)), 0.5, relative=True)) == 0
    assert algebraic_rank(np.zeros((5, 3))) == 0


def test_extreme_scales() -> None:
    for scale, rank in ((1e200, 4), (1e-200, 0), (1e308, 4), (5e-324, 0)):
        assert int(epsilon_rank(np.eye(4) * scale, 1e-6)) == rank
    assert int(epsilon_rank(np.eye(4) * 1e-160, 1e-322)) == 4  # λ = 2.5e-321, a subnormal number
    weights = np.array([1e300, 1.0, 1e-300, 0.0])
    assert int(epsilon_rank(np.eye(4), 1e-280, weights=weights, measure="raw")) == 2
    assert int(epsilon_rank(np.eye(4), 1e-310, weights=weights, measure="raw")) == 3


def test_fewer_samples_than_neurons() -> None:
    features = np.random.default_rng(0).standard_normal((3, 10))
    rank = epsilon_rank(features, 1e-12)
    assert int(rank) == 3
    assert len(rank.spectrum) == 10


def test_algebraic_rank_ignores_samples_of_weight_zero() -> None:
    features = np.array([[1.0, 0.0], [0.0, 1e-300]])
    assert algebraic_rank(features) == 2
    assert algebraic_rank(features, weights=[1.0, 0.0]) == 1
    assert algebraic_rank(np.array([[0.1, 0.2, 0.1 + 0.2]])) == 1


def test_from_gram() -> None:
    gram = np.diag([1.0, 0.5, 0.25])
    assert int(epsilon_rank_from_gram(gram, 0.25)) == 2  # a tie, counted in integers
    assert epsilon_rank_from_gram(gram, 0.25).route == "exact"
    loose = epsilon_rank_from_gram(gram, 0.25, gram_error=1e-3)
    assert (loose.lower, loose.upper) == (2, 3)
    assert int(epsilon_rank_from_gram(gram, 0.3, gram_error=1e-3)) == 2
    assert int(epsilon_rank_from_gram(gram, 0.6, relative=True)) == 1
    assert int(epsilon_rank_from_gram(gram * 1e200, 1e199)) == 3
    assert int(epsilon_rank_from_gram(gram * 1e-200, 0.4e-200)) == 2
    wide = epsilon_rank_from_gram(np.kron(np.eye(50), [[2.0, 1.0], [1.0, 2.0]]), 1 + 1e-15)
    assert int(wide) == 50


def test_from_gram_accumulated_in_float32() -> None:
    narrow = TANH.astype(np.float32)
    gram = narrow.T @ narrow
    claimed = epsilon_rank_from_gram(gram, 200e-8, accumulated_in="float32", n_samples=200)
    truth = true_rank(narrow, 1e-8)
    assert truth in claimed
    assert not claimed.resolved  # below the float32 noise floor: refused, not guessed
    assert claimed.noise_floor > 200e-8
    coarse = epsilon_rank_from_gram(gram, 20.0, accumulated_in="float32", n_samples=200)
    assert int(coarse) == true_rank(narrow, 0.1)


def test_underflow_of_the_accumulation_is_part_of_its_bound() -> None:
    narrow = np.full((4, 1), 1e-25, dtype=np.float32)
    gram = narrow.T @ narrow  # 4e-50 underflows to 0 in float32
    claimed = epsilon_rank_from_gram(gram, 1e-55, accumulated_in="float32", n_samples=4)
    assert true_rank(narrow, 1e-55, measure="raw") == 1
    assert 1 in claimed


@pytest.mark.parametrize(
    ("gram", "words"),
    [
        (np.ones((2, 3)), "pass a square matrix"),
        (np.array([[1.0, 2.0], [0.0, 1.0]]), "not symmetric"),
        (np.diag([1.0, -1.0]), "eigenvalue -1"),
        (np.array([[np.nan]]), "non-finite"),
        (np.empty((0, 0)), "shape"),
    ],
)
def test_bad_gram(gram: np.ndarray, words: str) -> None:  # type: ignore[type-arg]
    with pytest.raises(InputError, match=words):
        epsilon_rank_from_gram(gram, 1e-6)


def test_bad_gram_error() -> None:
    for error in (-1.0, np.nan):
        with pytest.raises(InputError, match="gram_error"):
            epsilon_rank_from_gram(np.eye(2), 1e-6, gram_error=error)
    with pytest.raises(InputError, match="n_samples"):
        epsilon_rank_from_gram(np.eye(2), 1e-6, accumulated_in="float32")


def test_from_gram_without_a_converging_solver(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise np.linalg.LinAlgError("did not converge")

    monkeypatch.setattr(scipy.linalg, "eigh", fail)
    monkeypatch.setattr(scipy.linalg.lapack, "dsyevd", lambda a, **_: (a, a, 1))
    monkeypatch.setattr(np.linalg, "eigh", fail)
    rank = epsilon_rank_from_gram(np.kron(np.eye(40), [[2.0, 1.0], [1.0, 2.0]]), 1.5)
    assert (int(rank), rank.route) == (40, "ball")


def test_slightly_asymmetric_gram_is_widened() -> None:
    generator = np.random.default_rng(0)
    gram = np.cov(generator.standard_normal((4, 50)))
    skew = gram + np.triu(1e-12 * np.ones((4, 4)), 1)
    assert epsilon_rank_from_gram(skew, 1e-6).noise_floor >= 1e-12


def test_from_spectrum() -> None:
    assert int(epsilon_rank_from_spectrum([0.25, 1.0, 0.5], 0.25)) == 2
    assert int(epsilon_rank_from_spectrum([1.0, 0.5], 0.5, relative=True)) == 1  # exact rationals
    third = Fraction(1) / 3
    assert int(epsilon_rank_from_spectrum([1.0, 1 / 3], float(third), relative=True)) == 1
    for spectrum in ([], [[1.0]], [np.nan], [-1.0]):
        with pytest.raises(InputError, match="spectrum"):
            epsilon_rank_from_spectrum(spectrum, 1e-6)
    with pytest.raises(InputError, match="error"):
        epsilon_rank_from_spectrum([1.0], 1e-6, error=-1.0)


def test_a_duplicated_neuron_can_raise_the_rank() -> None:
    one = np.array([[0.9e-3]])  # λ = 0.81e-6
    assert int(epsilon_rank(one, 1e-6)) == 0
    assert int(epsilon_rank(np.hstack([one, one]), 1e-6)) == 1
