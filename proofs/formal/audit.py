"""The audit: nothing assumed, unlisted or missing, and every statement as it was reviewed."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from epsrank.numerics.processes.cores import asked_for
from epsrank.proofs.formal.compilation import Compiled
from epsrank.proofs.formal.declared import declared, theorems
from epsrank.proofs.formal.interrogate import CLOSED, Printed, assumptions, printed
from epsrank.proofs.formal.scan import Fault, audit_sources
from epsrank.proofs.formal.second_opinion import second_opinion
from epsrank.proofs.formal.sources import (
    PROJECT,
    Development,
    fingerprints,
    read_development,
)
from epsrank.proofs.formal.statements import (
    Group,
    differences,
    read_statements,
    write_statements,
)
from epsrank.theory.words import plural

Progress = Callable[[int, int, str], None]


@dataclass(frozen=True)
class Theorem:
    """One theorem under audit."""

    #: In full.
    name: str
    #: Its source.
    file: str
    #: Where in it.
    line: int
    #: The sentence above it.
    words: str
    #: What it assumes; empty for nothing, as it must be.
    assumptions: tuple[str, ...]
    #: As Coq prints it; empty for theorems that the ledger does not name.
    statement: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the theorem as plain data."""
        return {
            "file": self.file,
            "line": self.line,
            "words": self.words,
            "assumptions": "; ".join(self.assumptions) or CLOSED,
        }


@dataclass(frozen=True)
class Audit:
    """What an audit found."""

    #: Versions.
    coq: str
    mathcomp: str
    #: Every theorem of the development, by full name.
    theorems: Mapping[str, Theorem]
    #: Statements of the ledger's theorems, and the definitions that they rest on.
    printed: Mapping[str, Printed]
    #: Why it fails; empty where it passes.
    faults: tuple[Fault, ...]
    #: How many names were asked about together: theorems, lemmas and definitions.
    names: int
    #: Whether coqchk checked the compiled files again.
    second: bool = True
    #: How long it took, compilation not included.
    seconds: float = field(default=0.0, compare=False)

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return not self.faults

    @property
    def system(self) -> str:
        """The versions, in words."""
        return f"Coq {self.coq} with MathComp {self.mathcomp}"

    def problem(self, name: str) -> str | None:
        """Return why a theorem does not count as proved, None where it does."""
        for fault in self.faults:
            if fault.theorem is None:
                return f"the audit of the development failed: {fault}"
            if fault.theorem == name:
                return str(fault)
        return None if name in self.theorems else f"{name} is not in the development"

    def to_json(self) -> dict[str, Any]:
        """Return the audit as plain data."""
        return {
            "passed": self.passed,
            "coq": self.coq,
            "mathcomp": self.mathcomp,
            "second_opinion": self.second,
            "faults": [str(fault) for fault in self.faults],
            "theorems": {name: item.to_json() for name, item in self.theorems.items()},
        }

    def __str__(self) -> str:
        if self.faults:
            return "\n".join([f"the audit failed ({len(self.faults)}):", *map(str, self.faults)])
        return (
            f"{plural(len(self.theorems), 'theorem')}, {CLOSED.lower()}, as are all "
            f"{plural(self.names, 'name')} of the development; "
            f"{plural(len(self.printed), 'statement')} and definitions as reviewed"
            f"{'; coqchk agrees' if self.second else ''} ({self.system})"
        )


def audit(
    compiled: Compiled,
    wanted: Sequence[str],
    *,
    folder: Path | str,
    jobs: int | None = None,
    progress: Progress | None = None,
    second: bool = True,
) -> Audit:
    """Audit a compiled development.

    Asks Coq to print the assumptions of a term that mentions every name of the development; where
    there is one, of every theorem, to say which have it. Asks for the statements of the wanted
    theorems with the definitions they rest on, and compares them with the reviewed file. Lists the
    sources and reads them.

    With `second` coqchk checks the compiled files again.
    """
    start = time.perf_counter()
    tell = progress or (lambda done, total, what: None)
    workers = asked_for(jobs)
    place = Path(folder)
    steps = 5 if second else 4
    faults = audit_sources(place) + _of_these(compiled.development, read_development(place))
    tell(1, steps, "sources read")
    names = declared(compiled)
    # Constructors and projections come with their type, and assume what it does.
    by_name = {item.name: item for item in names if item.kind not in {"constructor", "projection"}}
    together = assumptions(compiled, list(by_name), together=True).get("", ())
    tell(2, steps, "assumptions of all names together")
    known = [name for name in dict.fromkeys(wanted) if name in by_name]
    asked = list(dict.fromkeys([*(item.name for item in theorems(names)), *known]))
    assumed: dict[str, tuple[str, ...]] = dict.fromkeys(asked, ())
    # All together assume what one of them does. Theorem by theorem, which takes seconds each, only
    # where it has to be found which.
    assumed |= assumptions(compiled, asked if together else [], workers)
    tell(3, steps, "assumptions of each theorem")
    # An entry reads "name : type". One that a theorem was found to assume is not reported twice.
    blamed = {entry.split()[0].rstrip(":") for entries in assumed.values() for entry in entries}
    faults += [
        Fault(_place_of(entry, compiled.development), f"is assumed: {entry}")
        for entry in together
        if entry.split()[0].rstrip(":") not in blamed
    ]
    shown = printed(compiled, names, known)
    items = {
        name: Theorem(
            name,
            by_name[name].file,
            by_name[name].line,
            by_name[name].words,
            assumed[name],
            shown[name].text if name in shown else "",
        )
        for name in asked
    }
    faults += _theorem_faults(items, wanted, place, shown)
    tell(4, steps, "statements")
    if second:
        faults += second_opinion(compiled)
        tell(steps, steps, "second opinion of coqchk")
    return Audit(
        compiled.coq.version,
        compiled.coq.mathcomp,
        items,
        shown,
        tuple(faults),
        len(by_name),
        second,
        time.perf_counter() - start,
    )


def _of_these(compiled: Development, sources: Development) -> list[Fault]:
    """Report each source that is not, byte by byte, the one that was compiled."""
    ours, theirs = fingerprints(sources), fingerprints(compiled)
    names = sorted({PROJECT, *sources.files, *compiled.files})
    return [Fault(n, "is not what was compiled") for n in names if ours.get(n) != theirs.get(n)]


def _place_of(entry: str, development: Development) -> str:
    """Return the source that an assumption is declared in, where its name says so."""
    parts = entry.split()[0].removeprefix(f"{development.prefix}.").split(".")
    files = [file for file in development.files if Path(file).stem == parts[0]]
    return files[0] if files and len(parts) > 1 else development.prefix


def _theorem_faults(
    items: Mapping[str, Theorem], wanted: Sequence[str], folder: Path, shown: Mapping[str, Printed]
) -> list[Fault]:
    faults = [
        Fault(name, f"assumes {'; '.join(item.assumptions)}", name)
        for name, item in items.items()
        if item.assumptions
    ]
    faults += [
        Fault(name, "is named in the ledger, but the development has no such theorem", name)
        for name in dict.fromkeys(wanted)
        if name not in items
    ]
    for name, problem in differences(read_statements(folder), shown).items():
        # A changed definition changes the theorems that rest on it, silently: nothing counts then.
        concerned = name if name in wanted or name not in shown else None
        faults.append(Fault(name, problem, concerned))
    return faults


def accept_statements(
    compiled: Compiled, wanted: Sequence[str], folder: Path | str, groups: Sequence[Group] = ()
) -> Path:
    """Write the reviewed file anew, group by group, with what Coq has now: an act of acceptance."""
    names = declared(compiled)
    there = {item.name for item in names}
    shown = printed(compiled, names, [name for name in wanted if name in there])
    return write_statements(Path(folder), shown, str(compiled.coq), groups)
