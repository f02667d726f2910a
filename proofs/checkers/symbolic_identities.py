"""SymPy identities behind the statements, as further evidence where a claim has some."""

from __future__ import annotations

from functools import partial

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.symbolic.identities import identities_of


def check_identities(
    claim: str, symbols: tuple[str, ...], context: Context, *, part: str | None = None
) -> list[Evidence]:
    """Let SymPy decide the identities behind a claim."""
    rows = [
        {
            "identity": item.id,
            "statement": item.statement,
            "shown": item.text,
            "holds": item.holds(),
        }
        for item in identities_of(symbols)
    ]
    if not rows:
        return []
    failed = [row["identity"] for row in rows if not row["holds"]]
    return [
        Evidence(
            claim,
            "symbolic",
            # That SymPy finds no way to 0 does not refute an identity.
            "undecided" if failed else "passed",
            "Identities of small size with free symbols, decided by SymPy",
            {"identities": len(rows)},
            cause=f"not decided: {', '.join(map(str, failed))}" if failed else None,
            rows=rows,
            part=part,
        )
    ]


def symbolic_checkers() -> list[Checker]:
    """Return one checker per claim with symbolic statements; some have no identities."""
    return [
        Checker(
            f"identities of {claim.id}",
            (claim.id,),
            "symbolic",
            partial(check_identities, claim.id, claim.symbols, part=claim.symbols_part),
        )
        for claim in load_ledger()
        if claim.symbols
    ]
