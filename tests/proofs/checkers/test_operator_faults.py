"""The checkers of L1 and L2 see planted faults: a wrong sign, a missing κ, too high a bound."""

from __future__ import annotations

from dataclasses import replace

import pytest

from epsrank.numerics.operators import PROBLEMS, LinearOperator, StackedOperator, laplacian
from epsrank.proofs.checkers import lipschitz, operator_floor
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.properties import lipschitz as properties

QUICK = Context("quick")


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setattr(operator_floor, "PINNS", {"quick": (("poisson-1d", 6, 1, 20),)})
    monkeypatch.setattr(operator_floor, "_CHECKPOINTS", 1)
    monkeypatch.setattr(
        lipschitz, "NETWORKS", {"quick": {"digits": {"width": 8, "steps": 30, "probe": 80}}}
    )


def states(found):
    return [item.state for item in found]


def test_honest_networks_pass(small):
    found = operator_floor.check_pinns(QUICK)
    assert states(found) == ["passed", "passed"]
    assert all(item.kind == "exact" for item in found)
    found = lipschitz.check_networks(QUICK)
    assert states(found) == ["passed", "passed"]
    assert {item.part for item in found} == {"floor", "cross-entropy"}
    assert found[0].figures["relative gap"] < 0.01


def test_a_wrong_sign_is_caught(small, monkeypatch):
    wrong = LinearOperator("poisson", "−Δu", laplacian, 2)
    monkeypatch.setitem(PROBLEMS, "poisson-1d", replace(PROBLEMS["poisson-1d"], operator=wrong))
    chain, forms = operator_floor.check_pinns(QUICK)
    # The chain is one of any features, right or wrong; the closed forms tell them apart.
    assert (chain.state, forms.state) == ("passed", "refuted")
    assert forms.witness["features"] > 1e-3


def test_a_missing_kappa_is_caught(small, monkeypatch):
    honest = StackedOperator.__call__

    def without(self, function, x, index=None):
        return honest(replace(self, kappa=1.0), function, x, index)

    monkeypatch.setattr(StackedOperator, "__call__", without)
    assert operator_floor.check_pinns(QUICK)[1].state == "refuted"


def test_a_wrong_right_hand_side_is_caught(small, monkeypatch):
    honest = operator_floor.reference_loss
    monkeypatch.setattr(
        operator_floor,
        "reference_loss",
        lambda run, index: (honest(run, index)[0] * (1 + 1e-8), honest(run, index)[1]),
    )
    assert operator_floor.check_pinns(QUICK)[1].state == "refuted"


def test_a_certificate_above_the_primal_value_is_caught(small, monkeypatch):
    honest = lipschitz.convex_floor

    def inflated(*args, **more):
        found = honest(*args, **more)
        return replace(found, reachable=1.02 * found.reachable)

    monkeypatch.setattr(lipschitz, "convex_floor", inflated)
    assert lipschitz.check_networks(QUICK)[0].state == "refuted"


def test_a_certificate_far_below_is_not_passed(small, monkeypatch):
    honest = lipschitz.convex_floor

    def deflated(*args, **more):
        found = honest(*args, **more)
        return replace(found, reachable=0.98 * found.reachable)

    monkeypatch.setattr(lipschitz, "convex_floor", deflated)
    found = lipschitz.check_networks(QUICK)[0]
    assert found.state == "undecided"
    assert "below the primal value" in found.cause


def test_a_floor_above_the_loss_is_caught(small, monkeypatch):
    honest = lipschitz.lipschitz_floor
    monkeypatch.setattr(
        lipschitz, "lipschitz_floor", lambda *a, **m: replace(honest(*a, **m), floor=50.0)
    )
    assert lipschitz.check_networks(QUICK)[1].state == "refuted"


def test_mnist_is_skipped_with_its_reason(monkeypatch):
    monkeypatch.delenv("EPSRANK_DATA", raising=False)
    monkeypatch.setattr(lipschitz, "NETWORKS", {"quick": {"mnist": {}}})
    found = lipschitz.check_networks(QUICK)
    assert states(found) == ["skipped", "skipped"]
    assert "EPSRANK_DATA" in found[0].cause


def test_a_point_scaled_into_the_ball_is_in_it():
    import numpy as np

    point = properties.in_ball(np.full((3, 2), 5.0), 1.0)
    assert 0.999 < np.linalg.norm(point) < 1.0
