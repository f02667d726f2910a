"""P1 and P2: how long a plateau certainly lasts, and how far neurons have turned until then."""

from __future__ import annotations

import sympy as sp

from epsrank.theory.symbolic.notation import (
    across,
    aligned,
    bend,
    drive,
    first_norm,
    loss_factor,
    norm,
    plateau,
)
from epsrank.theory.symbolic.statement import Statement

_ratio = (norm / first_norm) ** 2
_curved = (drive + bend * first_norm**2) / (drive + bend * norm**2)
PLATEAU = sp.log(_ratio * _curved) / (2 * loss_factor * drive)
GROWN = sp.sqrt(1 / _curved)
ACROSS = (
    GROWN
    * (sp.sqrt(1 - aligned**2) * first_norm / norm + bend * norm**2 / (3 * drive))
    / (aligned - GROWN + 1)
)


def bound_statements() -> tuple[Statement, ...]:
    """Return the closed forms of the two theorems for two layers."""
    return (
        Statement(
            "P1",
            "the loss of two small layers stays where it is for at least T",
            sp.Ge(plateau, PLATEAU, evaluate=False),
            PLATEAU,
            (norm, first_norm, drive, bend, loss_factor),
            "epsrank.theory.flows.plateau_bound.plateau_bound",
            "ours; docs/plateau-bounds.md",
        ),
        Statement(
            "P2",
            "by then a neuron has at most the part τ of itself across the growing direction",
            sp.Le(across, ACROSS, evaluate=False),
            ACROSS,
            (aligned, norm, first_norm, drive, bend),
            "epsrank.theory.flows.condensation_bound.condensation_bound",
            "ours; docs/plateau-bounds.md",
        ),
    )
