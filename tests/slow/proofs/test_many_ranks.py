"""Thousands of random and adversarial cases: no route ever excludes the exact count."""

from __future__ import annotations

import pytest

from epsrank.proofs.properties import PROPERTIES, search


@pytest.mark.parametrize(
    "name",
    [
        "exact-route-counts-exactly",
        "default-route-is-never-wrong",
        "routes-enclose-the-spectrum",
        "narrow-features-never-give-a-wrong-integer",
        "ties-are-not-counted",
        "gram-matrices-are-counted-right",
    ],
)
def test_no_wrong_interval_in_many_cases(name):
    found = search(PROPERTIES[name], max_examples=3000, seed=2024)
    assert found.counterexample is None, f"{found.counterexample}: {found.case}"
    assert found.tally.examples >= 1000
