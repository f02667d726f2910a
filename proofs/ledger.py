"""The claims ledger as data: what is claimed, by whom, and which verdict is on record."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from proofs.evidence import KINDS
from proofs.verdict import VERDICTS
from theory.errors import InputError

LEDGER = Path(__file__).with_name("ledger.toml")


@dataclass(frozen=True)
class Claim:
    """One claim of a source or of this project.

    Attributes
    ----------
    id : str
        Its name.
    title : str
        A few words.
    statement : str
        The statement in plain text.
    latex : str
        The statement in LaTeX.
    source : str
        Where it comes from.
    wanted : tuple of str
        Kinds of evidence that would decide it.
    recorded : str
        The verdict on record; another one is a regression.
    parts : tuple of str
        Names of the statements that a composite claim is made of.
    symbols : tuple of str
        Ids of its statements in `theory.symbolic`, where there are some.
    """

    id: str
    title: str
    statement: str
    latex: str
    source: str
    wanted: tuple[str, ...]
    recorded: str
    parts: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()


def _claim(entry: dict[str, Any], path: Path) -> Claim:
    known = {"id", "title", "statement", "latex", "source", "wanted", "verdict", "parts", "symbols"}
    name = str(entry.get("id", "?"))
    where = f"{path.name}, claim {name!r}"
    missing = (known - {"parts", "symbols"}) - entry.keys()
    if missing or entry.keys() - known:
        problem = f"lacks {sorted(missing)} or has unknown keys {sorted(entry.keys() - known)}"
        raise InputError(where, problem, "compare it with the other entries")
    if entry["verdict"] not in VERDICTS:
        raise InputError(
            where, f"records {entry['verdict']!r}", f"use one of {', '.join(VERDICTS)}"
        )
    unknown = [kind for kind in entry["wanted"] if kind not in KINDS]
    if unknown:
        raise InputError(where, f"wants evidence {unknown}", f"use some of {', '.join(KINDS)}")
    return Claim(
        id=name,
        title=entry["title"],
        statement=" ".join(entry["statement"].split()),
        latex=" ".join(entry["latex"].split()),
        source=entry["source"],
        wanted=tuple(entry["wanted"]),
        recorded=entry["verdict"],
        parts=tuple(entry.get("parts", ())),
        symbols=tuple(entry.get("symbols", ())),
    )


@cache
def load_ledger(path: Path = LEDGER) -> tuple[Claim, ...]:
    """Read the ledger.

    Parameters
    ----------
    path : Path
        A file like ``proofs/ledger.toml``.

    Returns
    -------
    tuple of Claim
        All claims, in the order of the file.

    Raises
    ------
    InputError
        If an entry is incomplete, repeated or uses unknown words, or the file is not TOML.
    """
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise InputError(
            "ledger", f"cannot be read ({error})", "restore proofs/ledger.toml"
        ) from None
    claims = tuple(_claim(entry, path) for entry in data.get("claim", []))
    ids = [claim.id for claim in claims]
    repeated = sorted({name for name in ids if ids.count(name) > 1})
    if repeated or not claims:
        raise InputError("ledger", f"repeats {repeated} or is empty", "give each claim one entry")
    return claims


def select_claims(names: Iterable[str] | None, claims: Iterable[Claim]) -> tuple[Claim, ...]:
    """Return the claims asked for, in the order of the ledger.

    Parameters
    ----------
    names : iterable of str or None
        Ids; None means all.
    claims : iterable of Claim
        The ledger.

    Returns
    -------
    tuple of Claim
        The chosen ones.

    Raises
    ------
    InputError
        If an id is unknown; the near ones are listed.
    """
    everything = tuple(claims)
    if names is None:
        return everything
    wanted = [names] if isinstance(names, str) else list(names)
    known = [claim.id for claim in everything]
    for name in wanted:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=4, cutoff=0.4)
            near += [other for other in known if name in other and other not in near][:4]
            remedy = (
                f"did you mean {', '.join(near)}?" if near else f"choose from {', '.join(known)}"
            )
            raise InputError("claim", f"{name!r} is not in the ledger", remedy)
    if not wanted:
        raise InputError("claim", "names no claim", "name one, or leave it out for all")
    return tuple(claim for claim in everything if claim.id in set(wanted))
