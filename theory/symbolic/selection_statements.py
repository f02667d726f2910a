"""N1, N2 and the draft's constants beside them."""

from __future__ import annotations

import sympy as sp

from epsrank.theory.symbolic.notation import (
    B,
    E,
    Jointly,
    Norm,
    beta,
    c,
    epsilon,
    k,
    lam,
    n,
    p,
    u,
    u_star,
)
from epsrank.theory.symbolic.statement import Statement

FACTOR = 1 + p * (n - p)
DRAFT_FACTOR = (p + 1) * (n - p) ** 2

_distance = sp.Symbol("Delta_S", nonnegative=True)


def selection_statements() -> tuple[Statement, ...]:
    """Return N1, N2 and the slips of the draft that concern them, in the order of the text."""
    tail_sum = sp.Sum(lam[k], (k, p + 1, n))
    return (
        Statement(
            "N1",
            "neuron selection: some p neurons S have dist(u, span φ_S) = Δ_S with",
            sp.Le(_distance**2, FACTOR * lam[p + 1] * Norm(beta) ** 2),
            FACTOR * lam[p + 1] * B**2,
            (n, p, B, lam),
            source="§3",
        ),
        Statement(
            "N1-draft",
            "the same in the draft",
            sp.Le(_distance**2, (p + 1) * (n - p) * tail_sum * Norm(beta) ** 2),
            (p + 1) * (n - p) * tail_sum * B**2,
            (n, p, B, lam),
            source="§3, in the draft",
        ),
        Statement(
            "N1-ratio",
            "the draft's factor at λ_k ≤ ε against ours",
            sp.Ge(DRAFT_FACTOR / FACTOR, 1),
            DRAFT_FACTOR / FACTOR,
            (n, p),
            source="§3",
        ),
        Statement(
            "N2",
            "a-priori floor",
            sp.Ge(Norm(u - u_star), E[p] - sp.sqrt(FACTOR * epsilon) * B),
            E[p] - sp.sqrt(FACTOR * epsilon) * B,
            (n, p, epsilon, B, E),
            source="§3",
        ),
        Statement(
            "slip-sum",
            "the draft sums a tail of which the first eigenvalue suffices",
            Jointly(sp.Le(lam[p + 1], tail_sum), sp.Le(tail_sum, (n - p) * lam[p + 1])),
            (n - p) * lam[p + 1],
            (n, p, lam),
            source="§7.3",
        ),
        Statement(
            "slip-norm",
            "with ‖β‖ ≤ c the constant is c², not c (in the draft)",
            sp.Le(lam[p + 1] * Norm(beta) ** 2, lam[p + 1] * c**2),
            lam[p + 1] * c**2,
            (p, c, lam),
            source="§7.2",
        ),
        Statement(
            "slip-threshold",
            "λ_min > ε bounds the norm of a unit combination by √ε (in the draft: by ε)",
            Jointly(
                sp.Ge(Norm(u) ** 2, lam[n] * Norm(beta) ** 2),
                sp.Implies(
                    sp.And(sp.Gt(lam[n], epsilon), sp.Eq(Norm(beta), 1)),
                    sp.Gt(Norm(u), sp.sqrt(epsilon)),
                ),
            ),
            source="§7.1",
        ),
    )
