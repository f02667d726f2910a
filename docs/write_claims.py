"""Write what pages say of verdicts from the ledger: ``python docs/write_claims.py``.

That is the page docs/evidence/claims.md, the paragraph of README.md between its markers, the
verdicts behind ids in docs/reproduce-the-papers.md (`plateau-length`: *undecided*), and the names
of statements and experiments in docs/concepts/symbols.md. Tests say when they are due.
"""

from __future__ import annotations

import re
import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from epsrank.proofs.ledger.claims import Claim, in_themes, load_ledger
from epsrank.proofs.report.words import EXPERIMENTS, STATEMENTS
from epsrank.theory.words import between_markers

DOCS = Path(__file__).parent
CLAIMS = DOCS / "evidence" / "claims.md"
README = DOCS.parent / "README.md"
SYMBOLS = DOCS / "concepts" / "symbols.md"
PAPERS = DOCS / "reproduce-the-papers.md"
_WIDTH = 118
#: In the order of their weight; what the words mean is on the page.
WORDS = {
    "proved": "a theorem, which Coq has checked without an axiom",
    "certified on instances": "decided exactly, or with certified bounds, on the instances tried",
    "supported": "a search found no counterexample, or every comparison excludes no effect",
    "supported only in a regime": "true where the statement says, and not everywhere",
    "refuted": "there is a counterexample, or the reverse is established",
    "undecided": "tested, and what is on record does not decide it",
    "open": "nothing here decides it yet",
}
#: How a source names a paper, and its heading in the bibliography.
_PAPERS = {
    "[S1]": "Yang et al. 2024",
    "[S2]": "Tang et al. 2025",
    "[S3]": "Chen et al. 2024",
    "[S4]": "Zhou et al. 2021",
    "[S5]": "Chen and Luo 2024",
    "Goreinov, Tyrtyshnikov & Zamarashkin (1997)": "Goreinov et al. 1997",
}
_NAME = re.compile(r"(?<![\w-])([A-Z]\d+)(?!\w)")
_VERDICT = re.compile(r"`([a-z0-9-]+)`: \*[^*\n]*\*")


def counts(claims: Sequence[Claim]) -> str:
    """Return how many claims have which verdict, in words."""
    found = Counter(claim.recorded for claim in claims)
    parts = [f"{found[word]} {word}" for word in WORDS if found[word]]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


def source_of(claim: Claim) -> str:
    """Return where a claim comes from, identifiers with their names and papers as links."""
    parts = []
    for part in claim.source.split("; "):
        if part.startswith("docs/"):
            page = part.removeprefix("docs/")
            parts.append(f"[{Path(page).stem.replace('-', ' ')}](../{page})")
            continue
        part = _spelt_out(part, EXPERIMENTS if part.startswith("experiment") else STATEMENTS)
        parts.append(re.sub(r"^ours(?=$|, )", "this project", cited(part)))
    return "; ".join(parts)


def _spelt_out(text: str, of: Mapping[str, str]) -> str:
    """Return a text with short names followed by what they stand for."""
    return _NAME.sub(
        lambda match: f"{match[1]} ({of[match[1]]})" if match[1] in of else match[1], text
    )


def cited(text: str) -> str:
    """Return a text with papers as links to the bibliography."""
    for mark, heading in _PAPERS.items():
        anchor = heading.lower().replace(".", "").replace(" ", "-")
        text = text.replace(mark, f"[{heading[:-5]}](../concepts/bibliography.md#{anchor})")
    return text


def page(claims: Sequence[Claim]) -> str:
    """Return the page of all claims, by theme."""
    themed = in_themes(claims)
    themes = list(dict.fromkeys(claim.theme for claim in themed))
    ordered = sorted(themed, key=lambda claim: themes.index(claim.theme))
    lines = [
        "# Claims and verdicts",
        "",
        "<!-- Generated: python docs/write_claims.py -->",
        "",
        filled(
            f"{len(claims)} claims: {counts(claims)}. Each verdict is derived from evidence by "
            "`epsrank verify`; `epsrank verify --claim ID` decides one of them again."
        ),
        "",
        "| verdict | meaning | claims |",
        "|---|---|---|",
    ]
    for word, meaning in WORDS.items():
        titles = [_cell(claim.title) for claim in ordered if claim.recorded == word]
        lines.append(f"| *{word}* | {meaning} | {len(titles)}: {'; '.join(titles) or 'none'} |")
    theme = ""
    for claim in ordered:
        if claim.theme != theme:
            theme = claim.theme
            lines += [
                "",
                f"## {theme}",
                "",
                "| claim | statement | verdict | source |",
                "|---|---|---|---|",
            ]
        lines.append(
            f"| **{_cell(claim.title)}** `{claim.id}` | {cited(_cell(claim.statement))} "
            f"| *{claim.recorded}* | {_cell(source_of(claim))} |"
        )
    return "\n".join(lines) + "\n"


def _cell(text: str) -> str:
    """Return a text as it may stand in a cell: no column ends, nothing is emphasised."""
    return re.sub(r"(?<!\\)([|*_])", r"\\\1", text) if "](" not in text else text


def paragraph(claims: Sequence[Claim]) -> str:
    """Return what the README says of the verdicts on record."""
    trained = [c for c in claims if c.wanted == ("empirical",) or "training" in c.parts]
    decided = [claim for claim in trained if claim.recorded not in {"undecided", "open"}]
    of_all = f"Of the {len(trained)} claims that only training runs can decide, wholly or in part,"
    by_verdict = {
        word: [claim.title for claim in decided if claim.recorded == word] for word in WORDS
    }
    listed = [f"*{word}*: {'; '.join(held)}." for word, held in by_verdict.items() if held]
    return " ".join(
        [
            f"There are {len(claims)} claims on record: {counts(claims)} ([all of them]"
            f"(docs/evidence/claims.md)). {of_all} {len(decided) or 'none'} have a verdict, from "
            "runs of the standard size on seeds that no rule had been tried on (`epsrank reproduce "
            "--size standard`). What the quick runs showed is in [the experiments]"
            "(docs/experiments.md), as a first look and not as a verdict.",
            *listed,
        ]
    )


def filled(text: str) -> str:
    """Return a paragraph with lines of the usual length, none of which ends within code."""
    whole = re.sub(r"`[^`]*`", lambda match: match[0].replace(" ", "\0"), text)
    lines = textwrap.fill(whole, _WIDTH, break_long_words=False, break_on_hyphens=False)
    return lines.replace("\0", " ")


def names(of: Mapping[str, str], what: str) -> str:
    """Return a table of short names."""
    rows = [f"| {short} | {name} |" for short, name in of.items()]
    return "\n".join([f"| name | {what} |", "|---|---|", *rows])


def rewritten(text: str, claims: Sequence[Claim]) -> str:
    """Return a page with the verdicts on record behind the ids of claims."""
    verdicts = {claim.id: claim.recorded for claim in claims}
    return _VERDICT.sub(lambda found: f"`{found[1]}`: *{verdicts[found[1]]}*", text)


def pages() -> dict[Path, str]:
    """Return what the files have to hold."""
    claims = load_ledger()
    symbols = between_markers(
        SYMBOLS.read_text("utf-8"), "statements", names(STATEMENTS, "statement")
    )
    return {
        CLAIMS: page(claims),
        README: between_markers(README.read_text("utf-8"), "verdicts", filled(paragraph(claims))),
        PAPERS: rewritten(PAPERS.read_text("utf-8"), claims),
        SYMBOLS: between_markers(symbols, "experiments", names(EXPERIMENTS, "experiment")),
    }


def main() -> None:
    """Write all of it."""
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
