"""Checks of a user's claims that are no search: functions from a context to evidence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from epsrank.proofs.ledger.evidence import Evidence, Kind
from epsrank.proofs.testing.registry import Registry, stated_name
from epsrank.theory.errors import InputError

#: From the `Context` of a verification to evidence.
CheckFunction = Callable[[Any], Evidence | Sequence[Evidence]]


@dataclass(frozen=True)
class Registered:
    """A function that gives evidence of one kind on some claims."""

    name: str
    claims: tuple[str, ...]
    kind: Kind
    function: CheckFunction


_CHECKS: Registry[Registered] = Registry()


def checks(*claims: str, kind: Kind) -> Callable[[CheckFunction], CheckFunction]:
    """Register a function as a check of claims in a ledger of your own.

    It takes a `Context` and returns `Evidence`, or a list of it, on the claims named, of the kind
    named.

    Parameters
    ----------
    *claims : str
        Ids of the claims.
    kind : {"exact", "symbolic", "property", "empirical"}
        Kind of its evidence.

    Returns
    -------
    callable
        A decorator that gives the function back.

    Raises
    ------
    InputError
        If the kind is another, no claim is named, or two checks of a module have one name.

    Examples
    --------
    >>> from epsrank.testing import Evidence
    >>> @checks("my-claim", kind="exact")
    ... def two_and_two(context):
    ...     return Evidence("my-claim", "exact", "passed", "2 + 2 = 4", {"sum": 2 + 2})
    """
    known = [name for name in get_args(Kind) if name != "formal"]
    if kind not in known:
        # Proofs are those of the project's own development in Coq.
        raise InputError("kind", f"is {kind!r}", f"choose from {', '.join(known)}")
    if not claims:
        raise InputError("claims", "is missing", "name the claims that the check is about")

    def register(function: CheckFunction) -> CheckFunction:
        name = stated_name(function)
        if not _CHECKS.add(function, name, Registered(name, claims, kind, function)):
            raise InputError("checks", f"has two functions called {name}", "rename one")
        return function

    return register


def registered_checks(package: str) -> dict[str, Registered]:
    """Return the checks of a module, or a package with its modules, by module and name."""
    return {f"{module}:{name}": check for module, name, check in _CHECKS.within(package)}
