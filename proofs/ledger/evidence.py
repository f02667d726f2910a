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
    """One finding on one claim.

    Attributes
    ----------
    claim : str
        Id of the claim.
    kind : {"formal", "exact", "symbolic", "property", "empirical"}
        How it was found.
    state : {"passed", "regime", "refuted", "undecided", "skipped", "error"}
        ``"regime"``: holds in the regime that `title` names. ``"refuted"``: see `witness`.
        ``"undecided"``: the arithmetic could not resolve it. ``"skipped"``, ``"error"``: see
        `cause`.
    title : str
        What was done, in words.
    figures : mapping
        The numbers.
    witness : mapping or None
        The counterexample, complete enough to repeat it by hand.
    cause : str or None
        Why the check was skipped, undecided or failed to run.
    part : str or None
        Which part of a claim of several statements it concerns.
    rows : sequence of mapping
        A table of the cases, where one is worth reading.
    """

    claim: str
    kind: Kind
    state: State
    title: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    witness: Mapping[str, Any] | None = None
    cause: str | None = None
    part: str | None = None
    rows: Sequence[Mapping[str, Any]] = ()

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``"evidence"`` in ledger.json, without NaN or infinity.

        Returns
        -------
        dict
            ``kind``, ``state``, ``title``, ``figures``, and what else there is.
        """
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
        """Read what `to_json` gives, with the id of the claim beside it.

        Parameters
        ----------
        entry : mapping
            The entry, and ``claim``.

        Returns
        -------
        Evidence
            The finding.
        """
        return cls(**{**entry, "rows": tuple(entry.get("rows", ()))})

    def round_trip(self) -> Evidence:
        """Return what a file gives back: a verification is the same with and without one.

        Returns
        -------
        Evidence
            The same finding, in plain data.
        """
        entry = json.loads(json.dumps({"claim": self.claim, **self.to_json()}))
        return Evidence.from_json(entry)
