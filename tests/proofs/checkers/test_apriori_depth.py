"""One last neuron fits the target of A1; a network that does not is no witness."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from epsrank.proofs.checkers import apriori_depth
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.verdict import derive_verdict

POINTS = np.linspace(-1.0, 1.0, 41)


def test_one_last_neuron_fits_the_target():
    (found,) = apriori_depth.check_witness(Context(effort="quick"))
    assert found.state == "passed"
    assert found.figures["last-layer neurons"] == 1
    assert found.figures["E_p² at most"] < 2e-8
    (claim,) = (claim for claim in load_ledger() if claim.id == apriori_depth.CLAIM)
    assert derive_verdict(claim.wanted, [found]) == "certified on instances"


def test_the_enclosed_loss_is_that_of_the_float64_network():
    network = apriori_depth.imitating_network(width=8)
    found = apriori_depth.loss_on_points(network, POINTS)
    x = POINTS[:, None]
    values = network.features(x) @ network.head
    wanted = np.cos(x) + np.cos(2 * x) + np.cos(30 * x)
    assert abs(float(found.lower) - float(np.mean((values - wanted) ** 2))) < 1e-12
    assert found.upper - found.lower < 1e-30


def test_a_network_that_misses_the_target_is_no_witness(monkeypatch):
    good = apriori_depth.imitating_network()
    bad = replace(good, head=2 * good.head)
    monkeypatch.setattr(apriori_depth, "imitating_network", lambda: bad)
    (found,) = apriori_depth.check_witness(Context(effort="quick"))
    assert found.state == "undecided"
    assert "enclosed by" in found.cause
