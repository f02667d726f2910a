"""N2 and N3: the dynamic program against every partition, and trained ReLU networks above it."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.numerics.checkpoint.apriori import floor_of_run
from epsrank.numerics.training import Run, RunConfig, train
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.proofs.properties.apriori import LineCase, least_squares_by_partition
from epsrank.theory.apriori import relu_distances
from epsrank.theory.floor.certified.exact_data import exact_data

CLAIM = "a-priori-floor"

_POINTS = {"quick": 7, "default": 9, "full": 11}

#: Task, width, steps, seeds per effort; five seeds or more, as an empirical claim asks for.
_TRAINING: dict[str, tuple[tuple[str, ...], tuple[int, ...], int, int]] = {
    "quick": (("cosines",), (4, 16), 200, 5),
    "default": (("cosines", "absolute", "runge"), (4, 16), 600, 5),
    "full": (("cosines", "absolute", "runge", "chirp"), (4, 16, 48), 4000, 10),
}


def line_instances(n: int) -> dict[str, LineCase]:
    """Return samples on the line whose distances are computed by every partition."""
    random = np.random.default_rng(n)
    grid = np.arange(n, dtype=np.float64)
    return {
        "kink": LineCase(grid, np.abs(grid - n // 2)[:, None], None),
        "steps": LineCase(grid, np.asarray(grid // 2)[:, None], None),
        "alternating": LineCase(grid, np.cos(np.pi * grid).round()[:, None], None),
        "weights": LineCase(
            grid, random.integers(-9, 10, (n, 1)).astype(np.float64), random.integers(1, 9, n) / 8
        ),
        "far and close": LineCase(
            1e6 + grid * 2.0**-20, random.integers(-9, 10, (n, 2)).astype(np.float64), None
        ),
        "repeated points": LineCase(
            np.floor(grid / 2), random.integers(-9, 10, (n, 1)).astype(np.float64), None
        ),
    }


def check_partitions(context: Context) -> list[Evidence]:
    """Compare the dynamic program with all partitions in rational arithmetic."""
    witness, count, width = None, 0, 0.0
    for name, case in line_instances(_POINTS[context.effort]).items():
        found = relu_distances(case.points, case.target, 4, weights=case.weights, measure="raw")
        for p in range(5):
            exact = least_squares_by_partition(case, p)
            low, high = (Fraction(float(end[p])) ** 2 for end in (found.lower, found.upper))
            count += 1
            width = max(width, float(high - low))
            if not low <= exact <= high and witness is None:
                witness = {"instance": name, "p": p, "exact": exact, "enclosure": [low, high]}
    return [
        Evidence(
            CLAIM,
            "exact",
            "refuted" if witness else "passed",
            "Certified enclosures of D_p² ≤ E_p² contain the best of all partitions, in rationals",
            {"instances": count, "widest enclosure": width, "points": _POINTS[context.effort]},
            witness=witness,
            part="computable",
        )
    ]


def exact_loss(run: Run) -> Fraction:
    """Return ‖φW + b − u*‖² of a run's last measurement without rounding."""
    last = run.last_layer(-1)
    features, target, head = last.without_bias("feature")
    return exact_data(features, target, last.measure).loss(head)


def check_trained(context: Context) -> list[Evidence]:
    """Train ReLU networks of one hidden layer and hold their exact losses against the floors."""
    tasks, widths, steps, seeds = _TRAINING[context.effort]
    rows: list[dict[str, Any]] = []
    witness: dict[str, dict[str, Any]] = {}
    for task in tasks:
        for width in widths:
            for seed in range(context.seed, context.seed + seeds):
                run = train(_config(task, width, steps, seed))
                row, violated = _held_against(run, task, width, seed)
                rows.append(row)
                for part in violated:
                    witness.setdefault(part, row)
    return [
        *(_exact_evidence(part, rows, witness.get(part)) for part in ("floor", "computable")),
        *(_ratios(part, rows, context.seed) for part in ("floor", "computable")),
    ]


def _config(task: str, width: int, steps: int, seed: int) -> RunConfig:
    """Return the settings of one small ReLU network."""
    return RunConfig(
        task=task,
        width=width,
        depth=1,
        activation="relu",
        steps=steps,
        seed=seed,
        learning_rate=1e-2,
        n_train=120,
        measure_every=steps,
        device="cpu",
    )


def _held_against(run: Run, task: str, width: int, seed: int) -> tuple[dict[str, Any], list[str]]:
    """Return a line of the table, and the parts whose inequality the exact loss violates."""
    floor, _ = floor_of_run(run)
    loss = exact_loss(run)
    # For the table alone: the comparisons below are between fractions.
    root = math.sqrt(float(loss))
    # E_n for the network itself: its features are φ_1 … φ_n, whatever their rank.
    own = floor.floors[floor.n_features]
    violated = []
    if Fraction(floor.best) ** 2 > loss:
        violated.append("floor")
    if Fraction(float(own)) ** 2 > loss:
        violated.append("computable")
    return {
        "task": task,
        "n": width,
        "seed": seed,
        "√loss": root,
        "floor": floor.best,
        "at p": floor.at,
        "E_n": float(own),
        "√loss/floor": root / floor.best if floor.best else None,
        "√loss/E_n": root / float(own) if own else None,
    }, violated


def _exact_evidence(
    part: str, rows: list[dict[str, Any]], witness: dict[str, Any] | None
) -> Evidence:
    """Return the exact entry of one part."""
    what = {
        "floor": "√loss ≥ max_p (E_p − √((1+p(n−p)) λ_(p+1)) ‖W‖)",
        "computable": "√loss ≥ E_n by segmented fits",
    }[part]
    return Evidence(
        CLAIM,
        "exact",
        "refuted" if witness else "passed",
        f"{what} on ReLU networks trained in this run, loss in integers, floor rounded down",
        {"networks": len(rows)},
        witness=witness,
        part=part,
        rows=rows if part == "floor" else (),
    )


def _ratios(part: str, rows: list[dict[str, Any]], seed: int) -> Evidence:
    """Return how far above the floor training ends: median ratio with a bootstrap interval."""
    key = {"floor": "√loss/floor", "computable": "√loss/E_n"}[part]
    values = np.array([row[key] for row in rows if row[key] is not None])
    state: State = "undecided"
    figures: dict[str, Any] = {"networks": len(rows), "with a floor above 0": len(values)}
    if len(values) >= 5:
        draws = np.random.default_rng(seed).choice(values, (2000, len(values)))
        low, high = np.quantile(np.median(draws, axis=1), (0.025, 0.975))
        figures |= {
            "median ratio": float(np.median(values)),
            "95 % interval": [float(low), float(high)],
            "smallest ratio": float(values.min()),
        }
        # Both are float64 here; the exact entry decides without rounding.
        state = "passed" if values.min() >= 1 - 1e-9 else "refuted"
    return Evidence(
        CLAIM,
        "empirical",
        state,
        f"{key} of trained networks over seeds: never below 1",
        figures,
        witness={"smallest ratio": float(values.min())} if state == "refuted" else None,
        cause="fewer than five networks have a floor" if state == "undecided" else None,
        part=part,
    )


def apriori_checkers() -> list[Checker]:
    """Return the checkers of N2 and N3."""
    return [
        Checker("distances by every partition", (CLAIM,), "exact", check_partitions),
        Checker("trained networks above the a-priori floor", (CLAIM,), "exact", check_trained),
    ]
