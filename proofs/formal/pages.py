"""The sources as pages to read, every name a link, with the graph of claims and theorems."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from html import escape
from pathlib import Path

from epsrank.numerics.files import write_text
from epsrank.proofs.formal.compilation import Compiled
from epsrank.proofs.formal.declared import Declared, declared
from epsrank.proofs.formal.graph import Linked, dependency_graph
from epsrank.proofs.formal.uses import between, mentions, reduced, uses
from epsrank.theory.errors import InputError

_PAGE = """\
<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }}
pre {{ font: 13px/1.45 ui-monospace, monospace; white-space: pre-wrap }}
pre i {{ color: #2a6a3a; font-style: normal }}
a {{ color: #0b57a4; text-decoration: none }} a:hover {{ text-decoration: underline }}
:target {{ background: #fff3b0 }}
.wide {{ overflow-x: auto }}
</style>
{body}
</html>
"""


def write_pages(compiled: Compiled, claims: Sequence[Linked], folder: Path) -> list[Path]:
    """Write one page per source, `graph.svg`, and `index.html` with the claims in their order."""
    names = declared(compiled)
    wanted = {name for claim in claims for name in claim.theorems}
    theorems = [item for item in names if item.name in wanted]
    used = reduced(between(uses(compiled, names), wanted))
    drawing = dependency_graph(claims, theorems, used, address)
    files = {"graph.svg": drawing.replace('href="#', 'href="index.html#')}
    known = {item.name for item in names}
    for file in compiled.development.files:
        files[_page_of(file)] = _source(compiled, file, known)
    files["index.html"] = _index(compiled, claims, names, drawing)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text(folder / name, text)
    except OSError as error:
        problem = f"{folder} cannot be written ({error.strerror})"
        raise InputError("pages", problem, "name another folder") from None
    return [folder / name for name in files]


def address(name: str) -> str:
    """Return the address of a name: its page, and the place there."""
    _, module, *inside = name.split(".")
    return f"{module}.html#{'.'.join(inside)}"


def _page_of(file: str) -> str:
    return f"{Path(file).stem}.html"


def _source(compiled: Compiled, file: str, known: Collection[str]) -> str:
    """Return a source as a page: declarations are places, and mentions are links."""
    raw = compiled.development.text(file).encode()
    parts, at = [], 0
    for item in mentions(compiled, file, known):
        if item.start < at:
            continue
        parts.append(escape(raw[at : item.start].decode()))
        words = escape(raw[item.start : item.end].decode())
        where = address(item.name)
        parts.append(
            f'<b id="{escape(where.partition("#")[2])}">{words}</b>'
            if item.declares
            else f'<a href="{escape(where)}">{words}</a>'
        )
        at = item.end
    parts.append(escape(raw[at:].decode()))
    # Comments hold no links, so that their marks are whole.
    text = re.sub(r"(\(\*\*?.*?\*\))", r"<i>\1</i>", "".join(parts), flags=re.DOTALL)
    title = Path(file).name
    body = f'<p><a href="index.html">claims and graph</a></p><h1>{title}</h1><pre>{text}</pre>'
    return _PAGE.format(title=title, body=body)


def _index(
    compiled: Compiled, claims: Sequence[Linked], names: Sequence[Declared], drawing: str
) -> str:
    """Return the page of the claims, of the files and of the graph."""
    words = {item.name: item.words for item in names}
    parts = ["<h1>What is proved</h1>"]
    for claim in claims:
        items = "".join(
            f'<li><a href="{escape(address(name))}">{escape(name.partition(".")[2])}</a>: '
            f"{escape(words.get(name, ''))}</li>"
            for name in claim.theorems
        )
        parts.append(
            f'<h3 id="{claim.id}">{escape(claim.named)}</h3>'
            f"<p>{escape(claim.statement)}</p><ul>{items}</ul>"
        )
    files = ", ".join(
        f'<a href="{_page_of(file)}">{Path(file).name}</a>' for file in compiled.development.files
    )
    parts.append(f"<h2>Files, in the order of dependency</h2><p>{files}</p>")
    parts.append(f'<h2 id="graph">Claims and theorems</h2><div class="wide">{drawing}</div>')
    return _PAGE.format(title="What is proved", body="\n".join(parts))
