"""The interval of the population ε-rank: its parts, its guarantee, and awkward input."""

from __future__ import annotations

import math

import numpy as np
import pytest

from epsrank.proofs.instances.populations import populations, unseen
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.rounding import upward
from epsrank.theory.sampling import population_rank
from epsrank.theory.sampling.plain import plain_deviation
from epsrank.theory.sampling.thresholds import separating_samples
from epsrank.theory.sampling.whitening import chernoff_lower, whitening

X = np.random.default_rng(0).uniform(-1, 1, 3000)
NETWORK = DenseNetwork("tanh", (np.linspace(1, 3, 10)[:, None],), (np.linspace(-1, 1, 10),))
PHI = NETWORK.features(X)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(200)
ROOT = NETWORK.features(NODES) * np.sqrt(WEIGHTS / 2)[:, None]
SPECTRUM = np.linalg.eigvalsh(ROOT.T @ ROOT)[::-1]


def _true_rank(eps):
    return int((eps < SPECTRUM).sum())


@pytest.mark.parametrize("eps", [1e-1, 1e-3, 1e-4])
def test_a_certified_domain_gives_a_guarantee(eps):
    found = population_rank(PHI, eps, network=NETWORK, domain=(-1, 1), resamples=20)
    assert found.guaranteed
    assert found.status == "guaranteed"
    assert _true_rank(eps) in found
    assert found.certain_lower <= _true_rank(eps)
    assert found.threshold_upper < eps < found.threshold_lower


def test_certified_leverage_bounds_the_true_one():
    found = population_rank(PHI, 1e-3, network=NETWORK, domain=(-1, 1), resamples=0)
    gram = ROOT.T @ ROOT + found.ridge * np.eye(10)
    grid = NETWORK.features(np.linspace(-1, 1, 2000))
    true = np.einsum("ij,ji->i", grid, np.linalg.solve(gram, grid.T)).max()
    assert true <= found.leverage <= 6 * true


def test_without_knowledge_it_is_an_estimate_and_says_so():
    found = population_rank(PHI, 1e-3)
    assert not found.guaranteed
    assert "not guaranteed" in str(found)
    assert found.to_json()["status"] == "estimated, not guaranteed"
    assert found.to_json()["bootstrap"]["guaranteed"] is False
    assert not found.plain.guaranteed


def test_plain_bernstein_is_vacuous_where_the_relative_bound_is_not():
    found = population_rank(PHI, 1e-3, network=NETWORK, domain=(-1, 1), resamples=0)
    assert found.plain.vacuous
    assert found.plain.upper == 10
    assert found.upper < 10
    assert found.plain.lower <= found.lower
    large = population_rank(PHI, 5.0, envelope=10.0, resamples=0)
    assert not large.plain.vacuous
    assert large.plain.guaranteed


def test_plain_deviation_solves_its_equation():
    t = plain_deviation(3.0, 2.0, 500, 7, 0.05)
    b = 3.0 * math.log(2 * 7 / 0.05) / 500
    assert t == pytest.approx(b / 3 + math.sqrt(b * b / 9 + 2 * b * (2.0 + t)))


def test_a_rare_direction_defeats_estimates_but_not_what_is_guaranteed():
    law = unseen(400)
    random = np.random.default_rng(5)
    wrong = 0
    for _ in range(10):
        features = law.draw(random, 400)
        known, blind = law.ask(features, 0.95), law.ask(features, 0.95, known=False)
        assert 3 in known
        assert known.certain_lower <= 3
        assert blind.certain_lower <= 3
        wrong += 3 not in blind
    assert wrong >= 5


def test_more_samples_narrow_the_interval_to_one_number():
    law = next(law for law in populations() if law.name.startswith("rare"))
    random = np.random.default_rng(6)
    first = law.ask(law.draw(random, 500), 0.95)
    assert first.separating_samples is not None
    second = law.ask(law.draw(random, 2 * first.separating_samples), 0.95)
    assert second.lower == second.upper == law.rank()


def test_separation_is_impossible_at_an_eigenvalue():
    spectrum = np.array([1.0, 1e-3])
    assert separating_samples(spectrum, 1e-3, 2.5e-4, 10.0, 0.025, rank=1) is None
    assert separating_samples(spectrum, 0.1, 0.025, math.inf, 0.025, rank=1) is None
    near = separating_samples(spectrum, 0.9e-3, 2e-4, 10.0, 0.025, rank=2)
    far = separating_samples(spectrum, 1e-1, 2e-2, 10.0, 0.025, rank=1)
    assert near is not None
    assert far is not None
    assert near > far


def test_chernoff_inverts_its_bound():
    p = chernoff_lower(0.8, 50.0, 0.01)
    assert 50.0 * (0.8 * math.log(0.8 / p) - 0.8 + p) == pytest.approx(math.log(100), rel=1e-6)
    assert chernoff_lower(0.0, 50.0, 0.01) == 0
    random = np.random.default_rng(1)
    # Bernoulli means in units of κ̂ = 1: p(observed) exceeds the true mean in at most 5 %.
    means = random.binomial(60, 0.3, 4000) / 60
    assert np.mean([chernoff_lower(q, 60.0, 0.05) > 0.3 for q in means]) <= 0.05


def test_the_smallest_eigenvalue_is_a_lower_bound():
    white = whitening(PHI[::2], 1e-4)
    exact = white.matrix.T @ (PHI[1::2].T @ PHI[1::2] / 1500 + 1e-4 * np.eye(10)) @ white.matrix
    least = np.linalg.eigvalsh((exact + exact.T) / 2)[0]
    assert 0.9 * least < white.smallest_eigenvalue(PHI[1::2]) <= upward(least)


@pytest.mark.parametrize("make", [np.zeros, np.ones])
def test_degenerate_features(make):
    found = population_rank(make((50, 3)), 1e-3, resamples=10)
    assert found.lower <= int(make is np.ones) <= found.upper
    assert found.certain_lower <= int(make is np.ones)


def test_float32_and_repetition():
    first = population_rank(PHI.astype(np.float32), 1e-3, network=NETWORK, domain=[(-1, 1)])
    again = population_rank(PHI.astype(np.float32), 1e-3, network=NETWORK, domain=[(-1, 1)])
    assert first == again
    assert first.dtype == "float32"
    assert _true_rank(1e-3) in first


def test_tiny_thresholds_and_samples_end_in_wide_intervals():
    found = population_rank(PHI[:8], 1e-12, network=NETWORK, domain=[(-1, 1)], resamples=5)
    assert (found.lower, found.upper) == (0, 10)
    assert found.separating_samples is None or found.separating_samples > 8
    assert found.to_json()["threshold_lower"] is None or found.threshold_lower > 1e-12


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"confidence": 1.0}, "confidence is 1"),
        ({"confidence": "high"}, "confidence"),
        ({"network": NETWORK}, "without a domain"),
        ({"domain": (-1, 1)}, "without a network"),
        ({"network": NETWORK, "domain": (-1, 1), "leverage": 3.0}, "beside a domain"),
        ({"leverage": -1.0}, "leverage"),
        ({"ridge": 0.0}, "ridge"),
        ({"network": NETWORK, "domain": (1, -1)}, "domain"),
    ],
)
def test_arguments_that_do_not_fit(arguments, words):
    with pytest.raises(InputError, match=words):
        population_rank(PHI, 1e-3, **arguments)


def test_features_that_do_not_fit():
    with pytest.raises(InputError, match="2 rows"):
        population_rank(PHI[:2], 1e-3)
    with pytest.raises(InputError, match="10 neurons"):
        population_rank(PHI[:, :4], 1e-3, network=NETWORK, domain=(-1, 1))
    with pytest.raises(InputError, match="overflow"):
        population_rank(np.full((10, 2), 1e200), 1e-3)


def test_bounds_that_the_sample_contradicts_are_refused():
    features = np.random.default_rng(0).normal(size=(400, 6))
    for kappa in (1e-9, 3.0):
        with pytest.raises(
            InputError, match=r"leverage is .*the sample itself shows an ε-rank of 6"
        ):
            population_rank(features, 1e-3, leverage=kappa, resamples=0)
    found = population_rank(features, 1e-3, leverage=20.0, resamples=0)
    assert found.certain_lower <= found.upper
    with pytest.raises(InputError, match="envelope is 1, but a sample has"):
        population_rank(features, 1e-3, envelope=1.0, resamples=0)
