"""The part of the audit that needs no Coq: the list of files, and what the sources say."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from epsrank.proofs.formal.scan import scan, scan_options
from epsrank.proofs.formal.sources import PROJECT, read_development


@dataclass(frozen=True)
class Fault:
    """One reason why the audit fails.

    Attributes
    ----------
    where : str
        File and line, or the name of a theorem.
    problem : str
        What is wrong, in words.
    theorem : str or None
        The theorem that it concerns; None where it concerns the development, and so all of them.
    """

    where: str
    problem: str
    theorem: str | None = None

    def __str__(self) -> str:
        return (
            f"{self.where}: {self.problem}"
            if self.theorem is None
            else (f"{self.where} {self.problem}")
        )


def audit_sources(folder: Path | str) -> list[Fault]:
    """Audit what can be read without Coq: the list of files, and what the sources say.

    Parameters
    ----------
    folder : path
        Folder of a development.

    Returns
    -------
    list of Fault
        Empty where nothing was found.
    """
    development = read_development(folder)
    on_disk, listed = set(development.on_disk()), set(development.files)
    faults = [Fault(file, f"is not in {PROJECT}") for file in sorted(on_disk - listed)]
    faults += [Fault(file, f"is in {PROJECT} but not on disk") for file in sorted(listed - on_disk)]
    faults += [Fault(PROJECT, problem) for problem in scan_options(development.options)]
    for file in sorted(on_disk):
        found = scan(development.text(file))
        faults += [Fault(f"{file}, line {item.line}", item.problem) for item in found]
    return faults
