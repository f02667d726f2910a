"""Ledgers of users: the same tables as ours, with less that has to be filled in."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from epsrank.proofs.ledger.claims import Claim, claim_of, closed, in_themes
from epsrank.proofs.ledger.evidence import KINDS
from epsrank.theory.errors import InputError

#: What decides a claim that does not say: every kind but proofs, which are those of our own in Coq.
WANTED = tuple(kind for kind in KINDS if kind != "formal")

# A statement up to this length is its own title.
_LONGEST_TITLE = 80

_TEXTS = ("id", "title", "statement", "latex", "source", "verdict", "theme")
_LISTS = ("wanted", "parts", "code", "rests_on")
_OURS = ("theorems", "refuting_theorems", "symbols")


def read_ledger(path: Path | str) -> tuple[Claim, ...]:
    """Read the claims of a user's ledger, in the order of the file."""
    file = Path(path).expanduser()
    try:
        tables = tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise InputError(
            "ledger", f"{file} cannot be read ({why})", "pass a TOML file of [[claim]] tables"
        ) from None
    entries = tables.get("claim", [])
    other = sorted(tables.keys() - {"claim"})
    if other or not isinstance(entries, list) or not entries:
        problem = f"has {other}" if other else "has no claim"
        raise InputError("ledger", f"{file} {problem}", "write each claim as a [[claim]] table")
    claims = in_themes(_claim(entry, file, place) for place, entry in enumerate(entries, start=1))
    return closed(claims, f"{file} ")


def _claim(entry: Any, file: Path, place: int) -> Claim:
    where = f"{file.name}, claim {place}"
    if not isinstance(entry, Mapping):
        raise InputError(where, f"is {entry!r}", "write it as a [[claim]] table")
    for name in ("id", "statement", "source"):
        if name not in entry:
            raise InputError(where, f"lacks {name}", "give id, statement and source")
    for name in _TEXTS:
        if name in entry and not (isinstance(entry[name], str) and entry[name].strip()):
            raise InputError(where, f"has {name} = {entry[name]!r}", "write it as a text")
    for name in _LISTS:
        given = entry.get(name, [])
        if not isinstance(given, list) or not all(isinstance(item, str) for item in given):
            raise InputError(where, f"has {name} = {given!r}", "write it as a list of texts")
    if not isinstance(entry.get("needs_power", False), bool):
        raise InputError(
            where, f"has needs_power = {entry['needs_power']!r}", "write true or false"
        )
    ours = [name for name in _OURS if name in entry]
    if ours or "formal" in entry.get("wanted", []):
        what = f"has {', '.join(ours)}" if ours else "wants formal evidence"
        remedy = "proofs are those of the project's own development: leave it out"
        raise InputError(where, what, remedy)
    if not entry.get("wanted", WANTED):
        raise InputError(where, "wants no evidence", f"use some of {', '.join(WANTED)}")
    said = " ".join(entry["statement"].split())
    title = said if len(said) <= _LONGEST_TITLE else entry["id"]
    filled = {"title": title, "latex": "", "wanted": WANTED, "verdict": "open", **entry}
    return claim_of(filled, file)
