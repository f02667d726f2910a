"""A13: loss landscapes around checkpoints of low and of high ε-rank.

Two comparisons, each paired by seed. *Within a run* the checkpoint of largest last-layer ε-rank is
set against that of least; their losses differ too, so a difference there need not come from the
rank. *At one loss* a run from the structured first layer is set against one from the default, at
the pair of checkpoints of least loss whose losses agree within the share of the rules: the losses
agree, the ranks do not. The shape is read along 20 random lines: rise, curvature over loss, share
that is not convex (`epsrank.numerics.landscape.LineShape`). Filter-normalised lines are as long as
the weights, and a structured first layer has large ones; so what is judged are lines that end
where the outputs have moved by a quarter of the target, which is free of the scale of the weights.
The filter-normalised shapes stand in the table of checkpoints.

Rule, with Bonferroni's correction over all comparisons: the claim that the landscapes differ is
supported where a shape differs at one loss, between checkpoints whose ranks differ; a regime where
shapes differ within runs only, since there the loss may be the reason; else undecided. That
landscapes are the same cannot be established, so nothing is refuted.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from epsrank.numerics.experiments.analysis import (
    Analysis,
    Effect,
    Finding,
    Judgement,
    Picture,
    Table,
    paired,
    seeds_pvalue,
    sign,
)
from epsrank.numerics.experiments.experiment import Experiment, Request
from epsrank.numerics.experiments.rules import experiment_rules
from epsrank.numerics.sweeps.trial import Outcome, Trial

CLAIM = "landscape-rank"
ARMS = ("default", "structured")
_SHAPES = {
    "rise": "rise over a quarter of the outputs",
    "curvature": "log₁₀ curvature / loss",
    "not_convex": "share that is not convex",
}
_COMPARISONS = 1 + len(ARMS)  # at one loss, and within the runs of each arm
_COVERAGE = 1 - 0.05 / (_COMPARISONS * len(_SHAPES))


def plan(request: Request) -> list[Trial]:
    """Return one trial per seed; the first one has planes for the figures."""
    rules = experiment_rules("A13", request.size)
    return [
        Trial(
            "landscape",
            {
                "train": {
                    "task": "cosines",
                    "width": 50,
                    "depth": 2,
                    "steps": rules["steps"],
                    "measure_every": rules["measure_every"],
                    "eps": [1e-6],
                    "seed": seed,
                    "device": request.device,
                },
                "arms": list(ARMS),
                "agree": rules["agree"],
                "lines": 20,
                # A plane takes 441 losses and is for the eye: one seed has it.
                "grid": 21 if seed == request.first else 0,
            },
            version=2,
        )
        for seed in request.seed_range(rules["seeds"])
    ]


def _seed(outcome: Outcome) -> int:
    return int(outcome.settings["train"]["seed"])


def rows_of(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Return one row per checkpoint that was looked at."""
    rows = []
    for outcome in outcomes:
        for arm, entry in outcome.result.get("arms", {}).items():
            for name in ("low", "high", "matched"):
                if name not in entry:
                    continue
                found = entry[name]
                lower, upper = found["rank"]
                rows.append(
                    {"seed": _seed(outcome), "arm": arm, "checkpoint": name}
                    | {"step": found["step"], "loss": found["loss"]}
                    | {"rank, lower": lower, "rank, upper": upper}
                    | {shape: found["free"][shape] for shape in _SHAPES}
                    | {f"{shape}, filter-normalised": found[shape] for shape in _SHAPES}
                )
    return rows


def _column(
    rows: Sequence[Mapping[str, Any]], arm: str, checkpoint: str, name: str
) -> dict[int, float]:
    """Return one number by seed; a curvature that is not positive counts as −∞."""
    mine = [row for row in rows if row["arm"] == arm and row["checkpoint"] == checkpoint]
    return {row["seed"]: -math.inf if row[name] is None else float(row[name]) for row in mine}


def _difference(name: str, values: dict[int, float], others: dict[int, float]) -> Effect | None:
    # −∞ against −∞ has no difference; such pairs are left out.
    both = {
        seed
        for seed in set(values) & set(others)
        if not (math.isinf(values[seed]) and math.isinf(others[seed]))
    }
    return paired(
        name,
        {seed: values[seed] for seed in both},
        {seed: others[seed] for seed in both},
        coverage=_COVERAGE,
    )


def _compared(rows: Sequence[Mapping[str, Any]], column: str) -> dict[str, Effect]:
    """Return the differences of a column in every comparison that can be made."""
    label = _SHAPES.get(column, "ε-rank")
    found = {
        "at one loss": _difference(
            f"{label}, at one loss: structured − default",
            _column(rows, "structured", "matched", column),
            _column(rows, "default", "matched", column),
        )
    }
    for arm in ARMS:
        found[f"within {arm} runs"] = _difference(
            f"{label}, within {arm} runs: largest − least ε-rank",
            _column(rows, arm, "high", column),
            _column(rows, arm, "low", column),
        )
    return {name: effect for name, effect in found.items() if effect is not None}


def _pvalue(rows: Sequence[Mapping[str, Any]]) -> float | None:
    """Return the p-value of "some shape differs at one loss", either way, over seeds."""
    votes = []
    for shape in _SHAPES:
        pair = [_column(rows, arm, "matched", shape) for arm in ("structured", "default")]
        differences = {
            seed: 0.0 if pair[0][seed] == pair[1][seed] else pair[0][seed] - pair[1][seed]
            for seed in set(pair[0]) & set(pair[1])
        }
        votes += [differences, {seed: -value for seed, value in differences.items()}]
    each = [p for vote in votes if (p := seeds_pvalue([vote])) is not None]
    return min(1.0, len(each) * min(each)) if each else None


def judge(shapes: Mapping[str, Mapping[str, Effect]], ranks: Mapping[str, Effect]) -> Judgement:
    """Judge by the rule of this module."""

    def differs(comparison: str) -> bool:
        return (
            comparison in ranks
            and sign(ranks[comparison], _COVERAGE) != 0
            and any(
                sign(effects[comparison], _COVERAGE) != 0
                for effects in shapes.values()
                if comparison in effects
            )
        )

    # A difference of shapes is laid to the rank only where the ranks differ too.
    if differs("at one loss"):
        return "supported"
    return "regime" if any(differs(f"within {arm} runs") for arm in ARMS) else "undecided"


def analyse(outcomes: Sequence[Outcome]) -> Analysis:
    """Compare the shapes, and draw the planes of the first seed."""
    rows = rows_of(outcomes)
    shapes = {shape: _compared(rows, shape) for shape in _SHAPES}
    ranks = _compared(rows, "rank, lower")
    judgement = judge(shapes, ranks)
    effects = [*ranks.values(), *(e for found in shapes.values() for e in found.values())]
    finding = Finding(
        CLAIM,
        judgement,
        _statement(shapes, ranks),
        effects,
        tried=_COMPARISONS * len(_SHAPES),
        pvalue=_pvalue(rows),
    )
    table = Table("checkpoints", "The checkpoints and the shapes around them", rows)
    failed = sum(outcome.status == "failed" for outcome in outcomes)
    notes = (f"{failed} of {len(outcomes)} trials failed",) if failed else ()
    return Analysis((finding,), (table,), tuple(_pictures(outcomes)), notes)


def _statement(shapes: Mapping[str, Mapping[str, Effect]], ranks: Mapping[str, Effect]) -> str:
    if not ranks:
        return "No pair of checkpoints was measured."
    said = []
    for comparison, rank in ranks.items():
        parts = [
            f"{_SHAPES[shape]} {found[comparison].interval.value:+.2g}"
            + ("" if sign(found[comparison], _COVERAGE) else " (not established)")
            for shape, found in shapes.items()
            if comparison in found
        ]
        said.append(f"{comparison}, ε-rank {rank.interval.value:+.3g}: {', '.join(parts)}")
    return "Median differences " + "; ".join(said) + "."


def _pictures(outcomes: Sequence[Outcome]) -> list[Picture]:
    """Return the figures of the seeds that have planes."""
    from epsrank.numerics.plots.landscapes import landscape_pairs, landscape_paths

    found = []
    for outcome in outcomes:
        arms = outcome.result.get("arms", {})
        held = {arm: entry for arm, entry in arms.items() if "planes" in entry}
        if not held:
            continue
        seed = _seed(outcome)
        found += [
            Picture(
                f"planes-{seed}",
                f"A13: loss on random filter-normalised planes around the checkpoints of least and "
                f"largest ε-rank, seed {seed} (claim {CLAIM})",
                partial(landscape_pairs, held),
            ),
            Picture(
                f"paths-{seed}",
                f"A13: loss on the plane closest to the training path, with the path, seed {seed} "
                f"(claim {CLAIM})",
                partial(landscape_paths, held),
            ),
        ]
    return found


EXPERIMENT = Experiment(
    "A13",
    "Loss landscapes around checkpoints of low and of high ε-rank",
    "[S1]; the target of A1, (2, 50), tanh, Adam 1e-3; comparisons ours",
    (CLAIM,),
    plan,
    analyse,
)
