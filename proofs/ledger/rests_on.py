"""What a claim rests on: the claims whose theorems its own proofs use, read from the sources."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from functools import cache

from epsrank.proofs.formal.scan import strip_comments
from epsrank.proofs.formal.sources import read_development
from epsrank.proofs.ledger.claims import Claim

_PROOF = re.compile(
    r"^(?:Local )?(?:Lemma|Theorem|Corollary|Fact|Proposition)\s+([\w']+)", re.MULTILINE
)
_NAME = re.compile(r"[A-Za-z_][\w']*")


def foundations(claims: Iterable[Claim]) -> dict[str, tuple[str, ...]]:
    """Return by id the ids that each claim rests on directly, by its proofs and by its own word."""
    chosen = tuple(claims)
    owners: dict[str, set[str]] = defaultdict(set)
    for claim in chosen:
        for _, name in (*claim.theorems, *claim.refuting_theorems):
            owners[name].add(claim.id)
    uses = _uses() if owners else {}
    found = {}
    for claim in chosen:
        mine = {name for _, name in (*claim.theorems, *claim.refuting_theorems)}
        below = set(claim.rests_on)
        for name in mine:
            below |= _owners_below(name, uses, owners, claim.id)
        found[claim.id] = tuple(other.id for other in chosen if other.id in below - {claim.id})
    return found


def _owners_below(
    theorem: str, uses: Mapping[str, frozenset[str]], owners: Mapping[str, set[str]], own: str
) -> set[str]:
    """Walk from a theorem down to theorems of other claims, through lemmas of no claim."""
    seen, ahead, found = {theorem}, [theorem], set()
    while ahead:
        for name in uses.get(ahead.pop(), frozenset()) - seen:
            seen.add(name)
            others = owners.get(name, set()) - {own}
            found |= others
            # What lies below another claim is that claim's business.
            if not others:
                ahead.append(name)
    return found


@cache
def _uses() -> dict[str, frozenset[str]]:
    """Return by full name the lemmas that the statement and proof of each lemma name."""
    development = read_development()
    texts: dict[str, str] = {}
    for file in development.files:
        source = strip_comments(development.text(file))
        starts = list(_PROOF.finditer(source))
        ends = [match.start() for match in starts[1:]] + [len(source)]
        for match, end in zip(starts, ends, strict=True):
            texts[f"{development.module(file)}.{match[1]}"] = source[match.end() : end]
    by_name: dict[str, list[str]] = defaultdict(list)
    for full in texts:
        by_name[full.rpartition(".")[2]].append(full)
    found = {}
    for full, text in texts.items():
        module = full.rpartition(".")[0]
        named: set[str] = set()
        for word in set(_NAME.findall(text)):
            known = by_name.get(word, [])
            # A name of the same file hides those of others.
            near = [other for other in known if other.rpartition(".")[0] == module]
            named.update(near or known)
        found[full] = frozenset(named - {full})
    return found
