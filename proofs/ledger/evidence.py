"""Evidence: what one checker found about one claim, of which kind, with its numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, Literal, get_args

import numpy as np

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
            "figures": jsonable(self.figures),
        }
        for name in ("part", "witness", "cause"):
            value = getattr(self, name)
            if value is not None:
                entry[name] = jsonable(value)
        if self.rows:
            entry["rows"] = jsonable(list(self.rows))
        return entry


def jsonable(value: Any) -> Any:
    """Return a value as strict JSON data: fractions as "p/q", ±∞ and NaN as strings.

    It may be a number, a string, an array, a mapping, a sequence, or an object with ``to_json``.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if isinstance(value, np.generic):
        return jsonable(value.item())
    if isinstance(value, float):
        # JSON has no NaN or ∞; a word survives every parser.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Fraction):
        return str(value)
    if isinstance(value, np.ndarray):
        return jsonable(value.tolist())
    if isinstance(value, Mapping):
        return {str(key): jsonable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [jsonable(item) for item in value]
    if hasattr(value, "to_json"):
        return jsonable(value.to_json())
    return str(value)
