"""I1, I2: the ε-rank at initialisation, predicted by kernels and measured over seeds."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

from epsrank.numerics.first_layer.initial_rank import MeasuredRank, measured_ranks
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.kernels.initialisation import LayerInit
from epsrank.theory.kernels.input_measure import box_measure
from epsrank.theory.kernels.prediction import InitialRank, initial_ranks

EPS = 1e-6
#: ε-ranks that I2 calls a handful; ours.
HANDFUL = 8
# Mean relative difference from the estimate that counts as agreement; ours.
_CLOSE = 0.05

_WIDTHS = {"quick": (50, 200), "default": (50, 200, 1000), "full": (50, 200, 1000)}
_DEPTH = {"quick": 2, "default": 3, "full": 4}
_SEEDS = {"quick": 5, "default": 10, "full": 20}
_DRAWS = {"quick": 10, "default": 20, "full": 40}


@dataclass(frozen=True)
class Arm:
    """One activation with one initialisation on [−1, 1]."""

    #: What it is.
    name: str
    #: Name of σ.
    activation: str
    #: Initialisation of all layers.
    init: str | LayerInit


ARMS = (
    Arm("erf, N(0, 1)", "erf", LayerInit("normal", 1.0, 1.0)),
    Arm("erf, N(0, 100)", "erf", LayerInit("normal", 100.0, 100.0)),
    Arm("tanh, default", "tanh", "default"),
    Arm("relu, default", "relu", "default"),
    Arm("sine, default", "sine", "default"),
)


def compare(item: InitialRank, found: MeasuredRank, arm: str) -> dict[str, Any]:
    """Set one prediction beside its measurement."""
    difference = found.mean - item.estimate.mean
    # Both means are of independent draws.
    error = math.hypot(found.standard_error, item.estimate.standard_error)
    # Student's t, as the error is estimated from the seeds themselves.
    reach = float(stats.t.ppf(0.975, len(found.lower) - 1)) * error
    band = item.band
    outside = 0
    if band is not None:
        outside = sum(
            high < band.lower or low > band.upper
            for low, high in zip(found.lower, found.upper, strict=True)
        )
    return {
        "arm": arm,
        "n": item.width,
        "layer": item.layer,
        "limit": [item.limit.lower, item.limit.upper],
        "estimate": item.estimate.mean,
        "band": None if band is None else [band.lower, band.upper],
        "measured": found.mean,
        "difference": difference,
        "interval": [difference - reach, difference + reach],
        "seeds": len(found.lower),
        "outside": outside,
    }


def table(context: Context, arms: Sequence[Arm] = ARMS) -> list[dict[str, Any]]:
    """Predict and measure every arm at every width and depth of an effort."""
    effort, inputs, rows = context.effort, box_measure((-1.0, 1.0)), []
    for arm in arms:
        for n in _WIDTHS[effort]:
            common: dict[str, Any] = {"width": n, "depth": _DEPTH[effort], "eps": [EPS]}
            predicted = initial_ranks(
                inputs,
                arm.activation,
                init=arm.init,
                draws=_DRAWS[effort],
                seed=context.seed,
                **common,
            )
            found = measured_ranks(
                inputs,
                arm.activation,
                init=arm.init,
                seeds=_SEEDS[effort],
                seed=context.seed,
                **common,
            )
            rows += [compare(*pair, arm.name) for pair in zip(predicted, found, strict=True)]
    return rows


def judge_band(rows: list[dict[str, Any]]) -> Evidence:
    """Judge whether ε-ranks lie in the 95 % band as often as they should."""
    seeds = sum(row["seeds"] for row in rows)
    outside = sum(row["outside"] for row in rows)
    # More than this lie outside of a right band in one verification of a thousand.
    allowed = int(stats.binom.ppf(0.999, seeds, 0.05))
    worst = max(rows, key=lambda row: row["outside"])
    return Evidence(
        "init-rank",
        "empirical",
        "refuted" if outside > allowed else "passed",
        "Measured ε-ranks lie in the finite-width band of probability 95 % (all widths, depths)",
        {"networks × layers": seeds, "outside": outside, "coverage": 1 - outside / seeds},
        witness=worst if outside > allowed else None,
    )


def judge_estimate(rows: list[dict[str, Any]]) -> Evidence:
    """Judge the mean difference between measured ε-ranks and the estimate."""
    gaps = np.array([row["difference"] / row["measured"] for row in rows])
    reach = float(stats.t.ppf(0.975, len(gaps) - 1)) * float(gaps.std(ddof=1)) / len(gaps) ** 0.5
    mean = float(gaps.mean())
    close = abs(mean) + reach <= _CLOSE
    state: State = "passed" if close else "regime"
    return Evidence(
        "init-rank",
        "empirical",
        state,
        f"(Measured − estimated)/measured ε-rank, mean over settings, within ±{_CLOSE:.0%}",
        {
            "settings": len(rows),
            "mean relative difference": mean,
            "95 % interval": [mean - reach, mean + reach],
            "largest": float(np.abs(gaps).max()),
        },
        rows=rows,
    )


def judge_limit(rows: list[dict[str, Any]]) -> Evidence:
    """Judge the limit count: it should approach the measured ε-rank as the width grows."""
    first = [row for row in rows if row["layer"] == 1]
    # By the upper end of the limit, so that a ratio is not too large.
    ratios = {f"{row['arm']}, n = {row['n']}": row["measured"] / row["limit"][1] for row in first}
    by_arm: dict[str, list[float]] = {}
    for row in first:
        by_arm.setdefault(row["arm"], []).append(row["measured"] / row["limit"][1])
    grows = all(values[-1] >= values[0] - 0.05 for values in by_arm.values())
    return Evidence(
        "init-rank",
        "empirical",
        "regime" if grows else "undecided",
        "The limit count #{k : nμ_k > ε} holds for wide layers: measured/limit rises to 1 with n, "
        "at once for small weights, slowly for large ones",
        {"measured/limit": ratios},
        cause=None if grows else "the ratio falls with the width in some arm",
    )


def judge_handful(rows: list[dict[str, Any]]) -> Evidence:
    """Judge I2: default tanh layers on [−1, 1] have a handful of ε-rank at every width."""
    mine = [row for row in rows if row["arm"] == "tanh, default"]
    most = max(mine, key=lambda row: row["measured"])
    state: State = "passed" if most["measured"] <= HANDFUL else "refuted"
    return Evidence(
        "init-rank",
        "empirical",
        state,
        f"Default tanh layers on [−1, 1] have ε-rank at most {HANDFUL} at ε = {EPS:g} (I2)",
        {"widths": sorted({row["n"] for row in mine}), "largest mean": most["measured"]},
        witness=most if state == "refuted" else None,
    )


def check_initial_rank(context: Context) -> list[Evidence]:
    """Compare predicted and measured ε-ranks at initialisation."""
    rows = table(context)
    return [judge_estimate(rows), judge_band(rows), judge_limit(rows), judge_handful(rows)]


def initial_rank_checkers() -> list[Checker]:
    """Return the checker of the ε-rank at initialisation."""
    return [Checker("ε-rank at initialisation", ("init-rank",), "empirical", check_initial_rank)]
