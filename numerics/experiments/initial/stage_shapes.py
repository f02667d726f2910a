"""Whether plateau, descent and second plateau are there: claim three-stages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import Effect, Finding, Table, family_pvalue
from epsrank.numerics.experiments.initial.judged import Span, censored, judge, log_ratio, vote
from epsrank.numerics.experiments.initial.runs import SmallRun, by_setting
from epsrank.numerics.staircase import detect_staircase
from epsrank.theory.statistics import proportion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: How near its level a plateau of the detector has to be.
NEAR = 0.1


def usual_runs(runs: Sequence[SmallRun], rules: Mapping[str, Any]) -> list[SmallRun]:
    """Return the runs that differ from each other in target, scale and seed alone."""
    return [
        run
        for run in runs
        if (s := run.settings)["first"] == "gaussian"
        and s["momentum"] == 0
        and s["batch"] is None
        and s["width"] == rules["widths"][0]
        and s["learning_rate"] == rules["rates"][s["target"]]
    ]


def shape(run: SmallRun) -> tuple[Span, Span]:
    """Return log₁₀ of first plateau / descent, and of second plateau / descent."""
    first, descent = run.time("escaped"), run.length("escaped", "settled")
    if first is None or descent is None:
        return (-np.inf, -np.inf), (-np.inf, -np.inf)  # without a descent there are no stages
    fall = descent, descent
    return log_ratio((first, first), fall), log_ratio(run.span("settled", "left"), fall)


def detected(run: SmallRun) -> bool:
    """Whether the detector finds a plateau at the first loss, and one at the affine loss."""
    # It may begin within a fall, and end in one: its level is that of its first half.
    levels = _plateaus(run.loss.tobytes(), run.steps.tobytes())
    first = [start for start, level in levels if abs(level / run.square - 1) <= NEAR]
    second = [start for start, level in levels if abs(level / run.affine - 1) <= NEAR]
    return bool(first and second and first[0] < second[-1])


@lru_cache(maxsize=4096)  # the same losses are seen in several views
def _plateaus(losses: bytes, times: bytes) -> list[tuple[int, float]]:
    """Return where plateaus start, and the median of the first half of each."""
    loss, steps = np.frombuffer(losses), np.frombuffer(times)
    found = detect_staircase(loss, times=steps)
    return [
        (p.start, float(np.median(loss[p.start : (p.start + p.end) // 2 + 1])))
        for p in found.plateaus
    ]


def stages(runs: Sequence[SmallRun], rules: Mapping[str, Any]) -> Finding:
    """Judge by passages of levels and by the detector, which have to agree."""
    effects: list[Effect] = []
    votes, holds, against, seen = [], [], [], []
    for (target, sigma), mine in by_setting(usual_runs(runs, rules), "target", "sigma").items():
        where = f"{target}, σ = {sigma:g}"
        shapes = {run.seed: shape(run) for run in mine}
        items = [
            censored(f"log₁₀ of {name} plateau / descent, {where}", [s[k] for s in shapes.values()],
                     unit="decades")
            for k, name in enumerate(("first", "second"))
        ]  # fmt: skip
        both = [item for item in items if item is not None]
        if sigma >= rules["control"] or len(both) < 2:
            continue
        effects += both
        marks = [detected(run) for run in mine]
        agrees = proportion(sum(marks), len(marks)).low > 0.5
        seen.append(f"{sum(marks)} of {len(marks)} ({where})")
        holds.append(agrees and all(item.interval.low > 0 for item in both))
        against.append(any(item.interval.high < 0 for item in both))
        votes.append({seed: min(map(vote, spans)) for seed, spans in shapes.items()})
    words = "first and second plateau are each longer than the descent between them"
    return Finding(
        "three-stages",
        judge(holds, against),
        f"In {sum(holds)} of {len(holds)} settings {words}, and the detector finds both: in "
        f"{', '.join(seen)} runs.",
        effects,
        tried=len(effects),
        witness=dict(runs[0].settings) if against and all(against) else None,
        pvalue=family_pvalue(votes) if votes else None,
    )


def stage_rows(runs: Sequence[SmallRun], rules: Mapping[str, Any]) -> Table:
    """Return lengths of the stages in time, medians over seeds, controls too."""
    rows = []
    for (target, sigma), mine in by_setting(usual_runs(runs, rules), "target", "sigma").items():
        row: dict[str, Any] = {"target": target, "σ": sigma, "seeds": len(mine)}
        for name, values in {
            "first plateau": [run.time("escaped") for run in mine],
            "descent": [run.length("escaped", "settled") for run in mine],
            "second plateau": [run.length("settled", "left") for run in mine],
        }.items():
            known = [value for value in values if value is not None]
            row[name] = float(np.median(known)) if known else None
            row[f"{name}, never over"] = len(values) - len(known)
        row["L₀"], row["affine loss"] = mine[0].square, mine[0].affine
        row["plateaus by the detector"] = sum(detected(run) for run in mine)
        rows.append(row)
    return Table("stages", "Lengths of the stages, in time η·t", rows)


def draw_stages(runs: Sequence[SmallRun], rules: Mapping[str, Any]) -> Figure:
    """Draw every run's loss against the logarithm of time, one row of panels per target."""
    from epsrank.numerics.plots.style import look, new_figure

    groups = by_setting(usual_runs(runs, rules), "target", "sigma")
    targets = list(dict.fromkeys(target for target, _ in groups))
    scales = sorted({sigma for _, sigma in groups}, reverse=True)
    figure = new_figure(3.2 * len(scales) + 0.6, 2.6 * len(targets) + 0.6)
    panels = figure.subplots(len(targets), len(scales), squeeze=False, sharey="row")
    for (target, sigma), mine in groups.items():
        panel = panels[targets.index(target)][scales.index(sigma)]
        for run in mine:
            panel.plot(run.steps * run.pace, run.loss, color=look(0).colour, alpha=0.5, linewidth=1)
        for level, words in (
            (0.9 * mine[0].square, "0.9 L₀"),
            (0.9 * mine[0].affine, "0.9 affine"),
        ):
            panel.axhline(level, color="0.6", linewidth=0.7, linestyle=":")
            panel.annotate(words, (1, level), xycoords=("axes fraction", "data"), ha="right",
                           va="bottom", fontsize=6, color="0.4")  # fmt: skip
        panel.set_yscale("log")
        panel.set_xscale("symlog", linthresh=1)
        panel.set_xlim(left=0)
        panel.set_title(f"{target}, σ = {sigma:g}", fontsize=8)
        panel.set_xlabel("time η·t")
    for row in panels:
        row[0].set_ylabel("loss (mean)")
    return figure
