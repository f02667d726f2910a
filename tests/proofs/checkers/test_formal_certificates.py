"""Which networks are certified in Coq, and what is said without it.

What Coq makes of their measurements is in tests/slow/formal.
"""

from __future__ import annotations

from types import SimpleNamespace

from epsrank.proofs.checkers import formal_certificates
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.formal_certificates import certificate_checkers, check_measurements
from epsrank.proofs.instances import networks


def test_without_coq_measurements_are_skipped_with_the_cause(monkeypatch):
    monkeypatch.setattr(formal_certificates, "find_coq", lambda: None)
    trained = SimpleNamespace(error=None, skipped=None)
    found = check_measurements("digits tiny", Context("quick", 0, {"digits tiny": trained}))
    assert {item.state for item in found} == {"skipped"}
    assert all(item.cause for item in found)


def test_every_narrow_network_is_certified_at_default_effort():
    names = {name for checker in certificate_checkers("default") for name in checker.networks}
    assert names == {n for n, width in networks.planned("default").items() if width <= 50}
    assert len(certificate_checkers("quick")) == 1
