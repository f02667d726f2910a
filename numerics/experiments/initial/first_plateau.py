"""How the length of the first plateau grows with 1/σ: claim plateau-length."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import Finding, Table, family_pvalue
from epsrank.numerics.experiments.initial.certain import certain_steps
from epsrank.numerics.experiments.initial.judged import SlopesOfOne, judge
from epsrank.numerics.experiments.initial.runs import SmallRun, by_setting

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def slopes(runs: Sequence[SmallRun], control: float) -> dict[int, float]:
    """Return slope · c‖g‖ by seed, 1 by the linearised flow; ∞ where a run never escapes."""
    by_run: dict[int, list[tuple[float, float]]] = {}
    for run in runs:
        if run.settings["sigma"] < control:
            time = run.time("escaped")
            point = (-math.log(run.settings["sigma"]), math.inf if time is None else time)
            by_run.setdefault(run.seed, []).append(point)
    rate = runs[0].rate
    return {
        seed: slope_of([p[0] for p in points], [p[1] for p in points]) * rate
        for seed, points in by_run.items()
    }


def slope_of(places: Sequence[float], times: Sequence[float]) -> float:
    """Return the slope of times; ∞ where one is (a run that never escapes), NaN of one point."""
    if len(times) < 2 or not np.isfinite(places).all():
        return math.nan
    # Left out, such runs would make a law hold among those that keep it.
    return float(np.polyfit(places, times, 1)[0]) if np.isfinite(times).all() else math.inf


def lengths(runs: Sequence[SmallRun], rules: Mapping[str, Any]) -> Finding:
    """Judge the slope of the law, and the control that has no linearised gradient."""
    margin, control = rules["margin"], rules["control"]
    law = SlopesOfOne(margin)
    even = [run for run in runs if run.settings["output_bias"]]
    for (target, width), mine in by_setting(
        [run for run in runs if not run.settings["output_bias"]], "target", "width"
    ).items():
        found = slopes(mine, control)
        name = f"slope against log(1/σ) times c‖g‖, {target}, width {width}"
        law.add(name, found)
    judgement = judge(law.holds, law.against)
    still = [run for run in even if run.time("escaped") is None]
    # The law is said of every network, and an even one has none.
    if judgement == "supported" and still:
        judgement = "regime"
    return Finding(
        "plateau-length",
        judgement,
        f"The plateau grows by 1/(c‖g‖) per nat of 1/σ, within {margin:.0%}, in {sum(law.holds)} "
        f"of {len(law.holds)} settings with g ≠ 0, where {law.never} seeds have a run that never "
        f"left its plateau and count against; of {len(even)} networks with g = 0 {len(still)} "
        "never left theirs.",
        law.effects,
        tried=len(law.effects),
        witness=_witness(runs) if judgement == "refuted" else None,
        part="training",
        pvalue=family_pvalue(law.votes) if law.votes else None,
    )


def _witness(runs: Sequence[SmallRun]) -> dict[str, Any]:
    run = runs[0]
    return {**run.settings, "seed": run.seed, "escaped": run.time("escaped"), "rate": run.rate}


def length_rows(runs: Sequence[SmallRun]) -> Table:
    """Return lengths per setting beside what is certain and those of the linearised flow."""
    from epsrank.numerics.experiments.trials.small_weights import beginning

    rows = []
    for (target, width, sigma, bias), mine in by_setting(
        runs, "target", "width", "sigma", "output_bias"
    ).items():
        times = [run.passed["escaped"] for run in mine]
        known = [step for step in times if step is not None]
        predicted = [run.predicted / run.pace for run in mine if run.predicted is not None]
        rows.append(
            {
                "target": target,
                "width": width,
                "σ": sigma,
                "output bias": bias,
                "seeds": len(mine),
                "never": len(times) - len(known),
                "steps, median": float(np.median(known)) if known else None,
                "steps, least": min(known, default=None),
                "steps, most": max(known, default=None),
                # P1 covers no bias of the output.
                "certain steps": None if bias else certain_steps(mine[0].settings, beginning),
                "by the linearised flow": float(np.median(predicted)) if predicted else None,
                "1/(ηc‖g‖)": 1 / (mine[0].pace * mine[0].rate) if predicted else None,
            }
        )
    return Table("lengths", "Steps until the loss is 0.9 of its first value", rows)


def draw_lengths(runs: Sequence[SmallRun], rules: Mapping[str, Any]) -> Figure:
    """Draw every length, and the law through the median of the smallest scale."""
    from epsrank.numerics.plots.style import look, new_figure

    groups = by_setting([r for r in runs if not r.settings["output_bias"]], "target")
    figure = new_figure(3.4 * len(groups) + 0.8, 3.6)
    panels = figure.subplots(1, len(groups), squeeze=False)[0]
    for panel, ((target,), mine) in zip(panels, groups.items(), strict=True):
        for index, ((width,), own) in enumerate(by_setting(mine, "width").items()):
            style = look(index)
            points = [
                (run.settings["sigma"], time)
                for run in own
                if (time := run.time("escaped")) is not None
            ]
            panel.plot(
                *zip(*points, strict=True), color=style.colour, marker=style.marker, alpha=0.5,
                linestyle="none", markersize=4, label=f"width {width}",
            )  # fmt: skip
            least = min(run.settings["sigma"] for run in own)
            top = float(np.median([time for sigma, time in points if sigma == least] or [0.0]))
            scales = np.geomspace(least, rules["control"], 20)
            law = top - np.log(scales / least) / own[0].rate
            panel.plot(scales, np.maximum(law, 0), color=style.colour, linewidth=1)
        panel.set_xscale("log")
        panel.invert_xaxis()
        panel.set_title(target, fontsize=9)
        panel.set_xlabel("scale σ of the first weights")
    panels[0].set_ylabel("time η·t until 0.9 L₀")
    panels[0].legend(fontsize=7, frameon=False)
    return figure
