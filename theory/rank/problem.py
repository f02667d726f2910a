"""What a rank problem is asked and what it answers, whatever it knows its matrix from."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Protocol

from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.enclosure import SpectrumEnclosure


@dataclass(frozen=True)
class Thresholds:
    """ε_1, …, ε_k that one matrix is asked about together, so that they share its costly parts."""

    #: Each > 0, at least one, in the order asked.
    eps: tuple[float, ...]
    #: Whether they are multiples of λ_1.
    relative: bool = False

    @property
    def smallest(self) -> float:
        """The scale on which the spectrum is wanted."""
        return min(self.eps)

    def where(self, chosen: list[bool]) -> Thresholds:
        """Keep some of them, in the same order."""
        if all(chosen):
            return self
        return replace(self, eps=tuple(e for e, c in zip(self.eps, chosen, strict=True) if c))


def beyond_largest(eps: float, relative: bool) -> Decision | None:
    """Return the count #{k : λ_k > ε·λ_1} = 0 for ε ≥ 1, which no digit of a matrix can change."""
    if not relative or eps < 1:
        return None
    return Decision(0, 0, "exact", "no eigenvalue is above the largest, and ε ≥ 1")


class Problem(Protocol):
    """Certified counts #{k : λ_k(G) > ε} of one G: of features, of a Gram matrix, of a sketch."""

    def decide(self, thresholds: Thresholds) -> list[Decision]:
        """One decision per threshold, in their order; what stays open keeps two different ends."""
        ...


def gap_reason(
    enclosure: SpectrumEnclosure, rank: int, threshold: Fraction, relative: bool = False
) -> str:
    """Say how far the neighbouring eigenvalues are from the threshold."""
    unit = "ε·λ₁" if relative else "ε"
    parts = []
    if rank:
        parts.append(f"λ_{rank} ≥ {_ratio(enclosure.lower[rank - 1], threshold)}·{unit}")
    if rank < len(enclosure.values):
        parts.append(f"λ_{rank + 1} ≤ {_ratio(enclosure.upper[rank], threshold)}·{unit}")
    return " and ".join(parts) + ", rounding included"


def _ratio(value: float, threshold: Fraction) -> str:
    """Write the ratio of a float to θ ≥ 0 in four digits; it may be beyond float64."""
    if not threshold:
        return "0"
    numerator, denominator = float(value).as_integer_ratio()
    try:
        # Whole numbers divide with one rounding, and without the greatest common divisor.
        ratio = (numerator * threshold.denominator) / (denominator * threshold.numerator)
    except OverflowError:
        return "10^308"
    return f"{ratio:.4g}"
