"""What a Coq source says outside comments and strings: sentences, and what must not be in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path

from epsrank.proofs.formal.sources import PROJECT, read_development

# Words that leave something unproved, wherever they stand in a proof or as a command.
_UNPROVED = {"Admitted", "admit", "give_up"}
_ASSUMED = {
    "Axiom", "Axioms", "Parameter", "Parameters", "Conjecture", "Conjectures", "Primitive",
}  # fmt: skip
# Commands that become premises in a section, and axioms outside.
_LOCAL = {"Variable", "Variables", "Hypothesis", "Hypotheses", "Context"}
# Words that bring in what is not in the sources, run a program or write a file, wherever they
# stand: a sentence of Coq can begin after a brace, a bullet or a selector of goals.
_REACHING = (
    "Elpi", "lp", "Declare ML Module", "Add ML Path", "Load", "Add LoadPath", "Add Rec LoadPath",
    "Cd", "Drop", "Redirect", "Extraction", "Universes", "Profiling", "Profile",
)  # fmt: skip
# Words that change what is checked, or hide names from questions: what stands in a functor is no
# term, and what Fail or Succeed did is undone.
_FOREIGN = (
    "Declare Instance", "Declare Module", "Module", "Include", "Fail", "Succeed", "Reset", "Back",
    "Undo", "Admit Obligations", "Symbol", "Symbols", "Rewrite Rule", "Rewrite Rules",
)  # fmt: skip
# Commands that a source may use: any other, such as one of a plugin, has to be thought of first.
_COMMANDS = _LOCAL | {
    "Abort", "Arguments", "Canonical", "Class", "CoFixpoint", "CoInductive", "Coercion",
    "Corollary", "Defined", "Definition", "Delimit", "End", "Example", "Export", "Fact", "Fixpoint",
    "From", "Goal", "Implicit", "Import", "Inductive", "Infix", "Instance", "Lemma", "Let", "Ltac",
    "Notation", "Open", "Proof", "Proposition", "Qed", "Record", "Remark", "Require", "Section",
    "Structure", "Theorem", "Variant",
}  # fmt: skip
_PHRASES = re.compile(
    r"(Declare\s+Scope|Number\s+Notation|Reserved\s+Notation|Tactic\s+Notation|Existing\s+Instance"
    r"|(Uns|S)et\s+(Implicit\s+Arguments|Strict\s+Implicit|Printing\s+Implicit\s+Defensive))\b"
)
# Libraries that the audit knows; Elpi and Ltac2, which lie beside them, can do more than prove.
_LIBRARIES = ("Coq", "mathcomp")
# Options of Coq, wherever they are set: `Export Set`, and in a proof. No sort has a word after it.
_OPTION = re.compile(r"(?<![\w'.])(?:Uns|S)et(?=\s+[A-Z])")
_GUARDS = r"(Guard|Positivity|Universe)\s+Checking"

_IDENTIFIER = re.compile(r"[^\W\d][\w']*")
# A number that goes on as a word.
_GLUED = re.compile(r"(?<![\w'])\d+(?!\d)[\w']+")

# Pieces between which a comment or a string can begin or end.
_CODE, _QUOTED = re.compile(r'[^"(*]+|\(\*|\*\)|.'), re.compile(r'[^"]+|""|"')
_PREFIX = re.compile(
    r"^(\s|[-+*{}]|(\d+|!|all|par|\[\s*[\w']+\s*\])\s*:|#\[[^\]]*\]|(Local|Global|Polymorphic|Monomorphic|Program|Time"
    r"|Timeout\s+\d+)\b)*"
)


@dataclass(frozen=True)
class Finding:
    """Something that a source must not have."""

    #: Where, counted from 1.
    line: int
    #: What, in words.
    problem: str


# A file is asked about one thing after the other.
@lru_cache(maxsize=8)
def strip_comments(text: str) -> str:
    """Replace comments, nested ones too, and the insides of strings by blanks.

    Coq reads strings inside comments as well, so that ``(* "*)" *)`` is one comment.
    """
    return "".join(
        re.sub(r"[^\n]", " ", piece) if hidden else piece for _, piece, hidden, _ in _pieces(text)
    )


def _pieces(text: str) -> Iterator[tuple[int, str, bool, bool]]:
    """Yield place and text of each piece, whether it is to be hidden, and whether it opens."""
    depth, quoted, place = 0, False, 0
    while match := (_QUOTED if quoted else _CODE).match(text, place):
        piece, outside = match[0], depth == 0 and not quoted
        hidden = not outside
        if piece == '"':
            quoted, hidden = not quoted, depth > 0
        elif not quoted and piece == "(*":
            depth, hidden = depth + 1, True
        elif not quoted and piece == "*)" and depth:
            depth -= 1
        yield place, piece, hidden, outside and (quoted or depth > 0)
        place = match.end()


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


def scan(text: str, prefix: str = "EpsRank") -> list[Finding]:
    """Find what leaves a theorem unproved or the kernel's checks switched off.

    ``Admitted``, ``admit``, axioms under any name, ``Variable`` and ``Hypothesis`` outside
    sections, guards switched off, commands and libraries that nobody has thought of, and text that
    Coq might part in another way. The assumptions that Coq itself prints are what decides; this
    finds the line. `prefix` is the name of the development.
    """
    found = reaching(text)
    reached = {finding.line for finding in found}
    sections = 0
    for line, whole in sentences(strip_comments(text)):
        sentence = whole[_match_length(whole) :]
        for problem, offset in _banned(whole):
            found.append(Finding(line + whole.count("\n", 0, offset), problem))
        command = (_IDENTIFIER.match(sentence) or [""])[0]
        if command in _LOCAL and not sections:
            found.append(Finding(line, f"“{command}” outside a section is an axiom"))
        foreign = _among(_FOREIGN, whole)
        if command[:1].isupper() and command not in _COMMANDS and not _PHRASES.match(sentence):
            foreign += [] if foreign or line in reached else [command]
        # Not of a command that was just found, or may stand here.
        begin = _match_length(whole)
        foreign += [at[0] for at in _OPTION.finditer(whole) if at.start() != begin]
        found += [Finding(line, f"“{phrase}” is not allowed here") for phrase in foreign]
        found += [Finding(line, problem) for problem in _libraries(whole, prefix)]
        # No module has an end: there are none.
        sections = max(0, sections + (command == "Section") - (command == "End"))
    return sorted(found, key=lambda finding: finding.line)


def reaching(text: str) -> list[Finding]:
    """Find what could run a program, or read or write a file: such a source is not compiled.

    Nor is one that Coq might part in another way: what seems a comment could be such a command.
    """
    return [*_unlike_coq(text)] + [
        Finding(line, f"“{phrase}” is not allowed here, as it reaches beyond the sources")
        for line, sentence in sentences(strip_comments(text))
        for phrase in _among(_REACHING, sentence)
    ]


def _among(phrases: tuple[str, ...], sentence: str) -> list[str]:
    # Nearly every sentence has none: one search for all says so.
    if not _any_of(phrases).search(sentence):
        return []
    return [phrase for phrase in phrases if _any_of((phrase,)).search(sentence)]


@cache
def _any_of(phrases: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w'.])(?:{'|'.join(phrases)})\b(?!')".replace(" ", r"\s+"))


def _unlike_coq(text: str) -> Iterator[Finding]:
    """Yield where Coq might see a comment, a string or a word where this file sees none.

    A notation can make a token of ``#(``, after which ``*`` begins no comment; after white space a
    token is new. A letter of another alphabet can look like one of ours. A number ends where a
    letter follows, so that ``Timeout 2Load`` is three words.
    """
    for place, piece, _, opens in _pieces(text):
        if opens and place and not text[place - 1].isspace():
            problem = f"{piece[0]!r} begins a comment or string without a blank before it"
            yield Finding(text.count("\n", 0, place) + 1, problem)
    bare = strip_comments(text)
    for other in re.finditer(r"[^ -~\n\t]", bare):
        problem = f"{other[0]!r} outside comments and strings is not in ASCII"
        yield Finding(bare.count("\n", 0, other.start()) + 1, problem)
    for glued in _GLUED.finditer(bare):
        problem = f"{glued[0]!r} is a number with a word after it without a blank"
        yield Finding(bare.count("\n", 0, glued.start()) + 1, problem)


def _libraries(sentence: str, prefix: str) -> Iterator[str]:
    """Yield the libraries that a sentence requires and that are not known."""
    for match in re.finditer(r"(?:\bFrom\s+([\w.]+)\s+)?\bRequire\b(.*)", sentence, re.DOTALL):
        names = [match[1]] if match[1] else re.findall(r"[\w.]+", match[2])
        for name in names:
            if name.split(".")[0] not in {*_LIBRARIES, prefix, "Import", "Export"}:
                yield f"the library {name} is not one of {', '.join(_LIBRARIES)} and {prefix}"


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
        found = scan(development.text(file), development.prefix)
        faults += [Fault(f"{file}, line {item.line}", item.problem) for item in found]
    return faults
