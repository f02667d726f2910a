"""Ranks at the ends of float64: an interval may be wide there, but never wrong."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.data.weighted import weighted_features
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.routes.svd import _enclose, svd_enclosure

hostile = st.sampled_from([0.0, 1.0, -1.0, 5e-324, 1e-308, -1e-160, 1e160, 1e308, -1.7e308])

# Found by search: the largest feature has weight 0, and scaled by it all others vanished.
FEATURES = np.array([[0.0, 0.0], [0.0, 1e160], [0.0, 1e308], [0.0, 0.0]])
WEIGHTS = np.array([0.0, 1.0, 0.0, 1e160])


@pytest.mark.parametrize("measure", ["mean", "raw"])
@pytest.mark.parametrize("eps", [5e-324, 1e-300, 1.0])
def test_a_feature_of_weight_0_hides_no_other(measure: str, eps: float) -> None:
    found = epsilon_rank(FEATURES, eps, weights=WEIGHTS, measure=measure)
    assert (found.lower, found.upper) == (1, 1)


@pytest.mark.parametrize(
    ("features", "weights", "eps", "rank"),
    [
        (
            [[1e-308, 0.0], [-1.0, -1e-160], [1.0, -1.0], [0.0, 1e308]],
            [0, 0, 1e160, 5e-324],
            1e-6,
            2,
        ),
        ([[1e308, 1e-308, 0.0], [-1e-160, 1e-308, -1.0]], [1e-308, 1e308], 1e-6, 2),
        ([[0.0, 1.0], [1e308, 0.0]], [1e160, 5e-324], 1e-6, 2),
    ],
)
def test_a_weight_that_vanishes_where_features_are_enormous(features, weights, eps, rank) -> None:
    """Found by search: scaled by the largest weight, the smallest one was 0."""
    found = epsilon_rank(features, eps, weights=weights)
    assert (found.lower, found.upper) == (rank, rank)
    assert int(epsilon_rank(features, eps, weights=weights, exact=True)) == rank


def test_squares_that_vanish_are_not_0() -> None:
    # λ_1 = 2^-1100 of exact features: no float64 is as small, and 0 is no upper bound.
    for images in (np.full((1, 1), 2.0**-550), np.full((4, 2), 2.0**-550)):
        found = _enclose(images, 0.0, 0.0)
        exact = Fraction(2) ** -1100 * images.size
        assert Fraction(float(found.upper[0])) >= exact
        assert Fraction(float(found.lower[0])) <= exact


def test_rows_of_weight_0_do_not_decide_the_scale() -> None:
    law = as_measure("mean", WEIGHTS, 4)
    weighted = weighted_features(as_features(FEATURES), law)
    assert np.abs(weighted.weighted()).max() > 2.0**-400
    enclosure = svd_enclosure(weighted)
    assert enclosure is not None
    assert enclosure.lower[0] > 0


@given(st.data(), st.integers(1, 4), st.integers(1, 3), st.sampled_from([5e-324, 1e-300, 1.0]))
@example(None, 4, 2, 5e-324)
def test_the_float_routes_contain_the_exact_count(data, n_samples, n, eps) -> None:
    features, weights = FEATURES, WEIGHTS
    if data is not None:

        def draw(*shape: int):
            size = int(np.prod(shape))
            return np.reshape(data.draw(st.lists(hostile, min_size=size, max_size=size)), shape)

        features, weights = draw(n_samples, n), np.abs(draw(n_samples))
        weights[0] = weights[0] or 1.0
    exact = epsilon_rank(features, eps, weights=weights, exact=True)
    found = epsilon_rank(features, eps, weights=weights)
    assert exact.resolved
    assert found.lower <= exact.lower <= found.upper


@pytest.mark.parametrize("exponent", [0, -1000, -1040, -1060])
def test_storage_contains_the_rank_of_what_was_rounded_to_subnormals(exponent: int) -> None:
    """Three directions, whose numbers lose digits where float64 ends: the unrounded rank is 3."""
    rng = np.random.default_rng(0)
    features = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 5))
    found = epsilon_rank(np.ldexp(features, exponent), 1e-14, relative=True)
    lower, upper = found.storage
    assert lower <= 3 <= upper
    assert (lower, upper) == ((3, 3) if exponent > -1060 else (3, 5))
