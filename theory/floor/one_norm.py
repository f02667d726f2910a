"""The norm of an output layer as arguments: given by itself, or by coefficients that have one."""

from __future__ import annotations

from typing import Any

from epsrank.theory.errors import InputError


def refuse_unless_one(norm: Any, coefficients: Any) -> None:
    """Refuse anything but a norm alone, or coefficients, which have one, alone.

    Parameters
    ----------
    norm : object
        B, or None.
    coefficients : object
        W, or None.

    Raises
    ------
    InputError
        If neither or both are given.
    """
    if (norm is None) == (coefficients is None):
        given = "neither" if norm is None else "both"
        raise InputError(
            "norm", f"and coefficients: {given} of them given", "pass exactly one of the two"
        )
