"""What a checker is: a function from the context of a run to evidence on some claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from epsrank.proofs.ledger.evidence import Evidence, Kind, State

if TYPE_CHECKING:
    from epsrank.proofs.instances.networks import TrainedNetwork

Effort = Literal["quick", "default", "full"]

#: Cases per property, before its share.
EXAMPLES: dict[str, int] = {"quick": 120, "default": 1000, "full": 5000}


@dataclass(frozen=True)
class Context:
    """What every check of a verification is given.

    Attributes
    ----------
    effort : {"quick", "default", "full"}
        How much to do.
    seed : int
        Of every draw.
    networks : mapping of str to TrainedNetwork
        The networks trained for this run.
    out : Path or None
        Folder of the report, where what a check made may be kept.
    """

    effort: Effort = "default"
    seed: int = 0
    networks: Mapping[str, TrainedNetwork] = field(default_factory=dict)
    out: Path | None = None

    @property
    def examples(self) -> int:
        """Number of cases that a property search draws."""
        return EXAMPLES[self.effort]


Check = Callable[[Context], Sequence[Evidence]]


@dataclass(frozen=True)
class Checker:
    """One check."""

    #: Unique name.
    id: str
    #: Claims that it gives evidence for.
    claims: tuple[str, ...]
    #: Kind of that evidence, for the record of a check that fails to run.
    kind: Kind
    #: From the context to evidence; a module-level function or a partial of one, so that worker
    #: processes can be handed it.
    check: Check
    #: Names of the trained networks that it needs.
    networks: tuple[str, ...] = ()
    #: Folder of the report that it writes into, if it does.
    writes: str | None = None


def skipped(claims: Sequence[str], kind: Kind, title: str, cause: str | None) -> list[Evidence]:
    """Return the evidence of a check that could not be made, for every claim it is about."""
    return [Evidence(claim, kind, "skipped", title, cause=cause) for claim in claims]


@dataclass
class Score:
    """Counts of inequalities by outcome, and the first violation."""

    #: Proved strictly; proved up to the stated slack; left open by the arithmetic.
    strict: int = 0
    rounding: int = 0
    unresolved: int = 0
    #: The first inequality that was disproved.
    violation: dict[str, Any] | None = None

    def add(self, state: str, what: dict[str, Any]) -> None:
        """Count one inequality.

        States are ``strict``, ``within enclosure``, ``rounding``, ``violated`` and ``unresolved``.
        """
        if state == "strict":
            self.strict += 1
        elif state in {"within enclosure", "rounding"}:
            self.rounding += 1
        elif state == "violated":
            self.violation = self.violation or what
        else:
            self.unresolved += 1

    def evidence(self, claim: str, kind: Kind, title: str, figures: dict[str, Any]) -> Evidence:
        """Return the evidence that the counts are."""
        state: State = "refuted" if self.violation else "undecided" if self.unresolved else "passed"
        # A score without inequalities passes nothing.
        if not (self.strict or self.rounding or self.violation):
            state = "undecided"
        numbers = {
            **figures,
            "inequalities strict": self.strict,
            "equal up to enclosure": self.rounding,
            "unresolved": self.unresolved,
        }
        cause = None if state != "undecided" else "the arithmetic left inequalities open"
        return Evidence(claim, kind, state, title, numbers, witness=self.violation, cause=cause)
