"""D1 and M2–M9: the ε-rank and its bounds."""

from __future__ import annotations

import sympy as sp

from epsrank.theory.symbolic.notation import (
    EpsilonRank,
    G,
    H,
    Indicator,
    Jointly,
    T,
    c,
    delta,
    epsilon,
    h,
    k,
    lam,
    lam_other,
    n,
    sigma_max,
    sigma_min,
    t,
)
from epsrank.theory.symbolic.statement import Statement

_COUNT = sp.Sum(Indicator(sp.Gt(lam[k], epsilon)), (k, 1, n))
_MIXED = T.T * G * T


def rank_statements() -> tuple[Statement, ...]:
    """Return D1 and M2, M5–M9, in the order of the text."""
    rank = EpsilonRank
    return (
        Statement(
            "D1",
            "ε-rank, strictly greater",
            sp.Eq(rank(G, epsilon), _COUNT),
            _COUNT,
            (n, epsilon, lam),
            "epsrank.theory.rank.epsilon_rank",
            "§1",
        ),
        Statement(
            "M2",
            "monotone in ε",
            sp.Implies(sp.Le(epsilon, delta), sp.Le(rank(G, delta), rank(G, epsilon))),
            source="§1",
        ),
        Statement(
            "M5",
            "scaling of the features",
            sp.Eq(rank(c**2 * G, c**2 * epsilon), rank(G, epsilon)),
            source="§1",
        ),
        Statement(
            "M6",
            "mixing the neurons (Ostrowski)",
            Jointly(
                sp.Le(rank(G, epsilon / sigma_min**2), rank(_MIXED, epsilon)),
                sp.Le(rank(_MIXED, epsilon), rank(G, epsilon / sigma_max**2)),
            ),
            source="§1",
        ),
        Statement(
            "M7",
            "stability (Weyl)",
            Jointly(
                sp.Le(rank(G, epsilon + t), rank(H, epsilon)),
                sp.Le(rank(H, epsilon), rank(G, epsilon - t)),
            ),
            numeric="epsrank.theory.rank.epsilon_rank_from_gram",
            source="§1",
        ),
        Statement(
            "M7-eigenvalues",
            "stability of each eigenvalue (Weyl)",
            sp.Le(sp.Abs(lam[k] - lam_other[k]), t),
            source="§1",
        ),
        Statement(
            "M8",
            "subadditive",
            sp.Le(rank(G + H, epsilon + delta), rank(G, epsilon) + rank(H, delta)),
            source="§1",
        ),
        Statement(
            "M9",
            "trace bound",
            sp.Le(rank(G, epsilon), sp.Sum(lam[k], (k, 1, n)) / epsilon),
            sp.Sum(lam[k], (k, 1, n)) / epsilon,
            (n, epsilon, lam),
            source="§1",
        ),
        Statement(
            "slip-step",
            "composite weights printed without the step h change ε by 1/h (in the draft)",
            sp.Eq(rank(h * G, epsilon), rank(G, epsilon / h)),
            source="§7.4",
        ),
    )
