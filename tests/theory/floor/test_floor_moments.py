"""The route from moments: the same numbers, within its own and larger bound."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.data.inputs import as_features, as_target
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.chain import check_chain
from epsrank.theory.floor.decomposed.bounds import floors
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.moments import decompose_moments
from epsrank.theory.floor.decomposed.reachable import reachable_loss
from epsrank.theory.floor.decomposed.weighting import residual_norm, weighted_problem
from epsrank.theory.floor.loss_floor import loss_floor, loss_floor_from_moments


def moments_of(features, target):
    """G, b, t of the mean measure, as a stream would sum them."""
    n_samples = features.shape[0]
    target = target.reshape(n_samples, -1)
    return (
        features.T @ features / n_samples,
        features.T @ target / n_samples,
        float(np.sum(target**2)) / n_samples,
    )


def test_agrees_with_the_data_route_where_both_resolve():
    rng = np.random.default_rng(0)
    features, target = rng.standard_normal((80, 5)), rng.standard_normal((80, 2))
    coefficients = rng.standard_normal((5, 2))
    data = loss_floor(features, target, eps=0.5, coefficients=coefficients)
    streamed = loss_floor_from_moments(
        *moments_of(features, target), eps=0.5, coefficients=coefficients, n_samples=80
    )
    assert streamed.route == "moments"
    assert (streamed.rank.lower, streamed.rank.upper) == (data.rank.lower, data.rank.upper)
    for name in ("loss", "reachable", "envelope", "floor", "reachable_unbounded"):
        assert getattr(streamed, name) == pytest.approx(getattr(data, name), rel=1e-10), name
    assert check_chain(streamed).holds
    assert set(streamed.to_json()) == set(data.to_json())
    # The price is in the open: about the root of the other bound.
    assert 1e-9 < streamed.tolerance < 1e-4
    assert data.tolerance < 1e-11


@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 12),
    st.integers(1, 6),
    st.floats(0, 10),
    st.floats(-4, 4),
    st.sampled_from([1.0, 1e70, 1e-70]),
)
def test_the_truth_lies_within_the_bound(seed, n_samples, n, decades, log_norm, scale):
    rng = np.random.default_rng(seed)
    features = (rng.standard_normal((n_samples, n)) * np.logspace(0, -decades, n)) * scale
    target = rng.standard_normal((n_samples, 1)) * scale
    norm = 10.0**log_norm
    law = as_measure("mean", None, n_samples)
    problem = weighted_problem(as_features(features), as_target(target, n_samples), law)
    data = decompose(problem)
    streamed = decompose_moments(*moments_of(features, target), n_samples=n_samples)
    allowed = streamed.tolerance(norm) + data.tolerance(norm)
    exact, found = reachable_loss(data, norm), reachable_loss(streamed, norm)
    assert abs(exact.norm - found.norm) <= allowed
    for _ in range(4):
        other = rng.standard_normal((n, 1))
        other *= norm / np.linalg.norm(other)
        assert residual_norm(problem, other) >= floors(streamed, norm).max() - allowed


def test_perturbed_moments_are_covered_by_the_errors_handed_in():
    rng = np.random.default_rng(3)
    features, target = rng.standard_normal((40, 4)), rng.standard_normal(40)
    gram, cross, square = moments_of(features, target)
    noise = rng.standard_normal((4, 4)) * 1e-4
    noise = (noise + noise.T) / 2
    shift = rng.standard_normal((4, 1)) * 1e-4
    exact = loss_floor(features, target, eps=1e-6, norm=0.5)
    rough = loss_floor_from_moments(
        gram + noise,
        cross + shift,
        square + 1e-4,
        eps=1e-6,
        norm=0.5,
        gram_error=float(np.linalg.norm(noise, 2)),
        cross_error=float(np.linalg.norm(shift)),
        target_error=1e-4,
    )
    assert abs(rough.reachable_norm - exact.reachable_norm) <= rough.tolerance
    assert rough.tolerance < 0.1
    claimed_exact = loss_floor_from_moments(
        gram + noise, cross + shift, square + 1e-4, eps=1e-6, norm=0.5
    )
    assert abs(claimed_exact.reachable_norm - exact.reachable_norm) > claimed_exact.tolerance


def test_degenerate_moments():
    zero = loss_floor_from_moments(np.zeros((3, 3)), np.zeros(3), 2.0, eps=1e-6, norm=1.0)
    assert zero.reachable == pytest.approx(2.0)
    assert zero.rank.upper == 0
    silent = loss_floor_from_moments(np.eye(3), np.zeros(3), 0.0, eps=1e-6, coefficients=np.ones(3))
    assert silent.loss == pytest.approx(3.0)
    assert silent.reachable == 0
    # b outside the range of G cannot come from data: the bound says so instead of the floor.
    odd = loss_floor_from_moments(np.diag([1.0, 0.0]), [0.0, 1.0], 1.0, eps=1e-6, norm=1.0)
    assert odd.tolerance >= 0.9


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ((np.eye(3), np.ones(2), 1.0), "cross"),
        ((np.ones((3, 2)), np.ones(3), 1.0), "gram"),
        ((np.eye(3), np.ones(3), -1.0), "target_square"),
        ((np.eye(3), np.ones(3), np.inf), "target_square"),
        ((-np.eye(3), np.ones(3), 1.0), "gram"),
    ],
)
def test_bad_moments(arguments, match):
    with pytest.raises(InputError, match=match):
        loss_floor_from_moments(*arguments, eps=1e-6, norm=1.0)


def test_bad_options():
    with pytest.raises(InputError, match="neither"):
        loss_floor_from_moments(np.eye(2), np.ones(2), 1.0, eps=1e-6)
    with pytest.raises(InputError, match="outputs"):
        loss_floor_from_moments(np.eye(2), np.ones(2), 1.0, eps=1e-6, coefficients=np.ones((2, 3)))
    with pytest.raises(InputError, match="gram_error"):
        decompose_moments(np.eye(2), np.ones(2), 1.0, gram_error=-1.0)


def test_underflow_of_a_narrow_accumulation_is_part_of_the_bound():
    features = np.full((4, 1), 1e-25, dtype=np.float32)
    target = np.full((4, 1), 1e-25, dtype=np.float32)
    gram, cross = features.T @ features, features.T @ target  # 4e-50 is 0 in float32
    data = decompose_moments(gram, cross, 0.0, accumulated_in="float32", n_samples=4, measure="raw")
    true_loss_at_zero = 4 * float(target[0, 0]) ** 2
    assert data.error.at(0.0) ** 2 >= true_loss_at_zero
