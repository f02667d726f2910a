"""Formal evidence: what Coq's kernel accepted, in this run or by a record of the same sources."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.formal.audit import audit
from epsrank.proofs.formal.compilation import compile_development
from epsrank.proofs.formal.interrogate import CLOSED
from epsrank.proofs.formal.records import read_record, recorded_problem
from epsrank.proofs.formal.sources import DEVELOPMENT
from epsrank.proofs.formal.statements import read_statements
from epsrank.proofs.formal.toolchain import explain_missing, find_coq
from epsrank.proofs.ledger.claims import Claim, ledger_theorems, load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.words import plural


@dataclass(frozen=True)
class Basis:
    """What formal evidence rests on."""

    #: ``"checked in this run, Coq 8.16.1 …"`` or ``"recorded 2026-11-22, Coq 8.16.1 …"``; empty
    #: where there is neither.
    origin: str
    #: From the name of a theorem to why it does not count, None where it does.
    problem: Callable[[str], str | None]
    #: What is known of each: ``statement``, ``words``, ``assumptions``.
    theorems: Mapping[str, Mapping[str, Any]]
    #: Whether Coq was there to be asked.
    audited: bool


#: Id of the checker that asks Coq.
PROOFS = "formal proofs"


def formal_checkers(claims: Collection[str] | None = None) -> list[Checker]:
    """Return the checker of every claim that names theorems, or of those among some."""
    ids = tuple(
        claim.id
        for claim in load_ledger()
        if (claim.theorems or claim.refuting_theorems) and (claims is None or claim.id in claims)
    )
    return [Checker(PROOFS, ids, "formal", partial(check_formal, ids))] if ids else []


def check_formal(ids: tuple[str, ...], context: Context) -> list[Evidence]:
    """Give formal evidence on claims that name theorems.

    Where Coq is installed the development is compiled, unless these very sources are, and audited
    now. Where it is not, a record counts if its source hashes match.
    """
    # A proof depends on no effort and no seed.
    del context
    claims = [claim for claim in load_ledger() if claim.id in ids]
    basis = find_basis(ledger_theorems(claims))
    return [item for claim in claims for item in formal_evidence(claim, basis)]


def find_basis(wanted: list[str], folder: Path | str = DEVELOPMENT) -> Basis:
    """Audit the development, or read its record where there is no Coq."""
    place = Path(folder)
    coq = find_coq()
    if coq is not None:
        # The second opinion is for `epsrank prove --audit`.
        compiled = compile_development(coq, folder=place)
        found = audit(compiled, wanted, folder=place, second=False)
        known = {
            name: {
                "statement": item.statement,
                "words": item.words,
                "assumptions": "; ".join(item.assumptions) or CLOSED,
            }
            for name, item in found.theorems.items()
        }
        return Basis(f"checked in this run, {found.system}", found.problem, known, True)
    return recorded_basis(wanted, place, explain_missing())


def recorded_basis(wanted: list[str], place: Path = DEVELOPMENT, missing: str = "") -> Basis:
    """Read what an audit of these very sources has accepted; `missing` says why none is made."""
    reviewed = {name: item.text for name, item in read_statements(place).items()}
    record = read_record(place)
    if record is None:
        cause = f"{missing}; and there is no record"
        return Basis("", lambda _: cause, _texts(wanted, reviewed, {}), False)
    if record.problem is not None:
        cause = f"{record.problem}; {missing}"
        return Basis("", lambda _: cause, _texts(wanted, reviewed, {}), False)
    return Basis(
        str(record),
        lambda name: recorded_problem(record, name, place),
        _texts(wanted, reviewed, record.theorems),
        False,
    )


def _texts(
    wanted: list[str], reviewed: Mapping[str, str], recorded: Mapping[str, Mapping[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Return what is known of theorems without Coq."""
    return {
        name: {
            "statement": reviewed[name],
            "words": recorded.get(name, {}).get("words", ""),
            "assumptions": recorded.get(name, {}).get("assumptions", "not asked"),
        }
        for name in wanted
        if name in reviewed
    }


def formal_evidence(claim: Claim, basis: Basis) -> list[Evidence]:
    """Return the formal evidence on one claim, part by part."""
    found = []
    for named, state in ((claim.theorems, "passed"), (claim.refuting_theorems, "refuted")):
        for part in dict.fromkeys(part for part, _ in named):
            names = [name for other, name in named if other == part]
            found.append(_of_part(claim, part, names, state == "refuted", basis))
    return found


def _of_part(
    claim: Claim, part: str | None, names: list[str], refutes: bool, basis: Basis
) -> Evidence:
    rows = [{"theorem": name, **basis.theorems.get(name, {})} for name in names]
    problems = [problem for name in names if (problem := basis.problem(name)) is not None]
    figures: dict[str, Any] = {"theorems": len(names)}
    count = "one theorem" if len(names) == 1 else plural(len(names), "theorem")
    # Nobody has looked: that decides nothing, whatever the theorems are.
    if problems and not basis.origin:
        title = f"{count} of the Coq development, not checked here"
        return Evidence(
            claim.id, "formal", "skipped", title, figures, cause=problems[0], part=part, rows=rows
        )
    if problems:
        title = f"{count} of the Coq development, not accepted"
        return Evidence(
            claim.id, "formal", "undecided", title, figures, cause=problems[0], part=part, rows=rows
        )
    what = "a counterexample is proved by" if refutes else "proved by"
    title = f"{what} {count} in Coq, without axioms: {basis.origin}"
    figures["accepted"] = basis.origin
    if refutes:
        witness = {"theorem": names if len(names) > 1 else names[0]}
        return Evidence(
            claim.id, "formal", "refuted", title, figures, witness=witness, part=part, rows=rows
        )
    return Evidence(claim.id, "formal", "passed", title, figures, part=part, rows=rows)
