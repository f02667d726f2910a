"""The checkers that a user's package states: its properties, and its checks, run where they lie."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from functools import partial
from types import ModuleType

from epsrank.numerics.named import find_module, module_digest, named_line
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.checkers.searches import evidence_of
from epsrank.proofs.ledger.claims import Claim
from epsrank.proofs.ledger.evidence import STATES, Evidence
from epsrank.proofs.testing.checking import registered_checks
from epsrank.proofs.testing.search import Property, registered
from epsrank.theory.errors import InputError
from epsrank.theory.words import quoted

ARGUMENT = "checkers"


def named_checkers(name: str, ledger: Sequence[Claim]) -> list[Checker]:
    """Import a user's module, and make a checker of each of its properties and checks."""
    module = find_module(name, argument=ARGUMENT)
    digest = module_digest(module, argument=ARGUMENT)
    made = [
        Checker(
            f"property {prop.name}", prop.claims, "property",
            partial(check_named, name, digest, prop.name),
        )
        for prop in _properties(module).values()
        if prop.claims  # the others are tested by pytest alone
    ]  # fmt: skip
    made += [
        Checker(f"check {check.name}", check.claims, check.kind,
                partial(check_named, name, digest, key))
        for key, check in registered_checks(name).items()
    ]  # fmt: skip
    if not made:
        raise InputError(
            ARGUMENT,
            f"is {name}, which states nothing about a claim",
            "decorate functions with epsrank.testing's states(…) or checks(…), and import their "
            "modules in it",
        )
    known = {claim.id: claim for claim in ledger}
    for checker in made:
        for claim in checker.claims:
            if claim not in known:
                near = difflib.get_close_matches(claim, list(known), n=3, cutoff=0.4)
                raise InputError(
                    ARGUMENT,
                    f"has {quoted(checker.id)} on {claim!r}, which is not in the ledger",
                    f"did you mean {', '.join(near)}?" if near else f"enter {claim!r} there",
                )
    for prop in _properties(module).values():
        for claim in prop.claims:
            parts = known[claim].parts
            if prop.part not in (parts or (None,)):
                problem = f"has “property {prop.name}” on part {prop.part!r} of {claim!r}"
                remedy = f"choose from {', '.join(parts)}" if parts else "that claim has no parts"
                raise InputError(ARGUMENT, problem, remedy)
    return made


def _properties(module: ModuleType) -> dict[str, Property]:
    try:
        return registered(module.__name__)
    except ValueError as error:
        raise InputError(ARGUMENT, f"is {module.__name__}: {error}", "rename one") from None


def check_named(module: str, digest: str, name: str, context: Context) -> list[Evidence]:
    """Run one of them, as its source was when the verification began."""
    found = find_module(module, argument=ARGUMENT)
    if module_digest(found, argument=ARGUMENT) != digest:
        raise InputError(ARGUMENT, f"is {module}, which has changed meanwhile", "run it again")
    prop = registered(module).get(name)
    try:
        if prop is not None:
            return evidence_of(prop, context)
        check = registered_checks(module)[name]
        given = check.function(context)
    # A user's code may raise anything: where it did is said in one line.
    except Exception as error:
        raise InputError(name, f"failed ({named_line(error)})", "mend it") from None
    items = [given] if isinstance(given, Evidence) else given
    if not isinstance(items, Sequence) or not all(isinstance(item, Evidence) for item in items):
        raise InputError(name, f"returned a {type(given).__name__}", "return Evidence")
    for item in items:
        if item.state not in STATES:
            raise InputError(name, f"says {item.state!r}", f"choose from {', '.join(STATES)}")
        if item.claim not in check.claims or item.kind != check.kind:
            raise InputError(
                name,
                f"returned {item.kind} evidence on {item.claim!r}",
                f"it was registered for {check.kind} evidence on {', '.join(check.claims)}",
            )
    return list(items)
