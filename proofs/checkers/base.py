"""What a checker is: a function from the context of a run to evidence on some claims."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from epsrank.proofs.evidence import Evidence, Kind
from epsrank.proofs.networks import TrainedNetwork

Effort = Literal["quick", "default", "full"]

#: Cases per property, before its share.
EXAMPLES: dict[str, int] = {"quick": 120, "default": 1000, "full": 5000}


@dataclass(frozen=True)
class Context:
    """What every checker of a run shares.

    Attributes
    ----------
    effort : {"quick", "default", "full"}
        How much to do.
    seed : int
        Seed of every draw.
    networks : mapping of str to TrainedNetwork
        The networks trained for this run.
    out : Path or None
        Folder of the report, where what a checker made may be kept.
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
    """One check.

    Attributes
    ----------
    id : str
        Unique name.
    claims : tuple of str
        Claims that it gives evidence for.
    kind : str
        Kind of that evidence, for the record of a check that fails to run.
    check : callable
        From the context to evidence; a module-level function or a partial of one, so that worker
        processes can be handed it.
    networks : tuple of str
        Names of the trained networks that it needs.
    """

    id: str
    claims: tuple[str, ...]
    kind: Kind
    check: Check
    networks: tuple[str, ...] = ()
