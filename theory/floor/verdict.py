"""What interval arithmetic can say about an inequality a ≤ b."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal

from epsrank.theory.floor.interval import Interval, json_float, nearest

State = Literal["strict", "within enclosure", "violated", "unresolved"]


@dataclass(frozen=True)
class Verdict:
    """One inequality a ≤ b between enclosed numbers.

    Attributes
    ----------
    claim : str
        The inequality in words.
    state : {"strict", "within enclosure", "violated", "unresolved"}
        ``strict``: a < b, proved from disjoint enclosures. ``within enclosure``: they overlap by
        at most the tolerance (what an equality looks like). ``violated``: a > b, proved.
        ``unresolved``: they overlap more widely than the tolerance.
    left, right : Interval
        a and b.
    slack : Fraction
        Proved: a ≤ b + slack. 0 where strict.
    """

    claim: str
    state: State
    left: Interval
    right: Interval
    slack: Fraction

    @property
    def holds(self) -> bool:
        """Whether a ≤ b was proved, up to `slack`."""
        return self.state in ("strict", "within enclosure")

    def __str__(self) -> str:
        text = f"{self.claim}: {self.state}, {self.left} against {self.right}"
        return text if self.slack == 0 else f"{text} (slack {nearest(self.slack):.1e})"

    def to_json(self) -> dict[str, Any]:
        """Return the verdict as plain data.

        Returns
        -------
        dict
            Keys ``claim``, ``state``, ``left``, ``right``, ``slack``.
        """
        return {
            "claim": self.claim,
            "state": self.state,
            "left": self.left.to_json(),
            "right": self.right.to_json(),
            "slack": json_float(self.slack, +1),
        }


def at_most(claim: str, left: Interval, right: Interval, tolerance: Fraction) -> Verdict:
    """Decide a ≤ b from enclosures.

    Parameters
    ----------
    claim : str
        The inequality in words.
    left, right : Interval
        a and b.
    tolerance : Fraction
        Largest overlap that still counts as ``within enclosure``.

    Returns
    -------
    Verdict
        The decision.
    """
    slack = max(left.upper - right.lower, Fraction(0))
    state: State
    if left.upper < right.lower:
        state = "strict"
    elif left.lower > right.upper:
        state = "violated"
    else:
        state = "within enclosure" if slack <= tolerance else "unresolved"
    return Verdict(claim, state, left, right, slack)
