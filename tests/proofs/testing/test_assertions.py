"""Assertions pass on proof, fail with their numbers, and tell an open question from both."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from epsrank.proofs.strategies import FloorCase, RankCase, floor_cases, rank_cases
from epsrank.proofs.testing import assertions
from epsrank.proofs.testing.assertions import (
    assert_chain,
    assert_monotone,
    assert_rank,
    assert_reading,
)
from epsrank.proofs.testing.outcomes import (
    Counterexample,
    Tally,
    Undecided,
    UndecidedWarning,
    counting,
)
from epsrank.proofs.testing.profiles import PROFILES, register_profiles
from epsrank.theory.errors import InputError
from epsrank.theory.estimate import Estimate
from epsrank.theory.floor.loss_floor import loss_floor
from epsrank.theory.floor.plateau import read_plateau
from epsrank.theory.rank.epsilon import epsilon_rank, epsilon_ranks

X = np.linspace(-1, 1, 60)
FEATURES = np.tanh(np.outer(X, np.arange(1, 6)))
TARGET = np.sin(3 * X)
HEAD = np.linalg.lstsq(FEATURES, TARGET, rcond=1e-6)[0]
RANK = epsilon_rank(FEATURES, 1e-6)
OPEN = replace(RANK, lower=2, upper=4)
UP_TO_NINE = replace(RANK, lower=1, upper=9)
NINE = epsilon_rank(np.eye(9), 0.01)
FLOOR = loss_floor(FEATURES, TARGET, eps=1e-6, coefficients=HEAD)
READING = read_plateau(FEATURES, TARGET, coefficients=np.zeros(5), bias_value=0.0)
UNKNOWN = replace(READING, name="undetermined", reason="loss/V lies across a threshold")

# What is true for certain, false for certain, and not known.
PASSES = {
    "rank": partial(assert_rank, FEATURES, 1e-6, int(RANK)),
    "rank of a tensor, from below": partial(
        assert_rank, torch.as_tensor(FEATURES), 1e-6, at_least=1
    ),
    "rank between": partial(assert_rank, FEATURES, 1e-6, at_least=1, at_most=5, exact=True),
    "rank against another": partial(assert_rank, FEATURES, 1e-6, at_most=NINE),
    "interval": partial(assert_rank, OPEN, at_least=2, at_most=4),
    "chain": partial(assert_chain, FEATURES, TARGET, eps=1e-6, coefficients=HEAD),
    "chain at a norm": partial(assert_chain, FEATURES, TARGET, eps=1e-6, norm=1.0),
    "chain with its loss": partial(assert_chain, FLOOR, loss=FLOOR.loss),
    "falling": partial(assert_monotone, epsilon_ranks(FEATURES, [1e-8, 1e-4, 1e-1])),
    "rising": partial(assert_monotone, [1, (2, 3), Estimate(3.5, low=3.25, high=4)], "increasing"),
    "reading": partial(assert_reading, READING, "norm-limited", "between"),
}  # fmt: skip
FAILS = {
    "rank": (
        partial(assert_rank, FEATURES, 1e-6, 1),
        rf"ε-rank ≤ 1 is false: ε-rank {int(RANK)} of 5 at ε = 1e-06 \(mean measure, float64, "
        r"route \w+, .*60 samples; λ_\d ≥ ",
    ),
    "rank from below": (partial(assert_rank, FEATURES, 1e-6, at_least=6), "ε-rank ≥ 6 is false"),
    "rank from above": (partial(assert_rank, FEATURES, 1e-6, at_most=0), "ε-rank ≤ 0 is false"),
    "interval": (partial(assert_rank, OPEN, at_least=5), r"ε-rank \[2, 4\] of 5"),
    "reported loss below V": (
        partial(assert_chain, FEATURES, TARGET, eps=1e-6, norm=0.5, loss=1e-9),
        r"V\(B\) ≤ reported loss is false: norms .*B = 0.5, ε = 1e-06, ε-rank \d of 5, mean "
        "measure, float64, route svd, 60 samples",
    ),
    "loss of another head": (
        partial(assert_chain, FEATURES, TARGET, eps=1e-6, coefficients=HEAD, loss=0.4),
        "reported loss = .* is false: reported loss 0.4",
    ),
    "falsified result": (
        partial(assert_chain, replace(FLOOR, loss_norm=FLOOR.reachable_norm / 2)),
        "reachable ≤ loss is false",
    ),
    "falling": (
        partial(assert_monotone, [5, 3, 4], along=[1e-8, 1e-6, 1e-4], what="ε-rank"),
        "non-increasing is false: ε-rank 3 at 1e-06, then 4 at 0.0001",
    ),
    "equal neighbours": (partial(assert_monotone, [5.5, 5.5], "decreasing"), "5.5 at place 0"),
    "reading": (
        partial(assert_reading, READING, "feature-limited"),
        "the reading is feature-limited is false: it is norm-limited: .*loss .*B 0",
    ),
    "reading of a floor": (
        partial(assert_reading, loss_floor(FEATURES, TARGET, eps=1e-6, coefficients=HEAD * 0.5),
                "feature-limited"),
        r"optimiser-limited.*ε = 1e-06, mean measure, float64, route svd",
    ),
}  # fmt: skip
OPENS = {
    "rank": partial(assert_rank, OPEN, at_least=3),
    "rank against an interval": partial(assert_rank, FEATURES, 1e-6, at_least=UP_TO_NINE),
    "chain": partial(assert_chain, replace(FLOOR, tolerance=10.0, evaluation_tolerance=10.0)),
    "falling": partial(assert_monotone, [(2, 4), 3]),
    "one-sided": partial(assert_monotone, [Estimate(3.0, high=4.0), 1]),
    "reading": partial(assert_reading, UNKNOWN, "norm-limited"),
}  # fmt: skip


@pytest.mark.parametrize("name", PASSES)
def test_what_is_certain_passes_and_is_counted(name):
    tally = Tally()
    with counting(tally):
        PASSES[name]()
    assert tally.decided > 0
    assert tally.undecided == 0


@pytest.mark.parametrize("name", FAILS)
def test_what_is_false_for_certain_fails_with_its_numbers(name):
    call, message = FAILS[name]
    for undecided in ("raise", "warn", "reject"):
        with pytest.raises(Counterexample, match=message):
            call(undecided=undecided)


@pytest.mark.parametrize("name", OPENS)
def test_what_is_open_neither_passes_nor_fails(name):
    with pytest.raises(Undecided, match="is undecided: "):
        OPENS[name]()
    tally = Tally()
    with counting(tally), pytest.warns(UndecidedWarning, match="is undecided: "):
        OPENS[name](undecided="warn")
    assert tally.undecided > 0
    assert tally.questions


def test_an_open_case_may_be_drawn_again():
    tried = []

    @settings(max_examples=20, database=None, derandomize=True)
    @given(st.booleans())
    def search(open_one):
        tried.append(open_one)
        if open_one:
            assert_rank(OPEN, at_least=3, undecided="reject")

    search()
    assert True in tried


@pytest.mark.parametrize(
    ("call", "argument"),
    [
        (partial(assert_rank, FEATURES, 1e-6), "expected"),
        (partial(assert_rank, FEATURES, expected=3), "eps"),
        (partial(assert_rank, RANK, 1e-6, 3), "eps"),
        (partial(assert_rank, FEATURES, 1e-6, 3, at_least=3), "expected"),
        (partial(assert_rank, FEATURES, 1e-6, 2.5), "at_least"),
        (partial(assert_rank, FEATURES, 1e-6, True), "at_least"),
        (partial(assert_rank, FEATURES, 1e-6, at_most=-1), "at_most"),
        (partial(assert_rank, FEATURES, 1e-6, 3, undecided="pass"), "undecided"),
        (partial(assert_chain, FEATURES, TARGET, norm=1.0), "eps"),
        (partial(assert_chain, FEATURES, eps=1e-6, norm=1.0), "target"),
        (partial(assert_chain, FEATURES, TARGET, eps=1e-6), "norm"),
        (partial(assert_chain, FLOOR, loss=-1.0), "loss"),
        (partial(assert_chain, FLOOR, loss=float("nan")), "loss"),
        (partial(assert_monotone, [1]), "values"),
        (partial(assert_monotone, [1, float("nan")]), "values[1]"),
        (partial(assert_monotone, [1, (3, 2)]), "values[1]"),
        (partial(assert_monotone, ["3", 2]), "values[0]"),
        (partial(assert_monotone, [3, 2], "down"), "direction"),
        (partial(assert_monotone, [3, 2], along=[1]), "along"),
        (partial(assert_reading, READING), "expected"),
        (partial(assert_reading, READING, "undetermined"), "expected"),
        (partial(assert_reading, "norm-limited", "norm-limited"), "found"),
    ],
)
def test_what_cannot_be_asserted_is_one_line(call, argument):
    with pytest.raises(InputError) as caught:
        call()
    assert caught.value.argument == argument
    assert "\n" not in str(caught.value)


@given(rank_cases())
def test_no_rank_is_asserted_that_exact_arithmetic_denies(case: RankCase):
    law = {"weights": case.weights, "measure": case.measure}
    truth = int(epsilon_rank(case.features, case.eps, exact=True, **law))
    for claimed in (truth - 1, truth, truth + 1):
        if claimed < 0:
            continue
        try:
            assert_rank(case.features, case.eps, claimed, **law)
        except Undecided:
            continue
        except Counterexample:
            assert claimed != truth
        else:
            assert claimed == truth


@given(floor_cases())
def test_the_chain_of_a_network_is_never_called_broken(case: FloorCase):
    with suppress(Undecided):
        assert_chain(
            case.features, case.target, eps=case.eps, coefficients=case.coefficients,
            weights=case.weights, measure=case.measure,
        )  # fmt: skip


def test_an_assertion_that_passes_everything_would_be_seen(monkeypatch):
    monkeypatch.setattr(assertions, "_decide", lambda *given: None)
    FAILS["rank"][0]()
    with pytest.raises(pytest.fail.Exception):
        test_what_is_false_for_certain_fails_with_its_numbers("rank")


def test_profiles_are_registered_by_name():
    assert (
        register_profiles() == tuple(PROFILES) == ("epsrank-dev", "epsrank-ci", "epsrank-thorough")
    )
    assert settings.get_profile("epsrank-ci").derandomize
    assert settings.get_profile("epsrank-thorough").max_examples == 500
