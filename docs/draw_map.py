"""Draw docs/images/map.svg, the folders and who imports whom: ``python docs/draw_map.py``."""

from __future__ import annotations

import ast
import textwrap
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MAP = ROOT / "docs" / "images" / "map.svg"
#: From the top of the picture to its bottom: imports go down.
ROOMS = {
    "epsrank": "the front door: public names, command line, benchmarks",
    "proofs": "claims, what checks them, the Coq development, the report",
    "numerics": "networks and data: features, training, monitor, experiments, plots",
    "theory": "mathematics only: definitions, floors, kernels, certificates of numbers",
}
#: Not drawn: the list of public names, ``python -m epsrank``, and the error that all files raise.
LEFT_OUT = {"epsrank/__init__.py", "epsrank/__main__.py", "theory/errors.py"}

Graph = dict[str, set[str]]

_WIDE, _GAP, _HIGH, _LINE, _APART = 152, 36, 24, 13, 12
_MARGIN, _HEADING = 16, 34
# An arrow that passes a column goes between its boxes, and wants this much room.
_PASSAGE = 6


def part_of(module: str) -> str:
    """Name the box of a module: ``theory/rank`` of ``epsrank.theory.rank.routes.gram``."""
    parts = module.split(".")
    parts = parts[1:] if len(parts) > 1 and parts[1] in ROOMS else parts
    box = "/".join(parts[:2])
    return box if (ROOT / box).is_dir() else f"{box}.py"


@cache
def imports(path: Path) -> tuple[tuple[bool, ast.Import | ast.ImportFrom], ...]:
    """Return the imports of a file, each with whether it stands at the top."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return tuple(
        (node in tree.body, node)
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
    )


def imported(path: Path, *, inside: bool) -> Iterator[str]:
    """Yield what a file imports at its top, or inside its functions and for type checkers."""
    for at_top, node in imports(path):
        if at_top == inside:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("epsrank"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("epsrank"))


def reaches(graph: Graph, start: str, end: str) -> bool:
    """Whether one box imports another, directly or through others."""
    return start == end or any(reaches(graph, after, end) for after in graph[start])


def read_imports() -> Graph:
    """Read which box imports which; leave out a late import that would close a circle."""
    files = {
        path: part_of(".".join(path.relative_to(ROOT).with_suffix("").parts))
        for room in ROOMS
        for path in sorted((ROOT / room).rglob("*.py"))
        # Python 3.13 follows epsrank/theory, which is theory once more.
        if not any(parent.is_symlink() for parent in path.parents)
        if len(path.relative_to(ROOT).parts) > 2 or path.stem != "__init__"
    }
    graph: Graph = {box: set() for box in files.values() if box not in LEFT_OUT}
    for inside in (False, True):
        for path, box in files.items():
            for other in map(part_of, imported(path, inside=inside)):
                if box in graph and other in graph and not (inside and reaches(graph, other, box)):
                    graph[box] |= {other} - {box}
    return graph


def without_shortcuts(graph: Graph) -> Graph:
    """Keep the imports that do not follow from others: the fewest arrows that say the same."""
    return {
        box: {
            end
            for end in ends
            if not any(reaches(graph, other, end) for other in ends if other != end)
        }
        for box, ends in graph.items()
    }


def columns(graph: Graph) -> dict[str, int]:
    """Choose the column of each box: right of all it imports, and close to who imports it."""
    order = tuple(TopologicalSorter(graph).static_order())
    column: dict[str, int] = {}
    for box in order:
        column[box] = 1 + max((column[end] for end in graph[box]), default=-1)
    for box in reversed(order):
        users = [column[user] for user, ends in graph.items() if box in ends]
        column[box] = min(users) - 1 if users else column[box]
    return column


def arrange(graph: Graph) -> tuple[list[list[str]], list[list[str]]]:
    """Order the columns of a room from top to bottom, and lead each arrow through them."""
    column = columns(graph)
    layers: list[list[str]] = [[] for _ in range(max(column.values()) + 1)]
    for box in sorted(column):
        layers[column[box]].append(box)
    arrows = []
    for box in sorted(graph):
        for end in sorted(graph[box]):
            between = range(column[box] - 1, column[end], -1)
            for at in between:
                layers[at].append(f"{box}>{end}@{at}")
            arrows.append([box, *(f"{box}>{end}@{at}" for at in between), end])
    beside: dict[str, list[str]] = {}
    for arrow in arrows:
        for one, two in pairwise(arrow):
            beside.setdefault(one, []).append(two)
            beside.setdefault(two, []).append(one)
    # Move each to the mean height of its neighbours, to and fro: few arrows are left to cross.
    for sweep in range(24):
        height = {name: (i + 0.5) / len(layer) for layer in layers for i, name in enumerate(layer)}
        for at in range(len(layers)) if sweep % 2 else reversed(range(len(layers))):
            near = {
                name: [height[other] for other in beside.get(name, [])] or [height[name]]
                for name in layers[at]
            }
            layers[at].sort(key=lambda name: sum(near[name]) / len(near[name]))
            height |= {name: (i + 0.5) / len(layers[at]) for i, name in enumerate(layers[at])}
    return layers, arrows


def draw(graph: Graph) -> str:
    """Draw the whole picture as SVG."""
    fewest = without_shortcuts(graph)
    body: list[str] = []
    top, width = _MARGIN, 0
    for room, meaning in ROOMS.items():
        inner = {
            box: {end for end in ends if end.startswith(f"{room}/")}
            for box, ends in fewest.items()
            if box.startswith(f"{room}/")
        }
        notes = {box: _notes(fewest[box] - inner[box]) for box in inner}
        layers, arrows = arrange(inner)
        high = {
            name: _HIGH + _LINE * len(notes[name]) if name in inner else _PASSAGE
            for layer in layers
            for name in layer
        }
        tall = [sum(high[name] + _APART for name in layer) for layer in layers]
        place: dict[str, tuple[float, float]] = {}
        for at, layer in enumerate(layers):
            y = top + _HEADING + (max(tall) - tall[at]) / 2
            for name in layer:
                place[name] = (_MARGIN + 12 + at * (_WIDE + _GAP), y)
                y += high[name] + _APART
        bottom = top + _HEADING + max(tall)
        width = max(width, _MARGIN + 12 + len(layers) * (_WIDE + _GAP))
        body.append(
            f'<rect class="room" x="{_MARGIN}" y="{top}" width="W" height="{bottom - top}"/>'
        )
        body.append(
            f'<text class="heading" x="{_MARGIN + 12}" y="{top + 22}">{room}/'
            f'<tspan class="meaning" dx="10">{meaning}</tspan></text>'
        )
        for arrow in arrows:
            body.append(_curve([(*place[name], high[name]) for name in arrow]))
        for name, (x, y) in place.items():
            if name in inner:
                body += _box(x, y, high[name], name.removeprefix(f"{room}/"), notes[name])
        top = int(bottom) + 14
    text = "\n".join(body).replace('width="W"', f'width="{width - _GAP + 12 - _MARGIN}"')
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width - _GAP + 12 + _MARGIN} {top}"'
        f' font-family="Helvetica, Arial, DejaVu Sans, sans-serif">\n{_STYLE}\n{text}\n</svg>\n'
    )


def _notes(ends: set[str]) -> list[str]:
    """Lines that name what a box imports from the rooms below."""
    lines = []
    for room in ROOMS:
        names = ", ".join(sorted(end.split("/")[1] for end in ends if end.startswith(f"{room}/")))
        lines += textwrap.wrap(f"{room}: {names}", 25) if names else []
    return lines


def _box(x: float, y: float, high: float, name: str, notes: list[str]) -> list[str]:
    """Draw a folder with its name and its notes."""
    kind = "file" if name.endswith(".py") else "folder"
    return [
        f'<rect class="{kind}" x="{x}" y="{y:g}" width="{_WIDE}" height="{high}" rx="4"/>',
        f'<text class="name" x="{x + 8}" y="{y + 16:g}">{name}</text>',
        *(
            f'<text class="note" x="{x + 8}" y="{y + 17 + _LINE * i:g}">{note}</text>'
            for i, note in enumerate(notes, start=1)
        ),
    ]


def _curve(stops: list[tuple[float, float, float]]) -> str:
    """Draw an arrow from the left side of a box, past others, to the right side of another."""
    x, y, high = stops[0]
    path = f"M{x} {y + high / 2:g}"
    for x_next, y_next, high_next in stops[1:]:
        end, middle = x_next + _WIDE, y_next + high_next / 2
        half = (x + end) / 2
        path += f" C{half:g} {y + high / 2:g} {half:g} {middle:g} {end} {middle:g}"
        if x_next != stops[-1][0]:
            path += f" H{x_next}"
        x, y, high = x_next, y_next, high_next
    return f'<path class="arrow" d="{path}" marker-end="url(#head)"/>'


_STYLE = """<style>
.room{fill:#f4f5f7;stroke:#c9ced6} .folder{fill:#fff;stroke:#44546a}
.file{fill:#fff;stroke:#9aa5b5;stroke-dasharray:3 2}
.heading{font-size:16px;font-weight:bold;fill:#1f2a3a}
.meaning{font-size:13px;font-weight:normal;fill:#44546a}
.name{font-size:13px;font-weight:bold;fill:#1f2a3a} .note{font-size:10.5px;fill:#5b6676}
.arrow{fill:none;stroke:#2c6fbb;stroke-width:1.3}
</style>
<defs><marker id="head" viewBox="0 0 8 8" refX="7.5" refY="4"
 markerWidth="7" markerHeight="7" orient="auto">
<path d="M0 0.5 L8 4 L0 7.5 z" fill="#2c6fbb"/></marker></defs>
<rect width="100%" height="100%" fill="#fff"/>"""


if __name__ == "__main__":
    MAP.write_text(draw(read_imports()), encoding="utf-8")
    print(MAP.relative_to(ROOT))
