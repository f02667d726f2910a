"""The chain floor ≤ envelope ≤ √V ≤ √loss, checked against its derived rounding bound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from epsrank.theory.floor.result import LossFloor

LinkState = Literal["strict", "rounding", "violated"]

_WORST_FIRST: tuple[LinkState, ...] = ("violated", "rounding", "strict")


def worst_state(states: Iterable[LinkState]) -> LinkState | None:
    """Return the worst of the states of inequalities, None where there are none."""
    given = set(states)
    return next((state for state in _WORST_FIRST if state in given), None)


@dataclass(frozen=True)
class ChainLink:
    """One inequality smaller ≤ larger between norms."""

    #: Such as ``"floor ≤ envelope"``.
    name: str
    #: The two norms as computed.
    smaller: float
    larger: float
    #: Derived rounding bound.
    tolerance: float
    #: Holds as computed; holds up to rounding; does not hold.
    state: LinkState

    @property
    def margin(self) -> float:
        """Difference larger − smaller, 0 where both are infinite."""
        return self.larger - self.smaller if self.larger != self.smaller else 0.0


@dataclass(frozen=True)
class ChainCheck:
    """The inequalities of F2 and F3 on one instance."""

    #: ``"floor ≤ envelope"``, ``"envelope ≤ reachable"``, ``"unbounded ≤ reachable"`` and, where
    #: there is a loss, ``"reachable ≤ loss"``.
    links: tuple[ChainLink, ...]

    @property
    def holds(self) -> bool:
        """Whether no inequality is violated."""
        return all(link.state != "violated" for link in self.links)

    @property
    def strict(self) -> bool:
        """Whether every inequality holds as computed, without the rounding bound."""
        return all(link.state == "strict" for link in self.links)

    def __str__(self) -> str:
        return "; ".join(f"{link.name}: {link.state}" for link in self.links)


def check_chain(result: LossFloor) -> ChainCheck:
    """Check floor ≤ envelope ≤ √V(B) ≤ √loss and d_n ≤ √V(B) on the numbers of a result.

    The smaller ends are recomputed from the distances and floors where they are stored, so that a
    falsified field is caught.
    """
    envelope = max(result.envelope_norm, float(result.floor_norms.max()))
    unbounded = max(result.unbounded_norm, float(result.distances[-1]))
    within, across = result.evaluation_tolerance, result.tolerance
    links = [
        # √ε and the computed σ_{p+1} meet here, so the error of the features counts.
        _link("floor ≤ envelope", result.floor_norm, result.envelope_norm, across),
        _link("envelope ≤ reachable", envelope, result.reachable_norm, within),
        _link("unbounded ≤ reachable", unbounded, result.reachable_norm, within),
    ]
    if result.loss_norm is not None:
        links.append(_link("reachable ≤ loss", result.reachable_norm, result.loss_norm, across))
    return ChainCheck(tuple(links))


def _link(name: str, smaller: float, larger: float, tolerance: float) -> ChainLink:
    """Compare two norms; a NaN violates."""
    state: LinkState = "strict"
    if not smaller <= larger:
        state = "rounding" if smaller - larger <= tolerance else "violated"
    return ChainLink(name, smaller, larger, tolerance, state)
