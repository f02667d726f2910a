"""The map of claims: what rests on what, drawn from left to right as inline SVG with links."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from epsrank.proofs.report.cards import Card

#: Size of a box, and the steps from one to the next.
WIDTH, HEIGHT, ACROSS, DOWN = 204, 38, 252, 46
_MARGIN = 8
_LETTERS, _LINES = 27, 2
# Sweeps that pull each box towards what it rests on and carries; more change nothing by eye.
_SWEEPS = 8


@dataclass(frozen=True)
class Place:
    """Where a claim stands."""

    x: float
    y: float


def places(below: Mapping[str, Sequence[str]]) -> dict[str, Place]:
    """Return a place for each claim that rests on another or carries one: foundations first."""
    joined = {name for name, others in below.items() if others}
    joined |= {other for others in below.values() for other in others}
    depth = _depths({name: below[name] for name in below if name in joined})
    columns: dict[int, list[str]] = {}
    for name in below:
        if name in joined:
            columns.setdefault(depth[name], []).append(name)
    above: dict[str, list[str]] = {name: [] for name in joined}
    for name in joined:
        for other in below[name]:
            above[other].append(name)
    at = {name: float(row) for column in columns.values() for row, name in enumerate(column)}
    for sweep in range(_SWEEPS):
        near = below if sweep % 2 == 0 else above
        for column in columns.values():
            wish = {
                name: sum(at[other] for other in near[name]) / len(near[name])
                if near[name] else at[name]
                for name in column
            }  # fmt: skip
            for row, name in enumerate(sorted(column, key=wish.__getitem__)):
                at[name] = float(row)
    tallest = max((len(column) for column in columns.values()), default=0)
    return {
        name: Place(
            _MARGIN + ACROSS * depth[name],
            _MARGIN + DOWN * (at[name] + (tallest - len(columns[depth[name]])) / 2),
        )
        for name in below
        if name in joined
    }


def _depths(below: Mapping[str, Sequence[str]]) -> dict[str, int]:
    """Return how far each claim is from the foundations; claims that rest on each other are cut."""
    found: dict[str, int] = {}
    path: set[str] = set()

    def depth(name: str) -> int:
        if name not in found:
            path.add(name)
            found[name] = max(
                (1 + depth(other) for other in below[name] if other not in path), default=0
            )
            path.discard(name)
        return found[name]

    for name in below:
        depth(name)
    return found


def reduced(below: Mapping[str, Sequence[str]]) -> dict[str, tuple[str, ...]]:
    """Leave out what follows: a claim that rests on B, which rests on A, shows no line to A."""

    def reach(name: str, seen: set[str]) -> set[str]:
        for other in below.get(name, ()):
            if other not in seen:
                seen.add(other)
                reach(other, seen)
        return seen

    reached = {name: reach(name, set()) for name in below}
    found = {}
    for name, others in below.items():
        # Of two that rest on each other neither follows from the other.
        implied = {
            other
            for other in others
            for via in others
            if via != other and other in reached[via] and via not in reached[other]
        }
        found[name] = tuple(other for other in others if other not in implied)
    return found


def draw_map(cards: Sequence[Card]) -> Markup | None:
    """Return the map; None where no claim rests on another."""
    by_id = {card.id: card for card in cards}
    # A claim may rest on one that this run does not test, which has no box.
    below = reduced(
        {
            card.id: tuple(entry["id"] for entry in card.rests_on if entry["id"] in by_id)
            for card in cards
        }
    )
    at = places(below)
    if not at:
        return None
    lines = [
        _line(at[other], at[name])
        for name in at
        for other in below[name]
        if at[other].x < at[name].x
    ]
    boxes = [_box(by_id[name], place) for name, place in at.items()]
    width = max(place.x for place in at.values()) + WIDTH + _MARGIN
    height = max(place.y for place in at.values()) + HEIGHT + _MARGIN
    return Markup(
        '<svg class="map" viewBox="0 0 {0:.0f} {1:.0f}" style="min-width:{2:.0f}px" role="group" '
        'aria-label="Claims, and what they rest on">{3}{4}</svg>'
    ).format(width, height, 0.6 * width, Markup("").join(lines), Markup("").join(boxes))


def _line(start: Place, end: Place) -> Markup:
    """Return a curve from the right side of a foundation to the left side of what rests on it."""
    x, y = start.x + WIDTH, start.y + HEIGHT / 2
    to_x, to_y = end.x, end.y + HEIGHT / 2
    bend = (to_x - x) / 2
    return Markup('<path d="M{:.0f} {:.0f}C{:.0f} {:.0f} {:.0f} {:.0f} {:.0f} {:.0f}"/>').format(
        x, y, x + bend, y, to_x - bend, to_y, to_x, to_y
    )


def lines_of(title: str) -> list[str]:
    """Return a title in the lines of a box."""
    return textwrap.wrap(title, _LETTERS, max_lines=_LINES, placeholder=" …")


def _box(card: Card, at: Place) -> Markup:
    lines = lines_of(card.title)
    first = at.y + HEIGHT / 2 + 4 - 6.5 * (len(lines) - 1)
    text = Markup("").join(
        Markup('<text x="{:.0f}" y="{:.1f}">{}</text>').format(at.x + 24, first + 13 * row, line)
        for row, line in enumerate(lines)
    )
    return Markup(
        '<a href="#{}" class="{}"><title>{}: {}</title><rect x="{:.0f}" y="{:.0f}" width="{}" '
        'height="{}" rx="5"/><text class="sign" x="{:.0f}" y="{:.1f}">{}</text>{}</a>'
    ).format(
        card.id, card.style, card.title, card.verdict, at.x, at.y, WIDTH, HEIGHT, at.x + 8,
        at.y + HEIGHT / 2 + 5, card.mark, text,
    )  # fmt: skip
