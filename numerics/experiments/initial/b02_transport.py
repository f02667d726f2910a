"""B2: when the amplitudes of neurons move, against the stages of the loss.

Settings: those of B1, with the distance W₁ between successive distributions of |a_k|·‖(w_k, b_k)‖
at every step of the first 800 and every tenth beyond, per unit of time.

Rule: the *descent* is from the end of the first plateau (0.9 L₀) until the loss is 1.05 times that
of the best affine function. Its place by ranks, per seed, is the probability that a moment of the
descent has the larger W₁ than a moment outside, less ½, moments counting by time (AUC − ½). The
claim: that is positive, and the largest W₁ of the run lies in the descent, per target and small σ
(medians over seeds). The control is a scale without a first plateau.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Picture,
    Table,
    effect,
    family_pvalue,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.initial.judged import judge, other_levels
from epsrank.numerics.experiments.initial.runs import (
    LEVELS,
    WATCHED,
    SmallRun,
    by_setting,
    read_runs,
)
from epsrank.numerics.experiments.robustness import FIRST_HALF, SECOND_ROWS, with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.statistics import proportion

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "amplitude-transport"
Mask = NDArray[np.bool_]


def plan(request: Request) -> list[Trial]:
    """Return one trial of all seeds per target and scale."""
    rules = experiment_rules("B2", request.size)
    return [
        Trial(
            "small-weights",
            {
                "target": target,
                "width": rules["width"],
                "sigma": sigma,
                "first": "gaussian",
                "output_bias": False,
                "learning_rate": rules["rates"][target],
                "momentum": 0.0,
                "batch": None,
                "steps": rules["steps"],
                "rows": list(rules["rows"]),
                "until": "end",
                "seed": request.first,
                "count": len(request.seed_range(rules["seeds"])),
            },
        )
        for target in rules["targets"]
        for sigma in (rules["control"], *rules["scales"])
    ]


def descent(run: SmallRun) -> Mask | None:
    """Return which measurements lie in the descent; None where it has no beginning or end."""
    start, end = run.passed["escaped"], run.passed["settled"]
    if start is None or end is None:
        return None
    # W₁ at a row is of the way since the row before.
    inside: Mask = (run.steps > start) & (run.steps <= end)
    return inside if inside.any() and not inside.all() else None


def advantage(run: SmallRun) -> float:
    """Return P(W₁ in the descent > W₁ outside) + ½ P(equal) − ½, moments weighted by time."""
    inside = descent(run)
    if inside is None:
        return float("nan")
    spans = np.diff(run.steps, prepend=run.steps[0])[1:]
    held, moved = inside[1:], run.transport[1:]
    if not held.any():
        return float("nan")
    a, b = moved[held][:, None], moved[~held][None, :]
    weights = spans[held][:, None] * spans[~held][None, :]
    wins = (a > b) + 0.5 * (a == b)
    return float((wins * weights).sum() / weights.sum()) - 0.5


def peak_inside(run: SmallRun) -> bool:
    """Whether the largest W₁ of the run lies in the descent."""
    inside = descent(run)
    return inside is not None and bool(inside[int(np.argmax(run.transport))])


def findings(runs: Sequence[SmallRun], control: float) -> tuple[Finding, ...]:
    """Judge every target and small scale."""
    effects: list[Effect] = []
    votes, holds, against, words = [], [], [], []
    for (target, sigma), mine in by_setting(runs, "target", "sigma").items():
        where = f"{target}, σ = {sigma:g}"
        found = {run.seed: advantage(run) for run in mine}
        item = effect(f"AUC − ½ of W₁ in the descent, {where}", list(found.values()))
        if item is None or sigma >= control:
            continue
        effects.append(item)
        peaks = [peak_inside(run) for run in mine]
        holds.append(item.interval.low > 0 and proportion(sum(peaks), len(peaks)).low > 0.5)
        against.append(item.interval.high < 0 or proportion(sum(peaks), len(peaks)).high < 0.5)
        words.append(f"{sum(peaks)} of {len(peaks)} ({where})")
        # A seed votes for the claim where both are so.
        votes.append(
            {
                run.seed: min(found[run.seed], 1.0 if peak else -1.0)
                for run, peak in zip(mine, peaks, strict=True)
            }
        )
    return (
        Finding(
            CLAIM,
            judge(holds, against),
            "W₁ of amplitudes per time is larger in the descent than outside, and largest there, "
            f"in {sum(holds)} of {len(holds)} settings; its peak lies there in {', '.join(words)} "
            "runs.",
            effects,
            tried=len(effects),
            witness=dict(runs[0].settings) if against and all(against) else None,
            pvalue=family_pvalue(votes) if votes else None,
        ),
    )


def rows_of(runs: Sequence[SmallRun]) -> Table:
    """Return where the peak is, and how much moves in each stage, medians over seeds."""
    rows = []
    for (target, sigma), mine in by_setting(runs, "target", "sigma").items():
        row: dict[str, Any] = {"target": target, "σ": sigma, "seeds": len(mine)}
        row["peak in the descent"] = sum(peak_inside(run) for run in mine)
        known = [value for run in mine if np.isfinite(value := advantage(run))]
        row["AUC − ½"] = float(np.median(known)) if known else None
        row["peak, time"] = float(
            np.median([run.steps[int(np.argmax(run.transport))] * run.pace for run in mine])
        )
        for name in ("escaped", "settled", "left"):
            times = [time for run in mine if (time := run.time(name)) is not None]
            row[f"{name}, time"] = float(np.median(times)) if times else None
        rows.append(row)
    return Table("transport", "W₁ of amplitudes against the stages, in time η·t", rows)


def judged(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claim."""
    control = experiment_rules("B2", "standard")["control"]
    runs, notes = read_runs(outcomes)
    picture = Picture(
        "transport",
        "B2: W₁ of amplitudes per unit of time, every run; shaded: the descent of the median run "
        f"(claim {CLAIM})",
        partial(_draw, runs),
    )
    return Analysis(findings(runs, control), (rows_of(runs),), (picture,) if runs else (), notes)


def views(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """Give outcomes at other levels, with every second measurement, and in half of the budget."""
    yield from other_levels(outcomes, LEVELS)
    yield from WATCHED.views(outcomes, (SECOND_ROWS, FIRST_HALF))


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge the claim, and hold it back where it does not stand in every view."""
    return with_panel(judged, outcomes, views)


def _draw(runs: Sequence[SmallRun]) -> Figure:
    """Draw W₁ over time, with the descent shaded."""
    from epsrank.numerics.plots.style import look, new_figure

    groups = by_setting(runs, "target", "sigma")
    targets = list(dict.fromkeys(target for target, _ in groups))
    scales = sorted({sigma for _, sigma in groups}, reverse=True)
    figure = new_figure(3.0 * len(scales) + 0.6, 2.5 * len(targets) + 0.6)
    panels = figure.subplots(len(targets), len(scales), squeeze=False)
    for (target, sigma), mine in groups.items():
        panel = panels[targets.index(target)][scales.index(sigma)]
        for run in mine:
            panel.plot(run.steps[1:] * run.pace, run.transport[1:], color=look(0).colour, alpha=0.5,
                       linewidth=0.8)  # fmt: skip
        ends = [
            np.median([t for run in mine if (t := run.time(level)) is not None] or [np.nan])
            for level in ("escaped", "settled")
        ]
        if np.isfinite(ends).all():
            panel.axvspan(ends[0], ends[1], color="0.88", zorder=0)
        panel.set_xscale("log")
        panel.set_yscale("log")
        panel.set_title(f"{target}, σ = {sigma:g}", fontsize=8)
        panel.set_xlabel("time η·t")
    for row in panels:
        row[0].set_ylabel("W₁ per unit of time")
    return figure


EXPERIMENT = Experiment(
    "B2",
    "Transport of amplitudes against the stages of the loss",
    "arXiv 2410.20119; settings ours",
    (CLAIM,),
    plan,
    analyse,
)
