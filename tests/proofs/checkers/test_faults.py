"""Every checker sees the fault that it is there to see: each is planted here, and caught."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from epsrank.numerics.training import RunConfig, train
from epsrank.proofs.checkers import attaining, network_floor, rank_instances, resolution, witnesses
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.exact.rational_floor import RationalProblem
from epsrank.proofs.instances.networks import TrainedNetwork
from epsrank.theory.data.measure import Measure
from epsrank.theory.floor import loss_floor
from epsrank.theory.floor.certified import chain as decide_chain
from epsrank.theory.numbers.interval import Interval
from epsrank.theory.rank.enclosure import SpectrumEnclosure

NAME = "cosines 1×6"


@pytest.fixture(scope="module")
def context(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs") / "run"
    train(
        RunConfig(
            width=6, depth=1, steps=40, n_train=40, device="cpu", measure_every=20, eps=(1e-6,)
        ),
        folder,
    )
    return Context("quick", 0, {NAME: TrainedNetwork(NAME, 6, folder=folder)})


def _states(found):
    return {item.claim: item.state for item in found}


def test_an_honest_network_passes(context):
    found = network_floor.check_network(NAME, context)
    assert _states(found) == dict.fromkeys(network_floor.CLAIMS, "passed")
    assert all(item.kind == "exact" for item in found)
    assert found[0].rows[0]["certified"]
    ranks = rank_instances.check_network_ranks(NAME, context)
    assert _states(ranks) == {"rank-definition": "passed"}


def test_a_floor_that_is_too_high_is_caught(context, monkeypatch):
    honest = decide_chain.floor_squared

    def inflated(distance_squared, tail, budget, precision):
        # A wrong constant: half the tail in place of the whole.
        return honest(distance_squared, Interval(tail.lower / 4, tail.upper / 4), budget, precision)

    monkeypatch.setattr(decide_chain, "floor_squared", inflated)
    found = network_floor.check_network(NAME, context)
    assert _states(found)["loss-floor"] == "refuted"
    assert found[0].witness["state"] == "violated"


def test_a_reachable_loss_above_the_loss_is_caught(context, monkeypatch):
    honest = decide_chain.reachable
    huge = Interval(Fraction(100), Fraction(100))
    monkeypatch.setattr(decide_chain, "reachable", lambda *a: replace(honest(*a), value=huge))
    found = network_floor.check_network(NAME, context)
    assert _states(found)["reachable-loss"] == "refuted"


def test_a_smaller_tail_bound_is_caught(context, monkeypatch):
    honest = network_floor.norm_squared
    monkeypatch.setattr(network_floor, "norm_squared", lambda w: honest(w) / 10**6)
    assert _states(network_floor.check_network(NAME, context))["tail"] == "refuted"


def test_a_wide_network_is_checked_in_float64(context, monkeypatch):
    monkeypatch.setattr(network_floor, "CERTIFIED_WIDTH", 4)
    found = network_floor.check_network(NAME, context)
    assert {item.kind for item in found} == {"property"}
    assert _states(found) == {"loss-floor": "passed", "reachable-loss": "passed"}
    honest = loss_floor.envelope
    monkeypatch.setattr(loss_floor, "envelope", lambda data, norm: 2 * honest(data, norm) + 1)
    assert _states(network_floor.check_network(NAME, context))["loss-floor"] == "refuted"


def test_a_route_that_counts_wrong_is_caught(context, monkeypatch):
    honest = SpectrumEnclosure.count

    def shifted(self, below, above):
        low, high = honest(self, below, above)
        return low + 1, high + 1

    monkeypatch.setattr(SpectrumEnclosure, "count", shifted)
    found = rank_instances.check_network_ranks(NAME, context)
    assert _states(found) == {"rank-definition": "refuted"}
    assert found[0].witness["route"] in {"gram", "svd", "default"}


def test_an_exact_route_that_counts_wrong_is_caught(monkeypatch):
    honest = rank_instances.exact_count
    monkeypatch.setattr(rank_instances, "exact_count", lambda g, t: honest(g, t) + 1)
    monkeypatch.setattr(rank_instances, "_hard_cases", lambda: rank_instances_cases)
    found = rank_instances.check_hard_matrices(Context("quick"))
    assert [item.state for item in found] == ["refuted", "refuted"]


rank_instances_cases = [("eye", np.eye(3), 0.5, Measure("raw", 3))]


def test_missing_networks_are_skipped_or_raise():
    absent = Context("quick", 0, {NAME: TrainedNetwork(NAME, 6, skipped="not here")})
    for check in (network_floor.check_network, rank_instances.check_network_ranks):
        found = check(NAME, absent)
        assert {item.state for item in found} == {"skipped"}
        assert {item.cause for item in found} == {"not here"}
    broken = Context("quick", 0, {NAME: TrainedNetwork(NAME, 6, error="diverged")})
    for check in (network_floor.check_network, rank_instances.check_network_ranks):
        with pytest.raises(RuntimeError, match="diverged"):
            check(NAME, broken)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("target", lambda f: np.nextafter(f.target, np.inf)),
        ("coefficients", lambda f: f.coefficients * (1 + 2**-52) + 2.0**-60),
        ("features", lambda f: f.features * (1 + 2**-52)),
    ],
)
def test_an_attaining_family_off_by_one_ulp_is_caught(monkeypatch, name, change):
    honest = attaining.attaining_family

    def off(*args, **more):
        family = honest(*args, **more)
        return replace(family, **{name: change(family)})

    monkeypatch.setattr(attaining, "attaining_family", off)
    found = attaining.check_attaining(Context("quick"))
    assert found[0].state == "refuted"
    assert "fault" in found[0].witness


def test_the_ball_certificate_of_the_family_sees_a_gap(monkeypatch):
    honest = attaining.attaining_family

    def off(*args, **more):
        family = honest(*args, **more)
        return replace(family, target=family.target * 1.001 + 1e-3)

    monkeypatch.setattr(attaining, "attaining_family", off)
    assert attaining.check_attaining(Context("quick"))[1].state == "refuted"


def test_witnesses_are_checked_not_asserted(monkeypatch):
    honest = witnesses.oracle.exact_rank
    monkeypatch.setattr(witnesses, "_counts", lambda *a: 1)
    assert witnesses.duplicate_witness() is None
    assert witnesses.step_witness() is None
    (found,) = witnesses.check_duplicate(Context())
    assert found.state == "passed"
    monkeypatch.undo()
    monkeypatch.setattr(witnesses.oracle, "exact_rank", lambda *a: honest(*a) + 1)
    with pytest.raises(ArithmeticError, match="two exact counts differ"):
        witnesses.duplicate_witness()


def test_slips_need_their_witnesses(monkeypatch):
    found = witnesses.check_slips(Context())
    assert {item.part: item.state for item in found} == dict.fromkeys(
        ("threshold", "constant", "tail-sum", "step"), "refuted"
    )
    # Were the definition by λ_min the same as that by the norm, there would be no witness.
    monkeypatch.setattr(witnesses.oracle, "is_positive_definite", lambda matrix: True)
    assert witnesses.threshold_witness() is None
    # Were the worst tail the sum, the third would vanish; it compares with the exact tail.
    monkeypatch.setattr(
        witnesses, "rational_problem",
        lambda *a: RationalProblem((Fraction(1),), Fraction(0), Fraction(1), (Fraction(9),) * 5,
                                   (Fraction(9),) * 5, (Fraction(0),)),
    )  # fmt: skip
    assert witnesses.tail_sum_witness() is None


def test_resolution_needs_wrong_counts_and_a_floor(monkeypatch):
    harmless = [resolution.Pinned("eye", np.eye(2), 0.5, dtype) for dtype in ("float32", "float64")]
    found = resolution.check_resolution(Context(), lambda: harmless)
    assert found[0].state == "undecided"
    assert found[1].state == "passed"
    monkeypatch.setattr(resolution, "gram_error_bound", lambda *a, **_: 0.0)
    found = resolution.check_resolution(Context(), lambda: resolution.pinned()[:2])
    assert found[0].state == "passed"
    assert found[1].state == "refuted"


def test_a_silently_wrong_rank_is_caught(monkeypatch):
    honest = resolution.epsilon_rank

    def naive(features, eps, **more):
        # What counting the eigenvalues of the float Gram matrix would report.
        gram = resolution.accumulated_gram(features, features.dtype.name)
        count = int((np.linalg.eigvalsh(gram) > eps).sum())
        return replace(honest(features, eps, **more), lower=count, upper=count)

    monkeypatch.setattr(resolution, "epsilon_rank", naive)
    found = resolution.check_resolution(Context(), lambda: resolution.pinned()[:2])
    assert found[1].state == "refuted"
