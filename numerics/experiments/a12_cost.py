"""A12: time and memory of the ε-rank against width and samples, to millions of parameters.

No claim of the ledger hangs on it. Its tables are of cost, which no second run repeats, except for
the counts in them. Every route counts the same features, so that a wrong count is seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import Analysis, Picture, Table
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.experiments.trials.rank_cost import ROUTES
from epsrank.numerics.sweeps.trial import Outcome, Trial

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EPS = 1e-6
# Features of more numbers than this do not fit beside their singular vectors' workspace.
_MOST_NUMBERS = 10**8
_DEPTH, _INPUTS = 3, 16


def plan(request: Request) -> list[Trial]:
    """Return one trial per route, width and number of samples."""
    rules = experiment_rules("A12", request.size)
    return [
        Trial(
            "cost",
            {
                "route": route,
                "width": width,
                "depth": _DEPTH,
                "inputs": _INPUTS,
                "samples": samples,
                "eps": EPS,
                "repeats": rules["repeats"],
                "seed": request.first,
            },
        )
        for width in rules["widths"]
        for samples in rules["samples"]
        if width * samples <= _MOST_NUMBERS
        for route in ROUTES
    ]


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return one row per trial that was carried out."""
    rows = []
    for outcome in outcomes:
        if outcome.status != "done":
            continue
        result, settings = outcome.result, outcome.settings
        step, count = result["seconds_step"], result["seconds_count"]
        rows.append(
            {
                "route": settings["route"],
                "width": settings["width"],
                "samples": settings["samples"],
                "parameters": result["parameters"],
                "rank, lower": result["rank_lower"],
                "rank, upper": result["rank_upper"],
                "seconds": count,
                "seconds of a training step": step,
                "training steps that cost as much": count / step if step > 0 else None,
                "MB above the features": None
                if result["bytes_peak"] is None
                else result["bytes_peak"] / 1e6,
            }
        )
    return rows


def exponents(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return p, q of seconds ≈ c·n^p·N^q by least squares in logarithms, per route.

    Parameters
    ----------
    rows : sequence of dict
        See `rows_of`.

    Returns
    -------
    list of dict
        Route, exponents, number of settings; routes with fewer than four are left out.
    """
    found = []
    for route in ROUTES:
        mine = [row for row in rows if row["route"] == route]
        design = np.array([[1, np.log(r["width"]), np.log(r["samples"])] for r in mine])
        # Three settings fit three coefficients exactly, whatever they are; one width or one number
        # of samples leaves an exponent open.
        if len(mine) < 4 or np.linalg.matrix_rank(design) < 3:
            continue
        times = np.log([row["seconds"] for row in mine])
        (_, p, q), *_ = np.linalg.lstsq(design, times)
        found.append(
            {
                "route": route,
                "exponent of the width": float(p),
                "exponent of the samples": float(q),
                "settings": len(mine),
            }
        )
    return found


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Put costs side by side, and look whether the counts agree."""
    rows = rows_of(outcomes)
    notes = []
    if len(rows) < len(outcomes):
        notes.append(f"{len(outcomes) - len(rows)} of {len(outcomes)} trials failed")
    notes += [
        f"singular values count {row['rank, lower']} where the certified rank is in "
        f"[{other['rank, lower']}, {other['rank, upper']}]: width {row['width']}, "
        f"{row['samples']} samples"
        for row in rows
        for other in rows
        if row["route"] == "singular values"
        and other["route"] == "certified"
        and (row["width"], row["samples"]) == (other["width"], other["samples"])
        and not other["rank, lower"] <= row["rank, lower"] <= other["rank, upper"]
    ]
    tables = (
        Table("cost-ranks", f"What a count at ε = {EPS:g} costs; single-threaded", rows),
        Table("cost-exponents", "Seconds ≈ c·n^p·N^q", exponents(rows)),
    )
    picture = Picture(
        "cost", "A12: seconds of one count against the width of the layer", partial(_draw, rows)
    )
    return Analysis((), tables, (picture,) if rows else (), tuple(notes))


def _draw(rows: Sequence[dict[str, Any]]) -> Figure:
    """Draw seconds against width, one panel per number of samples."""
    from epsrank.numerics.plots.style import look, new_figure

    counts = sorted({row["samples"] for row in rows})
    figure = new_figure(3.4 * len(counts) + 0.8, 3.8)
    panels = figure.subplots(1, len(counts), sharey=True, squeeze=False)[0]
    for panel, samples in zip(panels, counts, strict=True):
        mine = [row for row in rows if row["samples"] == samples]
        series = [(route, route, "seconds") for route in ROUTES]
        series.append(("a step of training, batch 128", ROUTES[0], "seconds of a training step"))
        for index, (label, route, column) in enumerate(series):
            points = sorted((r["width"], r[column]) for r in mine if r["route"] == route)
            style = look(index)
            panel.plot(
                *zip(*points, strict=True) if points else ([], []),
                color=style.colour,
                linestyle=style.dashes,
                marker=style.marker,
                markersize=4,
                label=label,
            )
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_title(f"{samples} samples", fontsize=9)
        panel.set_xlabel("width n")
    panels[0].set_ylabel("seconds")
    panels[0].legend(fontsize=7, frameon=False)
    return figure


EXPERIMENT = Experiment(
    "A12",
    "Cost of the ε-rank against width and samples",
    "asked for by the reviews of [S1]; settings ours",
    (),
    plan,
    analyse,
)
