"""How far a sample Gram matrix can be from its mean, relative to G + τI: both tails, derived.

Let H = G + τI, z = H^{-1/2}φ(x), κ ≥ sup_x ‖z‖², M = E zzᵀ = H^{-1/2}GH^{-1/2} ≼ I, d = tr M, and
M̂ = (1/N) Σ z_i z_iᵀ. Because (e^{θs} − 1)/s grows with s,

    E e^{θzzᵀ/N} = I + E[(e^{θ‖z‖²/N} − 1)/‖z‖² zzᵀ] ≼ I + (e^{θκ/N} − 1)/κ M,

for θ of either sign, and so is its logarithm below (e^{θκ/N} − 1)/κ M. Lieb's theorem [Tropp 2015,
§3.5] with the fixed summand ∓θM gives, for θ > 0,

    E tr e^{±θ(M̂ − M)} ≤ tr e^{g M},    g = (N/κ)(e^{±θκ/N} − 1) ∓ θ ≥ 0,

and since x ↦ e^{gx} − 1 is convex and 0 at 0, tr(e^{gM} − I) ≤ d (e^g − 1). Markov's inequality for
ψ(s) = e^s − s − 1 (as in Tropp, Thm 7.7.1; the mean of the linear term is 0) ends in

    P(λ_max(±(M̂ − M)) ≥ η) ≤ d (e^g − 1)/(e^{θη} − θη − 1)    for every θ > 0.

With a = N/κ the choice θ = ±a log(1 ± η) makes the exponent −a h(±η), h(x) = (1+x)log(1+x) − x.
Since h(η) ≥ η²/(2(1 + η/3)) and h(−η) ≥ η²/2, and (e^g − 1)/(e^s − s − 1) ≤ 4e^{g−s} for s ≥ 1, the
closed form N ≥ 2κ(1 + η/3)η⁻² log(8d/δ) follows for η ≤ 1 and 8d ≥ eδ (C4). The functions here
evaluate the bound itself, which is smaller.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal

from epsrank.theory.data.inputs import as_share

Tail = Literal["upper", "lower"]

# Relative slack for the rounding of a few dozen float64 operations on logarithms below 1e6.
_LOG_SLACK = 1e-9

# Halvings of (0, 64): η to 2^-42.
_BISECTIONS = 48

# Ratios are found to this relative accuracy, from above.
_RATIO_STEP = 1e-4

#: Deviations beyond this are not looked for: the sample then says nothing.
LARGEST = 64.0


def tail_probability(ratio: float, dimension: float, eta: float, tail: Tail) -> float:
    """Bound P(λ_max(±(M̂ − M)) ≥ η) for N samples of leverage at most κ.

    Only the ratio N/κ matters.
    """
    if tail == "lower" and eta >= 1:
        # M̂ ≽ 0 and M ≼ I: a deviation of 1 or more would need M̂ to have a negative direction.
        return 0.0 if eta > 1 else math.inf
    log = math.log1p(eta) if tail == "upper" else -math.log1p(-eta)
    growth = ratio * (eta - log) if tail == "upper" else ratio * (log - eta)
    # 700, for e^709 ends float64. Exponents of size N/κ carry as many roundings into the power.
    return math.exp(
        min(700.0, math.log(dimension) + _log_expm1(growth) - _log_psi(ratio * eta * log))
    ) * (1 + _LOG_SLACK * (1 + ratio))


def _log_expm1(x: float) -> float:
    """Return log(e^x − 1) for x > 0."""
    return x + math.log(-math.expm1(-x)) if x > 0 else -math.inf


def _log_psi(x: float) -> float:
    """Return log(e^x − x − 1) for x > 0, from the series where x is small."""
    if x > 0.1:
        return x + math.log1p(-(1 + x) * math.exp(-x))
    # For x ≤ 0.1 what is left out is below 2^-60 of the sum.
    series = sum(x**k / math.factorial(k) for k in range(2, 12))
    return math.log(series) if series > 0 else -math.inf


def deviation(ratio: float, dimension: float, delta: float, tail: Tail) -> float:
    """Return the least η found with P(λ_max(±(M̂ − M)) ≥ η) ≤ δ.

    Only the ratio N/κ matters.
    """
    # At η = 1 the lower tail has no logarithm.
    top = LARGEST if tail == "upper" else 1 - 1e-12
    if not tail_probability(ratio, dimension, top, tail) <= delta:
        return math.inf if tail == "upper" else 1.0
    low, high = 0.0, top
    for _ in range(_BISECTIONS):
        middle = (low + high) / 2
        # `high` satisfies the bound throughout, and is what is returned.
        if middle > 0 and tail_probability(ratio, dimension, middle, tail) <= delta:
            high = middle
        else:
            low = middle
    return high


def sufficient_samples(kappa: float, dimension: float, eta: float, delta: float) -> int:
    """Return an N with (1−η)(G+τI) ≼ Ĝ+τI ≼ (1+η)(G+τI) with probability 1 − δ."""
    eta, delta = as_share(eta, "eta"), as_share(delta, "delta")

    def enough(ratio: float) -> bool:
        return all(
            tail_probability(ratio, dimension, eta, tail) <= delta / 2
            for tail in ("upper", "lower")
        )

    return math.ceil(kappa * least_ratio(enough))


def least_ratio(enough: Callable[[float], bool], most: float = 1e15) -> float:
    """Return the least ratio a = N/κ found that satisfies a condition, by bisection."""
    high = 1.0
    while not enough(high):
        high *= 4
        if high > most:
            return math.inf
    low = high / 4 if high > 1 else 1e-3
    while high / low > 1 + _RATIO_STEP:
        middle = math.sqrt(low * high)
        if enough(middle):
            high = middle
        else:
            low = middle
    return high


def closed_form_samples(kappa: float, dimension: float, eta: float, delta: float) -> float:
    """Return N = 2κ(1 + η/3)η⁻² log(8d/δ), the closed form of C4."""
    return 2 * kappa * (1 + eta / 3) / eta**2 * math.log(8 * dimension / delta)
