"""F3 against a general-purpose optimiser, against duality, and at the ends of float64."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy.optimize import minimize

from epsrank.theory.data.inputs import as_features, as_target
from epsrank.theory.data.measure import as_measure
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.reachable import reachable_loss, solve_secular
from epsrank.theory.floor.decomposed.weighting import residual_norm, weighted_problem


def problem_of(features, target, measure="mean", weights=None):
    checked = as_features(np.asarray(features, dtype=float))
    law = as_measure(measure, weights, checked.n_samples)
    return weighted_problem(checked, as_target(target, checked.n_samples), law)


def naive_reachable(features, target, norm):
    """min ‖Φβ − u*‖²/N over the ball, by a general constrained optimiser."""
    n_samples = features.shape[0]
    start = np.linalg.lstsq(features, target, rcond=None)[0]
    start *= min(1.0, 0.9 * norm / np.linalg.norm(start))
    found = minimize(
        lambda b: np.sum((features @ b - target) ** 2) / n_samples,
        start,
        jac=lambda b: 2 * features.T @ (features @ b - target) / n_samples,
        constraints={"type": "ineq", "fun": lambda b: norm**2 - b @ b, "jac": lambda b: -2 * b},
        method="SLSQP",
        options={"ftol": 1e-15, "maxiter": 500},
    )
    return found.fun


@pytest.mark.parametrize("seed", range(12))
def test_agrees_with_a_general_optimiser(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(1, 8))
    features = rng.standard_normal((30, n)) * np.logspace(0, -1, n)
    target = rng.standard_normal(30)
    norm = float(10.0 ** rng.uniform(-2, 1))
    mine = reachable_loss(decompose(problem_of(features, target)), norm)
    assert mine.value == pytest.approx(naive_reachable(features, target, norm), rel=1e-7)


def test_k_outputs_are_one_problem_in_the_frobenius_ball():
    rng = np.random.default_rng(3)
    features, target = rng.standard_normal((25, 4)), rng.standard_normal((25, 3))
    stacked = np.kron(features, np.eye(3)) * np.sqrt(3)  # mean over 75 rows against 25 samples
    joint = reachable_loss(decompose(problem_of(features, target)), 0.7)
    single = reachable_loss(decompose(problem_of(stacked, target.reshape(-1) * np.sqrt(3))), 0.7)
    assert joint.value == pytest.approx(single.value, rel=1e-12)


graded = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 12),
    st.integers(1, 3),
    st.floats(0, 14),
    st.floats(-10, 16),
)


@given(graded)
@example((0, 1, 1, 1, 0.0, 0.0))
@example((1, 3, 9, 2, 14.0, 16.0))
def test_primal_dual_and_attaining_coefficients(case):
    seed, n_samples, n, k, decades, log_norm = case
    rng = np.random.default_rng(seed)
    mixing = np.linalg.qr(rng.standard_normal((n, n)))[0]
    features = (rng.standard_normal((n_samples, n)) * np.logspace(0, -decades, n)) @ mixing
    target = rng.standard_normal((n_samples, k))
    norm = 10.0**log_norm
    problem = problem_of(features, target)
    data = decompose(problem)
    found = reachable_loss(data, norm, with_coefficients=True)
    assert 0 <= found.gap <= 1e-14 * data.unscaled(data.target_norm)
    assert found.attained_norm <= norm * (1 + 1e-15)
    assert np.linalg.norm(found.coefficients) <= norm * (1 + 1e-13)
    # The value is attained: checked on the data, within the derived rounding bound.
    assert residual_norm(problem, found.coefficients) == pytest.approx(
        found.norm, abs=data.tolerance(norm), rel=0
    )
    # No point of the ball does better.
    for _ in range(5):
        other = rng.standard_normal((n, k))
        other *= norm / np.linalg.norm(other) * rng.uniform()
        assert residual_norm(problem, other) >= found.norm - data.tolerance(norm)
    # KKT: Gᵀresidual + μβ = 0 where the ball binds.
    if found.multiplier > 0:
        assert found.attained_norm == pytest.approx(norm, rel=1e-13)


@given(st.integers(0, 2**32 - 1), st.floats(-6, 6), st.floats(0, 3))
def test_value_is_decreasing_and_convex_in_the_norm(seed, log_norm, factor):
    rng = np.random.default_rng(seed)
    data = decompose(problem_of(rng.standard_normal((9, 5)), rng.standard_normal(9)))
    low = 10.0**log_norm
    high = low * (1 + factor)
    values = [reachable_loss(data, b).value for b in (low, (low + high) / 2, high)]
    assert values[0] >= values[1] * (1 - 1e-13)
    assert values[1] >= values[2] * (1 - 1e-13)
    assert values[1] <= (values[0] + values[2]) / 2 * (1 + 1e-12)


def test_ends_of_the_norm():
    rng = np.random.default_rng(0)
    features, target = rng.standard_normal((20, 6)), rng.standard_normal(20)
    data = decompose(problem_of(features, target))
    zero = reachable_loss(data, 0.0)
    assert zero.value == pytest.approx(np.mean(target**2))
    assert zero.multiplier == np.inf
    assert zero.to_json()["multiplier"] is None
    free = reachable_loss(data, np.inf, with_coefficients=True)
    best, rest = np.linalg.lstsq(features, target, rcond=None)[:2]
    assert free.value == pytest.approx(rest[0] / 20, rel=1e-12)
    assert free.multiplier == 0
    np.testing.assert_allclose(free.coefficients[:, 0], best, rtol=1e-10)
    assert reachable_loss(data, 2 * np.linalg.norm(best)).value == free.value


def test_rank_deficient_features_and_least_norm():
    rng = np.random.default_rng(1)
    base = rng.standard_normal((30, 3))
    features = base @ rng.standard_normal((3, 8))
    target = rng.standard_normal(30)
    data = decompose(problem_of(features, target))
    assert data.numerical_rank == 3
    free = reachable_loss(data, np.inf, with_coefficients=True)
    solution = np.linalg.lstsq(base, target, rcond=None)[0]
    assert free.value == pytest.approx(np.mean((base @ solution - target) ** 2), rel=1e-11)
    np.testing.assert_allclose(
        free.coefficients[:, 0], np.linalg.pinv(features, rcond=1e-10) @ target, rtol=1e-8
    )


@pytest.mark.parametrize(
    ("features", "target"),
    [
        (np.zeros((5, 3)), np.ones(5)),
        (np.ones((5, 3)), np.zeros(5)),
        (np.zeros((1, 1)), np.zeros(1)),
        (np.ones((1, 4)), np.ones(1)),
    ],
)
@pytest.mark.parametrize("norm", [0.0, 1e-300, 1.0, 1e300, np.inf])
def test_degenerate_problems(features, target, norm):
    found = reachable_loss(decompose(problem_of(features, target)), norm, with_coefficients=True)
    assert np.isfinite(found.norm)
    assert np.isfinite(found.coefficients).all()
    assert 0 <= found.norm <= np.sqrt(np.mean(target**2)) * (1 + 1e-15)


@pytest.mark.parametrize(
    ("feature_power", "target_power"),
    [(-150, -290), (-150, 0), (-150, 100), (0, -290), (0, 150), (150, -100), (150, 290), (290, 0)],
)
def test_powers_of_ten_cancel(feature_power, target_power):
    rng = np.random.default_rng(5)
    features, target = rng.standard_normal((12, 4)), rng.standard_normal(12)
    plain = reachable_loss(decompose(problem_of(features, target)), 0.4)
    big = 2.0 ** round(feature_power * 3.32), 2.0 ** round(target_power * 3.32)
    norm = 0.4 * big[1] / big[0]
    scaled = reachable_loss(decompose(problem_of(features * big[0], target * big[1])), norm)
    assert scaled.norm / big[1] == plain.norm


@given(
    st.lists(st.tuples(st.floats(-180, 0), st.floats(-180, 3)), min_size=1, max_size=8),
    st.floats(-290, 290),
)
def test_secular_equation_over_enormous_ranges(pairs, log_bound):
    sigma = np.array([10.0**s for s, _ in pairs])
    amplitudes = np.array([10.0**a for _, a in pairs])
    bound = 10.0**log_bound
    point = solve_secular(sigma, amplitudes, bound)
    assert point.norm <= bound * (1 + 1e-15)
    assert (point.residual >= 0).all()
    assert (point.residual <= amplitudes * (1 + 1e-14)).all()
    if point.root > 0:  # the ball binds: the constraint is met to rounding
        assert point.norm == pytest.approx(bound, rel=1e-11)
    assert point.iterations < 120


def test_a_wrong_multiplier_would_be_seen():
    """The dual bound is not met by construction: a shifted root opens a gap."""
    sigma, amplitudes, bound = np.array([1.0, 0.1]), np.array([1.0, 1.0]), 0.5
    right = solve_secular(sigma, amplitudes, bound)
    mu = (right.root * 1.2) ** 2
    steps = sigma * amplitudes / (sigma**2 + mu)
    primal = np.sum((amplitudes - sigma * steps * bound / np.linalg.norm(steps)) ** 2)
    dual = np.sum((amplitudes * mu / (sigma**2 + mu)) ** 2) + mu * (steps @ steps - bound**2)
    value = np.sum(right.residual**2)
    assert dual < value < primal
    assert primal - dual > 1e-3


def test_renders():
    found = reachable_loss(decompose(problem_of(np.eye(3), np.ones(3))), 1.0)
    assert "V(B = 1)" in str(found)
    assert "<span>" in found._repr_html_()
    assert found.to_json()["value"] == pytest.approx(found.value)
