"""One training on one axis: its quantities by step, each with its own measurements."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.numerics.stages.kinds import (
    BY_NAME,
    KINDS,
    STEPS,
    Kind,
    Meaning,
    is_step,
    meaning_of,
    named,
)
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.words import plural


def whole(step: float) -> str:
    """Return a step for people: all digits of a whole number; ∞ is never."""
    if math.isinf(step):
        return "∞" if step > 0 else "−∞"
    # Beyond 2⁵³ the digits would not be those of the training.
    return str(int(step)) if abs(step) < 2**53 and step == int(step) else f"{step:.4g}"


@dataclass(frozen=True, eq=False)
class Track:
    """One quantity along the steps at which it is known."""

    kind: Kind
    #: A layer or a frequency, empty where there is one alone.
    part: str
    #: Ascending.
    steps: Vector
    #: Never NaN; +∞ of a loss that overflowed. Of a rank the lower end.
    values: Vector
    #: Upper ends, where values are intervals.
    upper: Vector | None = None

    @property
    def name(self) -> str:
        """The kind, and the part: ``rank:2``."""
        return f"{self.kind.name}:{self.part}" if self.part else self.kind.name

    @property
    def words(self) -> str:
        """For people: ``ε-rank of layer 2``, which is no rank of 2; ``error at frequency 3``."""
        if not self.part or self.kind.name == "frequency":
            return f"{self.kind.words} {self.part}".strip()
        return f"{self.kind.words} of {self.place}"

    @property
    def place(self) -> str:
        """The part for people: ``layer 2``, or the name of a module."""
        return f"layer {self.part}" if self.part.isdecimal() else self.part


@dataclass(frozen=True, eq=False)
class RunAxis:
    """One training."""

    name: str
    seed: int | str | None
    settings: Mapping[str, Any]
    #: By `Track.name`.
    tracks: Mapping[str, Track] = field(repr=False)
    #: What was done to its table, and what is odd about it.
    notes: tuple[str, ...] = ()
    #: Columns that are not used, of numbers and then of text.
    unused: tuple[str, ...] = ()

    def of_kind(self, name: str) -> list[Track]:
        """Return the quantities of a kind, in the order of their columns."""
        return [track for track in self.tracks.values() if track.kind.name == name]

    @property
    def span(self) -> tuple[float, float]:
        """First and last step of all."""
        ends = [(t.steps[0], t.steps[-1]) for t in self.tracks.values()]
        return float(min(a for a, _ in ends)), float(max(b for _, b in ends))


def axis_of(
    columns: Mapping[str, Vector],
    *,
    name: str,
    texts: Mapping[str, tuple[int, str]] | None = None,
    seed: int | str | None = None,
    settings: Mapping[str, Any] | None = None,
    chosen: Mapping[str, str] | None = None,
    eps: float | None = None,
    momentum: float | None = None,
    limit: float | None = None,
) -> RunAxis:
    """Return the quantities that columns of a history hold, by their names or as `chosen` says.

    `texts` are columns that hold text, each with the first such row and its words; `limit` is what
    2(1 + μ)/η is by the settings, where no column says it.
    """
    chosen, texts = dict(chosen or {}), texts or {}
    has = f"it has {', '.join([*columns, *texts][:12])}"
    for column in chosen.values():
        _refuse_no_numbers(name, column, columns, texts, has)
    step = chosen.get("step") or _step_column(columns)
    if step is None:
        worded = next((column for column in STEPS if column in texts), None)
        if worded is not None:
            _refuse_no_numbers(name, worded, columns, texts, has)
        raise InputError(name, "has no column of steps", f"name it with step=COLUMN; {has}")
    order, notes = _in_order(name, columns, step)
    given = named(chosen)
    known: dict[str, Meaning] = {}
    for column in columns:
        # A column that is empty must not choose the ε of the ranks.
        if column == step or np.isnan(columns[column]).all():
            continue
        if (meaning := given.get(column) or meaning_of(column)) is not None:
            known[column] = meaning
    steps = columns[step][order]
    tracks, used = _tracks(known, {c: columns[c][order] for c in known}, steps, eps)
    unused = tuple(c for c in columns if c not in {*used, step} and np.isfinite(columns[c]).any())
    unused += tuple(texts)
    if not tracks:
        raise InputError(
            name, "has no quantity that is known here", f"name them with KIND=COLUMN; {has}"
        )
    last = max(float(track.steps[-1]) for track in tracks.values())
    if last == min(float(track.steps[0]) for track in tracks.values()):
        raise InputError(name, "has one measurement", "passages need two steps or more")
    rate = tracks.get("learning_rate")
    if "limit" not in tracks and rate is not None and momentum is not None:
        values = 2 * (1 + momentum) / rate.values
        tracks["limit"] = Track(BY_NAME["limit"], "", rate.steps, values)
    elif "limit" not in tracks and limit is not None:
        every = np.unique(steps)
        tracks["limit"] = Track(BY_NAME["limit"], "", every, np.full(every.size, limit))
    notes += _odd(tracks, np.unique(steps))
    return RunAxis(name, seed, dict(settings or {}), tracks, tuple(notes), unused)


def _step_column(columns: Mapping[str, Vector]) -> str | None:
    """Return the column of steps: of several the first that most rows have."""
    there = [column for column in dict.fromkeys(STEPS) if column in columns]
    there += [column for column in columns if column not in there and is_step(column)]
    full = [column for column in there if np.isfinite(columns[column]).mean() > 0.5]
    return next(iter([*full, *there]), None)


def _refuse_no_numbers(
    name: str,
    column: str,
    columns: Mapping[str, Vector],
    texts: Mapping[str, tuple[int, str]],
    has: str,
) -> None:
    """Refuse a column that is not there, that holds text, or that is empty."""
    if column in texts:
        row, words = texts[column]
        raise InputError(
            name, f"has text in the column {column!r}, row {row}: {words!r}",
            "write numbers, and nothing or nan where there is none",
        )  # fmt: skip
    if column not in columns:
        raise InputError(name, f"has no column {column!r}", has)
    if np.isnan(columns[column]).all():
        raise InputError(name, f"has no number in the column {column!r}", "name another column")


def _in_order(name: str, columns: Mapping[str, Vector], step: str) -> tuple[Any, list[str]]:
    """Return the rows to keep, by step: of a resumed training those that were written last."""
    steps = columns[step]
    rows = np.flatnonzero(np.isfinite(steps))
    if rows.size == 0:
        raise InputError(name, "has no step that is a number", "name the column of steps")
    notes = []
    if rows.size < steps.size:
        lost = steps.size - rows.size
        notes.append(f"left out: {plural(lost, 'row that has', 'rows that have')} no step")
    held = steps[rows]
    back = np.flatnonzero(np.diff(held) < 0) + 1
    if back.size and _is_shuffled(columns, step, rows, back):
        notes.append("rows were not in the order of their steps and were sorted")
    elif back.size:
        # A resumed training goes back a little; a counter that begins anew, or several runs
        # in one table, cannot be told apart, and merging them would mix their numbers.
        anew = [at for at in back if held[at] <= held[0]]
        if anew:
            row, before = int(rows[anew[0]]) + 1, held[anew[0] - 1]
            raise InputError(
                name,
                f"has steps that begin anew at row {row}: {held[anew[0]]:g} after {before:g}",
                "name the column of seeds, or one of steps that go on",
            )
        # What was measured before the training went back, at that step or beyond, is undone,
        # whether the steps after it fall on the same grid or not.
        keep = np.ones(held.size, dtype=bool)
        for at in back:
            keep[:at] &= held[:at] < held[at]
        notes.append(
            f"steps go back at {plural(back.size, 'place')} (resumed?), first to "
            f"{whole(held[back[0]])}: left out {plural(int((~keep).sum()), 'row')} measured "
            "before at that step or later ones"
        )
        rows = rows[keep]
    return rows[np.argsort(steps[rows], kind="stable")], notes


def _is_shuffled(columns: Mapping[str, Vector], step: str, rows: Any, back: Any) -> bool:
    """Tell rows in no order from a training that was resumed: the first have no step twice."""
    held = columns[step][rows]
    if np.unique(held).size < held.size:
        return False
    # A random order goes back at every second row, and one that is reversed at all.
    if back.size == held.size - 1 > 1 or (back.size > 2 and 3 * back.size >= held.size):
        return True
    # Two programs that write one file below the other, each its own columns, undo nothing.
    finite = [np.isfinite(column[rows]) for name, column in columns.items() if name != step]
    return not any(there[:at].any() and there[at:].any() for there in finite for at in back)


def _tracks(
    known: Mapping[str, Meaning], columns: Mapping[str, Vector], steps: Vector, eps: float | None
) -> tuple[dict[str, Track], set[str]]:
    """Return a track per kind and part, of one ε, from the preferred of several columns."""
    thresholds = [m.eps for m in known.values() if m.eps is not None]
    if eps is not None and thresholds and eps not in thresholds:
        told = ", ".join(f"{value:g}" for value in dict.fromkeys(thresholds))
        raise InputError("eps", f"is {eps:g}", f"choose one of {told}")
    # The first ε of the columns of ranks.
    wanted = eps if eps is not None else next(iter(thresholds), None)
    chosen: dict[tuple[str, str], dict[str, str]] = {}
    for column, meaning in sorted(known.items(), key=lambda pair: pair[1].place):
        if meaning.eps not in {None, wanted} or np.isnan(columns[column]).all():
            continue
        chosen.setdefault((meaning.kind.name, meaning.part), {}).setdefault(meaning.end, column)
    tracks: dict[str, Track] = {}
    used: set[str] = set()
    for column, meaning in known.items():
        ends = chosen.get((meaning.kind.name, meaning.part), {})
        if column not in ends.values():
            continue
        # An estimate has a value between its ends; a rank has ends alone.
        lower, upper = ends.get("value") or ends.get("low"), ends.get("high")
        if lower is None or (meaning.kind.name != "rank" and "value" not in ends):
            continue
        used.update(ends.values())
        values = columns[lower]
        # Several rows of one step: of each column the last that is a number.
        there = ~np.isnan(values)
        places = np.flatnonzero(there)
        last = places[np.append(np.diff(steps[places]) > 0, True)] if places.size else places
        above = columns[upper][last] if upper is not None and meaning.kind.name == "rank" else None
        if above is not None:
            above = np.where(np.isnan(above), values[last], above)
        track = Track(meaning.kind, meaning.part, steps[last], values[last], above)
        tracks[track.name] = track
    return tracks, used


def _odd(tracks: Mapping[str, Track], steps: Vector) -> list[str]:
    """Say what is odd about the losses of a training that has rows at some steps, ascending."""
    loss = tracks.get("loss")
    if loss is None:
        return []
    notes = []
    last, own = float(steps[-1]), loss.steps
    usual = float(np.median(np.diff(own))) if own.size > 1 else 0.0
    # A loss at most of the steps is missed at once; one that is logged more rarely than others
    # is not, before it is long overdue.
    often = 2 * own.size >= int((steps <= own[-1]).sum())
    due = usual if often else 2 * float(np.diff(own).max(initial=0.0))
    if last > own[-1] and (last - own[-1] >= due if often else last - own[-1] > due):
        notes.append(
            f"the loss is no number after step {whole(own[-1])} of {whole(last)} (diverged?)"
        )
    finite = np.isfinite(loss.values)
    if not finite.all():
        at = int(np.argmax(~finite))
        start = own[at]
        # It may be NaN at first, and infinite later.
        if at and often and own[at] - own[at - 1] > usual:
            start = steps[steps > own[at - 1]][0]
        later = finite[at:].any()
        notes.append(f"the loss is not finite {'at' if later else 'from'} step {whole(start)}")
    if finite.any() and loss.values[finite][-1] > loss.values[finite][0]:
        notes.append("the loss ends above its start")
    return notes


def present(runs: Sequence[RunAxis]) -> list[str]:
    """Return the names of all tracks of some runs, in the order of the kinds."""
    names = dict.fromkeys(name for run in runs for name in run.tracks)
    order = [kind.name for kind in KINDS]
    return sorted(names, key=lambda name: order.index(name.partition(":")[0]))
