"""Ten thousand cases each: no floor of a PINN or of a Lipschitz loss is ever too high."""

from __future__ import annotations

import pytest

from epsrank.proofs.properties import PROPERTIES, search

CASES = 10_000


@pytest.mark.parametrize(
    "name",
    [
        "operator-loss-is-a-norm-above-its-floor",
        "operator-features-are-the-closed-forms",
        "operator-chain-holds-in-balls",
        "cross-entropy-stays-above-its-floors",
        "lipschitz-losses-stay-above-their-floors",
        "cross-entropy-has-slope-root-two",
    ],
)
def test_no_violation_in_many_cases(name):
    prop = PROPERTIES[name]
    found = search(prop, max_examples=round(CASES / prop.share), seed=2024)
    assert found.counterexample is None, f"{found.counterexample}: {found.case}"
    assert found.tally.examples >= CASES
