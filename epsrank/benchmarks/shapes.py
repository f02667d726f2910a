"""Every shape: the certified ε-rank against what a careless user pays, and the limit beside it.

Careless is ``eigvalsh(A.T @ A / N)``; the limit is the symmetric product alone (dsyrk), without
which no Gram matrix is had. Small matrices come in numbers, and are also counted all at once.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import blas

from epsrank.benchmarks.counts import KINDS, layer_features, unverified
from epsrank.benchmarks.result import Column, Table, ratio, seconds
from epsrank.benchmarks.settings import BenchmarkSettings
from epsrank.benchmarks.timing import Action, interleaved
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.batched import batched_epsilon_rank

EPS = 1e-6

_SHAPES = (
    (100, 20),
    (500, 50),
    (1000, 100),
    (2048, 256),
    (2048, 512),
    (20_000, 1024),
    (20_000, 2048),
)

# Matrices, samples and neurons.
_STACKS = ((256, 50, 5), (256, 100, 10), (256, 100, 20), (64, 500, 50), (32, 1000, 100))

_UNVERIFIED = "eigvalsh(AᵀA), unverified"


def measure(settings: BenchmarkSettings) -> list[Table]:
    """Run the benchmark."""
    return [one_by_one(settings), together(settings)]


def one_by_one(settings: BenchmarkSettings) -> Table:
    """One matrix of every shape."""
    rows = []
    for n_samples, width in settings.pick(((60, 6), (80, 8)), _SHAPES):
        for kind in KINDS:
            settings.say(f"shapes: {n_samples} × {width}, {KINDS[kind]}")
            features = layer_features(kind, n_samples, width, settings.seed)
            # Small ones take microseconds: many at a time, without a rest in between.
            often = max(1, settings.pick(2, 2_000_000) // (n_samples * width))
            actions: dict[str, Action] = {
                "unverified": partial(_repeated, often, unverified, features, EPS),
                "product": partial(_repeated, often, _product, features),
                "certified": partial(_repeated, often, epsilon_rank, features, EPS),
                "counts": partial(_repeated, often, _count_alone, features),
            }
            rounds = settings.rounds_of(9 if width < 1000 else 3)
            timings = interleaved(actions, rounds, rest=settings.rest)
            found = timings.answers["certified"]
            rows.append(
                {
                    "shape": f"{n_samples} × {width}",
                    "features": KINDS[kind],
                    "answer": found.ends,
                    "route": timings.answers["counts"].route,
                    "unverified_answer": str(timings.answers["unverified"]),
                    **{f"{name}_seconds": timings.median(name) / often for name in actions},
                    **{
                        f"{name}_ratio": timings.ratio(name, "unverified").to_json()
                        for name in ("certified", "counts", "product")
                    },
                    "counts_to_certified": timings.ratio("counts", "certified").to_json(),
                }
            )
    return Table(
        "shapes",
        f"One ε-rank at ε = {EPS:g}, float64, against {_UNVERIFIED}",
        (
            Column("shape", "N × n"),
            Column("features", "features"),
            Column("answer", "ε-rank"),
            Column("unverified_answer", "unverified"),
            Column("unverified_seconds", "eigvalsh(AᵀA)", seconds),
            Column("product_ratio", "dsyrk alone", ratio),
            Column("certified_ratio", "epsilon_rank", ratio),
            Column("counts_ratio", "counts_only", ratio),
            Column("counts_to_certified", "counts_only / epsilon_rank", ratio),
            Column("route", "route of the count"),
        ),
        tuple(rows),
        "Ratios are to the time of eigvalsh(AᵀA), medians of paired rounds; below 1 the certified "
        "call is faster. dsyrk alone is the limit of everything that forms a Gram matrix.",
    )


def together(settings: BenchmarkSettings) -> Table:
    """Many matrices of one shape, all at once and in a loop."""
    rows = []
    for count, n_samples, width in settings.pick(((3, 40, 4),), _STACKS):
        for kind in ("gaussian", "tanh"):
            settings.say(f"shapes: {count} of {n_samples} × {width}, {KINDS[kind]}")
            stack = np.stack(
                [layer_features(kind, n_samples, width, settings.seed + i) for i in range(count)]
            )
            actions: dict[str, Action] = {
                "unverified": partial(_each_unverified, stack),
                "batched": partial(batched_epsilon_rank, stack, EPS),
                "single": partial(_each_certified, stack),
            }
            timings = interleaved(actions, settings.rounds_of(9), rest=settings.rest)
            assert timings.answers["batched"].lower.tolist() == timings.answers["single"]
            rows.append(
                {
                    "matrices": count,
                    "shape": f"{n_samples} × {width}",
                    "features": KINDS[kind],
                    "unverified_seconds": timings.median("unverified") / count,
                    "batched_ratio": timings.ratio("batched", "unverified").to_json(),
                    "single_ratio": timings.ratio("single", "unverified").to_json(),
                }
            )
    return Table(
        "stacks",
        f"Many ε-ranks at ε = {EPS:g}, float64, against a loop of {_UNVERIFIED}",
        (
            Column("matrices", "matrices"),
            Column("shape", "N × n"),
            Column("features", "features"),
            Column("unverified_seconds", "eigvalsh(AᵀA), each", seconds),
            Column("batched_ratio", "batched_epsilon_rank", ratio),
            Column("single_ratio", "loop of epsilon_rank", ratio),
        ),
        tuple(rows),
        "Ratios are to the loop of eigvalsh(AᵀA), medians of paired rounds; below 1 the certified "
        "calls are faster. The batched call uses the cores of the machine.",
    )


def _repeated(times: int, function: Any, *arguments: Any) -> Any:
    for _ in range(times):
        found = function(*arguments)
    return found


def _product(features: Matrix) -> None:
    blas.dsyrk(1.0, features.T)


def _count_alone(features: Matrix) -> Any:
    return epsilon_rank(features, EPS, counts_only=True)


def _each_unverified(stack: Array) -> list[int]:
    return [unverified(features, EPS) for features in stack]


def _each_certified(stack: Array) -> list[int]:
    return [int(epsilon_rank(features, EPS)) for features in stack]
