"""The page of a verification, made from what ledger.json says and from the figures beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup

from epsrank.proofs.ledger.claims import load_ledger
from epsrank.proofs.ledger.rests_on import foundations
from epsrank.proofs.report.cards import KIND_WORDS, MARKS, MEANING, Card, cards_of, style_of
from epsrank.proofs.report.claim_map import draw_map
from epsrank.proofs.report.figures import figures_of
from epsrank.proofs.report.results import bar, failed_because, overview
from epsrank.proofs.report.words import SOURCES, annotated, counted, indexed, show, source
from epsrank.theory.words import plural, quoted

_HERE = Path(__file__).parent

#: The look of every page of the project.
STYLE = Markup((_HERE / "style.css").read_text("utf-8"))

_WITHOUT_THEME = "Claims"


def part_of_page(name: str) -> Markup:
    """Return a style or a script, for a page that stands by itself."""
    return Markup((_HERE / name).read_text("utf-8"))


@cache
def environment() -> jinja2.Environment:
    """Return the environment of all templates here."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE),
        # Statements, causes and witnesses hold "<" and "&"; our MathML and style are marked safe.
        autoescape=True,
        # A name that is wrong in the template fails, and leaves no gap.
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        show=show,
        annotated=annotated,
        indexed=indexed,
        plural=plural,
        source=source,
        style_of=style_of,
    )
    made.globals.update(part_of_page=part_of_page, style=STYLE, marks=MARKS, meaning=MEANING)
    return made


def render_page(ledger: Mapping[str, Any], folder: Path) -> str:
    """Return index.html of a ledger.json in `folder`."""
    cards = cards_of([_whole(entry) for entry in _with_themes(ledger["claims"])])
    tested = [card for card in cards if not card.untested]
    seen = overview(ledger, cards)
    return environment().get_template("index.html.j2").render(
        cards=cards,
        themes=_themes(tested),
        untested=[card for card in cards if card.untested],
        seen=seen,
        bar=bar(seen),
        failed_because=failed_because,
        kinds=[(kind, words) for kind, words in KIND_WORDS.items()
               if any(kind in card.kinds for card in cards)],
        map=draw_map(tested),
        figures=figures_of(ledger, folder),
        columns=columns,
        counted=counted,
        citation=lambda card: _citation(card, ledger["environment"]),
        command=lambda card: _command(card, ledger["environment"]),
        sources={name: found for name, found in SOURCES.items()
                 if any(f"[{name}]" in card.entry["source"] for card in cards)},
    )  # fmt: skip


def _with_themes(claims: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give the claims of a ledger.json of before there were themes those of today's ledger."""
    if all("theme" in entry for entry in claims):
        return list(claims)
    known = {claim.id: claim for claim in load_ledger()}
    own = [known[entry["id"]] for entry in claims if entry["id"] in known]
    below = foundations(own)
    return [
        {"theme": known[entry["id"]].theme, "rests_on": below[entry["id"]], **entry}
        if entry["id"] in known else entry
        for entry in claims
    ]  # fmt: skip


def _whole(entry: Mapping[str, Any]) -> dict[str, Any]:
    """Fill in what the ledgers of earlier versions did not say."""
    old = {
        "title": entry["id"], "latex": "", "wanted": [], "remark": None, "regression": None,
        "finished": True, "theme": "", "parts": [], "code": [], "theorems": [],
        "refuting_theorems": [], "rests_on": [], "recorded": entry["verdict"],
    }  # fmt: skip
    # Nothing is written where there is nothing to say, and the template asks for all of it.
    bare: dict[str, Any] = dict.fromkeys(("part", "witness", "cause"))
    bare |= {"title": "", "figures": {}, "rows": []}
    return {**old, **entry, "evidence": [{**bare, **item} for item in entry["evidence"]]}


def _themes(cards: Sequence[Card]) -> list[tuple[str, str, list[Card]]]:
    """Return the cards by theme: anchor, name, cards."""
    groups: dict[str, list[Card]] = {}
    for card in cards:
        groups.setdefault(card.entry["theme"] or _WITHOUT_THEME, []).append(card)
    return [(f"theme-{place}", name, own) for place, (name, own) in enumerate(groups.items(), 1)]


def columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the keys of a table, in order of appearance."""
    return list(dict.fromkeys(key for row in rows for key in row))


def _command(card: Card, made_with: Mapping[str, Any]) -> str:
    """Return the command that decides this claim again."""
    size = made_with.get("effort", "default")
    own = "".join(
        f" --{name} {made_with[name]}" for name in ("ledger", "checkers") if name in made_with
    )
    return f"epsrank verify --claim {card.id}{own}" + ("" if size == "default" else f" --{size}")


def _citation(card: Card, made_with: Mapping[str, Any]) -> str:
    """Return a line that cites this verdict."""
    version = made_with.get("packages", {}).get("epsrank", "")
    date = f", {made_with['date']}" if "date" in made_with else ""
    return (
        f"epsrank {version}, claim {card.id} ({quoted(card.title)}): {card.verdict}; size "
        f"{made_with.get('effort', '?')}, seed {made_with.get('seed', '?')}{date}"
    )
