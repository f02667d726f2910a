"""Ten thousand cases of neuron selection, of the a-priori floor and of the subset conjecture."""

from __future__ import annotations

import pytest

from epsrank.proofs.properties import PROPERTIES, search


@pytest.mark.parametrize(
    "name",
    [
        "some-neurons-carry-the-network",
        "selections-are-as-close-as-certified",
        "segments-enclose-every-partition",
        "random-networks-stay-above-the-floor",
        "no-space-beats-the-width",
        "rational-frames-have-good-rows",
    ],
)
def test_no_certified_statement_is_violated_in_ten_thousand_cases(name):
    prop = PROPERTIES[name]
    found = search(prop, max_examples=round(10_000 / prop.share), seed=3)
    assert found.counterexample is None, f"{found.counterexample}: {found.case}"
    assert found.tally.examples >= 9_000
