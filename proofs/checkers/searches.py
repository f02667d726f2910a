"""Property searches as checkers: one per property, with counts and the shrunk counterexample."""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping
from functools import partial
from importlib import import_module
from typing import Any

import numpy as np

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.proofs.properties import Property, properties_of, search
from epsrank.proofs.testing.search import registered


def describe_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """Return a case of a property as data that suffices to repeat it."""
    return {name: _plain(value) for name, value in case.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.name, "values": value.tolist()}
    if hasattr(value, "__dataclass_fields__"):
        return {name: _plain(getattr(value, name)) for name in value.__dataclass_fields__}
    if isinstance(value, (tuple, list)):
        return [_plain(item) for item in value]
    if hasattr(value, "conjecture_data"):  # st.data(): its draws are in the report of the search
        return "drawn inside the test"
    return value


def check_stated(module: str, name: str, share: float, context: Context) -> list[Evidence]:
    """Search for a counterexample to a property of a module of this project."""
    import_module(module)
    return evidence_of(registered(module)[name], context, share)


def evidence_of(prop: Property, context: Context, share: float = 1.0) -> list[Evidence]:
    """Search for a counterexample to one property, in a share of the cases of the effort."""
    name = prop.name
    # Another seed for each property, the same whatever the order or number of processes.
    seed = context.seed * 65_537 + zlib.crc32(name.encode()) % 65_537
    found = search(prop, max_examples=round(share * context.examples), seed=seed)
    figures: dict[str, Any] = {
        "property": name,
        "examples": found.tally.examples,
        "comparisons decided": found.tally.decided,
        "comparisons undecided": found.tally.undecided,
        "seed": seed,
    }
    # A search in which nothing was decided found nothing.
    held: State = "passed" if prop.regime is None else "regime"
    state: State = held if found.tally.decided else "undecided"
    witness = cause = None
    if found.counterexample is not None:
        # Outside of the regime that the claim speaks of, a counterexample only marks its edge.
        state = "regime" if prop.refutable and prop.regime is not None else "refuted"
        witness = {"violation": found.counterexample, "case": describe_case(found.case or {})}
    elif prop.refutable and prop.regime is not None:
        state, cause = "undecided", "the counterexample expected outside of the regime is not found"
    elif not found.tally.decided:
        cause = "the arithmetic decided none of the comparisons"
        if found.open_questions:
            cause += f", such as: {found.open_questions[0]}"
    return [
        Evidence(
            claim,
            "property",
            state,
            _title(prop),
            figures,
            witness=witness,
            cause=cause,
            part=prop.part,
        )
        for claim in prop.claims
    ]


def _title(prop: Property) -> str:
    if prop.regime is None:
        return f"Search for a counterexample to: {prop.statement}"
    if prop.refutable:
        return f"Counterexample, shrunk, outside of the regime ({prop.regime}): {prop.statement}"
    return f"Search for a counterexample in the regime {prop.regime}: {prop.statement}"


def property_checkers(claims: Collection[str] | None = None, share: float = 1.0) -> list[Checker]:
    """Return one checker per property; at least those that bear on some claims."""
    return [
        Checker(
            f"property {name}",
            prop.claims,
            "property",
            partial(check_stated, prop.check.__module__, name, share),
        )
        for name, prop in properties_of(claims).items()
    ]
