"""What was decided for one threshold, and in words why."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from epsrank.theory.enclosure import SpectrumEnclosure


@dataclass(frozen=True)
class Decision:
    """What was found for one threshold.

    Attributes
    ----------
    lower, upper : int
        Certified bounds of the count.
    route : str
        Routes that contributed, joined by ``+``.
    reason : str
        Why the ends agree or not.
    """

    lower: int
    upper: int
    route: str
    reason: str


def gap_reason(
    enclosure: SpectrumEnclosure, rank: int, threshold: Fraction, relative: bool = False
) -> str:
    """Say how far the neighbouring eigenvalues are from the threshold.

    Parameters
    ----------
    enclosure : SpectrumEnclosure
        What decided.
    rank : int
        The count.
    threshold : Fraction
        θ > 0.
    relative : bool
        Whether θ is ε·λ_1.

    Returns
    -------
    str
        One clause.
    """
    unit = "ε·λ₁" if relative else "ε"
    parts = []
    if rank:
        ratio = Fraction(float(enclosure.lower[rank - 1])) / threshold if threshold else 0
        parts.append(f"λ_{rank} ≥ {_short(ratio)}·{unit}")
    if rank < len(enclosure.values):
        ratio = Fraction(float(enclosure.upper[rank])) / threshold if threshold else 0
        parts.append(f"λ_{rank + 1} ≤ {_short(ratio)}·{unit}")
    return " and ".join(parts) + ", rounding included"


def _short(value: Fraction | int) -> str:
    try:
        return f"{float(value):.4g}"
    except OverflowError:
        return "10^308"
