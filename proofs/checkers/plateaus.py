"""Readings of plateaus of known cause (F6), rank that a loss forces (R″), distances (F8, F9)."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.instances.plateaus import known_plateaus
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.floor.change.counterfactual import counterfactual_floor
from epsrank.theory.floor.change.distances import rank_distance, rank_forced
from epsrank.theory.floor.plateau import read_plateau
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank import epsilon_rank

#: Random cases per effort.
CASES = {"quick": 20, "default": 100, "full": 400}
_SAMPLES = 40
# A spectral norm as computed, made an upper bound.
_ABOVE = 1 + 1e-12


def readings(context: Context) -> list[Evidence]:
    """Read every plateau of the table; each word rests on bounds that count rounding."""
    del context
    rows = []
    for case in known_plateaus():
        found = read_plateau(
            case.features, case.target, coefficients=case.weight, bias_value=case.bias
        )
        rows.append(
            {
                "plateau": case.name, "cause": case.cause, "expected": case.word,
                "reading": found.name, "loss/V": found.ratio, "B½/B": found.half_ratio,
            }
        )  # fmt: skip
    wrong = [row for row in rows if row["reading"] != row["expected"]]
    open_ones = [row for row in wrong if row["reading"] == "undetermined"]
    state: State = "passed" if not wrong else "undecided" if wrong == open_ones else "refuted"
    return [
        Evidence(
            "reading", "exact", state, "plateaus whose cause is known, read by their cause",
            figures={"plateaus": len(rows), "read by their cause": len(rows) - len(wrong)},
            witness=wrong[0] if state == "refuted" else None,
            cause=None if state != "undecided" else "rounding leaves words open", rows=rows,
        )
    ]  # fmt: skip


def forced_ranks(context: Context) -> list[Evidence]:
    """Hold the rank that outputs force against the certified ε-rank of the features."""
    rng = np.random.default_rng(context.seed)
    forced, witness = 0, None
    for _ in range(CASES[context.effort]):
        features, weight, eps = _head(rng)
        labels = np.eye(weight.shape[1])[rng.integers(0, weight.shape[1], _SAMPLES)]
        # A classifier that is nearly right: half of the cases fit by least squares.
        if rng.random() < 0.5:
            weight = np.asarray(np.linalg.lstsq(features, labels)[0], dtype=np.float64)
        size = float(np.linalg.norm(weight, 2)) * _ABOVE
        least = rank_forced(features @ weight, labels, weight_norm=size, eps=eps, bias=None)
        rank = epsilon_rank(features, eps, exact=True)
        forced += least > 0
        if least > rank.upper:
            witness = {"features": features, "weight": weight, "eps": eps, "forced": least}
    return [
        Evidence(
            "rank-forced", "exact", "passed" if witness is None else "refuted",
            "forced rank against the ε-rank in exact arithmetic, on heads of random features",
            figures={"heads": CASES[context.effort], "with a rank that is forced": forced},
            witness=witness,
        )
    ]  # fmt: skip


def distances(context: Context) -> list[Evidence]:
    """Look for a path that is too short by F9 or F8, and gets there all the same."""
    rng = np.random.default_rng(context.seed + 1)
    count, tight, witness = CASES[context.effort], 0, None
    for _ in range(count):
        features, weight, eps = _head(rng)
        step = 10.0 ** rng.uniform(-4, 0) * rng.normal(size=features.shape)
        moved = features + step
        length = float(np.linalg.norm(step, 2)) / np.sqrt(_SAMPLES) * _ABOVE
        rank = epsilon_rank(moved, eps)
        if rank.lower > 0:
            away = rank_distance(features, eps, rank.lower)
            tight += away.spectral > 0
            if away.exceeds([length]):
                witness = {"features": features, "step": step, "eps": eps, "rank": rank.lower}
        target = moved @ weight + 0.1 * rng.normal(size=(_SAMPLES, weight.shape[1]))
        loss = float(np.mean(np.sum((moved @ weight - target) ** 2, axis=1)))
        found = counterfactual_floor(
            features, target, float(np.linalg.norm(weight)) * _ABOVE, loss * _ABOVE
        )
        tight += found.proven
        if found.distance is not None and found.distance > length:
            witness = {"features": features, "step": step, "weight": weight}
    return [
        Evidence(
            "path-length", "property", "passed" if witness is None else "refuted",
            "random steps of random features against the distances of F9 and F8",
            figures={"steps": count, "distances above 0": tight}, witness=witness,
        )
    ]  # fmt: skip


def _head(rng: np.random.Generator) -> tuple[Array, Array, float]:
    """Return features of graded sizes, a head, and an ε amid their spectrum."""
    n, k = int(rng.integers(2, 7)), int(rng.integers(2, 5))
    features = rng.normal(size=(_SAMPLES, n)) * 10.0 ** rng.uniform(-3, 0, n)
    return features, rng.normal(size=(n, k)), float(10.0 ** rng.uniform(-6, -1))


def plateau_checkers() -> list[Checker]:
    """Return the checks of this file."""
    checks: list[Any] = [
        ("readings", "reading", "exact", readings),
        ("forced-ranks", "rank-forced", "exact", forced_ranks),
        ("path-lengths", "path-length", "property", distances),
    ]
    return [Checker(name, (claim,), kind, check) for name, claim, kind, check in checks]
