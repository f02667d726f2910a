"""lower ≤ r ≤ upper: what every interval of a rank has in common, whoever found it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal, Self

#: What an interval says of a least rank.
Decided = Literal["met", "missed", "undecided"]


def rank_text(lower: int, upper: int) -> str:
    """Write a rank: ``"29"`` where both ends agree, else ``"[29, 34]"``."""
    return f"{lower}" if lower == upper else f"[{lower}, {upper}]"


def decided(required: float, lower: float, upper: float) -> Decided:
    """Say whether every number from `lower` to `upper` is at least `required`, none is, or some."""
    if lower >= required:
        return "met"
    return "missed" if upper < required else "undecided"


class RankBounds:
    """Two ends of a rank, included; certified, probable or predicted, as the subclass says."""

    __slots__ = ()

    lower: int
    upper: int

    @property
    def resolved(self) -> bool:
        """Whether both ends agree, so that the rank is one number."""
        return self.lower == self.upper

    @property
    def ends(self) -> str:
        """The interval as text, one number where both ends agree."""
        return rank_text(self.lower, self.upper)

    def __contains__(self, rank: object) -> bool:
        return isinstance(rank, int) and self.lower <= rank <= self.upper


class CertifiedRank(RankBounds):
    """Bounds of an ε-rank that hold without exception, and so may stand for one number."""

    __slots__ = ()

    eps: float
    reason: str
    #: What to do about two different ends, where something can be done.
    _REMEDY: ClassVar[str] = ""

    def __int__(self) -> int:
        if not self.resolved:
            raise ValueError(
                f"the {self.eps:g}-rank is only known to lie in {self.ends}: "
                f"{self.reason}{self._REMEDY}"
            )
        return self.lower


@dataclass(frozen=True)
class Decision(RankBounds):
    """What was found for one threshold."""

    #: Certified bounds of the count.
    lower: int
    upper: int
    #: Routes that contributed, joined by ``+``.
    route: str
    #: Why the ends agree or not.
    reason: str


@dataclass(frozen=True, eq=False)
class DecidedRank(CertifiedRank):
    """A decision together with its threshold: lower ≤ r_ε ≤ upper (D1)."""

    #: Threshold ε.
    eps: float
    #: The ends.
    lower: int
    upper: int
    #: What decided, and why the ends agree or not.
    route: str
    reason: str

    @classmethod
    def of(cls, eps: float, decision: Decision | DecidedRank, **known: Any) -> Self:
        """Keep a decision and its threshold, with whatever else a subclass knows."""
        lower, upper = decision.lower, decision.upper
        return cls(eps, lower, upper, decision.route, decision.reason, **known)

    def __str__(self) -> str:
        return self.ends
