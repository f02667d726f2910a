"""The strategies keep what they promise: exact spectra, exact mixings, finite awkward features."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import Phase, find, given, settings
from hypothesis import strategies as st

from epsrank.proofs.exact import oracle
from epsrank.proofs.strategies import (
    FLAVOURS,
    dyadic_orthogonal,
    exact_mixings,
    feature_matrices,
    floor_cases,
    gram_matrices,
    hadamard,
    integer_invertible,
    known_spectra,
    narrow_features,
    rank_cases,
    sample_weights,
)


@given(known_spectra())
def test_the_prescribed_spectrum_is_the_spectrum(known):
    gram = oracle.exact_gram(known.features)
    vectors = oracle.rational(known.eigenvectors)
    images = oracle.product(gram, vectors)
    for row, image in zip(vectors, images, strict=True):
        expected = [v * value for v, value in zip(row, known.eigenvalues, strict=True)]
        assert image == expected
    assert list(known.eigenvalues) == sorted(known.eigenvalues, reverse=True)


@given(gram_matrices())
def test_gram_matrices_have_the_eigenvalues_they_state(case):
    gram, eigenvalues = case
    exact = oracle.rational(gram)
    for value in set(eigenvalues):
        assert oracle.inertia(oracle.shifted(exact, value))[2] == eigenvalues.count(value)


@given(st.integers(1, 9).flatmap(dyadic_orthogonal))
def test_orthogonal_mixings_are_exactly_orthogonal(mixing):
    exact = oracle.rational(mixing)
    identity = oracle.rational(np.eye(len(mixing)))
    assert oracle.product(oracle.transpose(exact), exact) == identity


@given(st.integers(1, 5).flatmap(exact_mixings))
def test_singular_values_of_mixings_are_exact(case):
    mixing, low, high = case
    gram = oracle.exact_gram(mixing)
    assert oracle.inertia(oracle.shifted(gram, Fraction(low) ** 2))[1] == 0
    assert oracle.inertia(oracle.shifted(gram, Fraction(high) ** 2))[0] == 0


@given(st.integers(1, 5).flatmap(integer_invertible))
def test_integer_mixings_are_invertible(mixing):
    assert oracle.exact_rank(mixing, 0) == len(mixing)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_every_flavour_is_finite_and_of_the_size_asked(flavour):
    @settings(max_examples=10)
    @given(feature_matrices(5, 4, flavours=(flavour,)))
    def check(features):
        assert features.ndim == 2
        assert features.size > 0
        assert np.isfinite(features).all()
        assert features.shape[1] <= 4

    check()


@given(narrow_features("bfloat16"))
def test_bfloat16_features_have_eight_bits(features):
    assert not (features.view(np.uint32) & 0xFFFF).any()


@given(st.integers(1, 6).flatmap(sample_weights))
def test_weights_are_usable(weights):
    assert (weights >= 0).all()
    assert weights.sum() > 0


@given(rank_cases(), floor_cases())
def test_cases_fit_together(rank, floor):
    assert rank.eps > 0
    assert np.isfinite(rank.eps)
    assert floor.target.shape[0] == floor.features.shape[0]
    assert floor.coefficients.shape == (floor.features.shape[1], floor.target.shape[1])


@pytest.mark.parametrize(
    ("name", "reaches"),
    [
        ("duplicated neurons", lambda f: len(np.unique(f, axis=1).T) < f.shape[1]),
        ("a zero neuron", lambda f: bool((f == 0).all(axis=0).any() and (f != 0).any())),
        ("squares beyond 1e299", lambda f: float(np.abs(f).max()) >= 1e150),
        ("entries of 1e-30", lambda f: bool(((np.abs(f) > 0) & (np.abs(f) < 1e-29)).any())),
        ("float16", lambda f: f.dtype == np.float16),
    ],
)
def test_awkward_features_are_reached(name, reaches):
    # Without shrinking: that they are found is what counts.
    searching = settings(max_examples=2000, phases=[Phase.generate], database=None)
    assert find(feature_matrices(), reaches, settings=searching) is not None, name


@pytest.mark.parametrize("order", [0, 3, 12, -4])
def test_hadamard_refuses_other_orders(order):
    with pytest.raises(ValueError, match="power of two"):
        hadamard(order)
