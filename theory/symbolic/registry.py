"""All statements, by id."""

from __future__ import annotations

from functools import cache

from epsrank.theory.errors import InputError
from epsrank.theory.symbolic.bound_statements import bound_statements
from epsrank.theory.symbolic.floor_statements import floor_statements
from epsrank.theory.symbolic.flow_statements import flow_statements
from epsrank.theory.symbolic.kernel_statements import kernel_statements
from epsrank.theory.symbolic.rank_statements import rank_statements
from epsrank.theory.symbolic.selection_statements import selection_statements
from epsrank.theory.symbolic.statement import Statement


@cache
def statements() -> tuple[Statement, ...]:
    """Return every statement of the theory that is a formula.

    D1, M2–M9, F1–F6, N1, N2, the slips of the draft, I1 with its closed forms, the flows from small
    weights of B1 and B4, and the bounds P1 and P2.
    """
    return (
        *rank_statements(),
        *floor_statements(),
        *selection_statements(),
        *kernel_statements(),
        *flow_statements(),
        *bound_statements(),
    )


def statement(identifier: str) -> Statement:
    """Return one statement."""
    for candidate in statements():
        if candidate.id == identifier:
            return candidate
    known = ", ".join(candidate.id for candidate in statements())
    raise InputError("statement", f"is {identifier!r}", f"choose one of {known}")
