"""Evidence: what one checker found about one claim, of which kind, with its numbers."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from epsrank.theory.strict_json import worded

Kind = Literal["formal", "exact", "symbolic", "property", "empirical"]
State = Literal["passed", "regime", "refuted", "undecided", "skipped", "error"]

#: Strongest first.
KINDS: tuple[str, ...] = get_args(Kind)
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True)
class Evidence:
    """One finding on one claim."""

    #: Id of the claim.
    claim: str
    #: ``formal``, ``exact``, ``symbolic``, ``property`` or ``empirical``.
    kind: Kind
    #: ``passed``; ``regime`` (holds in the regime that `title` names); ``refuted`` (see `witness`);
    #: ``undecided`` (the arithmetic could not resolve it); ``skipped`` and ``error`` (see `cause`).
    state: State
    #: What was done, in words.
    title: str
    #: The numbers.
    figures: Mapping[str, Any] = field(default_factory=dict)
    #: The counterexample, complete enough to repeat it by hand.
    witness: Mapping[str, Any] | None = None
    #: Why the check was skipped, undecided or failed to run.
    cause: str | None = None
    #: Which part of a claim of several statements it concerns.
    part: str | None = None
    #: A table of the cases, where one is worth reading.
    rows: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``"evidence"`` in ledger.json, without NaN or infinity."""
        entry: dict[str, Any] = {
            "kind": self.kind,
            "state": self.state,
            "title": self.title,
            "figures": worded(self.figures),
        }
        for name in ("part", "witness", "cause"):
            value = getattr(self, name)
            if value is not None:
                entry[name] = worded(value)
        if self.rows:
            entry["rows"] = worded(list(self.rows))
        return entry

    @classmethod
    def from_json(cls, entry: Mapping[str, Any]) -> Evidence:
        """Read what `to_json` gives, with the id of the claim beside it."""
        return cls(**{**entry, "rows": tuple(entry.get("rows", ()))})

    def round_trip(self) -> Evidence:
        """Return what a file gives back: a verification is the same with and without one."""
        entry = json.loads(json.dumps({"claim": self.claim, **self.to_json()}))
        return Evidence.from_json(entry)
