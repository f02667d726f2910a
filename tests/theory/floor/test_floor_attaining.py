"""F4: equality, confirmed in rational arithmetic and met by the float64 route."""

import dataclasses
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from epsrank.theory.data.inputs import as_features, as_target
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.attaining import attaining_family
from epsrank.theory.floor.chain import check_chain
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.weighting import weighted_problem
from epsrank.theory.floor.loss_floor import floor_of, loss_floor


@st.composite
def families(draw):
    n = draw(st.integers(1, 9))
    p = draw(st.integers(0, n - 1))
    eps = 10.0 ** draw(st.floats(-12, 2))
    norm = draw(st.one_of(st.just(0.0), st.floats(1e-200, 100)))
    alpha = np.sqrt(eps) * (norm + draw(st.floats(0, 50))) * (1 + 1e-12)
    samples = draw(st.one_of(st.none(), st.integers(p + 1, 14)))
    return attaining_family(n, p, eps, norm, alpha, samples, generator=draw(st.integers(0, 99)))


@given(families())
def test_equality_is_exact(family):
    found = family.verify()
    assert found.holds
    assert found.norm_square == Fraction(family.norm) ** 2
    assert float(found.distance_square) == pytest.approx(family.alpha**2, rel=1e-14)


@given(families())
def test_float64_meets_the_floor(family):
    result = loss_floor(
        family.features,
        family.target,
        eps=family.eps,
        coefficients=family.coefficients,
        weights=family.weights,
        measure="raw",
    )
    assert check_chain(result).holds
    assert (result.rank.lower, result.rank.upper) == (family.rank, family.rank)
    for value in (result.floor_norm, result.envelope_norm, result.reachable_norm, result.loss_norm):
        assert value == pytest.approx(family.floor_norm, abs=2 * result.tolerance, rel=1e-9)


@pytest.mark.parametrize(("n", "p", "samples"), [(6, 0, 40), (6, 3, 6), (20, 12, 15)])
def test_the_dense_variant_attains_the_envelope(n, p, samples):
    family = attaining_family(n, p, 1e-6, 2.0, 0.05, samples, exact=False, generator=3)
    checked = as_features(family.features)
    law = as_measure("raw", None, samples)
    data = decompose(weighted_problem(checked, as_target(family.target, samples), law))
    result = floor_of(data, eps=1e-6, norm=2.0)
    assert result.rank.lower <= p <= result.rank.upper
    assert result.envelope_norm == pytest.approx(0.048, rel=1e-11)
    assert result.reachable_norm == pytest.approx(0.048, rel=1e-11)


@pytest.mark.parametrize(
    "fault",
    ["features", "weights", "target", "coefficients", "eps"],
)
def test_exact_arithmetic_sees_one_changed_bit(fault):
    family = attaining_family(5, 2, 1e-6, 3.0, 0.01, generator=0)
    value = getattr(family, fault)
    if fault == "eps":
        changed = np.nextafter(value, 1)
    else:
        changed = value.copy()
        # A target with another value at sample p + 1 attains the floor too; elsewhere it does not.
        where = np.flatnonzero(changed.ravel() == 0 if fault == "target" else changed.ravel())[0]
        changed.ravel()[where] = np.nextafter(changed.ravel()[where], np.inf)
    assert family.verify().holds
    assert not dataclasses.replace(family, **{fault: changed}).verify().holds


def test_seeds_reproduce_and_arguments_are_checked():
    first = attaining_family(7, 3, 1e-3, 1.0, 1.0, 12, generator=5)
    second = attaining_family(7, 3, 1e-3, 1.0, 1.0, 12, generator=np.random.default_rng(5))
    np.testing.assert_array_equal(first.features, second.features)
    np.testing.assert_array_equal(first.weights, second.weights)
    assert Measure("raw", 12, first.weights).weight_sum == sum(map(Fraction, first.eigenvalues))
    for arguments in (
        (3, 3, 1e-3, 1.0, 1.0),
        (3, -1, 1e-3, 1.0, 1.0),
        (3, 1, 0.0, 1.0, 1.0),
        (3, 1, 1e-2, 20.0, 1.0),
        (3, 1, 1e-2, np.inf, 1.0),
        (3, 1, 1e-2, 1.0, np.nan),
        (3, 2, 1e-2, 1.0, 1.0, 2),
        # Found by search: a quarter of a subnormal B is not exact.
        (4, 0, 1.0, 5e-324, 5e-324),
        (4, 0, 1e-310, 1.0, 1.0),
    ):
        with pytest.raises(InputError):
            attaining_family(*arguments)
