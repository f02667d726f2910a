"""What the sources declare: names, kinds and the sentence above, as Coq's own index has them."""

from __future__ import annotations

import re
from dataclasses import dataclass

from epsrank.proofs.formal.compilation import Compiled
from epsrank.proofs.formal.scan import strip_comments
from epsrank.proofs.formal.toolchain import CoqError

# Kinds of Coq's index (.glob) that are objects with a type.
_KINDS = {
    "prf": "proof",
    "def": "definition",
    "rec": "record",
    "indrec": "record",
    "corec": "record",
    "ind": "inductive",
    "coind": "inductive",
    "variant": "inductive",
    "inst": "definition",
    "proj": "projection",
    "constr": "constructor",
    "scheme": "definition",
    "ax": "axiom",
    "coe": "definition",
    "canonstruc": "definition",
    "subclass": "definition",
    "meth": "projection",
    "ex": "definition",
    "class": "record",
}
_ENTRY = re.compile(r"^(\w+) (\d+):(\d+) (\S+) (\S+)$")


@dataclass(frozen=True)
class Declared:
    """One name that a source declares."""

    #: In full, such as ``"EpsRank.form.nrmD"``.
    name: str
    #: ``proof``, ``definition``, ``record``, ``inductive``, ``projection``, ``constructor`` or
    #: ``axiom``.
    kind: str
    #: The command that declares it, such as ``"Theorem"``; empty where it is not before the name.
    keyword: str
    #: Its source.
    file: str
    #: Where in it.
    line: int
    #: The sentence above it, empty where there is none.
    words: str


def declared(compiled: Compiled) -> list[Declared]:
    """Return every name of a development."""
    return [item for file in compiled.development.files for item in _of_file(compiled, file)]


def theorems(names: list[Declared]) -> list[Declared]:
    """Return those that are stated as theorems."""
    return [name for name in names if name.keyword in {"Theorem", "Corollary"}]


def _of_file(compiled: Compiled, file: str) -> list[Declared]:
    """Read the index of one source."""
    development = compiled.development
    source = development.text(file)
    bare = strip_comments(source)
    # The index counts in bytes.
    encoded = source.encode()
    index = (compiled.folder / file).with_suffix(".glob")
    try:
        lines = index.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise CoqError(file, None, f"has no index ({error.strerror})") from None
    found = []
    for line in lines:
        entry = _ENTRY.match(line)
        if entry is None or entry[1] not in _KINDS:
            continue
        place = len(encoded[: int(entry[2])].decode(errors="replace"))
        # "<>" stands for no module inside the file.
        path = [] if entry[4] == "<>" else entry[4].split(".")
        before = re.search(r"([A-Z]\w*)\s+\Z", bare[max(0, place - 80) : place])
        found.append(
            Declared(
                name=".".join([development.module(file), *path, entry[5]]),
                kind=_KINDS[entry[1]],
                keyword=before[1] if before else "",
                file=file,
                line=source.count("\n", 0, place) + 1,
                words=_words_above(source, place),
            )
        )
    return found


def _words_above(source: str, place: int) -> str:
    """Return the comment ``(** … *)`` that ends right above the command at a place."""
    above = source[:place]
    above = above[: above.rfind("\n") + 1].rstrip()
    if not above.endswith("*)"):
        return ""
    comment = above[above.rfind("(**") :] if "(**" in above else ""
    inside = comment[3:-2]
    if not comment or "*)" in inside or inside.lstrip().startswith("*"):
        return ""
    return " ".join(inside.split())
