"""What each declaration of the sources uses, as Coq's own index has it."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from epsrank.proofs.formal.compilation import Compiled
from epsrank.proofs.formal.declared import Declared

# R120:125 EpsRank.form <> nrmD thm: the bytes 120 to 125 mention EpsRank.form.nrmD.
_REFERENCE = re.compile(r"^R(\d+):(\d+) (\S+) <> (\S+) \w+$")
_DECLARATION = re.compile(r"^\w+ (\d+):(\d+) <> (\S+)$")


@dataclass(frozen=True)
class Mention:
    """A name in a source, at bytes `start` to `end`."""

    start: int
    end: int
    #: In full.
    name: str
    #: Whether it is declared there.
    declares: bool


def mentions(compiled: Compiled, file: str, known: Collection[str]) -> list[Mention]:
    """Return where a source declares or mentions some names, in order."""
    module = compiled.development.module(file)
    index = (compiled.folder / file).with_suffix(".glob").read_text(encoding="utf-8")
    found = set()
    for line in index.splitlines():
        if entry := _REFERENCE.match(line):
            found.add(Mention(int(entry[1]), int(entry[2]) + 1, f"{entry[3]}.{entry[4]}", False))
        elif entry := _DECLARATION.match(line):
            found.add(Mention(int(entry[1]), int(entry[2]) + 1, f"{module}.{entry[3]}", True))
    return sorted(
        (item for item in found if item.name in known), key=lambda item: (item.start, item.end)
    )


def uses(compiled: Compiled, names: Sequence[Declared]) -> dict[str, set[str]]:
    """Return the names of the development that each declaration mentions, proof included."""
    known = {item.name for item in names}
    found: dict[str, set[str]] = {name: set() for name in known}
    for file in compiled.development.files:
        owner = None
        for item in mentions(compiled, file, known):
            # A mention belongs to the last declaration before it.
            if item.declares:
                owner = item.name
            elif owner is not None and item.name != owner:
                found[owner].add(item.name)
    return found


def between(used: Mapping[str, set[str]], kept: Collection[str]) -> dict[str, set[str]]:
    """Return the graph on some names: those that each uses directly or by way of others."""
    return {name: _nearest(used, name, set(kept)) for name in kept}


def _nearest(used: Mapping[str, set[str]], name: str, kept: set[str]) -> set[str]:
    """Return the kept names that are reached without passing through another one."""
    found: set[str] = set()
    waiting, seen = list(used.get(name, ())), {name}
    while waiting:
        other = waiting.pop()
        if other in seen:
            continue
        seen.add(other)
        if other in kept:
            found.add(other)
        else:
            waiting += used.get(other, ())
    return found


def reduced(graph: Mapping[str, set[str]]) -> dict[str, set[str]]:
    """Leave out what follows: a use of what another use rests on."""
    below: dict[str, set[str]] = {}

    def reach(name: str) -> set[str]:
        if name not in below:
            # Proofs rest on earlier ones, so there is no circle.
            below[name] = set().union(*({other} | reach(other) for other in graph.get(name, ())))
        return below[name]

    return {
        name: others - set().union(*(reach(other) for other in others))
        for name, others in graph.items()
    }
