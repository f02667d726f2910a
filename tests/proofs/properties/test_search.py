"""The search finds planted faults, shrinks them, repeats itself, and passes errors on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import strategies as st

from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.searches import check_property, describe_case
from epsrank.proofs.properties import PROPERTIES, Property, search
from epsrank.proofs.properties.search import Tally, refute, states
from epsrank.proofs.strategies import RankCase, rank_cases


def _prop(check, **strategies):
    return Property("planted", ("c",), "planted", check, strategies)


def test_a_false_property_is_refuted_and_shrunk():
    def below_a_hundred(tally: Tally, number: int) -> None:
        tally.count(True)
        if number >= 100:
            refute(f"{number} is not below 100")

    found = search(_prop(below_a_hundred, number=st.integers(0, 10**6)), max_examples=200, seed=1)
    assert found.case == {"number": 100}
    assert found.counterexample == "100 is not below 100"


def test_a_true_property_is_counted():
    def holds(tally: Tally, number: int) -> None:
        tally.count(number > 3)

    found = search(_prop(holds, number=st.integers(0, 9)), max_examples=30, seed=1)
    assert found.counterexample is None
    assert found.tally.examples == found.tally.decided + found.tally.undecided
    assert found.tally.examples <= 30


def test_pinned_cases_come_first():
    seen = []

    def watch(tally: Tally, number: int) -> None:
        seen.append(number)

    prop = Property("pinned", ("c",), "s", watch, {"number": st.integers(0, 9)}, ({"number": 77},))
    search(prop, max_examples=3, seed=0)
    assert seen[0] == 77


def test_a_broken_check_is_an_error_not_a_counterexample():
    def broken(tally: Tally, number: int) -> None:
        raise ZeroDivisionError("planted")

    with pytest.raises(ZeroDivisionError):
        search(_prop(broken, number=st.integers()), max_examples=5, seed=0)


def _cases(seed: int, examples: int = 25) -> list[str]:
    drawn = []

    def watch(tally: Tally, case: RankCase) -> None:
        drawn.append(repr(describe_case({"case": case})))

    search(_prop(watch, case=rank_cases()), max_examples=examples, seed=seed)
    return drawn


def test_a_seed_repeats_itself_and_another_does_not():
    first = _cases(3)
    assert first == _cases(3)
    assert first != _cases(4)


def test_a_seed_does_not_depend_on_what_else_is_imported(tmp_path, monkeypatch):
    first = _cases(5)
    # Hypothesis would otherwise pick up constants from every local module it can see.
    (tmp_path / "stray_module.py").write_text(f"VALUES = {list(range(1, 400))}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    __import__("stray_module")
    assert _cases(5) == first


def test_two_properties_cannot_share_a_name():
    with pytest.raises(ValueError, match="two properties"):

        @states("c", number=st.integers())
        def monotone_in_eps(tally: Tally, number: int) -> None:
            """Nothing."""


def test_every_property_states_something():
    for prop in PROPERTIES.values():
        assert prop.statement != prop.name
        assert prop.claims
        assert 0 < prop.share <= 3


def test_the_duplicated_neuron_is_found_by_search():
    (found,) = check_property("duplicating-does-not-raise-the-rank", Context("quick", 0))
    assert found.state == "refuted"
    case = found.witness["case"]
    column = np.array(case["features"]["values"])[
        :, [case["copied"] % len(case["features"]["values"][0])]
    ]
    gram = column.T @ column
    # Shrunk to something that can be checked by hand: λ ≤ ε < 2λ.
    assert gram[0, 0] <= case["eps"] < 2 * gram[0, 0]
