"""All quantities of trainings on one axis of steps, with stages and first passages."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator, SymmetricalLogLocator

from epsrank.numerics.plots.style import (
    FAINT,
    INK,
    dress,
    integer_axis,
    log_ticks,
    look,
    mark_every,
    new_figure,
    positive,
)
from epsrank.numerics.stages.axis import Track, present
from epsrank.numerics.stages.kinds import BY_NAME, Kind
from epsrank.theory.errors import InputError
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from epsrank.numerics.stages.order import EventTimes
    from epsrank.numerics.stages.result import Stages

Along = Literal["auto", "linear", "log"]

# Lightness tells plateaus from descents, in print too.
_PLATEAU, _DESCENT = "0.94", "0.80"
# Inches of the panel of losses, of another one, of a row of passages, and of what is around them.
_FIRST, _PANEL, _ROW, _AROUND = 1.5, 0.85, 0.16, 0.9
# Numbers of events nearer than this share of the axis stand one above another.
_NEAR = 0.045
# So many of them are legible in a small panel; the rows below name the others as well.
_MOST_HEIGHTS = 4
# Parts of one panel that can be told apart.
_MOST_PARTS = 6


def draw_training_stages(stages: Stages, *, along: Along = "auto") -> Figure:
    """Draw every quantity above one axis of steps, stages shaded, first passages below.

    Parameters
    ----------
    stages : Stages
        From `training_stages`.
    along : {"auto", "linear", "log"}
        The axis of steps. By default logarithmic where half of the measurements, or half of the
        first passages, lie in the first tenth of the training.

    Returns
    -------
    matplotlib.figure.Figure
        One panel per kind of quantity, a line per run; a vertical line is the median of an event,
        if it lies among the runs, and its number that of its row below. There dots are runs, bars
        the interval between two measurements, arrows runs in which it never happened.

    Raises
    ------
    InputError
        If `along` is another word.

    Examples
    --------
    >>> from epsrank import draw_training_stages, training_stages
    >>> loss = [4.0, 4.0, 1.0, 0.1, 0.1]
    >>> figure = draw_training_stages(training_stages({"step": range(5), "loss": loss}))
    >>> len(figure.axes)
    2
    """
    if along not in {"auto", "linear", "log"}:
        raise InputError("along", f"is {along!r}", "choose one of auto, linear, log")
    if not hasattr(stages, "runs"):
        raise InputError("stages", f"are {stages!r}", "pass what training_stages found")
    names = present(stages.runs)
    panels: dict[str, list[str]] = {}
    for name in names:
        # The rate is shown by the limit that follows from it.
        if name != "learning_rate" or "limit" not in names:
            panels.setdefault(BY_NAME[name.partition(":")[0]].panel, []).append(name)
    rows = [row for row in stages.events if row.known]
    heights = [_FIRST if panel == "loss" else _PANEL for panel in panels]
    strip = [_ROW * len(rows) + 0.1] if rows else []
    figure = new_figure(7.0, sum(heights) + sum(strip) + _AROUND)
    grid = figure.subplots(
        len(heights) + len(strip), 1, sharex=True, squeeze=False, height_ratios=[*heights, *strip]
    )[:, 0]
    low, high = stages.span
    logarithmic = along == "log" or (along == "auto" and _is_early(stages, rows, high))
    for axes, (panel, own) in zip(grid, panels.items(), strict=False):
        _panel(axes, stages, panel, own)
    if strip:
        _passages(grid[-1], rows, (low, high))
    _axis(grid[-1], stages, low, high, logarithmic)
    for axes in grid:
        _shade(axes, stages, high)
    for axes, own in zip(grid, panels.values(), strict=False):
        drawn = {own[place] for place in _some(len(own))}
        marked = [(k + 1, row) for k, row in enumerate(rows) if row.event.track in drawn]
        _mark(axes, marked)
    _legends(grid[0], stages)
    grid[-1].set_xlabel("training steps")
    return figure


def _is_early(stages: Stages, rows: Sequence[EventTimes], high: float) -> bool:
    """Tell whether much of a training happens in its first tenth."""
    steps = np.concatenate([t.steps for run in stages.runs for t in run.tracks.values()])
    times = [p.by for row in rows for p in row.known if not p.censored]
    return any(
        len(some) > 0 and float(np.mean(np.asarray(some) <= high / 10)) >= 0.5
        for some in (steps, times)
    )


def _axis(axes: Axes, stages: Stages, low: float, high: float, logarithmic: bool) -> None:
    """Set the axis of steps, which all panels share."""
    if logarithmic:
        later = [
            float(t.steps[t.steps > 0][0])
            for run in stages.runs
            for t in run.tracks.values()
            if (t.steps > 0).any()
        ]
        # Step 0 has no logarithm: up to the first measurement after it the axis is linear.
        start = min(later, default=1.0)
        if low > 0:
            axes.set_xscale("log")
            log_ticks(axes, "x", low, high)
        else:
            axes.set_xscale("symlog", linthresh=start, linscale=0.4)
            axes.xaxis.set_major_locator(SymmetricalLogLocator(base=10, linthresh=start))
            axes.xaxis.get_major_locator().numticks = 8  # type: ignore[attr-defined]
    else:
        integer_axis(axes, "x")
    axes.set_xlim(low, high)


def _panel(axes: Axes, stages: Stages, panel: str, names: Sequence[str]) -> None:
    """Draw the quantities of one panel, a line per run."""
    tracks = [[run.tracks[name] for run in stages.runs if name in run.tracks] for name in names]
    left_out = max(0, len(tracks) - _MOST_PARTS)
    tracks = [tracks[place] for place in _some(len(tracks))]
    shown = positive(np.concatenate([t.values for own in tracks for t in own]))
    shown = shown[np.isfinite(shown)]
    logarithmic = tracks[0][0].kind.log and shown.size > 0
    for index, own in enumerate(tracks):
        for place, track in enumerate(own):
            _line(axes, track, index, label=None if place else _label(track, panel),
                  alone=len(own) == 1, logarithmic=logarithmic)  # fmt: skip
    if logarithmic:
        axes.set_yscale("log")
        log_ticks(axes, "y", float(shown.min()), float(shown.max()))
    elif tracks[0][0].kind.name in {"rank", "orientations"}:
        axes.yaxis.set_major_locator(MaxNLocator(4, integer=True))
    else:
        axes.yaxis.set_major_locator(MaxNLocator(4))
    dress(axes, x="", y="\n".join(_wrapped(panel)))
    if len(tracks) > 1 or tracks[0][0].part:
        title = f"and {left_out} more" if left_out else None
        axes.legend(fontsize=6.5, frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.02),
                    handlelength=2.2, borderaxespad=0.2, title=title, title_fontsize=6)  # fmt: skip


def _some(count: int) -> list[int]:
    """Return the places of the quantities of a panel that are drawn: spread, both ends included."""
    return sorted({round(k * (count - 1) / (_MOST_PARTS - 1)) for k in range(_MOST_PARTS)})


def _wrapped(words: str) -> list[str]:
    """Break the label of an axis where a small panel has no room for it in one line."""
    first, _, rest = words.partition(" ")
    return [first, rest] if rest and len(words) > 8 else [words]


def _label(track: Track, panel: str) -> str:
    kind: Kind = track.kind
    if kind.words == panel and track.part:
        return track.place
    if kind.name == "frequency":
        return f"k = {track.part}"
    return track.words


def _line(
    axes: Axes, track: Track, index: int, *, label: str | None, alone: bool, logarithmic: bool
) -> None:
    style = look(index)
    values = np.where(np.isfinite(track.values), track.values, np.nan)
    if logarithmic:
        values = positive(values)
    marker = style.marker if alone else None
    axes.plot(
        track.steps, values, color=style.colour, linestyle=style.dashes,
        linewidth=1.3 if alone else 0.8, alpha=1.0 if alone else 0.55, marker=marker,
        markersize=3, markevery=mark_every(track.steps.size), label=label,
    )  # fmt: skip
    if track.upper is not None and (track.upper > track.values).any():
        axes.fill_between(track.steps, track.values, track.upper, color=style.colour, alpha=0.2,
                          linewidth=0)  # fmt: skip


def _shade(axes: Axes, stages: Stages, high: float) -> None:
    """Shade the stages: medians over the runs that have as many of them as the first."""
    for name, start, end in shaded(stages):
        axes.axvspan(
            start, min(end, high), color=_DESCENT if name == "descent" else _PLATEAU, zorder=-1,
            linewidth=0,
        )  # fmt: skip


def shaded(stages: Stages) -> list[tuple[str, float, float]]:
    """Return stages as medians over those runs that agree on their names with most others."""
    held = [phases.shown for phases in stages.phases if phases is not None and phases.shown]
    if not held:
        return []
    shapes = [tuple(phase.name for phase in phases) for phases in held]
    usual = max(dict.fromkeys(shapes), key=shapes.count)
    same = [phases for phases, shape in zip(held, shapes, strict=True) if shape == usual]
    return [
        (
            name,
            float(np.median([phases[place].start for phases in same])),
            float(np.median([phases[place].end for phases in same])),
        )
        for place, name in enumerate(usual)
    ]


def _mark(axes: Axes, rows: Sequence[tuple[int, EventTimes]]) -> None:
    """Draw the median of every event of a panel, with the number of its row."""
    low, high = axes.get_xlim()
    to_axes = axes.transScale + axes.transLimits
    # The latest number at each height, rows being in the order of their medians.
    latest: list[float] = []
    for number, row in rows:
        median = row.median
        # Between two clusters of runs there is no moment to mark.
        if median is None or row.gap is not None or not (low <= median.value <= high):
            continue
        axes.axvline(median.value, color=INK, linewidth=0.8, linestyle=(0, (1, 1.5)))
        at = float(to_axes.transform((median.value, axes.get_ylim()[0]))[0])
        level = next((k for k, last in enumerate(latest) if at - last >= _NEAR), len(latest))
        if level >= _MOST_HEIGHTS:
            continue
        latest[level : level + 1] = [at]
        axes.annotate(
            str(number), (min(max(at, 0.012), 0.988), 1.0), xycoords="axes fraction",
            xytext=(0, -1 - 8 * level), textcoords="offset points", ha="center", va="top",
            fontsize=6.5, color=INK, zorder=6,
            bbox={"facecolor": "white", "edgecolor": FAINT, "linewidth": 0.4, "pad": 0.8},
        )  # fmt: skip


def _passages(axes: Axes, rows: Sequence[EventTimes], ends: tuple[float, float]) -> None:
    """Draw every passage of every run, one row per event."""
    low, high = ends
    known: list[tuple[float, float, float]] = []
    never: list[tuple[float, float]] = []
    for place, row in enumerate(rows):
        spread = np.linspace(-0.25, 0.25, len(row.known)) if len(row.known) > 1 else np.zeros(1)
        for passage, shift in zip(row.known, spread, strict=True):
            if passage.censored:
                never.append((place + shift, passage.after))
            else:
                known.append((place + shift, max(passage.after, low), passage.by))
        median = row.median
        if (
            median is not None
            and row.gap is None
            and math.isfinite(median.value)
            and len(row.known) > 1
        ):
            axes.plot([median.value] * 2, [place - 0.4, place + 0.4], color=INK, linewidth=1.4)
    if known:
        heights, after, by = zip(*known, strict=True)
        axes.hlines(heights, after, by, color=look(0).colour, linewidth=0.9, alpha=0.7)
        axes.plot(by, heights, "o", color=look(0).colour, markersize=2.5, clip_on=False)
    if never:
        heights, after = zip(*never, strict=True)
        axes.hlines(heights, after, high, color=FAINT, linewidth=0.8)
        axes.plot([high] * len(never), heights, ">", color=FAINT, markersize=3, clip_on=False)
    labels = [f"{row.event.name}  {place + 1}" for place, row in enumerate(rows)]
    axes.set_yticks(range(len(rows)), labels, fontsize=6.5)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    dress(axes, x="", y="")


def _legends(axes: Axes, stages: Stages) -> None:
    """Say above the panels what is shaded, and how many runs are drawn."""
    parts = [Patch(facecolor=_PLATEAU, edgecolor=FAINT, label="plateau"),
             Patch(facecolor=_DESCENT, edgecolor=FAINT, label="descent")]  # fmt: skip
    count = len(stages.runs)
    words = "" if count == 1 else f"{plural(count, 'run')}; stages and marks are medians"
    figure = axes.get_figure(root=True)
    assert figure is not None
    if shaded(stages):
        figure.legend(handles=parts, loc="outside upper right", ncols=2, fontsize=7, frameon=False,
                      title=words or None, title_fontsize=7)  # fmt: skip
