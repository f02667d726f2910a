"""Certificates of wide layers and of rounded Gram matrices: right, and refused once changed."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from epsrank.proofs.formal.wide_certificate import (
    certify_gram_rank,
    certify_wide_rank,
)
from epsrank.theory import epsilon_rank
from epsrank.theory.errors import InputError

from .measurements import changed, waves

BOTH = pytest.mark.parametrize("certify", [certify_wide_rank, certify_gram_rank])


@BOTH
@pytest.mark.parametrize("measure", ["mean", "raw"])
def test_the_certified_rank_is_the_exact_count(certify, measure):
    features = waves(20, 7)
    weights = None if measure == "raw" else np.random.default_rng(1).random(20)
    for eps in (1e-12, 0.1, 100.0, Fraction(1, 10**6)):
        found = certify(features, eps, weights=weights, measure=measure)
        exact = epsilon_rank(features, float(eps), weights=weights, measure=measure, exact=True)
        assert found.rank == int(exact)
        assert found.accepted()


@BOTH
def test_magnitudes_and_shapes_far_from_one(certify):
    for scale in (1e-150, 1e150):
        found = certify(waves(20, 4) * scale, Fraction(1e-6) * Fraction(scale) ** 2)
        assert found.rank == certify(waves(20, 4), 1e-6).rank
    assert certify(np.zeros((4, 3)), 1e-6).rank == 0
    assert certify(waves(5, 9), 1e-6).rank <= 5


@BOTH
def test_an_eigenvalue_as_threshold_has_no_certificate(certify):
    with pytest.raises(InputError, match="too near an eigenvalue"):
        certify(np.eye(3)[:, :2], 1.0, measure="raw")


@BOTH
def test_faults_are_refused(certify):
    good = certify(waves(30, 9), 1e-4)
    factors, largest = good.brackets, 1 << good.bits
    below, above = factors.below, factors.above
    for bad in (
        replace(factors, rank=factors.rank + 1),
        replace(factors, rank=factors.rank - 1),
        replace(factors, exponent=factors.exponent + 1),
        replace(factors, below=above),
        replace(factors, above=below),
        replace(factors, below=replace(below, signs=tuple(not s for s in below.signs))),
        replace(
            factors, above=replace(above, rows=changed(above.rows, 2, 0, lambda x: x + largest))
        ),
        replace(factors, above=replace(above, rows=above.rows[:-1])),
    ):
        assert not replace(good, brackets=bad, rank=bad.rank).accepted()
    assert not replace(good, rank=good.rank + 1).accepted()


def test_a_matrix_that_is_known_too_coarsely_is_refused():
    good = certify_gram_rank(waves(30, 9), 1e-4)
    assert not replace(good, digits=good.digits - 5).accepted()
    assert not replace(good, entries=changed(good.entries, 2, 1, lambda x: x + 1)).accepted()


@BOTH
def test_the_file_for_coq_states_the_rank_and_asks_what_it_assumes(certify):
    found = certify(waves(), 1e-4)
    text = found.to_coq("measured")
    assert f"= {found.rank}%nat" in text
    assert "near_certificate := NearCertificate" in text
    assert text.endswith("Print Assumptions measured.\n")
    assert found.to_json()["below"]["signs"] == list(found.brackets.below.signs)
