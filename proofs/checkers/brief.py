"""One claim in seconds: what a proof on record settles is searched, and not tested otherwise.

A record counts only while the hashes of its sources match, as where Coq is missing. All that is
left out stands in the report as skipped: nothing else would change the verdict but a refutation.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from epsrank.proofs.checkers import all_checkers, families
from epsrank.proofs.checkers.base import Checker, Context, Effort
from epsrank.proofs.checkers.formal import formal_evidence, recorded_basis
from epsrank.proofs.checkers.searches import property_checkers
from epsrank.proofs.ledger.claims import Claim, ledger_theorems
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.verdict import derive_verdict

CAUSE = "left out by --quick of single claims, since a proof on record decides this one"

# Of a search's cases: where there is a proof, they look for a fault of the code alone.
_SHARE = 0.25


def brief_checkers(claims: Sequence[Claim], effort: Effort) -> tuple[list[Checker], list[str]]:
    """Return the checkers of a few claims, and in words what is left out of them."""
    on_record = proved_on_record(claims)
    ids = tuple(on_record)
    made = all_checkers(effort, [claim.id for claim in claims if claim.id not in on_record])
    if not on_record:
        return made, []
    running = {checker.id for checker in made}
    left = _left_out(ids, running_families(claims, on_record))
    given = [item for found in on_record.values() for item in found]
    made += [c for c in property_checkers(ids, _SHARE) if c.id not in running]
    made.append(Checker("proofs on record", ids, "formal", partial(_given, given)))
    made.append(Checker("left out", ids, "exact", partial(_given, left)))
    return made, sorted({item.title for item in left})


def proved_on_record(claims: Sequence[Claim]) -> dict[str, list[Evidence]]:
    """Return the formal evidence of those claims that the record of these very sources proves."""
    asked = [claim for claim in claims if claim.theorems and "formal" in claim.wanted]
    if not asked:
        return {}
    basis = recorded_basis(ledger_theorems(asked))
    found = {claim.id: formal_evidence(claim, basis) for claim in asked}
    return {
        claim.id: found[claim.id]
        for claim in asked
        if derive_verdict(claim.wanted, found[claim.id], claim.parts) == "proved"
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
        if claim in family.claims and family.module not in running
    ]


def _given(found: list[Evidence], context: Context) -> list[Evidence]:
    # Known before anything ran.
    del context
    return found
