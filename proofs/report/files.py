"""Writing the report."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from epsrank.numerics.files import write_text
from epsrank.numerics.manifest import Manifest
from epsrank.proofs.report.page import render_page
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import document

if TYPE_CHECKING:
    from epsrank.proofs.ledger.outcome import Report


def open_report(out: Path | str) -> Path:
    """Make the folder of a report and try to write in it, before any work is done."""
    folder = Path(out).expanduser()
    trial = folder / f".trial-{secrets.token_hex(4)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        trial.write_text("", encoding="utf-8")
        trial.unlink()
    except OSError as error:
        raise InputError(
            "out", f"{folder} cannot be written ({error.strerror})", "choose another folder"
        ) from None
    return folder


def write_report(report: Report, folder: Path, figures: Sequence[str]) -> None:
    """Write ledger.json and index.html."""
    seals = Manifest(folder, "verification")
    write_text(folder / "ledger.json", document(report.to_json()), manifest=seals)
    write_text(folder / "index.html", render_page(report, folder, figures), manifest=seals)
