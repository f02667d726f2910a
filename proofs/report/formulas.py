"""Formulas of claims as MathML, from the statements of `epsrank.theory.symbolic`."""

from __future__ import annotations

from functools import cache

from epsrank.proofs.ledger import Claim
from epsrank.theory.errors import InputError
from epsrank.theory.symbolic.registry import statement


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
