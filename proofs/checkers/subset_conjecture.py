"""N4: the cases that are settled by hand, and the best attempt to refute the others."""

from __future__ import annotations

import sympy as sp

from epsrank.numerics.pruning.subset_search import all_cases, search_subsets
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.ledger.evidence import Evidence

CLAIM = "subset-conjecture"

#: Largest n, restarts, steps, and how many of the best are polished.
_SEARCH = {"quick": (5, 6, 60, 1), "default": (7, 16, 150, 2), "full": (12, 64, 300, 12)}


def check_search(context: Context) -> list[Evidence]:
    """Search for an orthonormal matrix without p good rows."""
    largest, restarts, steps, polished = _SEARCH[context.effort]
    rows, witness = [], None
    for n, p in [(n, p) for n, p in all_cases(largest) if p > 1]:
        found = search_subsets(
            n, p, restarts=restarts, steps=steps, polished=polished, seed=context.seed
        ).found
        rows.append(
            {"n": n, "p": p, "smallest value·√n": found.value, "certified": found.certified}
        )
        if found.refutes and witness is None:
            witness = {"n": n, "p": p, "matrix": found.matrix, "certified": found.certified}
    return [
        Evidence(
            CLAIM,
            "exact",
            "refuted" if witness else "undecided",
            "Descent on Stiefel manifolds over all subsets: the smallest max_S σ_min(Q_S)·√n found",
            {
                "largest n": largest,
                "restarts": restarts,
                "smallest value": min(row["smallest value·√n"] for row in rows),
            },
            witness=witness,
            cause=None if witness else "a search that finds no counterexample decides nothing",
            rows=rows,
        )
    ]


def check_settled_cases(context: Context) -> list[Evidence]:
    """Prove p = 1 and p = n − 1 by an identity and the pigeonhole principle.

    p = 1: the n squares q_i² sum to 1. p = n − 1: leaving out row r, Q_SᵀQ_S = I − rᵀr has the
    least eigenvalue 1 − |r|², and the n numbers 1 − |r_i|² sum to n − p = 1. The largest of n
    numbers with sum 1 is at least 1/n.
    """
    t = sp.Symbol("t")
    wrong = []
    for p in range(1, 6):
        r = sp.Matrix([sp.symbols(f"r1:{p + 1}")])
        size = (r * r.T)[0, 0]
        # Berkowitz's method does not divide: no symbol has to be assumed to be other than 0.
        found = (t * sp.eye(p) - (sp.eye(p) - r.T * r)).det(method="berkowitz")
        if sp.expand(found - (t - 1) ** (p - 1) * (t - 1 + size)) != 0:
            wrong.append(p)
    return [
        Evidence(
            CLAIM,
            "symbolic",
            "refuted" if wrong else "passed",
            "p = 1, p = n − 1 and p = n hold: det(t − I + rᵀr) = (t − 1)^(p−1) (t − 1 + |r|²), so "
            "σ_min² = 1 − |r_i|², n numbers of sum 1 (p = 2 and n − 2: Sengupta & Pautov, 2026)",
            {"identities for p": [1, 2, 3, 4, 5]},
            witness={"p": wrong} if wrong else None,
        )
    ]


def subset_checkers() -> list[Checker]:
    """Return the checkers of N4."""
    settled, search = "settled cases of the subset conjecture", "search against the same"
    return [
        Checker(settled, (CLAIM,), "symbolic", check_settled_cases),
        Checker(search, (CLAIM,), "exact", check_search),
    ]
