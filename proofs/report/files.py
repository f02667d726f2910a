"""Writing the report, and writing its page again from what is written."""

from __future__ import annotations

import json
import secrets
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.numerics.files import write_text
from epsrank.numerics.manifest import Manifest, read_checked
from epsrank.proofs.report.page import render_page
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import document

if TYPE_CHECKING:
    from epsrank.proofs.ledger.outcome import Report

LEDGER, PAGE = "ledger.json", "index.html"


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
    """Write ledger.json and index.html; figures that an earlier run left there are not shown."""
    ledger = report.to_json()
    ledger["environment"]["figures"] = list(figures)
    seals = Manifest(folder, "verification")
    text = document(ledger)
    write_text(folder / LEDGER, text, manifest=seals)
    # The page sees what a reader of the file sees: so it is the same when it is made again.
    page = render_page(json.loads(text), folder)
    write_text(folder / PAGE, page, manifest=seals)


def rebuild_report(folder: Path | str) -> Path:
    """Write index.html again, from ledger.json and the figures alone."""
    place = Path(folder).expanduser()
    page = render_page(read_ledger_json(place), place)
    write_text(place / PAGE, page, manifest=Manifest(place, "verification"))
    return place / PAGE


def read_ledger_json(folder: Path) -> dict[str, Any]:
    """Read ledger.json of a verification, of this format or of an earlier one."""
    data = read_checked(folder, LEDGER)
    try:
        ledger = json.loads(data)
        for entry in ledger["claims"]:
            _ = (
                entry["id"],
                entry["statement"],
                entry["source"],
                entry["verdict"],
                entry["evidence"],
            )
        _ = ledger["environment"].items()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise InputError(
            str(folder / LEDGER), "is not the ledger of a verification", "run epsrank verify again"
        ) from None
    found: dict[str, Any] = ledger
    return found
