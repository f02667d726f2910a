"""F4: families for which the floor is attained, verified in rational arithmetic."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.exact import oracle
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.floor.certified.attaining import AttainingFamily, attaining_family
from epsrank.theory.floor.certified.certificate import certify_chain
from epsrank.theory.numbers.interval import nearest

# ε, B, and α as a multiple of √ε B (or of 1 where B = 0): equality at α = √ε B included.
_SCALES = (
    (1e-6, 3.0, 1.0),
    (0.25, 1.0, 4.0),
    (1e-2, 0.0, 5.0),
    (3e-9, 250.0, 1.5),
    (7.0, 2.0, 2.0),
)

_WIDTHS = {"quick": (1, 2, 5, 8), "default": (1, 2, 3, 5, 8, 13, 21), "full": (*range(1, 17), 32)}


def _instances(effort: str) -> list[AttainingFamily]:
    """Return the families of all p < n for some n, with more samples than neurons at times."""
    families = []
    for n in _WIDTHS[effort]:
        for p in range(n):
            eps, norm, factor = _SCALES[(n + p) % len(_SCALES)]
            alpha = factor * (math.sqrt(eps) * norm if norm else 1.0)
            samples = n + (p % 3)
            families.append(attaining_family(n, p, eps, norm, alpha, samples, generator=17 * n + p))
    return families


def _faults(family: AttainingFamily, small: bool) -> str | None:
    """Return what is wrong with a family, None where F4 holds to the last bit."""
    equality = family.verify()
    if not equality.holds:
        return f"‖u − u*‖² = {equality.loss} is not (d_p − √ε‖β‖)²"
    if equality.norm_square != Fraction(family.norm) ** 2:
        return f"‖β‖² = {equality.norm_square} is not B²"
    if not small:
        return None
    # An independent count: rational elimination sees nothing of the construction.
    rank = oracle.exact_rank(family.features, family.eps, family.weights, "raw")
    return None if rank == family.rank else f"the ε-rank is {rank}, not p = {family.rank}"


def _certified(family: AttainingFamily) -> str | None:
    """Return what ball arithmetic holds against a family: floor² and loss must be equal."""
    certificate = certify_chain(
        family.features,
        family.target,
        family.coefficients,
        family.eps,
        weights=family.weights,
        measure="raw",
    )
    if not certificate.holds:
        return f"the chain is not certified: {certificate.reason or certificate}"
    gap = certificate.loss - certificate.floor.lower
    if gap > Fraction(1, 10**30) * max(certificate.target_norm_squared, Fraction(1, 10**30)):
        return f"loss − floor² = {nearest(gap)}"
    return None


def check_attaining(context: Context) -> list[Evidence]:
    """Verify the attaining families in rational arithmetic and by ball certificates."""
    families = _instances(context.effort)
    # Rational elimination takes long beyond eight neurons.
    witness = _first(families, lambda family: _faults(family, family.features.shape[1] <= 8))
    exact = Evidence(
        "floor-tight",
        "exact",
        "refuted" if witness else "passed",
        "Families with r_ε = p and ‖u − u*‖ = d_p − √ε‖β‖, each verified in rational arithmetic",
        {
            "families": len(families),
            "n": sorted({family.features.shape[1] for family in families}),
            "eps": sorted({family.eps for family in families}),
            "largest p": max(family.rank for family in families),
        },
        witness=witness,
    )
    chosen = [family for family in families if family.features.shape[1] in (2, 5, 8)]
    witness = _first(chosen, _certified)
    balls = Evidence(
        "floor-tight",
        "exact",
        "refuted" if witness else "passed",
        "The same families through the chain certificate: loss and floor² coincide to 1e-30",
        {"families": len(chosen)},
        witness=witness,
    )
    return [exact, balls]


def _first(families: list[AttainingFamily], judge: Any) -> dict[str, Any] | None:
    """Return the first family with a fault, as a witness."""
    for family in families:
        fault = judge(family)
        if fault is not None:
            return {
                "fault": fault,
                "n": family.features.shape[1],
                "p": family.rank,
                "eps": family.eps,
                "norm": family.norm,
                "features": family.features,
                "weights": family.weights,
                "target": family.target,
                "coefficients": family.coefficients,
            }
    return None


def attaining_checkers() -> list[Checker]:
    """Return the checker of F4."""
    return [Checker("attaining families", ("floor-tight",), "exact", check_attaining)]
