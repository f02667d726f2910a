"""What coqchk, the second checker of compiled proofs, says of a development."""

from __future__ import annotations

import re
from pathlib import Path

from epsrank.proofs.formal.compilation import Compiled
from epsrank.proofs.formal.scan import Fault
from epsrank.proofs.formal.sources import DEVELOPMENT
from epsrank.proofs.formal.toolchain import run_program

#: What coqchk lists without there being an axiom: see the file.
PRIMITIVES = DEVELOPMENT / "primitives.txt"

# What coqchk must say, word by word, but for the axioms.
_NOTHING_ELSE = {
    "Theory": "Set is predicative",
    "Constants/Inductives relying on type-in-type": "<none>",
    "Constants/Inductives relying on unsafe (co)fixpoints": "<none>",
    "Inductives whose positivity is assumed": "<none>",
}


def second_opinion(compiled: Compiled) -> list[Fault]:
    """Check every compiled file of a development again, by a program that only checks.

    The libraries that it rests on are taken as they are; of them, too, all axioms are listed.
    """
    development = compiled.development
    each = [word for module in development.modules() for word in ("-norec", module)]
    code, printed, complaints = run_program(
        [compiled.coq.coqchk, "-silent", "-o", *development.options[:3], *each],
        "coqchk",
        compiled.folder,
    )
    if code != 0:
        words = " ".join((complaints or printed).split())[-400:]
        return [Fault("coqchk", f"refuses the compiled files: {words}")]
    return [
        Fault("coqchk", problem) for problem in disagreements(printed + complaints, primitives())
    ]


def disagreements(printed: str, known: frozenset[str]) -> list[str]:
    """Return what coqchk says beyond what it may, in words."""
    entries = dict(re.findall(r"^\* ([^:\n]+):((?:.*\n(?!\* ))*.*)", printed, re.MULTILINE))
    said = {title: " ".join(text.split()) for title, text in entries.items()}
    axioms = [name for name in said.pop("Axioms", "").split() if name != "<none>"]
    found = [f"finds {name} assumed" for name in axioms if name not in known]
    for title, wanted in _NOTHING_ELSE.items():
        answer = said.pop(title, "nothing")
        if answer != wanted:
            found.append(f"says “{title}: {answer}”, not “{wanted}”")
    return found + [f"says what nobody knows: “{title}: {text}”" for title, text in said.items()]


def primitives(file: Path = PRIMITIVES) -> frozenset[str]:
    """Read the names that are in the kernel itself, or sealed in a library."""
    lines = file.read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))
