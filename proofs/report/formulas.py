"""Formulas of claims as MathML, from the statements of `theory.symbolic`."""

from __future__ import annotations

from functools import cache

from proofs.ledger import Claim
from theory.errors import InputError
from theory.symbolic.registry import statement


@cache
def _mathml(identifier: str) -> str:
    """Return the MathML of one statement, nothing where it has gone from the registry."""
    try:
        return statement(identifier).mathml
    except InputError:
        return ""


def formula(claim: Claim) -> str | None:
    """Return the MathML of a claim, None where it has no symbolic statement.

    Parameters
    ----------
    claim : Claim
        The claim.

    Returns
    -------
    str or None
        ``<math>`` elements, one after the other.
    """
    return "".join(_mathml(identifier) for identifier in claim.symbols) or None
