"""Put the tables of experiment E into docs/staircases.md: ``python docs/draw_validity.py``.

The trials are those of ``epsrank reproduce E --size standard --out DIR``, as far as its store has
them (``python docs/draw_validity.py DIR/store``), or those on record if that is of standard size.
Nothing in the tables is typed by hand; lengths of which a case has not been run are left out.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from epsrank.numerics.experiments.experiment import Request
from epsrank.numerics.experiments.staircase_validity import plan
from epsrank.numerics.staircase.validity import LEAST_NULL, LEAST_PLANTED, validity_rows
from epsrank.numerics.sweeps.store import TrialStore
from epsrank.numerics.sweeps.trial import Outcome
from epsrank.proofs.experiments.records import Record, read_record
from epsrank.theory.words import between_markers

PAGE = Path(__file__).with_name("staircases.md")
# The length at which the detectors of others stand beside ours.
_COMPARED = 126
_OTHERS = ("PELT", "threshold")

Row = Mapping[str, Any]


def tables(outcomes: Sequence[Outcome]) -> str:
    """Return the tables of finished trials in Markdown."""
    done = [outcome for outcome in outcomes if outcome.status == "done"]
    rows = validity_rows((outcome.settings, outcome.result) for outcome in done)
    lengths = _complete(row for row in rows if not row["group"].startswith("coupling"))
    series = sorted({row["series"] for row in rows})
    each = f"{series[0]}" if len(series) == 1 else f"{series[0]} to {series[-1]}"
    nulls = [row for row in rows if row["group"] == "null"]
    planted = [row for row in rows if row["group"] == "planted"]
    coupling = [row for row in rows if row["group"].startswith("coupling")]
    parts = [
        f"{each} series per case, of the seed {done[0].settings['seed']}.",
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
        "**Coupling found, %**: what is not coupled has nothing to do with each other.",
        _table(
            ["loss and rank", *map(str, _complete(coupling))],
            [
                [name, *(_flagged(_mine(cell, n), bound=False) for n in _complete(coupling))]
                for name, cell in _by(coupling, _coupling_name)
            ],
        ),
    ]
    return "\n\n".join(parts)


def _complete(rows: Iterable[Row]) -> list[int]:
    """Return the lengths at which every case has been run."""
    held = Counter(row["length"] for row in rows if row["detector"] == "ours")
    return [length for length in sorted(held) if held[length] == max(held.values())]


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
    count = row["planted steps"]
    return f"{row['family']}, {count}{rho}"


def _coupling_name(row: Row) -> str:
    return f"{row['family']}, {'coupled' if row['group'] == 'coupling planted' else 'not coupled'}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def page(text: str, outcomes: Sequence[Outcome]) -> str:
    """Return the page with the tables."""
    return between_markers(text, "tables of experiment E", f"\n{tables(outcomes)}\n")


def stored(folder: Path) -> list[Outcome]:
    """Return the trials of the standard plan that a store has."""
    store = TrialStore(folder)
    planned = plan(Request(size="standard"))
    found = [held for trial in planned if (held := store.get(trial)) is not None]
    if not any(outcome.status == "done" for outcome in found):
        sys.exit(f"{folder} has no finished trial of experiment E at standard size: run it first")
    return found


def recorded(record: Record) -> Sequence[Outcome]:
    """Return the trials on record, unless they would take the place of more and larger ones."""
    if record.request.size != "standard":
        sys.exit(
            f"the record of E is of {record.request.size} size, and the tables of standard size: "
            "name a store, as in python docs/draw_validity.py DIR/store"
        )
    return record.outcomes


if __name__ == "__main__":
    known = stored(Path(sys.argv[1])) if sys.argv[1:] else recorded(read_record("E"))
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), known), encoding="utf-8")
