"""Coq on this machine: whether it is there, with MathComp, and how a file is compiled by it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from epsrank.numerics.processes.parent import ending_with_us
from epsrank.theory.errors import InputError

#: What to install, by the names of Debian and Ubuntu.
PACKAGES = (
    "coq",
    "libcoq-mathcomp-algebra",
    "libcoq-mathcomp-real-closed",
    "libcoq-mathcomp-algebra-tactics",
)

# The parts of MathComp that the development imports, as folders of the library.
_PARTS = ("ssreflect", "algebra", "real_closed", "algebra_tactics", "zify")

# Coq's programs are written in OCaml. By itself coqc clears a young heap of 256 MB page by page and
# walks its old heap, all of MathComp, time and again. This saves two fifths of the memory and some
# 5 % of the processor time, which is less than the noise of a busy machine.
_MEMORY = "s=4M,o=400"

# A file of the development takes seconds; a proof search that does not end is stopped.
_LONGEST = 1800.0


class CoqError(Exception):
    """Coq refused a file: which one, where, and in Coq's words, in one line."""

    def __init__(self, file: str, line: int | None, words: str) -> None:
        self.file, self.line, self.words = file, line, words
        where = file if line is None else f"{file}, line {line}"
        super().__init__(f"{where}: {words}")

    def __reduce__(self) -> tuple[type[CoqError], tuple[str, int | None, str]]:
        """Rebuild from the parts, so that worker processes can hand the error back."""
        return (CoqError, (self.file, self.line, self.words))


@dataclass(frozen=True)
class Coq:
    """A Coq with MathComp."""

    #: Paths of the programs.
    coqc: str
    coqdep: str
    coqchk: str
    #: Such as ``"8.16.1"``.
    version: str
    #: Version of MathComp such as ``"1.15.0"``, or ``"unknown"`` where the system does not say.
    mathcomp: str

    def __str__(self) -> str:
        return f"Coq {self.version} with MathComp {self.mathcomp}"


def find_coq() -> Coq | None:
    """Look for ``coqc`` on the PATH, and for the parts of MathComp that are needed.

    None where anything is missing; `explain_missing` says what.
    """
    return _look(os.environ.get("PATH", ""))[0]


def explain_missing() -> str:
    """Say what is missing, and which packages have it."""
    problem = _look(os.environ.get("PATH", ""))[1]
    return f"{problem}; install {' '.join(PACKAGES)} (names of Debian and Ubuntu)"


def require_coq() -> Coq:
    """Return Coq, or say which packages to install."""
    coq, problem = _look(os.environ.get("PATH", ""))
    if coq is None:
        remedy = f"install {' '.join(PACKAGES)} (names of Debian and Ubuntu)"
        raise InputError("Coq", problem.removeprefix("Coq "), remedy)
    return coq


@cache
def _look(path: str) -> tuple[Coq | None, str]:
    """Return Coq or the sentence that says what is missing, for a PATH."""
    coqc, coqdep, coqchk = (shutil.which(p, path=path) for p in ("coqc", "coqdep", "coqchk"))
    if coqc is None or coqdep is None or coqchk is None:
        return None, "Coq is not installed, or not on the PATH"
    version = _ask(coqc, "--print-version").split()
    where = _ask(coqc, "-where").strip()
    if not version or not where:
        return None, f"Coq does not answer ({coqc} --print-version failed)"
    # Where Coq's own library lies, and nowhere else: what a user has added could be anything.
    library = Path(where) / "user-contrib" / "mathcomp"
    missing = [part for part in _PARTS if not (library / part).is_dir()]
    if missing:
        return None, f"Coq {version[0]} lacks MathComp's {', '.join(missing)} in {library.parent}"
    return Coq(coqc, coqdep, coqchk, version[0], _mathcomp_version(Path(where))), ""


def coq_environment() -> dict[str, str]:
    """Return the environment that Coq's programs run in: the system's, with nothing of a user's.

    COQPATH, COQLIB, OCAMLPATH and the folders of XDG would add libraries, whose notations, tactics
    and plugins could say anything under the names of MathComp.
    """
    kept = ("PATH", "TMPDIR", "SYSTEMROOT", "TEMP", "TMP")
    # No file can lie under it.
    nowhere = dict.fromkeys(
        ("HOME", "XDG_DATA_HOME", "XDG_DATA_DIRS", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS"), os.devnull
    )
    found = {name: os.environ[name] for name in kept if name in os.environ}
    # Names and notations beyond ASCII, whatever the user's locale.
    return {**found, **nowhere, "OCAMLRUNPARAM": _MEMORY, "LC_ALL": "C.UTF-8"}


def _ask(*command: str) -> str:
    """Return what a program prints, nothing if it fails."""
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, errors="replace", timeout=60, check=True,
            env=coq_environment(),
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return ""
    return done.stdout


def _mathcomp_version(library: Path) -> str:
    """Ask the package managers, since MathComp itself does not say."""
    for command in (
        ("dpkg-query", "-W", "-f", "${Version}", "libcoq-mathcomp-ssreflect"),
        ("opam", "show", "--field=installed-version", "coq-mathcomp-ssreflect"),
    ):
        found = re.match(r"\d+(\.\d+)+", _ask(*command))
        if found:
            return found[0]
    notes = library.parent / "coq-mathcomp-ssreflect" / "META"
    if notes.is_file():
        found = re.search(r'version\s*=\s*"([\d.]+)"', notes.read_text(errors="replace"))
        if found:
            return found[1]
    return "unknown"


def run_coqc(
    coq: Coq,
    options: Sequence[str],
    file: str,
    folder: Path,
    *,
    limit: float = _LONGEST,
    started: Callable[[subprocess.Popen[str]], None] | None = None,
) -> str:
    """Compile one file and return what Coq printed."""
    # -q: no file of the user's is loaded first.
    code, printed, complaints = run_program(
        [coq.coqc, "-q", *options, file], file, folder, limit=limit, started=started
    )
    if code != 0:
        where, line, words = _complaint(complaints or printed)
        raise CoqError(where or file, line, words or f"coqc ended with {code}")
    return printed


def run_program(
    command: Sequence[str],
    what: str,
    folder: Path,
    *,
    limit: float = _LONGEST,
    started: Callable[[subprocess.Popen[str]], None] | None = None,
) -> tuple[int, str, str]:
    """Run a program of Coq and return its exit status, what it printed and its complaints."""
    with subprocess.Popen(
        ending_with_us(command),
        cwd=folder,
        env=coq_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        errors="replace",
    ) as process:
        if started is not None:
            started(process)
        try:
            printed, complaints = process.communicate(timeout=limit)
        except subprocess.TimeoutExpired:
            process.kill()
            raise CoqError(what, None, f"was not done after {limit:.0f} s") from None
        except BaseException:
            process.kill()
            raise
    return process.returncode, printed, complaints


def _complaint(complaints: str) -> tuple[str, int | None, str]:
    """Read Coq's complaint: the file, the line, and the words of the error."""
    places = list(
        re.finditer(r'^File "(.*?)", line (\d+), characters .*$', complaints, re.MULTILINE)
    )
    ends = [place.start() for place in places[1:]] + [len(complaints)]
    # Warnings may stand before the error, with places of their own.
    for place, end in reversed(list(zip(places, ends, strict=True))):
        words = complaints[place.end() : end].strip()
        if words.startswith("Error"):
            return (
                place[1].removeprefix("./"),
                int(place[2]),
                _one_line(words[len("Error") :].lstrip(": ")),
            )
    return "", None, _one_line(complaints)


def _one_line(words: str, longest: int = 600) -> str:
    line = " ".join(words.split())
    return line if len(line) <= longest else f"{line[:longest]} …"
