"""Put the tables of experiment E into docs/staircases.md: ``python docs/draw_validity.py``.

The record is made by ``epsrank reproduce E --record``; nothing in the tables is typed by hand.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from epsrank.numerics.staircase.validity import LEAST_NULL, LEAST_PLANTED, validity_rows
from epsrank.proofs.experiments.records import Record, read_record

PAGE = Path(__file__).with_name("staircases.md")
BEGIN, END = "<!-- tables of experiment E: begin -->", "<!-- tables of experiment E: end -->"
# The length at which the detectors of others stand beside ours.
_COMPARED = 126
_OTHERS = ("PELT", "threshold")

Row = Mapping[str, Any]


def tables(record: Record) -> str:
    """Return the tables of a record in Markdown."""
    rows = validity_rows((o.settings, o.result) for o in record.outcomes if o.status == "done")
    lengths = sorted({row["length"] for row in rows})
    series = sorted({row["series"] for row in rows})
    each = f"{series[0]}" if len(series) == 1 else f"{series[0]} to {series[-1]}"
    nulls = [row for row in rows if row["group"] == "null"]
    planted = [row for row in rows if row["group"] == "planted"]
    coupling = [row for row in rows if row["group"].startswith("coupling")]
    parts = [
        f"{each} series per case; seeds {record.outcomes[0].settings['seed']} and on; "
        f"{record.day}, size {record.request.size}.",
        _summary(rows),
        "**Nulls flagged as staircases, %**, at the autocorrelations 0 / 0.5 / 0.9 of the noise, "
        "or the one that the family has. In brackets the largest upper end of the 95 % intervals.",
        _table(
            ["family", *map(str, lengths), *(f"{name}, {_COMPARED}" for name in _OTHERS)],
            [
                [family, *(_flagged(_mine(cell, n)) for n in lengths), *_others(cell, _flagged)]
                for family, cell in _by(nulls, lambda row: row["family"])
            ],
        ),
        "**Planted steps found, %** (of these placed within 1 % of the length or one measurement, "
        "%; steps too many per series).",
        _table(
            [
                "steps",
                *map(str, lengths),
                *(f"{name}, {_COMPARED}" for name in _OTHERS),
            ],
            [
                [name, *(_found(_mine(cell, n)) for n in lengths), *_others(cell, _found)]
                for name, cell in _by(planted, _planted_name)
            ],
        ),
        "**Coupling found, %**: the first twelve are losses and ranks that have nothing to do with "
        "each other.",
        _table(
            ["loss and rank", *map(str, lengths)],
            [
                [name, *(_flagged(_mine(cell, n), bound=False) for n in lengths)]
                for name, cell in _by(coupling, _coupling_name)
            ],
        ),
    ]
    return "\n\n".join(parts)


def _summary(rows: Sequence[Row]) -> str:
    """Return how many cases with a target each detector misses."""
    lines = []
    for name in ("ours", *_OTHERS):
        mine = [row for row in rows if row["detector"] == name and row["target met"] != "none set"]
        line = [name]
        for group in ("null", "planted"):
            cases = [row for row in mine if row["group"] == group]
            over = sum(row["target met"] != "yes" for row in cases)
            beyond = sum(row["target met"] == "no" for row in cases)
            line.append(f"{over} ({beyond}) of {len(cases)}")
        lines.append(line)
    what = [f"nulls above 5 %, n ≥ {LEAST_NULL}", f"planted below 95 %, n ≥ {LEAST_PLANTED}"]
    note = "Cases that miss the target (in brackets: by more than sampling error).\n\n"
    return note + _table(["detector", *what], lines)


def _by(rows: Iterable[Row], name: Any) -> list[tuple[str, list[Row]]]:
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(name(row), []).append(row)
    return list(found.items())


def _mine(rows: Sequence[Row], length: int, detector: str = "ours") -> list[Row]:
    return [row for row in rows if row["length"] == length and row["detector"] == detector]


def _others(rows: Sequence[Row], text: Any) -> list[str]:
    return [text(_mine(rows, _COMPARED, name)) for name in _OTHERS]


def _flagged(rows: Sequence[Row], *, bound: bool = True) -> str:
    """Return the shares by autocorrelation, and the highest upper end."""
    if not rows:
        return ""
    shares = " / ".join(f"{100 * row['flagged']:.3g}" for row in rows)
    high = max(row["flagged high"] for row in rows)
    return f"{shares} ({100 * high:.1f})" if bound else shares


def _found(rows: Sequence[Row]) -> str:
    if not rows:
        return ""
    (row,) = rows
    placed = "–" if row["placed"] is None else f"{100 * row['placed']:.0f}"
    return f"{100 * row['recall']:.1f} ({placed}; {row['extra steps']:.2f})"


def _planted_name(row: Row) -> str:
    rho = "" if row["autocorrelation"] is None else f", ρ {row['autocorrelation']:g}"
    return f"{row['planted steps']} {row['family']}{rho}"


def _coupling_name(row: Row) -> str:
    return f"{row['family']}, {'coupled' if row['group'] == 'coupling planted' else 'not coupled'}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(text: str, record: Record) -> str:
    """Return the page with the tables of a record."""
    before, rest = text.split(BEGIN)
    return f"{before}{BEGIN}\n\n{tables(record)}\n\n{END}{rest.split(END)[1]}"


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), read_record("E")), encoding="utf-8")
