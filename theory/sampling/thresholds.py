"""From κ to the thresholds at which sample eigenvalues are counted; the N that separates."""

from __future__ import annotations

import math
from dataclasses import dataclass

from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.rounding import downward, upward
from epsrank.theory.sampling.tails import deviation, least_ratio

#: Any number above κ serves as κ; this one keeps N/κ finite where all features are 0.
LEAST_LEVERAGE = 1e-6


@dataclass(frozen=True)
class Relative:
    """κ, η₊, η₋ and the thresholds on λ̂ that follow."""

    #: κ.
    leverage: float
    #: η₊ and η₋.
    eta_upper: float
    eta_lower: float
    #: Sample eigenvalues above the first belong to population eigenvalues above ε; those of
    #: population eigenvalues above ε are above the second.
    above: float
    below: float


def relative(
    eps: float, ridge: float, n_samples: int, dimension: int, kappa: float, delta: float
) -> Relative:
    """Return the thresholds at which sample eigenvalues are counted.

    Since (1 − η₋)(λ_k + τ) ≤ λ̂_k + τ ≤ (1 + η₊)(λ_k + τ): λ̂_k > ε + η₊(ε + τ) implies λ_k > ε, and
    λ_k > ε implies λ̂_k > ε − η₋(ε + τ).
    """
    kappa = max(kappa, LEAST_LEVERAGE)
    if not math.isfinite(kappa):
        return Relative(kappa, math.inf, 1.0, math.inf, downward(eps) - upward(eps + ridge))
    # d = tr G(G + τI)⁻¹ = E‖z‖² is at most n and at most κ.
    most = min(float(dimension), kappa)
    ratio = n_samples / kappa
    up, down = (deviation(ratio, most, delta, tail) for tail in ("upper", "lower"))
    return Relative(
        kappa,
        up,
        down,
        upward(eps + up * (eps + ridge)),
        # Each part by itself: `downward` would push a negative difference upward.
        downward(eps) - upward(down * (eps + ridge)),
    )


def separating_samples(
    spectrum: Vector, eps: float, ridge: float, kappa: float, delta: float, *, rank: int
) -> int | None:
    """Return the N at which both ends would meet, were this spectrum the population's.

    The ends meet at r once (1 − η₋)(λ_r + τ) > (1 + η₊)(ε + τ) and
    (1 + η₊)(λ_{r+1} + τ) ≤ (1 − η₋)(ε + τ).

    None where an eigenvalue equals ε to rounding, or κ is unknown.
    """
    if not math.isfinite(kappa):
        return None
    kappa = max(kappa, LEAST_LEVERAGE)
    most = min(float(len(spectrum)), kappa)
    edge = eps + ridge

    def enough(ratio: float) -> bool:
        """Whether both inequalities hold at N/κ = ratio."""
        up, down = deviation(ratio, most, delta, "upper"), deviation(ratio, most, delta, "lower")
        above = rank == 0 or (1 - down) * (spectrum[rank - 1] + ridge) > (1 + up) * edge
        below = rank == len(spectrum) or (1 + up) * (spectrum[rank] + ridge) <= (1 - down) * edge
        return bool(above and below)

    ratio = least_ratio(enough, most=1e12)
    return math.ceil(kappa * ratio) if math.isfinite(ratio) else None
