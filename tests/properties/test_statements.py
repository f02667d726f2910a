"""Every statement of the ledger's theorems, by the functions that ``epsrank verify`` runs."""

from __future__ import annotations

import pytest

from epsrank.proofs.properties import PROPERTIES, Property, search


@pytest.mark.parametrize("prop", PROPERTIES.values(), ids=PROPERTIES)
def test_statement(prop: Property):
    found = search(prop)
    if prop.refutable:
        assert found.counterexample is not None, "a false statement went unrefuted"
        return
    assert found.counterexample is None, f"{found.counterexample}: {found.case}"
    assert found.tally.examples > 0
    assert found.tally.decided > 0, "every comparison was left undecided"
