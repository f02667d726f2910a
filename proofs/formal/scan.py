"""What a Coq source says outside comments and strings: sentences, and what must not be in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from epsrank.proofs.formal.sources import PROJECT, read_development

# Words that leave something unproved, wherever they stand in a proof or as a command.
_UNPROVED = {"Admitted", "admit", "give_up"}
_ASSUMED = {
    "Axiom", "Axioms", "Parameter", "Parameters", "Conjecture", "Conjectures", "Primitive",
}  # fmt: skip
# Commands that become premises in a section, and axioms outside.
_LOCAL = {"Variable", "Variables", "Hypothesis", "Hypotheses", "Context"}
# Commands that can change what is checked, bring in what is not in the sources, or hide names from
# questions: what stands in a functor is no term, and what Fail or Succeed did is undone.
_FOREIGN = (
    "Declare ML Module", "Declare Instance", "Declare Module", "Module", "Include", "Fail",
    "Succeed", "Add ML Path", "Load", "Add LoadPath", "Add Rec LoadPath", "Cd", "Drop", "Reset",
    "Back", "Undo", "Admit Obligations", "Redirect", "Extraction", "Symbol", "Symbols",
    "Rewrite Rule", "Rewrite Rules",
)  # fmt: skip
_GUARDS = r"(Guard|Positivity|Universe)\s+Checking"

_IDENTIFIER = re.compile(r"[^\W\d][\w']*")
_PREFIX = re.compile(
    r"^(\s|[-+*{}]|#\[[^\]]*\]|(Local|Global|Polymorphic|Monomorphic|Program|Time"
    r"|Timeout\s+\d+)\b)*"
)


@dataclass(frozen=True)
class Finding:
    """Something that a source must not have."""

    #: Where, counted from 1.
    line: int
    #: What, in words.
    problem: str


def strip_comments(text: str) -> str:
    """Replace comments, nested ones too, and the insides of strings by blanks.

    Coq reads strings inside comments as well, so that ``(* "*)" *)`` is one comment.
    """
    kept: list[str] = []
    depth, quoted, place = 0, False, 0
    while place < len(text):
        two, step = text[place : place + 2], 1
        hidden = depth > 0 or quoted
        if quoted:
            if two == '""':
                step = 2
            elif two[0] == '"':
                quoted, hidden = False, depth > 0
        elif two[0] == '"':
            quoted = True
        elif two == "(*":
            depth, step, hidden = depth + 1, 2, True
        elif two == "*)" and depth:
            depth, step = depth - 1, 2
        piece = text[place : place + step]
        kept.append(re.sub(r"[^\n]", " ", piece) if hidden else piece)
        place += step
    return "".join(kept)


def sentences(text: str) -> Iterator[tuple[int, str]]:
    """Yield the sentences of a source: each ends with a full stop before white space."""
    start = 0
    # "..." ends a step of a proof, ".." is part of a notation.
    for end in re.finditer(r"(?:(?<!\.)\.|(?<=\.\.)\.)(?=\s|$)", text):
        sentence = text[start : end.start()]
        begin = start + len(sentence) - len(sentence.lstrip())
        yield text.count("\n", 0, begin) + 1, sentence.strip()
        start = end.end()
    rest = text[start:].strip()
    if rest:
        yield text.count("\n", 0, start) + 1, rest


def scan(text: str) -> list[Finding]:
    """Find what leaves a theorem unproved or the kernel's checks switched off.

    ``Admitted``, ``admit``, axioms under any name, ``Variable`` and ``Hypothesis`` outside
    sections, guards switched off, and commands that load what is not in the sources. The
    assumptions that Coq itself prints are what decides; this finds the line.
    """
    found: list[Finding] = []
    sections = 0
    for line, whole in sentences(strip_comments(text)):
        sentence = whole[_match_length(whole) :]
        for problem, offset in _banned(whole):
            found.append(Finding(line + whole.count("\n", 0, offset), problem))
        command = (_IDENTIFIER.match(sentence) or [""])[0]
        if command in _LOCAL and not sections:
            found.append(Finding(line, f"“{command}” outside a section is an axiom"))
        found += [
            Finding(line, f"“{phrase}” is not allowed here")
            for phrase in _FOREIGN
            if re.match(rf"{phrase}\b".replace(" ", r"\s+"), sentence)
        ]
        # No module has an end: there are none.
        sections = max(0, sections + (command == "Section") - (command == "End"))
    return sorted(found, key=lambda finding: finding.line)


def _match_length(sentence: str) -> int:
    match = _PREFIX.match(sentence)
    return match.end() if match else 0


def _banned(sentence: str) -> Iterator[tuple[str, int]]:
    """Yield what must not stand anywhere in a sentence, and where it does."""
    for word in _IDENTIFIER.finditer(sentence):
        if word[0] in _UNPROVED:
            yield f"“{word[0]}” leaves a statement unproved", word.start()
        elif word[0] in _ASSUMED:
            yield f"“{word[0]}” assumes a statement", word.start()
        elif word[0] == "bypass_check":
            yield "“bypass_check” switches a check of the kernel off", word.start()
    for switch in re.finditer(rf"\bUnset\s+{_GUARDS}", sentence):
        yield f"“{' '.join(switch[0].split())}” switches a check of the kernel off", switch.start()
    for switch in re.finditer(r"-?type-in-type", sentence):
        yield "“-type-in-type” switches a check of the kernel off", switch.start()


@dataclass(frozen=True)
class Fault:
    """One reason why the audit fails."""

    #: File and line, or the name of a theorem.
    where: str
    #: What is wrong, in words.
    problem: str
    #: The theorem that it concerns; None where it concerns the development, and so all of them.
    theorem: str | None = None

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.problem}"
            if self.theorem is None
            else (f"{self.where} {self.problem}")
        )


def audit_sources(folder: Path | str) -> list[Fault]:
    """Audit what can be read without Coq: the list of files, and what the sources say."""
    development = read_development(folder)
    on_disk, listed = set(development.on_disk()), set(development.files)
    faults = [Fault(file, f"is not in {PROJECT}") for file in sorted(on_disk - listed)]
    faults += [Fault(file, f"is in {PROJECT} but not on disk") for file in sorted(listed - on_disk)]
    # Unlisted files too: one could be imported, or be listed tomorrow.
    for file in sorted(on_disk):
        found = scan(development.text(file))
        faults += [Fault(f"{file}, line {item.line}", item.problem) for item in found]
    return faults
