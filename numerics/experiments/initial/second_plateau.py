"""What shortens the second plateau, at equal time: claim second-plateau."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import Effect, Finding, Table, family_pvalue
from epsrank.numerics.experiments.initial.judged import Span, censored, judge, log_ratio, vote
from epsrank.numerics.experiments.initial.runs import SmallRun, by_seed, by_setting
from epsrank.theory.statistics import equivalent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Factors = Mapping[str, Mapping[str, Any]]


def arms(
    runs: Sequence[SmallRun], rules: Mapping[str, Any], factors: Factors
) -> dict[str, dict[str, list[SmallRun]]]:
    """Return the runs by target and factor; ``"usual"`` is what they are compared with."""
    found: dict[str, dict[str, list[SmallRun]]] = {}
    for (target,), mine in by_setting(runs, "target").items():
        base = {
            "sigma": rules["sigma"],
            "width": rules["widths"][0],
            "momentum": 0.0,
            "batch": None,
            "first": "gaussian",
            "learning_rate": rules["rates"][target],
        }
        wanted = {name: _changed(base, factor) for name, factor in factors.items()}
        found[target] = {
            name: [run for run in mine if all(run.settings[k] == v for k, v in same.items())]
            for name, same in ({"usual": base} | wanted).items()
        }
    return found


def _changed(base: Mapping[str, Any], factor: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an arm."""
    changed = {key: factor.get(key, value) for key, value in base.items()}
    changed["width"] *= factor.get("wider", 1)
    changed["learning_rate"] *= factor.get("rate", 1.0)
    return changed


def ratios(usual: Sequence[SmallRun], arm: Sequence[SmallRun]) -> dict[int, Span]:
    """Return what is known of log₁₀ of the lengths' ratio by seed."""
    held, other = by_seed(usual), by_seed(arm)
    return {
        seed: log_ratio(other[seed].span("settled", "left"), held[seed].span("settled", "left"))
        for seed in held.keys() & other.keys()
    }


def shortened(runs: Sequence[SmallRun], rules: Mapping[str, Any], factors: Factors) -> Finding:
    """Judge every factor in every target."""
    effects: list[Effect] = []
    votes, holds, against = [], [], []
    by_factor: dict[str, list[str]] = {}
    for target, groups in arms(runs, rules, factors).items():
        for factor in factors:
            found = ratios(groups["usual"], groups[factor])
            name = f"log₁₀ of length / usual length, {factor}, {target}"
            item = censored(name, list(found.values()), unit="decades")
            if item is None:
                continue
            effects.append(item)
            holds.append(item.interval.high < 0)
            same = equivalent(item.interval, 0.0, rules["same"])
            against.append(item.interval.low > 0 or same)
            # Shorter by less than the margin is no shortening that matters.
            word = "same" if same else "shorter" if holds[-1] else "longer" if against[-1] else "?"
            by_factor.setdefault(factor, []).append(word)
            votes.append({seed: -vote(span) for seed, span in found.items()})
            holds[-1] = word == "shorter"
    words = "; ".join(f"{factor}: {', '.join(said)}" for factor, said in by_factor.items())
    return Finding(
        "second-plateau",
        judge(holds, against),
        f"At equal time, against σ = {rules['sigma']:g}, by target: {words}.",
        effects,
        tried=len(effects),
        witness=dict(runs[0].settings) if against and all(against) else None,
        pvalue=family_pvalue(votes) if votes else None,
    )


def arm_rows(runs: Sequence[SmallRun], rules: Mapping[str, Any], factors: Factors) -> Table:
    """Return the second plateau's length by arm."""
    rows = []
    for target, groups in arms(runs, rules, factors).items():
        for name, mine in groups.items():
            times = [run.length("settled", "left") for run in mine]
            known = [time for time in times if time is not None]
            logs = [low for low, high in ratios(groups["usual"], mine).values() if low == high]
            rows.append(
                {
                    "target": target,
                    "arm": name,
                    "seeds": len(mine),
                    "never over": len(times) - len(known),
                    "second plateau, time": float(np.median(known)) if known else None,
                    "ratio to usual": 10 ** float(np.median(logs)) if logs else None,
                }
            )
    return Table("second-plateau", "Length of the second plateau, in time η·t/(1 − μ)", rows)


def draw_arms(runs: Sequence[SmallRun], rules: Mapping[str, Any], factors: Factors) -> Figure:
    """Draw the length of every run, one row per arm and one panel per target."""
    from epsrank.numerics.plots.style import look, new_figure

    held = arms(runs, rules, factors)
    figure = new_figure(3.2 * len(held) + 1.6, 3.4)
    panels = figure.subplots(1, len(held), squeeze=False, sharey=True)[0]
    for panel, (target, groups) in zip(panels, held.items(), strict=True):
        for place, mine in enumerate(groups.values()):
            times = [time for run in mine if (time := run.length("settled", "left")) is not None]
            panel.plot(times, [place] * len(times), "o", color=look(place).colour, alpha=0.6,
                       markersize=4)  # fmt: skip
            never = len(mine) - len(times)
            if never:
                panel.annotate(f"{never} never over", (0.98, place), va="center", ha="right",
                               xycoords=("axes fraction", "data"), fontsize=6)  # fmt: skip
        panel.set_xscale("log")
        panel.set_title(target, fontsize=9)
        panel.set_xlabel("length, time η·t/(1 − μ)")
        panel.set_yticks(range(len(groups)), list(groups), fontsize=7)
    panels[0].invert_yaxis()
    return figure
