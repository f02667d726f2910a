"""Properties as data, and the search for a counterexample: the same for pytest and verify."""

from __future__ import annotations

import contextlib
import inspect
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import SearchStrategy

from epsrank.proofs.testing.early import early_return
from epsrank.proofs.testing.outcomes import Counterexample, Tally, Undecided, counting, refute
from epsrank.proofs.testing.registry import Registry, stated_name
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural, quoted

__all__ = [
    "Counterexample",
    "Outcome",
    "Property",
    "Tally",
    "assert_holds",
    "refute",
    "registered",
    "search",
    "states",
]

Check = Callable[..., None]

# No explain phase: it runs the case many times to decorate a message that is not shown.
_PHASES = (Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink)


@dataclass(frozen=True)
class Property:
    """A statement "for all …" with the strategies that draw its cases.

    Attributes
    ----------
    name : str
        Unique in its package.
    claims : tuple of str
        Ids of the claims that it is evidence for.
    statement : str
        What is checked, in one sentence.
    check : callable
        ``check(**case)``, or ``check(tally, **case)``; raises `Counterexample`.
    strategies : mapping of str to SearchStrategy
        How each argument is drawn.
    pinned : tuple of mapping
        Cases that are always tried first.
    share : float
        Factor on the number of examples: slow properties get fewer, vital ones more.
    refutable : bool
        Whether the statement is known to be false, so that a counterexample is expected.
    part : str or None
        Part of the claims that it concerns, where they are made of several statements.
    regime : str or None
        The regime in which alone it is searched, in words.
    """

    name: str
    claims: tuple[str, ...]
    statement: str
    check: Check
    strategies: Mapping[str, SearchStrategy[Any]]
    pinned: tuple[Mapping[str, Any], ...] = ()
    share: float = 1.0
    refutable: bool = False
    part: str | None = None
    regime: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a search found.

    Attributes
    ----------
    tally : Tally
        Counts of cases and comparisons.
    counterexample : str or None
        What was violated.
    case : mapping or None
        The shrunk case.
    open_questions : tuple of str
        The first few comparisons that the arithmetic left open.
    """

    tally: Tally
    counterexample: str | None = None
    case: Mapping[str, Any] | None = None
    open_questions: tuple[str, ...] = ()


#: Properties by the module that states them.
_REGISTERED: Registry[Property] = Registry()


def states(
    *claims: str,
    pinned: Sequence[Mapping[str, Any]] = (),
    share: float = 1.0,
    refutable: bool = False,
    part: str | None = None,
    regime: str | None = None,
    **strategies: SearchStrategy[Any],
) -> Callable[[Check], Check]:
    """Register a function as the check of the property that its docstring states.

    The first line of the docstring is the statement, the function's name with hyphens its name.
    The check calls `assert_rank` and the like, or `refute`; any AssertionError is a
    counterexample, any other exception an error of the check.

    Parameters
    ----------
    *claims : str
        Ids of the claims that it is evidence for; none for a property that is only tested.
    pinned : sequence of mapping
        Cases that are always tried first.
    share : float
        Factor on the number of examples.
    refutable : bool
        Whether the statement is known to be false, so that a counterexample is expected.
    part : str, optional
        Part of the claims that it concerns.
    regime : str, optional
        The regime that its strategies stay in, in words; the verdict then is "supported only in a
        regime".
    **strategies : SearchStrategy
        How each argument of the check is drawn.

    Returns
    -------
    callable
        A decorator that gives the function back.

    Raises
    ------
    ValueError
        If two properties of a module have one name.

    Examples
    --------
    >>> from hypothesis import strategies as st
    >>> @states("my-claim", number=st.integers())
    ... def squares_are_not_negative(number):
    ...     \"\"\"k² ≥ 0 for every integer k.\"\"\"
    ...     assert number**2 >= 0
    """

    def register(check: Check) -> Check:
        name = stated_name(check)
        statement = (check.__doc__ or name).strip().splitlines()[0].rstrip(".")
        prop = Property(
            name, claims, statement, check, strategies, tuple(pinned), share, refutable, part,
            regime,
        )  # fmt: skip
        if not _REGISTERED.add(check, name, prop):
            raise _twice(name)
        return check

    return register


def registered(package: str) -> dict[str, Property]:
    """Return the properties that a module, or a package with its modules, has stated, by name."""
    found: dict[str, Property] = {}
    for _, name, prop in _REGISTERED.within(package):
        if name in found:
            raise _twice(name)
        found[name] = prop
    return found


def _twice(name: str) -> ValueError:
    return ValueError(f"two properties are called {name}")


@contextlib.contextmanager
def _own_constants_only() -> Iterator[None]:
    """Keep numbers found in loaded source files out of the draws, for the time of a search.

    Hypothesis mixes in constants of whatever local modules happen to be imported. Which those are
    differs between a worker process and its parent, and so would the cases of one seed.
    """
    original = getattr(providers, "_get_local_constants", None)
    cache = getattr(providers, "CONSTANTS_CACHE", None)
    if original is None or cache is None:  # other versions of Hypothesis have no such pool
        yield
        return
    from hypothesis.internal import constants_ast

    empty = constants_ast.Constants()
    providers._get_local_constants = lambda: empty
    cache.cache.clear()
    try:
        yield
    finally:
        providers._get_local_constants = original
        cache.cache.clear()


def search(prop: Property, *, max_examples: int | None = None, seed: int | None = None) -> Outcome:
    """Search for a counterexample, and shrink it.

    Parameters
    ----------
    prop : Property
        What is stated.
    max_examples : int, optional
        How many cases are drawn, times the `share` of the property; by default the Hypothesis
        profile in force decides.
    seed : int, optional
        Of the draws; the profile decides where it is None.

    Returns
    -------
    Outcome
        Counts, and the shrunk counterexample if there is one.
    """
    tally = Tally()
    last: dict[str, Any] = {}
    given = (tally,) if "tally" in inspect.signature(prop.check).parameters else ()
    # A check that counts for itself may leave a case out of the count.
    line = None if given else early_return(prop.check)
    if line is not None:
        raise TypeError(
            f"{prop.name} returns in line {line} before it asserts anything, and such a case would "
            "count as a pass; call hypothesis.assume(condition) instead"
        )

    def body(**case: Any) -> None:
        before = tally.decided + tally.undecided
        try:
            with counting(tally):
                answer: object = prop.check(*given, **case)  # type: ignore[func-returns-value]
            if answer is not None:
                # ``return x > 0`` would pass whatever x is.
                raise TypeError(f"{prop.name} returns {answer!r}; assert what it states")
        except Undecided as question:
            tally.leave_open(str(question))
        except AssertionError as violation:
            if _inside_the_library(violation):
                raise
            # The last failing call that Hypothesis makes is the shrunk one.
            last.update(case=case, violation=_said(violation))
            if isinstance(violation, Counterexample):
                raise
            raise Counterexample(last["violation"]) from violation
        else:
            # A check that only asserts has compared what it asserts.
            if not given and tally.decided + tally.undecided == before:
                tally.count(True)
        tally.examples += 1

    test = hypothesis.given(**prop.strategies)(body)
    for case in prop.pinned:
        test = hypothesis.example(**case)(test)
    with _own_constants_only():
        try:
            _configured(test, prop, max_examples, seed)()
        except Counterexample:
            return Outcome(tally, last["violation"], last["case"], tuple(tally.questions))
    return Outcome(tally, open_questions=tuple(tally.questions))


def _said(violation: AssertionError) -> str:
    """Return what an assertion says; a bare ``assert`` says where it stands."""
    if str(violation):
        return str(violation)
    frame, line = _innermost(violation)
    return f"an assertion failed at {Path(frame.f_code.co_filename).name}:{line}"


def _inside_the_library(violation: AssertionError) -> bool:
    """Whether an assertion of this library itself failed: that is a fault of it, no finding."""
    if isinstance(violation, Counterexample):
        return False
    frame, _ = _innermost(violation)
    return str(frame.f_globals.get("__name__", "")).partition(".")[0] == "epsrank"


def _innermost(violation: AssertionError) -> tuple[FrameType, int]:
    """Return the frame that raised, and its line."""
    *_, found = traceback.walk_tb(violation.__traceback__)
    return found


def assert_holds(check: Check, *, max_examples: int | None = None, seed: int | None = None) -> None:
    """Search for a counterexample to a property, as one line of a test.

    Parameters
    ----------
    check : callable
        A function that `states` has registered.
    max_examples, seed : int, optional
        As for `search`.

    Raises
    ------
    InputError
        If the function states nothing.
    Counterexample
        If the property is false; or if it is called refutable, and no counterexample was found.
    Undecided
        If the arithmetic decided no case.
    """
    __tracebackhide__ = True
    prop = _REGISTERED.of(check)
    if prop is None:
        raise InputError(
            "check",
            f"is {getattr(check, '__qualname__', repr(check))}, which states nothing",
            "decorate it with states(…)",
        )
    found = search(prop, max_examples=max_examples, seed=seed)
    counts = (
        f"{plural(found.tally.examples, 'case')}, "
        f"{plural(found.tally.decided, 'comparison')} decided, "
        f"{found.tally.undecided} left open"
    )
    if prop.refutable and found.counterexample is None:
        raise Counterexample(f"{quoted(prop.statement)} was not refuted: {counts}")
    if found.counterexample is not None and not prop.refutable:
        case = ", ".join(f"{name}={value!r}" for name, value in (found.case or {}).items())
        raise Counterexample(
            f"{quoted(prop.statement)} is false: {found.counterexample}\nshrunk case: {case}"
        )
    if found.counterexample is None and not found.tally.decided:
        first = f"; the first: {found.open_questions[0]}" if found.open_questions else ""
        raise Undecided(f"{quoted(prop.statement)} was not decided: {counts}{first}")


def _configured(
    test: Callable[..., None], prop: Property, max_examples: int | None, seed: int | None
) -> Callable[..., None]:
    profile = settings()
    cases = profile.max_examples if max_examples is None else max_examples
    # Failures that a database keeps from earlier runs would be tried first, whatever the seed.
    seeded: dict[str, Any] = {} if seed is None else {"database": None, "derandomize": False}
    own = settings(
        profile,
        max_examples=max(1, round(cases * prop.share)),
        # Of several faults one is shrunk: the last failing call is then its least case.
        report_multiple_bugs=False,
        # Exact arithmetic takes seconds on some cases.
        deadline=None,
        print_blob=False,
        suppress_health_check=list(HealthCheck),
        phases=_PHASES,
        **seeded,
    )
    configured = own(test)
    return configured if seed is None else hypothesis.seed(seed)(configured)
