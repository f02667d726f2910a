"""Ten thousand small networks: enclosed integrals, certified chains, suprema; and long coverage."""

from __future__ import annotations

import pytest

from epsrank.proofs.checkers import sampling
from epsrank.proofs.instances.populations import populations
from epsrank.proofs.properties import PROPERTIES, search


@pytest.mark.parametrize("name", ["suprema-over-boxes", "integrals-enclosed", "continuous-chain"])
def test_no_certified_statement_is_violated(name):
    share = PROPERTIES[name].share
    found = search(PROPERTIES[name], max_examples=round(10_000 / share), seed=11)
    assert found.counterexample is None, f"{found.counterexample}: {found.case}"
    assert found.tally.examples >= 9_000


@pytest.mark.parametrize("law", populations(), ids=lambda law: law.name)
@pytest.mark.parametrize("n_samples", [300, 3000])
def test_coverage_over_two_hundred_samples(law, n_samples):
    row = sampling.coverage(law, n_samples, 200, seed=5)
    assert row["covered"] >= 0.95 * row["trials"]
    assert row["coverage, certain lower end"] >= 0.95
