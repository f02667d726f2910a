"""F1–F6: tail, floors, envelope, reachable loss, tightness, rank budget, reading."""

from __future__ import annotations

import sympy as sp

from epsrank.theory.symbolic.notation import (
    B,
    Extremum,
    Jointly,
    Norm,
    P_u,
    alpha,
    b,
    beta,
    d,
    delta,
    dual,
    epsilon,
    gamma,
    k,
    lam,
    mu,
    n,
    p,
    phi,
    psi,
    target_square,
    u,
    u_star,
    value,
)
from epsrank.theory.symbolic.statement import Statement

TAIL = sp.Sum(lam[k] * gamma[k] ** 2, (k, p + 1, n))
FLOOR = sp.Max(0, d[p] - sp.sqrt(lam[p + 1]) * B)
DUAL = target_square - sp.Sum(b[k] ** 2 / (lam[k] + mu), (k, 1, n)) - mu * B**2
LENGTH = sp.Sum(b[k] ** 2 / (lam[k] + mu) ** 2, (k, 1, n))
PRIMAL = target_square - sp.Sum(b[k] ** 2 * (lam[k] + 2 * mu) / (lam[k] + mu) ** 2, (k, 1, n))

_nonnegative = sp.Ge(mu, 0, evaluate=False)
_r = sp.Symbol("r", integer=True, nonnegative=True)
_loss = sp.Symbol("L", nonnegative=True)


def floor_statements() -> tuple[Statement, ...]:
    """Return F1–F6, in the order of the text."""
    error = Norm(u - u_star)
    reach = sp.sqrt(epsilon) * B
    return (
        Statement(
            "F1",
            "tail",
            Jointly(sp.Eq(Norm(u - P_u) ** 2, TAIL), sp.Le(TAIL, lam[p + 1] * Norm(beta) ** 2)),
            TAIL,
            (n, p, lam, gamma),
            "epsrank.theory.floor.decomposed.bounds.tail",
            "§2",
        ),
        Statement(
            "F2",
            "floor",
            sp.Ge(error, FLOOR),
            FLOOR,
            (p, B, lam, d),
            "epsrank.theory.floor.decomposed.bounds.floors",
            "§2",
        ),
        Statement(
            "F2-epsilon",
            "floor at p = r_ε",
            sp.Ge(error, sp.Max(0, d[_r] - reach)),
            sp.Max(0, d[_r] - reach),
            (_r, epsilon, B, d),
            "epsrank.theory.floor.decomposed.bounds.epsilon_floor",
            "§2",
        ),
        Statement(
            "F2-envelope",
            "envelope: the floor without ε",
            sp.Ge(error, Extremum("max", FLOOR, p, 0, n)),
            Extremum("max", FLOOR, p, 0, n),
            (n, B, lam, d),
            "epsrank.theory.floor.decomposed.bounds.envelope",
            "§2",
        ),
        Statement(
            "F3",
            "reachable loss",
            sp.Eq(value(B), Extremum("min", Norm(phi * beta - u_star) ** 2, sp.Le(Norm(beta), B))),
            source="§2",
        ),
        Statement(
            "F3-chain",
            "loss ≥ V(B) ≥ floor²",
            Jointly(sp.Ge(error**2, value(B)), sp.Ge(value(B), FLOOR**2)),
            FLOOR**2,
            (p, B, lam, d),
            "epsrank.theory.floor.certified.certificate.certify_chain",
            "§2",
        ),
        Statement(
            "F3-dual",
            "weak and strong duality",
            Jointly(
                sp.Eq(dual(mu), DUAL), sp.Eq(value(B), Extremum("max", dual(mu), _nonnegative))
            ),
            DUAL,
            (n, mu, B, target_square, lam, b),
            "epsrank.theory.floor.certified.ball_reachable.reachable",
            "§2",
        ),
        Statement(
            "F3-secular",
            "secular equation of an active norm bound",
            sp.Eq(LENGTH, B**2),
            LENGTH,
            (n, mu, lam, b),
            "epsrank.theory.floor.decomposed.reachable.solve_secular",
            "§2",
        ),
        Statement(
            "F3-primal",
            "loss at the multiplier μ",
            sp.Eq(value(B), PRIMAL),
            PRIMAL,
            (n, mu, target_square, lam, b),
            "epsrank.theory.floor.decomposed.reachable.reachable_loss",
            "§2",
        ),
        Statement(
            "F3-unbounded",
            "no norm bound",
            sp.Eq(value(sp.oo), d[n] ** 2),
            source="§2",
        ),
        Statement(
            "F4",
            "attaining family",
            Jointly(
                sp.Eq(u_star, alpha * psi[p + 1] / sp.sqrt(lam[p + 1])),
                sp.Eq(lam[p + 1], epsilon),
                sp.Eq(error, alpha - reach),
            ),
            alpha - reach,
            (alpha, epsilon, B),
            "epsrank.theory.floor.certified.attaining.attaining_family",
            "§2",
        ),
        Statement(
            "F5",
            "rank budget of a loss δ²",
            sp.Ge(_r, Extremum("min", p, sp.Le(d[p], delta + reach))),
            delta + reach,
            (delta, epsilon, B),
            "epsrank.theory.floor.decomposed.bounds.rank_budget",
            "§2",
        ),
        Statement(
            "F6",
            "reading of a plateau",
            sp.Ge(_loss / value(B), 1),
            numeric="epsrank.theory.floor.reading",
            source="§2",
        ),
    )
