"""The claims ledger as data: what is claimed, by whom, and which verdict is on record."""

from __future__ import annotations

import difflib
import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from epsrank.proofs.ledger.evidence import KINDS
from epsrank.proofs.ledger.verdict import VERDICTS
from epsrank.theory.errors import InputError

LEDGER = Path(__file__).with_name("ledger.toml")


@dataclass(frozen=True)
class Claim:
    """One claim of a source or of this project."""

    #: Its name.
    id: str
    #: A few words.
    title: str
    #: The statement in plain text.
    statement: str
    #: The statement in LaTeX.
    latex: str
    #: Where it comes from.
    source: str
    #: Kinds of evidence that would decide it.
    wanted: tuple[str, ...]
    #: The verdict on record; another one is a regression.
    recorded: str
    #: Names of the statements that a composite claim is made of.
    parts: tuple[str, ...] = ()
    #: Ids of its statements in `epsrank.theory.symbolic`, where there are some.
    symbols: tuple[str, ...] = ()
    #: The part that these statements serve, of a claim that has parts.
    symbols_part: str | None = None
    #: Theorems of the Coq development that together prove it, by full name, with the part of the
    #: claim that each serves (None where it has no parts).
    theorems: tuple[tuple[str | None, str], ...] = ()
    #: Theorems that prove a counterexample.
    refuting_theorems: tuple[tuple[str | None, str], ...] = ()
    #: The numeric code that uses the statement, as ``"theory/rank/epsilon.py:epsilon_rank"``.
    code: tuple[str, ...] = ()
    #: Whether a finding decides nothing unless it states the power of its test.
    needs_power: bool = False
    #: The group that it is shown in; an entry without one belongs to that of the entry before it.
    theme: str = ""
    #: Ids of claims that it rests on, beside those whose theorems its proofs use.
    rests_on: tuple[str, ...] = ()

    @property
    def named(self) -> str:
        """Its title, with the id that commands take in brackets."""
        return self.id if self.title == self.id else f"{self.title.rstrip('.')} [{self.id}]"


@dataclass(frozen=True)
class Retired:
    """An id that was once reported, and what took its place."""

    id: str
    replaced_by: tuple[str, ...]
    reason: str


#: Fields that an entry may leave out.
_OPTIONAL = {
    "parts", "symbols", "theorems", "refuting_theorems", "code", "needs_power", "theme", "rests_on",
}  # fmt: skip


def claim_of(entry: Mapping[str, Any], path: Path) -> Claim:
    """Read one entry."""
    required = {"id", "title", "statement", "latex", "source", "wanted", "verdict"}
    name = str(entry.get("id", "?"))
    where = f"{path.name}, claim {name!r}"
    missing, unknown = required - entry.keys(), entry.keys() - required - _OPTIONAL
    if missing or unknown:
        problem = f"lacks {sorted(missing)} or has unknown keys {sorted(unknown)}"
        raise InputError(where, problem, "compare it with the other entries")
    if entry["verdict"] not in VERDICTS:
        raise InputError(
            where, f"records {entry['verdict']!r}", f"use one of {', '.join(VERDICTS)}"
        )
    foreign = [kind for kind in entry["wanted"] if kind not in KINDS]
    if foreign:
        raise InputError(where, f"wants evidence {foreign}", f"use some of {', '.join(KINDS)}")
    parts = tuple(entry.get("parts", ()))
    symbols_part, symbols = _symbols(entry.get("symbols", []), parts, where)
    return Claim(
        id=name,
        title=entry["title"],
        # Line breaks are the file's.
        statement=" ".join(entry["statement"].split()),
        latex=" ".join(entry["latex"].split()),
        source=entry["source"],
        wanted=tuple(entry["wanted"]),
        recorded=entry["verdict"],
        parts=parts,
        symbols=symbols,
        symbols_part=symbols_part,
        theorems=_theorems(entry.get("theorems", []), parts, where),
        refuting_theorems=_theorems(entry.get("refuting_theorems", []), parts, where),
        code=tuple(entry.get("code", ())),
        needs_power=bool(entry.get("needs_power", False)),
        theme=entry.get("theme", ""),
        rests_on=tuple(entry.get("rests_on", ())),
    )


def _symbols(given: Any, parts: tuple[str, ...], where: str) -> tuple[str | None, tuple[str, ...]]:
    """Read ids of symbolic statements: a list, or for a claim of parts one list by its part."""
    by_part = given if isinstance(given, dict) else {None: given}
    if len(by_part) != 1 or not set(by_part) <= {None, *parts}:
        remedy = f"give one list, or one by its part: {', '.join(parts) or 'the claim has none'}"
        raise InputError(where, f"names symbols for {list(by_part)}", remedy)
    ((part, names),) = by_part.items()
    return part, tuple(names)


def _theorems(given: Any, parts: tuple[str, ...], where: str) -> tuple[tuple[str | None, str], ...]:
    """Read names of theorems: a list, or for a claim of parts a table of lists by part."""
    by_part = given if isinstance(given, dict) else {None: given}
    # One theorem of a part may stand without brackets.
    named: tuple[tuple[str | None, Any], ...] = tuple(
        (part, name)
        for part, names in by_part.items()
        for name in (names if isinstance(names, list) else [names])
    )
    wrong = [name for _, name in named if not isinstance(name, str) or "." not in name]
    if wrong or len(set(named)) < len(named):
        remedy = "list each once, in full, such as EpsRank.rank.rank_trace"
        raise InputError(where, f"names theorems {[name for _, name in named]}", remedy)
    if named and {part for part, _ in named} - set(parts or [None]):
        remedy = f"give them by part: {', '.join(parts) or 'the claim has none, so as a list'}"
        raise InputError(where, f"names theorems for {list(by_part)}", remedy)
    return named


@cache
def _read(path: Path) -> dict[str, Any]:
    """Return the tables of a ledger file."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            "ledger", f"cannot be read ({error})", "restore proofs/ledger/ledger.toml"
        ) from None


@cache
def load_ledger(path: Path = LEDGER) -> tuple[Claim, ...]:
    """Read all claims of the ledger, in the order of the file."""
    claims = in_themes(claim_of(entry, path) for entry in _read(path).get("claim", []))
    if not claims:
        raise InputError("ledger", "is empty", "restore proofs/ledger/ledger.toml")
    return closed(claims)


def closed(claims: tuple[Claim, ...], whose: str = "") -> tuple[Claim, ...]:
    """Refuse claims of one id, and claims that rest on others than these."""
    times = Counter(claim.id for claim in claims)
    repeated = sorted(name for name, count in times.items() if count > 1)
    if repeated:
        raise InputError("ledger", f"{whose}repeats {repeated}", "give each claim one id")
    unknown = sorted({name for claim in claims for name in claim.rests_on} - times.keys())
    if unknown:
        raise InputError("ledger", f"{whose}rests claims on {unknown}", "name ids of its own")
    return claims


def in_themes(claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Give each claim the theme of the one before it, where it has none of its own."""
    theme, found = "", []
    for claim in claims:
        theme = claim.theme or theme
        found.append(replace(claim, theme=theme))
    return tuple(found)


@cache
def retired_claims(path: Path = LEDGER) -> tuple[Retired, ...]:
    """Read the ids that are no longer claims, each with a pointer to claims that are."""
    known = {claim.id for claim in load_ledger(path)}
    found = []
    for entry in _read(path).get("retired", []):
        where = f"{path.name}, retired {entry.get('id', '?')!r}"
        if entry.keys() != {"id", "replaced_by", "reason"}:
            raise InputError(where, f"has keys {sorted(entry)}", "give id, replaced_by and reason")
        if entry["id"] in known or not entry["replaced_by"] or set(entry["replaced_by"]) - known:
            raise InputError(where, "is a claim, or points to none", "name claims of the ledger")
        found.append(Retired(entry["id"], tuple(entry["replaced_by"]), entry["reason"]))
    return tuple(found)


def ledger_theorems(claims: Iterable[Claim]) -> list[str]:
    """Return every theorem that claims name, whether it proves or refutes."""
    named = [pair for claim in claims for pair in (*claim.theorems, *claim.refuting_theorems)]
    return list(dict.fromkeys(name for _, name in named))


def proved_claims(claims: Iterable[Claim]) -> list[tuple[Claim, list[str]]]:
    """Return the claims that name theorems, with these."""
    return [(claim, names) for claim in claims if (names := ledger_theorems([claim]))]


def select_claims(names: Iterable[str] | None, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims asked for, in the order of the ledger."""
    everything = tuple(claims)
    if names is None:
        return everything
    wanted = [names] if isinstance(names, str) else list(names)
    known = [claim.id for claim in everything]
    # As scripts write them: duplicate_neuron.
    usual = {name.lower().replace("_", "-"): name for name in known}
    wanted = [
        name if name in known else usual.get(str(name).lower().replace("_", "-"), name)
        for name in wanted
    ]
    # Of our own ledger: a user's has another past.
    ours = set(known) == {claim.id for claim in load_ledger()}
    retired = {item.id: item for item in retired_claims()} if ours else {}
    for name in wanted:
        if name in retired and name not in known:
            raise InputError(
                "claim",
                f"{name!r} is retired: {retired[name].reason}",
                f"ask for {', '.join(retired[name].replaced_by)}",
            )
        if name not in known:
            near = difflib.get_close_matches(name, known, n=4, cutoff=0.4)
            # A fragment of a long id is no close match by letters, but may be meant.
            near += [other for other in known if name in other and other not in near][:4]
            remedy = (
                f"did you mean {', '.join(near)}?" if near else f"choose from {', '.join(known)}"
            )
            raise InputError("claim", f"{name!r} is not in the ledger", remedy)
    if not wanted:
        raise InputError("claim", "names no claim", "name one, or leave it out for all")
    return tuple(claim for claim in everything if claim.id in set(wanted))
