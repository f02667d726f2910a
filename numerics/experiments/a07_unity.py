"""A7: random features under a partition of unity against one block; rank against error.

The source compares one choice of the random weights; here their scale R runs over a range, since
a part of a third of the width sees weights three times as steep. Rule, fixed beforehand: at every R
the arms are paired by seed, over ε = 1e-6. The claim has two halves, a larger ε-rank and a smaller
error on random points. It is supported where both intervals exclude no effect in its favour at
every R, and when each arm has its own best R; a regime where that is so at some R; refuted where at
every R one of its halves is excluded in the other direction; else undecided.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.stats import kendalltau

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Judgement,
    Picture,
    Table,
    family_pvalue,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial
from epsrank.theory.statistics import MedianInterval, median_interval

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CLAIM = "unity-rank"
EPS = (1e-6, 1e-10, 1e-14)
_COUNTED = str(EPS[0])
#: Parts per axis of the two arms.
ARMS = {"unity": 3, "block": 1}


def plan(request: Request) -> list[Trial]:
    """Return one trial per arm, scale R and seed."""
    rules = experiment_rules("A7", request.size)
    return [
        Trial(
            "random-features",
            {
                "task": "cosines-2d",
                "parts": parts,
                # Both arms have as many features: nine parts of m, or one of 9m.
                "per_part": rules["per_part"] * (9 // parts**2),
                "scale": scale,
                "points": rules["points"],
                "eps": list(EPS),
                "seed": seed,
            },
        )
        for scale in rules["scales"]
        for seed in request.seed_range(rules["seeds"])
        for parts in ARMS.values()
    ]


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return one row per fit that was carried out."""
    names = {parts: arm for arm, parts in ARMS.items()}
    rows = []
    for outcome in outcomes:
        if outcome.status != "done":
            continue
        result, settings = outcome.result, outcome.settings
        row = {
            "arm": names[settings["parts"]],
            "scale": settings["scale"],
            "seed": settings["seed"],
            "features": result["n_features"],
        }
        for eps in result["rank_lower"]:
            row[f"rank at {eps}, lower"] = result["rank_lower"][eps]
            row[f"rank at {eps}, upper"] = result["rank_upper"][eps]
        row |= {name: result[name] for name in ("train_error", "test_error", "norm")}
        rows.append(row)
    return rows


def _paired(rows: list[dict[str, Any]], scales: dict[str, float]) -> dict[str, MedianInterval]:
    """Return rank difference and decades of error, unity against block, each arm at its scale."""
    held = {(row["arm"], row["scale"], row["seed"]): row for row in rows}
    pairs = [
        (row, held["block", scales["block"], seed])
        for (arm, scale, seed), row in held.items()
        if arm == "unity" and scale == scales["unity"] and ("block", scales["block"], seed) in held
    ]
    if not pairs:
        return {}
    lower, upper = f"rank at {_COUNTED}, lower", f"rank at {_COUNTED}, upper"
    # Against the claim where a rank is only known to an interval.
    ranks = [float(unity[lower] - block[upper]) for unity, block in pairs]
    errors = [math.log10(unity["test_error"] / block["test_error"]) for unity, block in pairs]
    return {"rank": median_interval(ranks), "error": median_interval(errors)}


def _votes(rows: list[dict[str, Any]], scale: float) -> dict[int, float]:
    """Return one vote per seed at a scale: for, where rank and error are both as claimed."""
    held = {(row["arm"], row["seed"]): row for row in rows if row["scale"] == scale}
    votes = {}
    for (arm, seed), unity in held.items():
        block = held.get(("block", seed))
        if arm == "unity" and block is not None:
            more = unity[f"rank at {_COUNTED}, lower"] - block[f"rank at {_COUNTED}, upper"]
            less = block["test_error"] - unity["test_error"]
            votes[seed] = min(float(np.sign(more)), float(np.sign(less)))
    return votes


def _best(rows: list[dict[str, Any]], arm: str) -> float:
    """Return the R of an arm with the least median error over seeds."""
    mine = [row for row in rows if row["arm"] == arm]
    errors = {
        float(scale): float(np.median([r["test_error"] for r in mine if r["scale"] == scale]))
        for scale in sorted({row["scale"] for row in mine})
    }
    return min(errors, key=errors.__getitem__)


def judge(comparisons: Sequence[dict[str, MedianInterval]]) -> Judgement:
    """Judge by the rule of this module."""
    holds = [pair["rank"].low > 0 and pair["error"].high < 0 for pair in comparisons]
    against = [pair["rank"].high < 0 or pair["error"].low > 0 for pair in comparisons]
    if comparisons and all(holds):
        return "supported"
    if any(holds):
        return "regime"
    return "refuted" if comparisons and all(against) else "undecided"


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Compare the arms at every R and at the best R of each, and correlate rank and error."""
    rows = rows_of(outcomes)
    failed = len(outcomes) - len(rows)
    notes = (f"{failed} of {len(outcomes)} fits failed",) if failed else ()
    scales = sorted({row["scale"] for row in rows})
    settings = {f"R = {scale:g}": {"unity": scale, "block": scale} for scale in scales}
    if {row["arm"] for row in rows} == set(ARMS):
        # One R for both could favour an arm: the local coordinates of a part are steeper.
        best = {arm: _best(rows, arm) for arm in ARMS}
        label = f"each at its best R ({best['unity']:g} and {best['block']:g})"
        settings[label] = best
    compared = {name: pair for name, arms in settings.items() if (pair := _paired(rows, arms))}
    judgement = judge(list(compared.values()))
    effects = [
        Effect(f"{what}, {name}", pair[key], unit=unit)
        for name, pair in compared.items()
        for key, what, unit in (
            ("rank", f"{_COUNTED}-rank of unity − block", ""),
            ("error", "log₁₀ of error of unity / block", "decades"),
        )
    ]
    finding = Finding(
        CLAIM,
        judgement,
        _statement(rows, compared),
        effects,
        tried=len(effects),
        # Where the claim does not hold throughout, a pair shows it.
        witness=_witness(rows) if judgement in ("regime", "refuted") else None,
        pvalue=family_pvalue([_votes(rows, scale) for scale in scales]),
    )
    tables = (
        Table("fits", "Every fit: ranks and errors", rows),
        Table("rank-and-error", "Does a larger ε-rank go with a smaller error?", _taus(rows)),
    )
    picture = Picture(
        "rank-against-error",
        f"A7: error on random points against the {_COUNTED}-rank, one point per R and seed "
        f"(claim {CLAIM})",
        partial(_draw, rows),
    )
    return Analysis((finding,), tables, (picture,) if rows else (), notes)


def _statement(rows: list[dict[str, Any]], compared: dict[str, dict[str, MedianInterval]]) -> str:
    if not compared:
        return "No pair of fits was carried out."
    more = [name for name, pair in compared.items() if pair["rank"].low > 0]
    better = [name for name, pair in compared.items() if pair["error"].high < 0]
    worse = [name for name, pair in compared.items() if pair["error"].low > 0]
    return (
        f"Of {len(compared)} settings the partition of unity has the larger ε-rank in {len(more)}; "
        f"its error is smaller in {len(better)} ({', '.join(better) or 'none'}) and larger in "
        f"{len(worse)} ({', '.join(worse) or 'none'})."
    )


def _witness(rows: list[dict[str, Any]]) -> dict[str, Any] | None:
    """Return the pair in which the arm of larger rank loses by most."""
    held = {(row["arm"], row["scale"], row["seed"]): row for row in rows}
    pairs = [
        (
            unity["test_error"] / held["block", scale, seed]["test_error"],
            unity,
            held["block", scale, seed],
        )
        for (arm, scale, seed), unity in held.items()
        if arm == "unity" and ("block", scale, seed) in held
    ]
    if not pairs:
        return None
    _, unity, block = max(pairs, key=lambda pair: pair[0])
    return {"unity": unity, "block": block}


def _taus(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return Kendall's τ between rank and error, within each arm over all R and seeds."""
    found = []
    for arm in (*ARMS, "both"):
        mine = [row for row in rows if arm in (row["arm"], "both")]
        if len(mine) < 3:
            continue
        ranks = [row[f"rank at {_COUNTED}, lower"] for row in mine]
        tau, p = kendalltau(ranks, [row["test_error"] for row in mine])
        found.append({"arm": arm, "fits": len(mine), "tau": float(tau), "p": float(p)})
    return found


def _draw(rows: list[dict[str, Any]]) -> Figure:
    """Draw error against rank."""
    from epsrank.numerics.plots.style import look, new_figure

    figure = new_figure()
    axes = figure.add_subplot()
    for index, arm in enumerate(ARMS):
        mine = [row for row in rows if row["arm"] == arm]
        style = look(index)
        axes.scatter(
            [row[f"rank at {_COUNTED}, lower"] for row in mine],
            [row["test_error"] for row in mine],
            color=style.colour,
            marker=style.marker,
            s=22,
            label={"unity": "partition of unity, 3 × 3 parts", "block": "one block"}[arm],
        )
        for scale in sorted({row["scale"] for row in mine}):
            same = [row for row in mine if row["scale"] == scale]
            place = (
                float(np.median([row[f"rank at {_COUNTED}, lower"] for row in same])),
                float(np.median([row["test_error"] for row in same])),
            )
            axes.annotate(
                f"R = {scale:g}", place, xytext=(7, 6), textcoords="offset points", fontsize=7
            )
    axes.set_yscale("log")
    axes.set_xlabel(f"ε-rank at ε = {EPS[0]:g}")
    axes.set_ylabel("‖u − u*‖ / ‖u*‖ on random points")
    axes.legend(frameon=False)
    return figure


EXPERIMENT = Experiment(
    "A7",
    "Random features: a partition of unity against one block",
    "[S1]; cos x cos y + cos 10x cos 10y on [−1, 1]², 3 × 3 × 100 features against 900",
    (CLAIM,),
    plan,
    analyse,
)
