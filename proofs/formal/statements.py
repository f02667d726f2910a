"""The reviewed file of statements: what a person has accepted, against what Coq has."""

from __future__ import annotations

import difflib
import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from epsrank.numerics.files import write_text
from epsrank.proofs.formal.interrogate import Printed
from epsrank.theory.errors import InputError

STATEMENTS = "statements.txt"

_HEADER = """\
# The theorems that the ledger names, and every definition that their statements rest on, as Coq
# prints them with the notations of MathComp. A person has read them: `epsrank prove --audit` fails
# when one differs from what Coq has, and `epsrank prove --accept-statements` writes this file anew.
# The digest is that of the full form: every structure, coercion and implicit argument is in it.
# Theorems stand under the claim that they serve, in the order of the ledger and with its sentence;
# definitions follow, and facts inside definitions last.
# Printed by {system}.
"""

_HEAD = re.compile(r"^(Theorem|Lemma|Definition) (\S+)  \[full form ([0-9a-f]+)\]$")
_ORDER = {"Theorem": 0, "Definition": 1, "Lemma": 2}


#: A heading in words, with the theorems under it.
Group = tuple[str, Sequence[str]]


def render_statements(
    printed: Mapping[str, Printed], system: str, groups: Sequence[Group] = ()
) -> str:
    """Return the text of the file; theorems in no group follow the others."""
    blocks, done = [_HEADER.format(system=system)], set[str]()
    for words, names in groups:
        there = [name for name in dict.fromkeys(names) if name in printed]
        if there:
            blocks.append(_heading(words, [name for name in there if name in done]))
        blocks += [_block(printed[name]) for name in there if name not in done]
        done |= set(there)
    # First what claims are, then what their words mean, and facts inside those last.
    rest = [item for name, item in printed.items() if name not in done]
    if groups:
        blocks.append("# ---- Definitions\n")
    blocks += map(_block, sorted(rest, key=lambda item: (_ORDER[item.kind], item.name)))
    return "\n".join(blocks)


def _heading(words: str, above: Sequence[str]) -> str:
    """Return a claim as a comment, with those of its theorems that stand under an earlier one."""
    more = f" (See above: {', '.join(above)}.)" if above else ""
    first, *others = textwrap.wrap(words + more, 94)
    return "\n".join([f"# ---- {first}", *(f"# {line}" for line in others)]) + "\n"


def _block(item: Printed) -> str:
    """Return one statement."""
    # Indented, so that no line of a statement reads as the head of another.
    body = "\n".join(f"    {line}".rstrip() for line in item.text.splitlines())
    return f"{item.kind} {item.name}  [full form {item.digest}]\n{body}\n"


def parse_statements(text: str) -> dict[str, Printed]:
    """Read the file."""
    found: dict[str, Printed] = {}
    head: re.Match[str] | None = None
    lines: list[str] = []

    def close() -> None:
        if head is not None:
            body = "\n".join(lines).strip("\n")
            found[head[2]] = Printed(head[2], head[1], body, head[3])

    for number, line in enumerate(text.splitlines(), start=1):
        if line.startswith("    ") or not line:
            lines.append(line[4:])
        elif not line.startswith("#"):
            close()
            head, lines = _HEAD.match(line), []
            if head is None or head[2] in found:
                remedy = "write it again with `epsrank prove --accept-statements`, and read it"
                raise InputError(STATEMENTS, f"is damaged at line {number}", remedy)
    close()
    return found


def read_statements(folder: Path) -> dict[str, Printed]:
    """Read the reviewed file of a development; empty where there is none."""
    try:
        text = (folder / STATEMENTS).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return {}
    return parse_statements(text)


def write_statements(
    folder: Path, printed: Mapping[str, Printed], system: str, groups: Sequence[Group] = ()
) -> Path:
    """Write the reviewed file: an act of acceptance."""
    path = folder / STATEMENTS
    write_text(path, render_statements(printed, system, groups))
    return path


def differences(reviewed: Mapping[str, Printed], printed: Mapping[str, Printed]) -> dict[str, str]:
    """Compare what was reviewed with what Coq has."""
    found: dict[str, str] = {}
    for name in sorted(reviewed.keys() | printed.keys()):
        before, after = reviewed.get(name), printed.get(name)
        if before is None:
            found[name] = f"is not in {STATEMENTS}: nobody has reviewed it"
        elif after is None:
            found[name] = f"is in {STATEMENTS}, but no theorem of the ledger rests on it"
        elif before.text != after.text:
            changed = difflib.unified_diff(
                before.text.splitlines(), after.text.splitlines(), "reviewed", "now", lineterm=""
            )
            found[name] = "is not as reviewed:\n" + "\n".join(changed)
        elif (before.digest, before.kind) != (after.digest, after.kind):
            found[name] = (
                "reads as reviewed, but its full form differs: a structure, coercion or implicit "
                "argument that the notation hides is another one"
            )
    return found
