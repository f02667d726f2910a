"""What changed between two verifications, verdicts first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from epsrank.proofs.report.files import read_ledger_json
from epsrank.proofs.report.words import show


@dataclass(frozen=True)
class Change:
    """One thing of one claim that is another in B than in A."""

    claim: str
    title: str
    #: ``"verdict"``, ``"record"``, ``"statement"``, ``"checks"`` or ``"figures"``.
    what: str
    a: str
    b: str


# In the order of the report: what decides comes before what it was decided from.
_ORDER = ("verdict", "record", "statement", "checks", "figures")


def compare_verifications(a: Path | str, b: Path | str) -> dict[str, Any]:
    """Return what changed from A to B: by claim, and in the environment."""
    one, other = (read_ledger_json(Path(path)) for path in (a, b))
    before, after = ({entry["id"]: entry for entry in side["claims"]} for side in (one, other))
    changes: list[Change] = []
    for name, entry in before.items():
        if name in after:
            changes += _of_claim(entry, after[name])
    changes.sort(key=lambda change: _ORDER.index(change.what))
    return {
        "same": sum(name in after and after[name]["verdict"] == entry["verdict"]
                    for name, entry in before.items()),
        "common": len(before.keys() & after.keys()),
        "only in A": [_title(entry) for name, entry in before.items() if name not in after],
        "only in B": [_title(entry) for name, entry in after.items() if name not in before],
        "changes": [asdict(change) for change in changes],
        "environment": _differences(one["environment"], other["environment"]),
    }  # fmt: skip


def _title(entry: Mapping[str, Any]) -> str:
    return str(entry.get("title", entry["id"]))


def _of_claim(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    """Compare the two entries of one claim."""
    name, title = str(a["id"]), _title(b)
    pairs = [
        ("verdict", a["verdict"], b["verdict"]),
        ("record", a.get("recorded"), b.get("recorded")),
        ("statement", a["statement"], b["statement"]),
    ]
    found = [Change(name, title, what, show(x), show(y)) for what, x, y in pairs if x != y]
    checks_a, checks_b = _checks(a), _checks(b)
    for key in {**checks_a, **checks_b}:
        x, y = checks_a.get(key), checks_b.get(key)
        state_x, state_y = (None if side is None else side["state"] for side in (x, y))
        if state_x != state_y:
            label = shorter(key[1])
            found.append(Change(name, title, "checks", f"{label}: {state_x or 'not made'}",
                                str(state_y or "not made")))  # fmt: skip
        elif x is not None and y is not None:
            found += _of_figures(name, title, x["figures"], y["figures"])
    return found


# The seed and the day tell two runs apart, and say nothing about the claim.
_TELL_NOTHING = {"seed", "accepted", "property", "recorded"}


def _of_figures(name: str, title: str, a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Change]:
    return [
        Change(name, title, "figures", f"{key}: {show(a.get(key))}", show(b.get(key)))
        for key in {**a, **b}
        if key not in _TELL_NOTHING and a.get(key) != b.get(key)
    ]


def shorter(text: str) -> str:
    """Return a title that fits a line of a table."""
    return text if len(text) <= 60 else text[:59] + "…"


def _checks(entry: Mapping[str, Any]) -> dict[tuple[str, str, int], Mapping[str, Any]]:
    """Return the evidence by its kind and title; equal ones are numbered."""
    found: dict[tuple[str, str, int], Mapping[str, Any]] = {}
    for item in entry["evidence"]:
        # The titles of proofs say when they were accepted.
        title = "proofs" if item["kind"] == "formal" else str(item.get("title", ""))
        place = 0
        while (item["kind"], title, place) in found:
            place += 1
        found[item["kind"], title, place] = item
    return found


_OF_MACHINE: Sequence[str] = ("seconds", "kept", "figures", "date")


def _differences(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the settings, versions and machines that differ."""
    flat = [{**side, **side.get("packages", {})} for side in (a, b)]
    return {
        key: [show(flat[0].get(key)), show(flat[1].get(key))]
        for key in {**flat[0], **flat[1]}
        if key not in {*_OF_MACHINE, "packages"} and flat[0].get(key) != flat[1].get(key)
    }
