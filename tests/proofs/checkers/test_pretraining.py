"""The initial rank under a structured first layer: proved bound, witnesses, and planted faults."""

from __future__ import annotations

import pytest

from epsrank.proofs.checkers import pretraining
from epsrank.proofs.checkers.base import EXAMPLES, Context
from epsrank.proofs.checkers.searches import evidence_of
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.verdict import derive_verdict
from epsrank.proofs.properties import PROPERTIES
from epsrank.proofs.strategies import Domain, InitialNetwork

INTERVAL = Domain(box=((-1.0, 1.0),))


@pytest.fixture
def three_widths(monkeypatch):
    monkeypatch.setattr(pretraining, "WIDTHS", (16, 18))
    monkeypatch.setattr(pretraining, "_IN_BALLS", {"quick": (16,)})


def test_the_claim_holds_in_its_regime_and_not_outside(three_widths):
    context = Context("quick", 0)
    found = [*pretraining.check_one_layer(context), *pretraining.check_outside(context)]
    assert {item.state for item in found} == {"regime"}
    assert found[0].figures["smallest margin"] >= 3
    assert [item.figures["ranks"] for item in found[1:]] == [
        {"structured": [1, 1], "default": [2, 2]},
        {"structured": [7, 7], "default": [8, 8]},
    ]
    (claim,) = (claim for claim in load_ledger() if claim.id == "pretraining-property")
    assert derive_verdict(claim.wanted, found) == claim.recorded == "supported only in a regime"


def test_the_bound_of_one_default_layer_holds_for_what_is_drawn():
    for width in (5, 16):
        for seed in range(4):
            network = InitialNetwork(INTERVAL, width, seed=seed)
            for eps in (1e-2, 1e-5, 1e-8):
                assert network.rank(eps).upper <= pretraining.default_rank_at_most(width, eps)


def test_the_edge_of_the_regime_four_layers_of_four_neurons():
    network = InitialNetwork(INTERVAL, 4, 4, seed=1)
    assert (int(network.rank(1e-2)), int(network.with_init("structured").rank(1e-2))) == (2, 1)


def test_a_relu_grid_has_a_dead_neuron_at_its_right_end():
    for width in (2, 5, 12):
        network = InitialNetwork(INTERVAL, width, activation="relu").with_init("structured")
        assert int(network.rank(1e-12, exact=True)) <= width - 1


def test_a_wrong_bound_is_caught(three_widths, monkeypatch):
    monkeypatch.setattr(pretraining, "LARGEST", pretraining.Fraction(4))
    with pytest.raises(ArithmeticError, match="tan"):
        pretraining.check_one_layer(Context("quick", 0))


def test_a_bound_beyond_the_certified_rank_decides_nothing(three_widths, monkeypatch):
    monkeypatch.setattr(pretraining, "default_rank_at_most", lambda n, eps: 16)
    (found,) = pretraining.check_one_layer(Context("quick", 0))
    assert (found.state, found.witness["n"]) == ("undecided", 16)


def test_a_network_that_is_no_counterexample_is_an_error(monkeypatch):
    monkeypatch.setattr(InitialNetwork, "with_init", lambda self, name: self)
    with pytest.raises(ArithmeticError, match="no counterexample"):
        pretraining.check_outside(Context("quick", 0))


def test_the_search_outside_finds_and_shrinks_a_counterexample():
    (found,) = evidence_of(
        PROPERTIES["structured-layers-keep-every-initial-rank"], Context("quick", 0)
    )
    assert (found.state, found.kind) == ("regime", "property")
    assert "outside of the regime" in found.title
    assert found.witness["case"]["network"]["width"] <= 4
    assert "> " in found.witness["violation"]


def test_nothing_found_outside_leaves_the_edge_open(monkeypatch):
    monkeypatch.setattr(InitialNetwork, "with_init", lambda self, name: self)
    monkeypatch.setitem(EXAMPLES, "quick", 10)
    (found,) = evidence_of(
        PROPERTIES["structured-layers-keep-every-initial-rank"], Context("quick", 0)
    )
    assert found.state == "undecided"
    assert "expected outside" in found.cause


def test_a_counterexample_inside_refutes(monkeypatch):
    honest = InitialNetwork.with_init
    # The structured layer is swapped for the default one of half the neurons.
    monkeypatch.setattr(
        InitialNetwork,
        "with_init",
        lambda self, name: honest(InitialNetwork(self.domain, 2, self.depth), "default"),
    )
    (found,) = evidence_of(
        PROPERTIES["structured-layers-keep-the-initial-rank"], Context("quick", 0)
    )
    assert found.state == "refuted"
    assert found.witness["case"]["network"]["width"] == 16
