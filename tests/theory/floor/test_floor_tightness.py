"""How far V(B) lies above the envelope: close on many data, without any bound in general."""

import numpy as np
import pytest

from epsrank.theory.data.inputs import as_features, as_target
from epsrank.theory.data.measure import as_measure
from epsrank.theory.floor.certified.certificate import certify_chain
from epsrank.theory.floor.decomposed.bounds import envelope, floors
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.reachable import reachable_loss
from epsrank.theory.floor.decomposed.weighting import weighted_problem
from epsrank.theory.floor.loss_floor import loss_floor


def decomposed(features, target, measure="mean"):
    n_samples = features.shape[0]
    return decompose(
        weighted_problem(
            as_features(features),
            as_target(target, n_samples),
            as_measure(measure, None, n_samples),
        )
    )


def test_every_floor_can_vanish_where_v_does_not():
    """σ = (1, ½), u* = (101, 26), B = 50√5: V = 2 (at β = (100, 50)) and floor_p = 0 for all p.

    So V/envelope² has no upper bound: each floor spends the whole norm in one direction.
    """
    norm = 50 * np.sqrt(5)
    data = decomposed(np.diag([1.0, 0.5]), np.array([101.0, 26.0]), "raw")
    found = reachable_loss(data, norm, with_coefficients=True)
    assert found.value == pytest.approx(2.0, rel=1e-10)
    np.testing.assert_allclose(found.coefficients[:, 0], [100.0, 50.0], rtol=1e-12)
    assert (floors(data, norm) == 0).all()


def ratios(family, count):
    rng = np.random.default_rng(0)
    for _ in range(count):
        features, target, norm = family(rng)
        data = decomposed(features, target)
        yield (reachable_loss(data, norm).norm / envelope(data, norm)) ** 2


def graded_features_noise_target(rng):
    n = int(rng.integers(2, 20))
    n_samples = int(rng.integers(n + 1, 80))
    mixing = np.linalg.qr(rng.standard_normal((n, n)))[0]
    features = rng.standard_normal((n_samples, n)) * np.logspace(0, -rng.uniform(1, 8), n)
    return features @ mixing, rng.standard_normal(n_samples), 10.0 ** rng.uniform(-2, 2)


def graded_features_planted_target(rng):
    features, noise, _ = graded_features_noise_target(rng)
    beta = rng.standard_normal(features.shape[1])
    return features, features @ beta + 0.1 * noise, np.linalg.norm(beta) * rng.uniform(0.1, 1)


def test_the_envelope_is_near_v_for_noise_and_need_not_be_for_planted_targets():
    """Recorded: noise targets 1.03 (median); planted targets 1.13 (median), maximum beyond 5."""
    noise = list(ratios(graded_features_noise_target, 300))
    planted = list(ratios(graded_features_planted_target, 300))
    assert min(noise + planted) >= 1 - 1e-12
    assert 1.01 < np.median(noise) < 1.06
    assert 1.05 < np.median(planted) < 1.3
    assert max(planted) > 5


def test_directions_below_rounding_leave_an_upper_bound_of_d_n():
    """Nearly linear neurons: float64 resolves 11 of 12 directions, exact arithmetic all."""
    rng = np.random.default_rng(0)
    x = np.linspace(-1, 1, 25)
    features = np.tanh(0.3 * np.outer(x, rng.standard_normal(12)) + 0.3 * rng.standard_normal(12))
    target = np.cos(8 * x)
    data = decomposed(features, target)
    assert data.numerical_rank < 12
    attained = reachable_loss(data, np.inf).attained_norm
    proved = certify_chain(features, target, np.zeros(12), 1e-6)
    exact = float(proved.distances_squared[-1].upper) ** 0.5
    assert exact < 0.9 * data.distances[-1]
    assert exact <= data.distances[-1] + data.tolerance(attained)
    # Without a bound on the coefficients nothing is claimed beyond 0 ≤ d_n ≤ ‖u*‖.
    assert data.tolerance(np.inf) >= data.distances[-1] - exact


@pytest.mark.parametrize("seed", range(8))
def test_float64_agrees_with_certified_enclosures_within_the_tolerance(seed):
    rng = np.random.default_rng(seed)
    n_samples, n, k = int(rng.integers(1, 16)), int(rng.integers(1, 8)), int(rng.integers(1, 3))
    mixing = np.linalg.qr(rng.standard_normal((n, n)))[0]
    features = (rng.standard_normal((n_samples, n)) * np.logspace(0, -6, n)) @ mixing
    coefficients = rng.standard_normal((n, k)) * 10.0 ** rng.uniform(-3, 4)
    target = features @ coefficients if seed % 3 == 0 else rng.standard_normal((n_samples, k))
    weights = rng.uniform(0, 1, n_samples) if seed % 2 else None
    result = loss_floor(features, target, eps=1e-6, coefficients=coefficients, weights=weights)
    proved = certify_chain(features, target, coefficients, 1e-6, weights=weights)
    for mine, low, high in (
        (result.loss_norm, proved.loss, proved.loss),
        (result.reachable_norm, proved.reachable.lower, proved.reachable.upper),
        (result.envelope_norm, proved.envelope.lower, proved.envelope.upper),
    ):
        assert mine >= float(low) ** 0.5 - result.tolerance
        assert mine <= float(high) ** 0.5 + result.tolerance
