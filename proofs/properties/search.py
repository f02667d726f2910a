"""Properties as data, and the search for a counterexample: the same for pytest and verify."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import hypothesis
from hypothesis import HealthCheck, Phase, settings
from hypothesis.internal.conjecture import providers
from hypothesis.strategies import SearchStrategy


class Counterexample(AssertionError):
    """The property is false on this case; the message says by how much."""


def refute(message: str) -> NoReturn:
    """Report that the property is false on the case at hand."""
    raise Counterexample(message)


@dataclass
class Tally:
    """How many cases ran, and how many comparisons in them the arithmetic decided."""

    #: Cases that ran to the end.
    examples: int = 0
    #: Comparisons whose truth the intervals settled, and those they left open.
    decided: int = 0
    undecided: int = 0

    def count(self, decided: bool) -> None:
        """Count one comparison."""
        if decided:
            self.decided += 1
        else:
            self.undecided += 1


Check = Callable[..., None]


@dataclass(frozen=True)
class Property:
    """A statement "for all …" with the strategies that draw its cases."""

    #: Unique name.
    name: str
    #: Claims it is evidence for.
    claims: tuple[str, ...]
    #: What is checked, in one sentence.
    statement: str
    #: ``check(tally, **case)``; raises `Counterexample`.
    check: Check
    #: How each argument is drawn.
    strategies: Mapping[str, SearchStrategy[Any]]
    #: Cases that are always tried first.
    pinned: tuple[Mapping[str, Any], ...] = ()
    #: Factor on the number of examples: slow properties get fewer, vital ones more.
    share: float = 1.0
    #: Whether the statement is known to be false, so that a counterexample is expected.
    refutable: bool = False
    #: Part of the claims that it concerns, where they are made of several statements.
    part: str | None = None


@dataclass(frozen=True)
class Outcome:
    """What a search found."""

    #: Counts of cases and comparisons.
    tally: Tally
    #: What was violated.
    counterexample: str | None = None
    #: The shrunk case.
    case: Mapping[str, Any] | None = None


REGISTRY: dict[str, Property] = {}


def states(
    *claims: str,
    pinned: Sequence[Mapping[str, Any]] = (),
    share: float = 1.0,
    refutable: bool = False,
    part: str | None = None,
    **strategies: SearchStrategy[Any],
) -> Callable[[Check], Check]:
    """Register a function as the check of the property that its docstring states."""

    def register(check: Check) -> Check:
        name = check.__name__.replace("_", "-")
        if name in REGISTRY:
            raise ValueError(f"two properties are called {name}")
        statement = (check.__doc__ or name).strip().splitlines()[0].rstrip(".")
        REGISTRY[name] = Property(
            name, claims, statement, check, strategies, tuple(pinned), share, refutable, part
        )
        return check

    return register


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
    """Search for a counterexample.

    `max_examples` cases are drawn, times the `share` of the property; the Hypothesis profile in
    force decides where it is None.
    """
    tally = Tally()
    last: dict[str, Any] = {}

    def body(**case: Any) -> None:
        try:
            prop.check(tally, **case)
        except Counterexample as violation:
            # The last failing call that Hypothesis makes is the shrunk one.
            last.update(case=case, violation=str(violation))
            raise
        tally.examples += 1

    test = hypothesis.given(**prop.strategies)(body)
    for case in prop.pinned:
        test = hypothesis.example(**case)(test)
    with _own_constants_only():
        try:
            _configured(test, prop, max_examples, seed)()
        except Counterexample:
            return Outcome(tally, last["violation"], last["case"])
    return Outcome(tally)


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
        # No explain phase: it runs the case many times to decorate a message that is not shown.
        phases=(Phase.explicit, Phase.reuse, Phase.generate, Phase.target, Phase.shrink),
        **seeded,
    )
    configured = own(test)
    return configured if seed is None else hypothesis.seed(seed)(configured)
