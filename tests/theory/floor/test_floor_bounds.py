"""F1, F2 and F5 against literal projections, and the identity of the numbers that they use."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.data.inputs import as_features, as_target
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.decomposed.bounds import (
    envelope,
    epsilon_floor,
    floors,
    rank_budget,
    tail,
)
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.factorisation import (
    backward_error,
    singular_value_decomposition,
)
from epsrank.theory.floor.decomposed.reachable import reachable_loss
from epsrank.theory.floor.decomposed.weighting import residual_norm, weighted_problem


def problem_of(features, target, measure="mean", weights=None):
    checked = as_features(np.asarray(features, dtype=float))
    law = as_measure(measure, weights, checked.n_samples)
    return weighted_problem(checked, as_target(target, checked.n_samples), law)


def weights_of(measure, weights, n_samples):
    """The density of the measure, from its definition."""
    w = np.ones(n_samples) if weights is None else weights
    return w / w.sum() if measure == "mean" else w


def naive_projections(features, target, density):
    """d_p, λ and q_k from the Gram matrix, with P_p applied to functions one ψ_k at a time."""
    gram = features.T @ np.diag(density) @ features
    values, vectors = np.linalg.eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    remainder = np.array(target)
    distances = [np.sqrt(np.sum(density[:, None] * remainder**2))]
    for k in range(features.shape[1]):
        psi = features @ vectors[:, k]
        remainder = remainder - np.outer(psi, (density * psi) @ remainder / values[k])
        distances.append(np.sqrt(np.sum(density[:, None] * remainder**2)))
    return np.array(distances), values, vectors


CASES = [
    ("mean", None),
    ("raw", None),
    ("mean", "random"),
    ("raw", "random"),
    ("volume", "random"),
    ("volume", "with zeros"),
]


@pytest.mark.parametrize(("measure", "kind"), CASES)
@pytest.mark.parametrize("outputs", [1, 3])
def test_distances_floors_and_tail_are_the_literal_ones(measure, kind, outputs):
    rng = np.random.default_rng(7)
    features, target = rng.standard_normal((25, 5)), rng.standard_normal((25, outputs))
    weights = None if kind is None else rng.uniform(0.1, 2, 25)
    if kind == "with zeros":
        weights[::4] = 0
    density = weights_of(measure, weights, 25)
    distances, values, vectors = naive_projections(features, target, density)
    data = decompose(problem_of(features, target, measure, weights))
    np.testing.assert_allclose(data.distances, distances, rtol=1e-10)
    np.testing.assert_allclose(data.spectrum, values, rtol=1e-11)
    norm = 0.3
    naive_floors = np.maximum(distances - np.sqrt(np.append(values, 0)) * norm, 0)
    np.testing.assert_allclose(floors(data, norm), naive_floors, rtol=1e-9, atol=1e-14)
    assert envelope(data, norm) == pytest.approx(naive_floors.max(), rel=1e-10)
    assert epsilon_floor(data, 2, 0.25, norm) == pytest.approx(
        max(distances[2] - 0.5 * norm, 0), rel=1e-10
    )

    coefficients = rng.standard_normal((5, outputs))
    found = tail(data, coefficients)
    network = features @ coefficients
    for p in range(6):
        leading = features @ vectors[:, :p]
        scale = density[:, None]
        if p:
            fit = np.linalg.solve(leading.T @ (scale * leading), leading.T @ (scale * network))
            rest = network - leading @ fit
        else:
            rest = network
        assert found.squares[p] == pytest.approx(np.sum(scale * rest**2), rel=1e-9, abs=1e-25)
        bound = np.append(values, 0)[p] * np.sum(coefficients**2)
        assert found.bounds[p] ** 2 == pytest.approx(bound, rel=1e-9)
        assert found.squares[p] <= found.bounds[p] ** 2 * (1 + 1e-12)


cases = st.tuples(
    st.integers(0, 2**32 - 1),
    st.integers(1, 10),
    st.integers(1, 10),
    st.integers(1, 3),
    st.floats(0, 12),
    st.floats(-8, 8),
    st.sampled_from(["generic", "duplicated", "zero features", "zero target", "fitted"]),
    st.sampled_from([1.0, 1e150, 1e-150, 1e200]),
)


def instance(case):
    seed, n_samples, n, k, decades, log_norm, kind, scale = case
    rng = np.random.default_rng(seed)
    features = rng.standard_normal((n_samples, n)) * np.logspace(0, -decades, n)
    features = features @ np.linalg.qr(rng.standard_normal((n, n)))[0]
    coefficients = rng.standard_normal((n, k))
    coefficients *= 10.0**log_norm / np.linalg.norm(coefficients)
    target = rng.standard_normal((n_samples, k))
    if kind == "duplicated":
        features[:, -1] = features[:, 0]
    elif kind == "zero features":
        features[:] = 0
    elif kind == "zero target":
        target[:] = 0
    elif kind == "fitted":
        target = features @ coefficients
    return features * scale, target, coefficients / scale


@given(cases)
def test_every_floor_lies_below_every_loss(case):
    features, target, coefficients = instance(case)
    problem = problem_of(features, target)
    data = decompose(problem)
    norm = float(np.linalg.norm(coefficients / np.abs(coefficients).max())) * float(
        np.abs(coefficients).max()
    )
    loss = residual_norm(problem, coefficients)
    allowed = data.tolerance(norm)
    assert (floors(data, norm) <= loss + allowed).all()
    value = reachable_loss(data, norm)
    assert value.norm <= loss + allowed
    assert envelope(data, norm) <= value.norm + data.evaluation_tolerance
    assert data.distances.shape == (features.shape[1] + 1,)
    assert (np.diff(data.distances) <= 0).all()
    cut = tail(data, coefficients)
    assert (cut.norms <= cut.bounds * (1 + 1e-12) + allowed).all()


@given(cases, st.floats(-12, 0))
def test_the_rank_budget_is_the_literal_minimum_and_is_necessary(case, log_eps):
    features, target, coefficients = instance((*case[:7], 1.0))
    problem = problem_of(features, target)
    data = decompose(problem)
    norm, eps = float(np.linalg.norm(coefficients)), 10.0**log_eps
    loss = residual_norm(problem, coefficients) ** 2
    (entry,) = rank_budget(data, norm, eps, [loss])
    reached = [
        p
        for p in range(features.shape[1] + 1)
        if data.distances[p] <= np.sqrt(loss) + np.sqrt(eps) * norm
    ]
    assert entry.nominal == (min(reached) if reached else None)
    # The loss was attained with this norm, so the ε-rank is at least the budget (F5).
    singular = np.linalg.svd(features / np.sqrt(features.shape[0]), compute_uv=False)
    assert entry.rank is not None
    unresolved = 1e-14 * singular.max()
    assert entry.rank <= np.count_nonzero(singular > np.sqrt(eps) * (1 - 1e-9) - unresolved)


def test_the_rank_budget_knows_what_is_out_of_reach():
    data = decompose(problem_of(np.eye(4)[:, :2], np.ones(4), "raw"))
    budgets = rank_budget(data, 10.0, 1e-12, [1.9, 2.0, 3.0, 4.0, np.inf])
    assert [b.rank for b in budgets] == [None, 2, 1, 0, 0]
    assert "out of reach" in str(budgets[0])
    assert "≥ 2" in str(budgets[1])
    assert budgets[-1].to_json() == {"loss": None, "rank": 0}
    assert [b.rank for b in rank_budget(data, np.inf, 1e-12, [0.0])] == [0]
    for bad in (-1.0, np.nan, "x"):
        with pytest.raises(InputError, match="losses"):
            rank_budget(data, 1.0, 1e-6, [bad])


def test_zero_directions_do_not_widen_the_span():
    """ψ_k = 0 for λ_k = 0: the arbitrary left vector of LAPACK must not fit the target."""
    rng = np.random.default_rng(2)
    features = np.repeat(rng.standard_normal((40, 2)), 3, axis=1)
    target = rng.standard_normal(40)
    data = decompose(problem_of(features, target))
    rest = np.linalg.lstsq(features[:, ::3], target, rcond=None)[1][0]
    assert data.numerical_rank == 2
    np.testing.assert_allclose(data.distances[2:], np.sqrt(rest / 40), rtol=1e-12)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (5, 1), (4, 4), (60, 3), (3, 60)])
def test_floors_at_infinite_norm_keep_only_what_no_coefficient_reaches(shape):
    rng = np.random.default_rng(1)
    data = decompose(problem_of(rng.standard_normal(shape), rng.standard_normal(shape[0])))
    values = floors(data, np.inf)
    assert (values[: data.numerical_rank] == 0).all()
    np.testing.assert_array_equal(values[data.numerical_rank :], data.distances[-1])
    assert envelope(data, np.inf) == data.distances[-1]


def test_the_error_bound_covers_a_reference_in_longer_precision():
    """c and d_p of an ill-conditioned problem against 60-digit arithmetic."""
    mpmath = pytest.importorskip("mpmath")
    rng = np.random.default_rng(4)
    features = rng.standard_normal((8, 3)) @ np.diag([1, 1e-5, 1e-9])
    target = rng.standard_normal(8)
    data = decompose(problem_of(features, target, "raw"))
    with mpmath.workdps(60):
        exact = mpmath.matrix(features.tolist())
        goal = mpmath.matrix(target.tolist())
        _, values, _ = mpmath.svd_r(exact)
        solution = mpmath.lu_solve(exact, goal)
        outside = mpmath.norm(exact * solution - goal)
        assert abs(data.distances[-1] - float(outside)) <= data.tolerance(np.inf)
        for k in range(3):
            error = abs(data.singular_values[k] - float(values[k]))
            assert error <= np.ldexp(data.error.singular_values, data.feature_exponent)
    assert 0 < data.tolerance(1.0) < 1e-12


def test_lapack_failures_fall_through_to_the_next_driver(monkeypatch):
    import epsrank.theory.floor.decomposed.factorisation as module

    matrix = np.random.default_rng(0).standard_normal((9, 4))
    right = singular_value_decomposition(matrix)
    original, seen = module.scipy.linalg.svd, []

    def failing(*args, lapack_driver, **kwargs):
        seen.append(lapack_driver)
        if len(seen) <= limit:
            raise np.linalg.LinAlgError("SVD did not converge")
        return original(*args, lapack_driver=lapack_driver, **kwargs)

    monkeypatch.setattr(module.scipy.linalg, "svd", failing)
    for limit in (1, 2, 3):
        seen.clear()
        left, sigma, basis = singular_value_decomposition(matrix)
        np.testing.assert_allclose(sigma, right[1], rtol=1e-13)
        np.testing.assert_allclose(left * sigma @ basis.T, matrix, atol=1e-13)
        assert len(seen) == limit + 1
    limit = 99
    with pytest.raises(InputError, match="features"):
        singular_value_decomposition(matrix)


def test_a_wrong_factor_widens_the_bound():
    """The backward error is measured: a decomposition that is not one is not believed."""
    matrix = np.random.default_rng(0).standard_normal((9, 4))
    left, sigma, right = singular_value_decomposition(matrix)
    good = backward_error(matrix, left, sigma, right)[0]
    for wrong in (
        (left * 1.001, sigma, right),
        (left, sigma + 1e-3, right),
        (left, sigma, right[:, ::-1]),
    ):
        assert backward_error(matrix, *wrong)[0] > 1e9 * good
