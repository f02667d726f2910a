"""One claim in seconds: what a proof on record settles is searched, and not tested otherwise.

A record counts only while the hashes of its sources match, as where Coq is missing. All that is
left out stands in the report as skipped: nothing else would change the verdict but a refutation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from epsrank.proofs.checkers import all_checkers, families
from epsrank.proofs.checkers.base import Checker, Context, Effort, skipped
from epsrank.proofs.checkers.formal import (
    PROOFS,
    formal_checkers,
    formal_evidence,
    recorded_basis,
)
from epsrank.proofs.checkers.searches import property_checkers
from epsrank.proofs.ledger.claims import Claim, ledger_theorems
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.verdict import derive_verdict

CAUSE = "left out, since a proof on record decides this claim; --size standard makes this check"
ON_RECORD = "not asked again: the record of these very sources has the proofs; --size standard asks"

# Of a search's cases: where there is a proof, they look for a fault of the code alone.
_SHARE = 0.25

_PROOFS_TITLE = next(family.title for family in families() if family.module == "formal")


def brief_checkers(claims: Sequence[Claim], effort: Effort) -> tuple[list[Checker], list[str]]:
    """Return the checkers of a few claims, and in words what is left out of them."""
    recorded = found_on_record(claims)
    if not recorded:
        return all_checkers(effort, [claim.id for claim in claims]), []
    settled = {
        claim.id: recorded[claim.id]
        for claim in claims
        if claim.id in recorded
        and derive_verdict(claim.wanted, recorded[claim.id], claim.parts) == "proved"
    }
    others = [claim.id for claim in claims if claim.id not in settled]
    # Coq is asked about those claims alone that the record does not know.
    unknown = [name for name in others if name not in recorded]
    made = [c for c in all_checkers(effort, others) if c.id != PROOFS] + formal_checkers(unknown)
    running = {checker.id for checker in made}
    left = _left_out(tuple(settled), running_families(claims, settled))
    known = [name for name in recorded if name not in settled]
    left += skipped(known, "formal", _PROOFS_TITLE, ON_RECORD)
    given = [item for found in recorded.values() for item in found]
    ids = tuple(recorded)
    made += [c for c in property_checkers(tuple(settled), _SHARE) if c.id not in running]
    made.append(Checker("proofs on record", ids, "formal", partial(_given, given)))
    made.append(Checker("left out", ids, "exact", partial(_given, left)))
    return made, sorted({item.title for item in left})


def found_on_record(claims: Sequence[Claim]) -> dict[str, list[Evidence]]:
    """Return the formal evidence of those claims whose every theorem is on record."""
    asked = [claim for claim in claims if claim.theorems or claim.refuting_theorems]
    if not asked:
        return {}
    basis = recorded_basis(ledger_theorems(asked))
    found = {claim.id: formal_evidence(claim, basis) for claim in asked}
    return {
        name: items
        for name, items in found.items()
        if all(item.state in {"passed", "refuted"} for item in items)
    }


def running_families(claims: Sequence[Claim], settled: dict[str, list[Evidence]]) -> set[str]:
    """Return the files of checkers that run for the claims that no record settles."""
    others = {claim.id for claim in claims} - settled.keys()
    return {family.module for family in families() if others & set(family.claims)}


def _left_out(ids: tuple[str, ...], running: set[str]) -> list[Evidence]:
    return [
        Evidence(claim, family.kind, "skipped", family.title, cause=CAUSE)
        for claim in ids
        for family in families()
        if claim in family.claims and (family.module == "formal" or family.module not in running)
    ]


def _given(found: list[Evidence], context: Context) -> list[Evidence]:
    # Known before anything ran.
    del context
    return found
