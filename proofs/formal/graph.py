"""The claims, their theorems and what these rest on, drawn as an SVG with links."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from epsrank.proofs.formal.declared import Declared

_ROW = 16
_CLAIM_X, _LINE_X, _NAME_X, _ARC_X, _WIDTH = 190, 200, 400, 640, 940

# Colours that are told apart beside each other, also in grey and by most who see few colours.
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56742a", "#8a5a00", "#444444", "#6a4fb3")

_STYLE = """
text { font: 11px system-ui, sans-serif; fill: #222 }
a:hover text { text-decoration: underline }
.file { font-weight: 600; fill: #555 }
.claim { text-anchor: end }
path { fill: none; stroke-width: 1; opacity: .45 }
path:hover { opacity: 1; stroke-width: 2.5 }
.arc { stroke: #777 }
.head { font-weight: 600; font-size: 13px }
@media (prefers-color-scheme: dark) { svg { background: #fff } }
"""


@dataclass(frozen=True)
class Linked:
    """A claim with its theorems."""

    id: str
    #: Its title, with the id in brackets.
    named: str
    #: Its sentence.
    statement: str
    #: Full names.
    theorems: Sequence[str]


def dependency_graph(
    claims: Sequence[Linked],
    theorems: Sequence[Declared],
    used: Mapping[str, set[str]],
    link: Callable[[str], str],
) -> str:
    """Draw claims on the left, theorems by file in the middle, and uses as arcs on the right.

    `link` gives the address of a theorem; a claim's is ``#`` and its id.
    """
    rows: dict[str, int] = {}
    parts: list[str] = []
    y, file = 3 * _ROW, ""
    for item in theorems:
        if item.file != file:
            file = item.file
            y += _ROW // 2
            parts.append(_text(_NAME_X, y, file.rpartition("/")[2], "file"))
            y += _ROW
        rows[item.name] = y
        label = _text(_NAME_X + 10, y, item.name.rpartition(".")[2], "")
        parts.append(_anchor(link(item.name), label, item.words or item.name))
        y += _ROW
    height = y + _ROW
    curves = [
        _arc(rows[name], rows[other], f"{_short(name)} uses {_short(other)}")
        for name in rows
        for other in sorted(used.get(name, ()))
        if other in rows
    ]
    places = _spread([_middle(claim, rows) for claim in claims], height)
    for number, (claim, place) in enumerate(zip(claims, places, strict=True)):
        colour = _COLOURS[number % len(_COLOURS)]
        curves += [
            _link(place, rows[name], colour, f"{claim.named}: {_short(name)}")
            for name in claim.theorems
            if name in rows
        ]
        label = f'<g style="--c:{colour}">{_text(_CLAIM_X, place, claim.id, "claim")}</g>'
        parts.append(_anchor(f"#{claim.id}", label, f"{claim.named}: {claim.statement}"))
    heads = [
        _text(_CLAIM_X, 20, "claims", "head claim"),
        _text(_NAME_X, 20, "theorems, by file", "head"),
        _text(_ARC_X, 20, "which use one another", "head"),
    ]
    body = "\n".join([*heads, *curves, *parts])
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" '
        f'width="{_WIDTH}" height="{height}" role="img">\n<title>Claims, theorems and what they '
        f"rest on</title>\n<style>{_STYLE}</style>\n{body}\n</svg>\n"
    )


def _middle(claim: Linked, rows: Mapping[str, int]) -> float:
    """Return the mean height of a claim's theorems."""
    places = [rows[name] for name in claim.theorems if name in rows]
    return sum(places) / len(places) if places else 0.0


def _spread(wanted: Sequence[float], height: int) -> list[float]:
    """Return heights in the order of those wanted, two rows apart or as far as there is room."""
    order = sorted(range(len(wanted)), key=lambda i: wanted[i])
    apart = min(2 * _ROW, (height - 4 * _ROW) / max(1, len(order)))
    found = [0.0] * len(wanted)
    low = 3.5 * _ROW
    for i in order:
        low = found[i] = max(low, wanted[i])
        low += apart
    # What was pushed below the end goes up again.
    high = float(height - _ROW)
    for i in reversed(order):
        found[i] = min(found[i], high)
        high = found[i] - apart
    return found


def _short(name: str) -> str:
    """Return file and name."""
    return ".".join(name.split(".")[-2:])


def _text(x: float, y: float, words: str, kind: str) -> str:
    return f'<text x="{x}" y="{y:.0f}" class="{kind}">{escape(words)}</text>'


def _anchor(address: str, inside: str, title: str) -> str:
    return f'<a href="{escape(address)}"><title>{escape(title)}</title>{inside}</a>'


def _link(left: float, right: float, colour: str, title: str) -> str:
    """Return a curve from a claim to a theorem."""
    a, b, middle = left - 4, right - 4, (_LINE_X + _NAME_X) / 2
    shape = f"M{_LINE_X} {a:.0f} C{middle} {a:.0f} {middle} {b:.0f} {_NAME_X + 4} {b:.0f}"
    return f'<path d="{shape}" stroke="{colour}"><title>{escape(title)}</title></path>'


def _arc(one: int, other: int, title: str) -> str:
    """Return an arc from a theorem to one that it uses."""
    reach = _ARC_X + min(_WIDTH - _ARC_X - 10, 20 + abs(one - other) / 5)
    shape = (
        f"M{_ARC_X} {one - 4} C{reach:.0f} {one - 4} {reach:.0f} {other - 4} {_ARC_X} {other - 4}"
    )
    return f'<path class="arc" d="{shape}"><title>{escape(title)}</title></path>'
