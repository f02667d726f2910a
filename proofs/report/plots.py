"""One small figure per claim: rows of text, each with a line of inline SVG in percent.

The text stays text, so that it is read, searched and scaled on a phone as everywhere else.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup

from epsrank.proofs.report.words import EXPERIMENTS, number
from epsrank.theory.words import plural

Entry = Mapping[str, Any]

# Rows of a figure on a card; the table in its details has all.
_MOST_ROWS = 8
# Zero and what is far below all else stands at the left end of a logarithmic axis.
_DECADES = 12.0


@dataclass(frozen=True)
class _Row:
    """A line of a figure: marks at places, an interval between two, words beside it."""

    label: str
    marks: tuple[tuple[str, float], ...]
    ends: tuple[float, float] | None
    note: str


def plot_of(evidence: Sequence[Entry]) -> Markup | None:
    """Return the figure of a claim: its comparisons, the chain of its networks, or its coverage."""
    return _forest(evidence) or _chain(evidence) or _coverage(evidence)


def _forest(evidence: Sequence[Entry]) -> Markup | None:
    """Draw medians with their intervals, against no effect."""
    groups = []
    for item in evidence:
        rows = [row for row in item.get("rows", ()) if numeric(row, "median", "low", "high")]
        if item["kind"] == "empirical" and rows:
            groups.append((str(item["figures"].get("experiment", "")), rows))
    if not groups:
        return None
    total = sum(len(rows) for _, rows in groups)
    share = max(1, _MOST_ROWS // len(groups))
    chosen = [(name, row) for name, rows in groups for row in rows[:share]][:_MOST_ROWS]
    # Ratios and differences are no matter for one axis: those of the first row are drawn.
    first = chosen[0][1]
    scale = (first.get("no effect"), first.get("unit"))
    chosen = [pair for pair in chosen if (pair[1].get("no effect"), pair[1].get("unit")) == scale]
    neutral = first.get("no effect")
    rows = [
        _Row(
            f"{name}: {row.get('comparison', '')}" if len(groups) > 1 else str(row["comparison"]),
            (("median", float(row["median"])),),
            (float(row["low"]), float(row["high"])),
            _noted(row),
        )
        for name, row in chosen
    ]
    logarithmic = neutral == 1.0 and all(row.ends is not None and row.ends[0] > 0 for row in rows)
    names = ", ".join(f"{name} ({EXPERIMENTS[name]})" for name, _ in groups if name in EXPERIMENTS)
    caption = "Medians over seeds with their intervals"
    caption += "; the line is no effect" if neutral is not None else ""
    caption += f". {'Experiment' if len(groups) == 1 else 'Experiments'} {names}" if names else ""
    caption += f". {len(chosen)} of {plural(total, 'comparison')}" if total > len(chosen) else ""
    return _drawn(rows, caption + ".", neutral, logarithmic)


def _noted(row: Entry) -> str:
    """Return median and interval in three digits; ratios as such, and not as their logarithms."""
    values = [float(row[key]) for key in ("median", "low", "high")]
    ratios = str(row.get("unit", "")).startswith("log") and row.get("no effect") == 0.0
    middle, low, high = (f"{10**value if ratios else value:.3g}" for value in values)
    return f"{'×' * ratios}{middle} [{low}, {high}]"


def _chain(evidence: Sequence[Entry]) -> Markup | None:
    """Draw floor ≤ envelope ≤ V ≤ loss at the last measurement of each network."""
    keys = ("floor", "envelope", "reachable", "loss")
    last: dict[str, Entry] = {}
    for item in evidence:
        for row in item.get("rows", ()):
            name = f"{row.get('task')} {row.get('net')}"
            if numeric(row, *keys) and row.get("step", 0) > last.get(name, {}).get("step", -1):
                last[name] = row
    if not last:
        return None
    rows = [
        _Row(
            f"{name}, step {row['step']}",
            tuple((key, float(row[key])) for key in keys),
            (float(row["floor"]), float(row["loss"])),
            f"loss/V = {number(float(row['loss']) / float(row['reachable']))}"
            if row["reachable"] else "V = 0",
        )
        for name, row in list(last.items())[:_MOST_ROWS]
    ]  # fmt: skip
    caption = (
        "How tight the bounds are: ▸ floor ≤ ▪ envelope ≤ ◆ V ≤ ● loss at the last measurement "
        "of each network; a ratio loss/V near 1 says that no output layer of this norm does better."
    )
    return _drawn(rows, caption, None, logarithmic=True)


def _coverage(evidence: Sequence[Entry]) -> Markup | None:
    """Draw how often intervals covered the truth, against their confidence."""
    found = [item for item in evidence if numeric(item["figures"], "covered", "trials")]
    found = [item for item in found if item["figures"]["trials"]]
    if not found:
        return None
    rows = []
    for item in found[:_MOST_ROWS]:
        covered, trials = (float(item["figures"][key]) for key in ("covered", "trials"))
        label = item["title"].removeprefix("Coverage of the 95% interval on ")
        rows.append(
            _Row(label, (("median", covered / trials),), None, f"{covered:.0f} of {trials:.0f}")
        )
    level = found[0]["figures"].get("confidence")
    caption = "Share of trials in which the interval covers the ε-rank of the population"
    caption += f"; the line is what is promised, {level:g}." if level else "."
    return _drawn(rows, caption, level, logarithmic=False, least=0.0, most=1.0)


def numeric(row: Entry, *keys: str) -> bool:
    """Whether all of these are there as finite numbers."""
    return all(
        isinstance(row.get(key), (int, float))
        and not isinstance(row[key], bool)
        and math.isfinite(row[key])
        for key in keys
    )


def _drawn(
    rows: Sequence[_Row],
    caption: str,
    neutral: float | None,
    logarithmic: bool,
    least: float | None = None,
    most: float | None = None,
) -> Markup:
    """Return rows on one axis."""
    places = [place for row in rows for _, place in row.marks]
    places += [end for row in rows for end in row.ends or ()]
    places += [] if neutral is None else [float(neutral)]
    place = _axis(places, logarithmic, least, most)
    lines = []
    for row in rows:
        parts = []
        if neutral is not None:
            at = place(float(neutral))
            parts.append(f'<line class="none" x1="{at}%" x2="{at}%" y1="0" y2="18"/>')
        if row.ends is not None:
            low, high = (place(end) for end in row.ends)
            parts.append(f'<line class="span" x1="{low}%" x2="{high}%" y1="9" y2="9"/>')
        parts += [_mark(name, place(value)) for name, value in row.marks]
        svg = Markup('<svg class="row" height="18" role="img" aria-label="{}">{}</svg>')
        lines.append(
            Markup('<div class="line"><span class="label" title="{0}">{0}</span>{1}'
                   '<span class="note">{2}</span></div>').format(
                row.label, svg.format(row.note, Markup("".join(parts))), row.note)
        )  # fmt: skip
    return Markup('<figure class="plot">{}<figcaption>{}</figcaption></figure>').format(
        Markup("").join(lines), caption
    )


def _mark(name: str, at: float) -> str:
    """Return a sign at a place in percent; an SVG of no width carries signs that are no circles."""
    if name in {"median", "loss"}:
        return f'<circle class="{name}" cx="{at}%" cy="9" r="4"/>'
    shape = {
        "floor": "M-4 -4L4 0L-4 4Z",
        "envelope": "M-3.5 -3.5H3.5V3.5H-3.5Z",
        "reachable": "M0 -5L5 0L0 5L-5 0Z",
    }[name]
    return (
        f'<svg x="{at}%" y="9" overflow="visible" width="1" height="1">'
        f'<path class="{name}" d="{shape}"/></svg>'
    )


def _axis(
    values: Iterable[float], logarithmic: bool, least: float | None, most: float | None
) -> Any:
    """Return the place of a value in percent of the width, with a margin for the signs."""
    known = list(values)
    if logarithmic:
        top = math.log10(max((value for value in known if value > 0), default=1.0))
        bottom = min(
            (
                math.log10(value)
                for value in known
                if value > 0 and math.log10(value) > top - _DECADES
            ),
            default=top - 1.0,
        )

        def scaled(value: float) -> float:
            return max(math.log10(value), bottom) if value > 0 else bottom
    else:
        bottom, top = (
            (min(known) if least is None else least),
            (max(known) if most is None else most),
        )

        def scaled(value: float) -> float:
            return value

    width = (top - bottom) or 1.0
    return lambda value: round(3.0 + 94.0 * (scaled(value) - bottom) / width, 2)
