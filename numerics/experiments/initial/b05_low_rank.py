"""B5: effective rank of deep products at a fixed training loss, against depth and initial scale.

Settings of the source: 30 × 30 matrices of rank 3 and mean square 1, 400 entries observed, products
of 2, 3 and 4 factors; the scale is that of the *product* (its L-th root for each factor). Rates are
ours. Full-batch descent in float64, and Adam at 1e-3 beside it.

Rule: paired by seed, at the judged loss, one factor more at the same scale, or the next smaller
scale at the same depth, has the smaller effective rank exp H(σ/Σσ). A comparison is left out where
its first arm is within `saturated` of the effective rank of the matrix itself: nothing lower can be
seen there. Supported where all others are smaller, a regime where some are, refuted where all are
established to be larger or the same; runs that never reach the loss are counted. Observations in
two blocks, which share no row and no column, are a control: reported, not judged.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Picture,
    Table,
    family_pvalue,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.initial.judged import (
    Span,
    censored,
    difference,
    judge,
    vote,
)
from epsrank.numerics.experiments.robustness import with_panel
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.statistics import equivalent

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "low-rank-bias"
Arm = tuple[str, str, int, float]  # optimiser, pattern, depth, scale


def plan(request: Request) -> list[Trial]:
    """Return one trial of all seeds per optimiser, pattern, depth and scale."""
    rules = experiment_rules("B5", request.size)
    return [
        Trial(
            "factorisation",
            {key: rules[key] for key in ("size", "rank", "observed", "losses", "steps")}
            | {
                "optimizer": optimizer,
                "pattern": pattern,
                "depth": depth,
                "scale": scale,
                "learning_rate": rules["rates"].get(
                    optimizer, rules["rates"].get(f"{optimizer}-{depth}")
                ),
                "seed": request.first,
                "count": len(request.seed_range(rules["seeds"])),
            },
        )
        for optimizer in rules["optimizers"]
        for pattern in rules["patterns"]
        for depth in rules["depths"]
        for scale in rules["scales"]
    ]


def by_arm(outcomes: Sequence[Outcome]) -> dict[Arm, Outcome]:
    """Return the trials that were carried out by arm."""
    return {
        (s["optimizer"], s["pattern"], s["depth"], s["scale"]): outcome
        for outcome in outcomes
        if outcome.status == "done"
        for s in (outcome.settings,)
    }


def ranks(outcome: Outcome, loss: float) -> dict[int, float]:
    """Return the effective rank at a training loss by seed, of the runs that reach it."""
    (entry,) = (entry for entry in outcome.result["at"] if entry["loss"] == loss)
    first = outcome.settings["seed"]
    return {first + k: rank for k, rank in enumerate(entry["rank"]) if rank is not None}


def _seeds(outcome: Outcome) -> set[int]:
    first = outcome.settings["seed"]
    return set(range(first, first + outcome.settings["count"]))


def _span(known: Mapping[int, float], seed: int, outcome: Outcome) -> Span:
    """Return what is known of an effective rank: of a run that did not arrive what can be one."""
    return (known[seed],) * 2 if seed in known else (1.0, float(outcome.settings["size"]))


def pairs(arms: Mapping[Arm, Outcome]) -> list[tuple[str, Arm, Arm]]:
    """Return the comparisons: one more factor, or the next smaller scale."""
    found = []
    for optimizer, pattern in dict.fromkeys(arm[:2] for arm in arms):
        mine = [arm[2:] for arm in arms if arm[:2] == (optimizer, pattern)]
        depths = sorted({depth for depth, _ in mine})
        scales = sorted({scale for _, scale in mine}, reverse=True)
        steps = [((a, scale), (b, scale)) for scale in scales for a, b in pairwise(depths)]
        steps += [((depth, a), (depth, b)) for depth in depths for a, b in pairwise(scales)]
        for a, b in steps:
            if a in mine and b in mine:
                what = f"depth {a[0]} → {b[0]}, scale {a[1]:g}"
                if a[0] == b[0]:
                    what = f"scale {a[1]:g} → {b[1]:g}, depth {a[0]}"
                where = f"{what}, {optimizer}, {pattern}"
                found.append((where, (optimizer, pattern, *a), (optimizer, pattern, *b)))
    return found


def findings(arms: Mapping[Arm, Outcome], rules: Mapping[str, Any], loss: float) -> list[Finding]:
    """Judge all comparisons at a training loss."""
    effects: list[Effect] = []
    votes, holds, against, controls = [], [], [], []
    saturated = 0
    for where, first, second in pairs(arms):
        a, b = ranks(arms[first], loss), ranks(arms[second], loss)
        apart = {
            seed: difference(_span(b, seed, arms[second]), _span(a, seed, arms[first]))
            for seed in _seeds(arms[first]) & _seeds(arms[second])
        }
        item = censored(f"effective rank, {where}", list(apart.values()))
        if item is None:
            continue
        effects.append(item)
        lower = item.interval.high < 0
        if first[1] == "blocks":
            controls.append(lower)
            continue
        true = float(np.median(arms[first].result["true"]))
        if a and float(np.median(list(a.values()))) < true + rules["saturated"]:
            saturated += 1
            continue
        holds.append(lower)
        against.append(item.interval.low > 0 or equivalent(item.interval, 0.0, rules["same"]))
        votes.append({seed: -vote(span) for seed, span in apart.items()})
    missing = sum(arm.settings["count"] - len(ranks(arm, loss)) for arm in arms.values())
    blocks = f" In two blocks {sum(controls)} of {len(controls)}." if controls else ""
    return [
        Finding(
            CLAIM,
            judge(holds, against),
            f"At a training loss of {loss:g}, one more factor or the next smaller scale has the "
            f"smaller effective rank in {sum(holds)} of {len(holds)} comparisons; {saturated} more "
            f"begin at the rank of the matrix itself. {missing} runs did not reach the loss."
            + blocks,
            effects,
            tried=len(effects),
            witness=_witness(arms, loss) if against and all(against) else None,
            pvalue=family_pvalue(votes) if votes else None,
        )
    ]


def _witness(arms: Mapping[Arm, Outcome], loss: float) -> dict[str, Any]:
    where, first, second = pairs(arms)[0]
    return {
        "comparison": where,
        "ranks before": list(ranks(arms[first], loss).values()),
        "ranks after": list(ranks(arms[second], loss).values()),
    }


def rows_of(arms: Mapping[Arm, Outcome]) -> Table:
    """Return effective ranks, errors and steps at every loss, medians over seeds."""
    rows = []
    for (optimizer, pattern, depth, scale), outcome in arms.items():
        result = outcome.result
        for entry in result["at"]:
            known = [k for k, step in enumerate(entry["step"]) if step is not None]

            def middle(name: str, entry: Mapping[str, Any] = entry) -> float | None:
                held = [value for value in entry[name] if value is not None]
                return float(np.median(held)) if held else None

            rows.append(
                {
                    "optimiser": optimizer,
                    "observed": pattern,
                    "connected": sum(result["connected"]),
                    "depth": depth,
                    "scale of the product": scale,
                    "training loss": entry["loss"],
                    "reached": f"{len(known)} of {len(entry['step'])}",
                    "effective rank": middle("rank"),
                    "of the matrix": float(np.median(result["true"])),
                    "relative error, unseen": middle("unseen"),
                    "steps": middle("step"),
                }
            )
    return Table("effective-ranks", "Effective rank of the product at fixed training losses", rows)


def judged(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge at the training loss of the rules."""
    rules = experiment_rules("B5", "standard")
    arms = by_arm(outcomes)
    failed = sum(outcome.status != "done" for outcome in outcomes)
    notes = (f"{failed} of {len(outcomes)} trials failed",) if failed else ()
    picture = Picture(
        "effective-ranks",
        f"B5: effective rank at a training loss of {rules['judged']:g} against the scale of the "
        f"product, every seed (claim {CLAIM})",
        partial(_draw, arms, rules["judged"]),
    )
    found = tuple(findings(arms, rules, rules["judged"]))
    return Analysis(found, (rows_of(arms),), (picture,) if arms else (), notes)


def views(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, list[Outcome]]]:
    """Give outcomes with what was seen at another training loss in the place of the judged one."""
    rules = experiment_rules("B5", "standard")
    for other in rules["losses"]:
        if other != rules["judged"]:
            yield (
                f"at a training loss of {other:g}",
                [_swapped(outcome, rules["judged"], other) for outcome in outcomes],
            )


def _swapped(outcome: Outcome, judged: float, other: float) -> Outcome:
    if outcome.status != "done":
        return outcome
    names = {judged: other, other: judged}
    at = [entry | {"loss": names.get(entry["loss"], entry["loss"])}
          for entry in outcome.result["at"]]  # fmt: skip
    return replace(outcome, result={**outcome.result, "at": at})


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Judge at the loss of the rules, and see it again at the others."""
    return with_panel(judged, outcomes, views)


def _draw(arms: Mapping[Arm, Outcome], loss: float) -> Figure:
    """Draw every run, one panel per optimiser and pattern."""
    from epsrank.numerics.plots.style import look, new_figure

    kinds = list(dict.fromkeys(arm[:2] for arm in arms))
    depths = sorted({arm[2] for arm in arms})
    figure = new_figure(3.0 * len(kinds) + 0.6, 3.4)
    panels = figure.subplots(1, len(kinds), squeeze=False, sharey=True)[0]
    for (optimizer, pattern, depth, scale), outcome in arms.items():
        panel, style = panels[kinds.index((optimizer, pattern))], look(depths.index(depth))
        values = list(ranks(outcome, loss).values())
        # Beside each other, so that depths at one scale do not hide each other.
        place = scale * math.pow(1.25, depths.index(depth) - 1)
        panel.plot([place] * len(values), values, style.marker, color=style.colour, alpha=0.6,
                   markersize=4)  # fmt: skip
        panel.axhline(float(np.median(outcome.result["true"])), color="0.6", linewidth=0.7)
    for panel, (optimizer, pattern) in zip(panels, kinds, strict=True):
        for index, depth in enumerate(depths):
            style = look(index)
            panel.plot([], [], style.marker, color=style.colour, label=f"depth {depth}")
        panel.set_xscale("log")
        panel.invert_xaxis()
        panel.set_title(f"{optimizer}, {pattern}", fontsize=9)
        panel.set_xlabel("scale of the product")
    panels[0].set_ylabel("effective rank")
    panels[0].legend(fontsize=7, frameon=False)
    return figure


EXPERIMENT = Experiment(
    "B5",
    "Low-rank bias of deep matrix factorisation",
    "Arora et al., arXiv 1905.13655; rates and Adam ours",
    (CLAIM,),
    plan,
    analyse,
)
