"""The shipped development passes the whole audit, and coqchk agrees."""

from __future__ import annotations

import pytest

from epsrank.proofs.formal import DEVELOPMENT, compile_development, explain_missing, find_coq
from epsrank.proofs.formal.audit import audit
from epsrank.proofs.ledger.claims import ledger_theorems, load_ledger


def test_the_whole_audit_passes():
    coq = find_coq()
    if coq is None:
        pytest.skip(explain_missing())
    compiled = compile_development(coq)
    found = audit(compiled, ledger_theorems(load_ledger()), folder=DEVELOPMENT)
    assert found.passed, str(found)
    assert found.second
    assert "coqchk agrees" in str(found)
