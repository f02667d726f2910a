"""What an audit accepted, written down: it counts as long as the sources are the same."""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epsrank.numerics.files import write_text
from epsrank.proofs.formal.audit import Audit
from epsrank.proofs.formal.interrogate import CLOSED
from epsrank.proofs.formal.scan import audit_sources, sentences, strip_comments
from epsrank.proofs.formal.sources import fingerprints, read_development
from epsrank.proofs.formal.statements import STATEMENTS, read_statements
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import document

RECORD = "record.json"
_FORMAT = 1


@dataclass(frozen=True)
class Record:
    """A record of an audit that passed."""

    #: Versions of what accepted it.
    coq: str
    mathcomp: str
    #: The day, such as ``"2026-11-22"``.
    date: str
    #: SHA-256 of every source, of ``_CoqProject`` and of the reviewed statements.
    sources: Mapping[str, str] = field(default_factory=dict)
    #: By full name: ``file``, ``line``, ``words``, ``assumptions``.
    theorems: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    #: Why it counts for nothing; None where it counts.
    problem: str | None = None

    def __str__(self) -> str:
        return f"recorded {self.date}, Coq {self.coq} with MathComp {self.mathcomp}"


def make_record(audit: Audit, folder: Path | str, today: datetime.date | None = None) -> Record:
    """Return the record of an audit."""
    if not audit.passed:
        raise InputError("record", f"would be of an audit that failed ({audit.faults[0]})",
                         "fix that first")  # fmt: skip
    return Record(
        coq=audit.coq,
        mathcomp=audit.mathcomp,
        date=(today or datetime.date.today()).isoformat(),
        sources=fingerprints(read_development(folder), [STATEMENTS]),
        theorems={name: item.to_json() for name, item in sorted(audit.theorems.items())},
    )


def write_record(record: Record, folder: Path | str) -> Path:
    """Write a record beside its development."""
    data = {
        "format": _FORMAT,
        "coq": record.coq,
        "mathcomp": record.mathcomp,
        "date": record.date,
        "sources": record.sources,
        # For who is given a folder of certificates: it counts for nothing here.
        "exported": exported_digests(Path(folder)),
        "theorems": record.theorems,
    }
    path = Path(folder) / RECORD
    write_text(path, document(data))
    return path


def exported_digests(folder: Path) -> dict[str, str]:
    """Return the SHA-256 of the programs that travel with exported certificates."""
    files = exported_programs(folder)
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def exported_programs(folder: Path) -> list[Path]:
    """Return the files that travel with exported certificates, the same in every folder."""
    return sorted(path for path in (folder / "exported").glob("*") if path.is_file())


def read_record(folder: Path | str) -> Record | None:
    """Read the record of a development and hold it against the sources.

    None where there is none. `problem` says why a record counts for nothing: it is damaged, a
    source or the reviewed statements have changed, or it names what the sources do not have.
    """
    try:
        text = (Path(folder) / RECORD).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None
    try:
        record = _parse(json.loads(text))
    except (ValueError, KeyError, TypeError, AttributeError):
        return Record("?", "?", "?", problem="the record is damaged")
    problem = _problem(record, Path(folder))
    return Record(
        record.coq, record.mathcomp, record.date, record.sources, record.theorems, problem
    )


def _parse(data: Mapping[str, Any]) -> Record:
    """Check the shape of a record."""
    words = [data["coq"], data["mathcomp"], data["date"]]
    theorems = {str(name): dict(entry) for name, entry in data["theorems"].items()}
    if data["format"] != _FORMAT or not all(isinstance(word, str) for word in words):
        raise ValueError("another format")
    # Raises ValueError where it is no day.
    datetime.date.fromisoformat(data["date"])
    sources = {str(name): str(digest) for name, digest in data["sources"].items()}
    return Record(words[0], words[1], words[2], sources, theorems)


def _problem(record: Record, folder: Path) -> str | None:
    """Return why a record counts for nothing."""
    development = read_development(folder)
    now = fingerprints(development, [STATEMENTS])
    changed = sorted(
        name for name in now.keys() | record.sources.keys()
        if now.get(name) != record.sources.get(name)
    )  # fmt: skip
    if changed:
        return (
            f"the record of {record.date} is of other sources: {', '.join(changed[:4])}"
            f"{' and more' if len(changed) > 4 else ''} changed since"
        )
    # Reading the sources needs no Coq, so it is done again.
    faults = audit_sources(folder)
    if faults:
        return f"the sources do not pass ({faults[0]})"
    stated = {
        f"{development.module(file)}.{name}"
        for file in development.files
        for name in _stated(development.text(file))
    }
    # A record can be edited: it must not add a theorem that no source states.
    foreign = sorted(record.theorems.keys() - stated)
    if foreign:
        return f"the record names {foreign[0]}, which the sources do not have"
    if any(entry.get("assumptions") != CLOSED for entry in record.theorems.values()):
        return "the record has a theorem with assumptions"
    return None


def _stated(source: str) -> set[str]:
    """Return the names that a source states as theorems, lemmas or corollaries."""
    commands = r"(?:Theorem|Corollary|Lemma|Fact|Remark|Proposition|Definition)"
    pattern = re.compile(rf"(?:(?:Local|Global|#\[[^\]]*\])\s*)*{commands}\s+([\w']+)")
    found = (pattern.match(text) for _, text in sentences(strip_comments(source)))
    return {match[1] for match in found if match}


def recorded_problem(record: Record, name: str, folder: Path | str) -> str | None:
    """Return why a theorem does not count as proved by a record, None where it does."""
    if record.problem is not None:
        return record.problem
    if name not in record.theorems:
        return f"{name} is not in the record of {record.date}"
    if name not in read_statements(Path(folder)):
        return f"{name} is not among the reviewed statements"
    return None
