"""The search finds planted faults, shrinks them, repeats itself, and passes errors on."""

from __future__ import annotations

import sys
import types
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import strategies as st

from epsrank import testing
from epsrank.proofs.checkers.base import Context
from epsrank.proofs.checkers.searches import describe_case, evidence_of
from epsrank.proofs.properties import PROPERTIES, Property, search
from epsrank.proofs.strategies import Domain, RankCase, rank_cases
from epsrank.proofs.testing.outcomes import Counterexample, Undecided
from epsrank.proofs.testing.search import (
    _REGISTERED,
    Tally,
    assert_holds,
    refute,
    registered,
    states,
)
from epsrank.testing import assert_rank
from epsrank.theory.errors import InputError


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


def test_a_decorator_of_another_module_hides_no_property(monkeypatch):
    # functools.wraps hands on the name of the module, and not its globals.
    elsewhere: dict[str, object] = {}
    wrapping = "def plain(f):\n    return wraps(f)(lambda *a, **k: f(*a, **k))\n"
    exec(f"from functools import wraps\n{wrapping}", elsewhere)
    module = types.ModuleType("planted_decorated")
    monkeypatch.setitem(sys.modules, "planted_decorated", module)
    vars(module).update(states=states, plain=elsewhere["plain"], st=st)
    for name in ("first", "second"):
        head = f"@states('c', number=st.integers())\n{'@plain' if name == 'first' else ''}\n"
        exec(f'{head}def {name}(number):\n    """Holds."""\n', vars(module))
    assert set(registered("planted_decorated")) == {"first", "second"}


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


def test_two_properties_of_one_module_cannot_share_a_name():
    @states("c", number=st.integers())
    def said_twice(tally: Tally, number: int) -> None:
        """Nothing."""

    with pytest.raises(ValueError, match="two properties"):
        states("c", number=st.integers())(said_twice)


def test_two_properties_of_one_package_cannot_share_a_name(monkeypatch):
    (first, *_) = PROPERTIES.values()
    other = replace(first, check=lambda: None)
    held = {first.name: (other.check, other)}
    monkeypatch.setitem(_REGISTERED._held, "epsrank.proofs.properties.other", held)
    monkeypatch.setitem(sys.modules, "epsrank.proofs.properties.other", sys.modules[__name__])
    with pytest.raises(ValueError, match="two properties"):
        registered("epsrank.proofs.properties")


def test_a_module_that_is_imported_anew_replaces_what_it_stated(monkeypatch):
    text = "@states('c', n=st.integers())\ndef {}(n):\n    assert n < 9\n"
    for name in ("old", "new"):
        module = types.ModuleType("planted_module")
        vars(module).update(states=states, st=st)
        monkeypatch.setitem(sys.modules, "planted_module", module)
        # Before it states anything, what its predecessor stated is gone.
        assert not registered("planted_module")
        exec(text.format(name), vars(module))
        assert set(registered("planted_module")) == {name}


def test_a_plain_assert_is_a_counterexample_and_says_where():
    # Not from this file, where pytest gives every assertion words.
    names = {}
    exec(compile("def small(number):\n    assert number < 10\n", "mine.py", "exec"), names)
    found = search(_prop(names["small"], number=st.integers(0, 99)), max_examples=50, seed=0)
    assert found.case == {"number": 10}
    assert found.counterexample == "an assertion failed at mine.py:2"


def test_a_check_that_only_asserts_counts_its_cases():
    def true(number: int) -> None:
        assert number >= 0

    tally = search(_prop(true, number=st.integers(0, 99)), max_examples=9, seed=0).tally
    assert tally.examples == tally.decided > 0


def test_an_assertion_inside_the_library_is_an_error_of_it(monkeypatch):
    def uses(number: int) -> None:
        Domain().n_inputs  # noqa: B018 - neither a box nor data, which is asserted there

    with pytest.raises(AssertionError) as caught:
        search(_prop(uses, number=st.integers()), max_examples=5, seed=0)
    assert not isinstance(caught.value, Counterexample)


def test_what_is_left_open_is_counted_and_kept_in_words():
    def unknown(number: int) -> None:
        raise Undecided(f"who knows {number}")

    found = search(_prop(unknown, number=st.integers()), max_examples=5, seed=0)
    assert found.counterexample is None
    assert found.tally.undecided == found.tally.examples > 0
    assert found.open_questions[0].startswith("who knows")


@states(number=st.integers(0, 99))
def stated_small(number: int) -> None:
    """Numbers are below 30."""
    assert number < 30


@states(number=st.integers(0, 99))
def stated_true(number: int) -> None:
    """Numbers are below 100."""
    assert number < 100


@states(number=st.integers(0, 99), refutable=True)
def stated_true_but_called_false(number: int) -> None:
    """Numbers are below 100."""
    assert number < 100


@states(number=st.integers(0, 99))
def stated_open(number: int) -> None:
    """Nobody knows."""
    raise Undecided("too close")


def test_assert_holds_in_a_test_of_pytest():
    assert_holds(stated_true, max_examples=10)
    with pytest.raises(Counterexample, match=r"“Numbers are below 30” is false: .*\n.*number=30"):
        assert_holds(stated_small, max_examples=200, seed=0)
    with pytest.raises(Counterexample, match="was not refuted: "):
        assert_holds(stated_true_but_called_false, max_examples=10)
    with pytest.raises(Undecided, match=r"0 comparisons decided.*the first: too close"):
        assert_holds(stated_open, max_examples=10)
    with pytest.raises(InputError, match="decorate it with states"):
        assert_holds(test_pinned_cases_come_first)


def test_every_property_states_something():
    for prop in PROPERTIES.values():
        assert prop.statement != prop.name
        assert prop.claims
        assert 0 < prop.share <= 3


def test_the_duplicated_neuron_is_found_by_search():
    (found,) = evidence_of(PROPERTIES["duplicating-does-not-raise-the-rank"], Context("quick", 0))
    assert found.state == "refuted"
    case = found.witness["case"]
    column = np.array(case["features"]["values"])[
        :, [case["copied"] % len(case["features"]["values"][0])]
    ]
    gram = column.T @ column
    # Shrunk to something that can be checked by hand: λ ≤ ε < 2λ.
    assert gram[0, 0] <= case["eps"] < 2 * gram[0, 0]


def test_a_return_before_any_assertion_is_no_pass():
    def early(number):
        """Every number is even."""
        if number % 2:
            return
        assert number % 2 == 0

    def late(number):
        """Every number is even."""
        assert number == number
        if number % 2:
            return
        assert number % 2 == 0

    with pytest.raises(TypeError, match=r"planted returns in line .* call hypothesis.assume"):
        search(_prop(early, number=st.integers()), max_examples=5)
    found = search(_prop(late, number=st.integers()), max_examples=5)
    assert found.counterexample is None


def test_failures_do_not_show_our_frames():
    shown = [getattr(testing, name) for name in testing.__all__ if name.startswith("assert_")]
    assert assert_rank in shown
    with pytest.raises(InputError, match=r"check is 'words', which states nothing"):
        testing.assert_holds("words")
    assert all("__tracebackhide__" in one.__code__.co_varnames for one in shown)
