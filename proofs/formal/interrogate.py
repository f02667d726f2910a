"""Questions to Coq about a compiled development: assumptions, statements, definitions."""

from __future__ import annotations

import concurrent.futures as futures
import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from epsrank.numerics.processes.scratch import scratch
from epsrank.proofs.formal.compilation import Compiled, check_text
from epsrank.proofs.formal.declared import Declared
from epsrank.proofs.formal.toolchain import CoqError

#: What Coq prints about a theorem without axioms.
CLOSED = "Closed under the global context"

# The notations of MathComp and no others: one of the development itself could make a statement look
# like another.
_NOTATIONS = """From mathcomp Require Import all_ssreflect all_algebra.
Import Order.TTheory GRing.Theory Num.Theory.
Open Scope ring_scope.
"""

_OPENING = """Require {modules}.
Unset Printing Implicit Defensive.
Set Printing Width 96.
Set Printing Depth 1000000.
"""

_QUALIFIED = re.compile(r"(?:[^\W\d][\w']*\.)+[\w']+")


@dataclass(frozen=True)
class Printed:
    """What Coq prints of one name."""

    #: In full.
    name: str
    #: ``"Theorem"`` for one that was asked for, ``"Lemma"`` for a fact inside a definition; of both
    #: only the statement counts. ``"Definition"`` for what is known by its body.
    kind: str
    #: With the notations of MathComp.
    text: str
    #: First 16 digits of the SHA-256 of the form with nothing left out: structures, coercions and
    #: implicit arguments, which notations hide, are in it.
    digest: str


def assumptions(
    compiled: Compiled, names: Sequence[str], jobs: int = 1, *, together: bool = False
) -> dict[str, tuple[str, ...]]:
    """Return what each theorem assumes, from ``Print Assumptions``.

    With `together` Coq is asked once about a term that mentions them all, which is faster; the
    answer stands under the name ``""``.
    """
    if not names:
        return {}
    if together:
        # "@" names the function itself: implicit arguments could not be guessed here.
        mentions = "".join(f"let _ := @{name} in\n" for name in names)
        question = f"Definition everything : True :=\n{mentions}I.\nPrint Assumptions everything."
        answers = _ask(compiled, {"": question})
    else:
        # Neighbours in a source take about as long: dealt out in turn, chunks end together.
        chunks = [names[start::jobs] for start in range(min(jobs, len(names)))]
        with futures.ThreadPoolExecutor(jobs) as pool:
            parts = pool.map(
                lambda chunk: _ask(compiled, {n: f"Print Assumptions {n}." for n in chunk}), chunks
            )
            answers = {name: answer for part in parts for name, answer in part.items()}
    return {name: read_assumptions(answer) for name, answer in answers.items()}


def read_assumptions(answer: str) -> tuple[str, ...]:
    """Read the output of ``Print Assumptions``, one entry per assumption.

    Anything that is not understood counts as one.
    """
    if answer.strip() == CLOSED:
        return ()
    entries: list[str] = []
    for line in answer.splitlines():
        if re.fullmatch(
            r"(Axioms|Section Variables|Opaque constants|Transparent constants):", line
        ):
            continue
        if line[:1].isspace() or line.startswith(":"):
            if entries:
                entries[-1] = f"{entries[-1]} {line.strip()}"
        elif line.strip():
            entries.append(line.strip())
    return tuple(entries) or ("Coq printed nothing about it",)


def printed(
    compiled: Compiled, names: Iterable[Declared], wanted: Sequence[str]
) -> dict[str, Printed]:
    """Return the statements of theorems, and of every definition that they rest on.

    A definition is in if a wanted statement mentions it, or if one does that is already in; of a
    proof only the statement is taken, since nothing can depend on how it goes.
    """
    known = {item.name: item for item in names}
    inside = {name: item for name, item in known.items() if item.kind in _PART_OF_A_TYPE}
    first = [*wanted, *(n for n, item in known.items() if item.kind in _WITH_A_BODY)]
    proofs = [n for n, item in known.items() if item.kind == "proof" and n not in set(wanted)]
    texts, sealed = _first_texts(compiled, first, set(wanted), proofs)
    roots = {module.rsplit(".", 1)[-1] for module in compiled.development.modules()}
    found: dict[str, Printed] = {}
    waiting, done = list(wanted), set(wanted)
    while waiting:
        texts |= _texts(compiled, [name for name in waiting if name not in texts])
        following: dict[str, None] = {}
        for name in waiting:
            readable, full = texts[name]
            # Where lines break is not part of a statement.
            digest = hashlib.sha256(" ".join(full.split()).encode()).hexdigest()[:16]
            kind = "Theorem" if name in wanted else "Lemma" if name in sealed else "Definition"
            # What a command made has no place in the index: one of each form will do.
            if name in known or all(other.digest != digest for other in found.values()):
                found[name] = Printed(name, kind, readable, digest)
            for other in _mentioned(full, known, roots, compiled.development.prefix):
                following |= dict.fromkeys(_whole(other, inside, known))
        waiting = [name for name in following if name not in done]
        done |= set(waiting)
    return found


_WITH_A_BODY = {"definition", "record", "inductive"}
_PART_OF_A_TYPE = {"constructor", "projection"}


def _whole(name: str, inside: Mapping[str, Declared], known: Mapping[str, Declared]) -> list[str]:
    """Replace a field or a constructor by the type that it belongs to, which shows it."""
    if name not in inside:
        return [name]
    part = inside[name]
    owners = [
        item
        for item in known.values()
        if item.file == part.file
        and item.kind in {"record", "inductive"}
        and item.line <= part.line
    ]
    return [max(owners, key=lambda item: item.line).name] if owners else [name]


def _mentioned(
    full: str, known: Mapping[str, Declared], roots: set[str], prefix: str
) -> Iterable[str]:
    """Yield the names of the development in a text; Coq qualifies them at least by their file."""
    for token in dict.fromkeys(_QUALIFIED.findall(full)):
        short = token.removeprefix(f"{prefix}.")
        matches = [name for name in known if name.endswith(f".{short}")]
        if matches:
            yield from matches
        elif short.split(".")[0] in roots:
            yield f"{prefix}.{short}"  # not in the index: made by a command, such as a scheme


_Texts = dict[str, tuple[str, str]]


def _first_texts(
    compiled: Compiled, names: Iterable[str], opaque: set[str], proofs: Iterable[str]
) -> tuple[_Texts, set[str]]:
    """Return the texts of names and of sealed proofs, and which proofs are sealed.

    Nothing can depend on how a sealed proof goes. Asked about all proofs at once, mentioned or not:
    Coq takes longer to start than to answer.
    """
    asked, perhaps = dict.fromkeys(names), dict.fromkeys(proofs)
    questions = _questions(asked, opaque) | _questions(perhaps, set(perhaps))
    answers = _ask(compiled, questions | {f"{name} kind": f"About {name}." for name in perhaps})
    # One that is only hidden from tactics is “basically transparent but considered opaque”.
    sealed = {
        name for name in perhaps if re.search(r"^\S+ is opaque$", answers[f"{name} kind"], re.M)
    }
    return _answered(answers, [*asked, *sealed]), sealed


def _texts(compiled: Compiled, names: Sequence[str]) -> _Texts:
    """Return readable and full form of each name that is known by its body."""
    return _answered(_ask(compiled, _questions(names, set())), names) if names else {}


def _questions(names: Iterable[str], opaque: set[str]) -> dict[str, str]:
    """Ask for the readable and the full form of each name; of the opaque ones, of their types."""
    questions = {}
    for name in names:
        # How an opaque proof goes matters to nothing, and may be long.
        question = f"Check @{name}." if name in opaque else f"Print {name}."
        questions[f"{name} readable"] = question
        questions[f"{name} full"] = f"Set Printing All.\n{question}\nUnset Printing All."
    return questions


def _answered(answers: Mapping[str, str], names: Iterable[str]) -> _Texts:
    return {
        name: (_body(answers[f"{name} readable"]), _body(answers[f"{name} full"])) for name in names
    }


def _body(answer: str) -> str:
    """Return an answer without the name in front of ``Check`` and the notes on arguments."""
    text = re.split(r"\n\s*\n(?:Arguments|\S+ is )", answer.strip("\n"))[0]
    text = re.sub(r"\A\S+\s*\n\s+: ", "", text)
    first, *others = text.splitlines() or [""]
    margin = min((len(line) - len(line.lstrip()) for line in others if line.strip()), default=0)
    return "\n".join([first.rstrip(), *(line[margin:].rstrip() for line in others)])


def _ask(compiled: Compiled, questions: Mapping[str, str]) -> dict[str, str]:
    """Put questions to Coq, and return what it printed after each: one answer, in their order."""
    development = compiled.development
    opening = _OPENING.format(modules=" ".join(development.modules()))
    if any("mathcomp" in development.text(file) for file in development.files):
        opening = _NOTATIONS + opening
    # A command of Coq itself, which no source can redefine, prints a word that no source can know.
    word = f"mark_{secrets.token_hex(16)}"
    marks = [f"Locate {word}_{number}.\n" for number in range(len(questions) + 1)]
    asked = "".join(
        f"{mark}{text}\n" for mark, text in zip(marks, questions.values(), strict=False)
    )
    with scratch("questions") as folder:
        answer = check_text(compiled, f"{opening}{asked}{marks[-1]}", folder, "questions")
    return dict(zip(questions, read_answers(answer, word, len(questions)), strict=True))


def read_answers(answer: str, word: str, count: int) -> list[str]:
    """Part what Coq printed at its marks, each of which stands there once and in order."""
    mark = re.compile(rf"^No object of basename {word}_(\d+)\n", re.MULTILINE)
    opening, *parts = mark.split(answer)
    numbers, texts = parts[::2], parts[1::2]
    if numbers != [str(number) for number in range(count + 1)] or answer.count(word) != count + 1:
        raise CoqError("questions", None, "has answers that are not one for each question")
    if opening.strip() or texts[-1].strip():
        said = " ".join((opening + texts[-1]).split())
        raise CoqError("questions", None, f"says what nobody asked for: {said[:200]}")
    return texts[:-1]
