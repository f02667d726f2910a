"""The page: verdicts in words, a table to filter, every claim with its evidence and witnesses."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from epsrank.proofs.ledger.claims import Claim
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.ledger.verdict import VERDICTS
from epsrank.proofs.report.figures import caption
from epsrank.theory.errors import InputError
from epsrank.theory.strict_json import worded

if TYPE_CHECKING:
    from epsrank.proofs.ledger.outcome import ClaimResult, Report


@cache
def _mathml(identifier: str) -> str:
    """Return the MathML of one statement, nothing where it has gone from the registry."""
    from epsrank.theory.symbolic.registry import statement  # SymPy, where there is a formula

    try:
        return statement(identifier).mathml
    except InputError:
        return ""


def formula(claim: Claim) -> str | None:
    """Return the MathML of a claim, None where it has no symbolic statement."""
    return "".join(_mathml(identifier) for identifier in claim.symbols) or None


_MEANING = {
    "proved": "the kernel of Coq accepted a proof without axioms: in this run or, where it says "
    "“recorded”, on the day named, from the very same sources",
    "certified on instances": "integer, rational or ball arithmetic decided it on every instance "
    "tried; not a proof for all",
    "supported": "a search for a counterexample, or an experiment with its uncertainty, found "
    "nothing against it",
    "supported only in a regime": "it held in the regime stated, and not outside it",
    "refuted": "a witness shows it to be false",
    "undecided": "tests were made, and they do not decide it",
    "open": "nothing in this run tests it",
}

#: The look of every page of the project.
STYLE = Markup(Path(__file__).with_name("style.css").read_text("utf-8"))

# Witnesses are shown up to this many characters; ledger.json has them whole.
_LONGEST = 900

_TIGHTNESS = (
    ("task", "task"),
    ("net", "net"),
    ("step", "step"),
    ("eps", "ε"),
    ("rank", "rank"),
    ("norm", "‖β‖"),
    ("loss", "loss"),
    ("reachable", "V"),
    ("envelope", "envelope²"),
    ("floor", "floor²"),
    ("loss/reachable", "loss/V"),
    ("reachable/envelope", "V/envelope²"),
    ("loss/floor", "loss/floor²"),
    ("reading", "reading"),
)


def show(value: Any) -> str:
    """Return a number or a small structure as text: four digits, intervals as [a, b]."""
    plain = worded(value)
    if plain is None:
        return "–"
    if isinstance(plain, bool):
        return "yes" if plain else "no"
    if isinstance(plain, float):
        return f"{plain:.4g}" if math.isfinite(plain) else str(plain)
    if isinstance(plain, (int, str)):
        return str(plain)
    if isinstance(plain, list) and len(plain) == 2 and plain[0] == plain[1]:
        return show(plain[0])
    if (
        isinstance(plain, list)
        and len(plain) <= 12
        and not any(isinstance(item, (list, dict)) for item in plain)
    ):
        return f"[{', '.join(show(item) for item in plain)}]"
    text = json.dumps(plain, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]} … (whole in ledger.json)"


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of a table, in order of appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def tightness_rows(report: Report) -> list[Mapping[str, Any]]:
    """Return the bound-tightness table: one row per checkpoint and ε."""
    return [
        row
        for result in report.results
        if result.claim.id == "loss-floor"
        for item in result.evidence
        for row in item.rows
        if "loss" in row and all(key in row for key, _ in _TIGHTNESS)
    ]


def _embedded(folder: Path, figures: Sequence[str]) -> list[dict[str, str]]:
    """Return figures as data, so that the page stands by itself."""
    shown = []
    for path in figures:
        # In base64, as in an address most of SVG's characters would have to be escaped.
        data = base64.b64encode((folder / path).read_bytes()).decode("ascii")
        uri = f"data:image/svg+xml;base64,{data}"
        shown.append({"path": path, "uri": uri, "caption": caption(path)})
    return shown


def _counted(result: ClaimResult, item: Evidence) -> bool:
    """Return whether this evidence is of a kind that the claim asks for."""
    return item.kind in result.claim.wanted or item.state == "refuted"


def _without_rows(item: Evidence) -> bool:
    return not item.rows or "loss" in item.rows[0] or item.kind == "formal"


def _code(claim: Claim) -> list[tuple[str, str]]:
    """Return file and function of the numeric code that uses a claim's statement."""
    return [(file, function) for file, _, function in (name.partition(":") for name in claim.code)]


def render_page(report: Report, folder: Path, figures: Sequence[str]) -> str:
    """Return index.html."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        # Statements, causes and witnesses hold "<" and "&"; our MathML and style are marked safe.
        autoescape=True,
        # A name that is wrong in the template fails, and leaves no gap.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["show"] = show
    environment.tests["counted"] = lambda pair: _counted(*pair)
    environment.tests["plain"] = _without_rows
    counts = report.counts()
    return environment.get_template("index.html.j2").render(
        report=report,
        style=STYLE,
        counts=[(verdict, counts[verdict]) for verdict in VERDICTS if verdict in counts],
        meaning=_MEANING,
        figures=_embedded(folder, figures),
        tightness=tightness_rows(report),
        tightness_columns=_TIGHTNESS,
        columns=_columns,
        formula=lambda claim: Markup(formula(claim) or ""),
        code=_code,
        recorded=next((result.remark for result in report.results if result.remark), None),
    )
