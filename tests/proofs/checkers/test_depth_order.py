"""The witnesses against "deeper layers have larger ε-rank" hold, and faults in them are seen."""

from __future__ import annotations

import json

import numpy as np
import pytest

from epsrank.proofs.checkers import depth_order
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.exact import oracle
from epsrank.proofs.ledger.verdict import derive_verdict
from epsrank.theory.strict_json import worded


def test_the_integer_witness_can_be_repeated_by_hand():
    witness = depth_order.integer_witness()
    assert witness is not None
    assert witness["ranks"] == [2, 1]
    first, second = witness["features"]
    assert first.tolist() == [[0, 1], [1, 0]]
    assert second.tolist() == [[0, 0], [1, 2]]
    assert witness["det W_2"] == 1.0
    # No neuron is dead: each is positive at an input.
    assert (first.max(axis=0) > 0).all()
    assert (second.max(axis=0) > 0).all()
    json.dumps(worded(witness), allow_nan=False)


def test_a_network_that_keeps_its_rank_is_no_witness():
    first, _ = depth_order.WEIGHTS
    assert depth_order.integer_witness((first, np.eye(2))) is None


def test_two_counts_that_differ_are_an_error(monkeypatch):
    honest = oracle.exact_rank
    monkeypatch.setattr(oracle, "exact_rank", lambda *args: honest(*args) + 1)
    with pytest.raises(ArithmeticError, match="differ"):
        depth_order.integer_witness()


def test_the_network_of_the_source_refutes_in_the_continuous_measure():
    witness = depth_order.network_witness(width=20)
    assert witness is not None
    lower, upper = zip(*witness["ranks"], strict=True)
    assert lower == upper == (5, 5, 4, 4)


def test_an_unresolved_rank_is_no_witness(monkeypatch):
    def vague(network, eps, domain):
        found = honest(network, eps, domain)
        return [type(found[0])(**{**vars(found[0]), "lower": 0, "upper": 20})]

    honest = depth_order.continuous_ranks
    monkeypatch.setattr(depth_order, "continuous_ranks", vague)
    assert depth_order.network_witness(width=4) is None


def test_the_universal_statement_is_refuted_and_a_lost_witness_decides_nothing(monkeypatch):
    network = depth_order.network_witness(width=10)
    monkeypatch.setattr(depth_order, "network_witness", lambda seed: network)
    found = depth_order.check_depth_order(Context("quick"))
    assert derive_verdict(["empirical", "exact"], found) == "refuted"
    monkeypatch.setattr(depth_order, "integer_witness", lambda: None)
    monkeypatch.setattr(depth_order, "network_witness", lambda seed: None)
    found = depth_order.check_depth_order(Context("quick"))
    assert {item.state for item in found} == {"undecided"}
    assert derive_verdict(["empirical", "exact"], found) == "undecided"
