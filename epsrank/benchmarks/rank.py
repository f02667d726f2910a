"""The ε-rank against products, eigenvalues, singular values and matrix_rank."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import numpy as np
import torch

from epsrank.benchmarks.counts import (
    GAPS,
    KINDS,
    batched_count,
    layer_features,
    product,
    singular,
    unverified,
)
from epsrank.benchmarks.result import Column, Table, ratio, seconds
from epsrank.benchmarks.settings import BenchmarkSettings
from epsrank.benchmarks.timing import Action, interleaved
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank import epsilon_rank, epsilon_ranks
from epsrank.theory.rank.bounds import RankBounds

EPS = 1e-6

# Times ε: five thresholds, of which ε is the smallest.
_FIVE = (1e4, 1e3, 1e2, 10.0, 1.0)

# Whatever is so slow that a few rounds have to do.
_SLOW_ROUNDS = 3

# Features in float32 with their thresholds: the usual one, at which most need float64 products, and
# some at which float32 products suffice, because no eigenvalue is near.
_NARROW_CASES = (
    ("gaussian", EPS),
    ("tanh", EPS),
    ("tanh", 10.0),
    ("decades", EPS),
    ("silent", 0.1),
    ("directions", 0.5),
)

# Features in float64: the usual threshold, and one at which float32 products suffice.
_WIDE_CASES = (*((kind, EPS) for kind in KINDS), ("directions", 0.5))

_LABELS = KINDS | GAPS

_COUNT = "count alone"

_COLUMNS = (
    Column("features", "features"),
    Column("eps", "ε", "{:g}".format),
    Column("what", "what"),
    Column("answer", "answer"),
    Column("route", "route", lambda value: value or ""),
    Column("seconds", "median", seconds),
    Column("ratio", "ratio", ratio),
)

_NOTE = (
    "ratio = time / time of the first row of the block, medians of paired rounds with an interval; "
    "above 1, the first row is faster. Answers of the alternatives are not certified. Routes: "
    "gram, a float64 Gram matrix; gram-float32, one of float32 products with its certified error; "
    "samples, full rank from some of the samples; projection, low rank from a few directions; "
    "cholesky, low-rank, inertia, the factorisation of a sum of batches."
)


def measure(settings: BenchmarkSettings) -> list[Table]:
    """Run the benchmark."""
    small, large = settings.pick(((300, 24), (300, 40)), ((20_000, 1024), (20_000, 2048)))
    return [
        in_float64(*small, settings),
        in_float64(*large, settings),
        in_float32(*large, settings),
        exact_routes(settings),
    ]


def in_float64(n_samples: int, width: int, settings: BenchmarkSettings) -> Table:
    """`epsilon_rank` of float64 features, N × n, against the alternatives."""
    rows = []
    for kind, eps in _WIDE_CASES:
        label = _LABELS[kind]
        settings.say(f"rank: {n_samples} × {width} float64, {label}, ε = {eps:g}")
        features = layer_features(kind, n_samples, width, settings.seed)
        copy = features.copy()
        tensor = torch.from_numpy(features)
        fast: dict[str, Action] = {
            _COUNT: partial(epsilon_rank, features, eps, counts_only=True),
            "epsilon_rank": partial(epsilon_rank, features, eps),
            "epsilon_rank and spectrum": partial(_with_spectrum, features, eps),
            "five thresholds": partial(epsilon_ranks, features, [eps * factor for factor in _FIVE]),
            "summed in batches": partial(batched_count, tensor, eps),
            "AᵀB, general product (dgemm)": product(features, copy),
            "AᵀA by symmetry (NumPy)": partial(np.matmul, features.T, features),
            "eigvalsh(AᵀA), unverified": partial(unverified, features, eps),
        }
        slow = {_COUNT: fast[_COUNT], **singular(tensor, eps)}
        rows += compared(label, eps, fast, slow, settings)
    return Table(
        f"float64-{n_samples}x{width}",
        f"ε-rank of {n_samples} × {width} float64 features",
        _COLUMNS,
        tuple(rows),
        _NOTE,
    )


def in_float32(n_samples: int, width: int, settings: BenchmarkSettings) -> Table:
    """Count of float32 features, where they need float64 products and where float32 suffices."""
    rows = []
    for kind, eps in _NARROW_CASES:
        label = _LABELS[kind]
        settings.say(f"rank: {n_samples} × {width} float32, {label}, ε = {eps:g}")
        tensor = torch.from_numpy(layer_features(kind, n_samples, width, settings.seed)).float()
        wide = tensor.double()
        fast: dict[str, Action] = {
            _COUNT: partial(epsilon_rank, tensor, eps, counts_only=True),
            "epsilon_rank": partial(epsilon_rank, tensor, eps),
            "summed in batches": partial(batched_count, tensor, eps),
            "AᵀA in float32 (torch)": partial(torch.mm, tensor.T, tensor),
        }
        slow = {
            _COUNT: fast[_COUNT],
            **singular(tensor, eps),
            **{f"{key}, of a float64 copy": a for key, a in singular(wide, eps).items()},
        }
        rows += compared(label, eps, fast, slow, settings)
    return Table(
        f"float32-{n_samples}x{width}",
        f"ε-rank of {n_samples} × {width} float32 features",
        _COLUMNS,
        tuple(rows),
        _NOTE,
    )


def compared(
    label: str,
    eps: float,
    fast: Mapping[str, Action],
    slow: Mapping[str, Action],
    settings: BenchmarkSettings,
) -> list[dict[str, Any]]:
    """Time alternatives against the first of them."""
    base = next(iter(fast))
    rounds = settings.rounds_of(9)
    rows = []
    for actions, number in ((fast, rounds), (slow, min(rounds, _SLOW_ROUNDS))):
        timings = interleaved(actions, number, rest=settings.rest)
        rows += [
            {
                "features": label,
                "eps": eps,
                "what": name,
                "base": base,
                "answer": _answer(timings.answers[name]),
                "route": getattr(timings.answers[name], "route", None),
                "seconds": timings.median(name),
                "ratio": timings.ratio(name, base).to_json(),
            }
            for name in actions
            # The base was timed with both, and is listed once.
            if actions is fast or name != base
        ]
    return rows


def exact_routes(settings: BenchmarkSettings) -> Table:
    """Exact ranks, everything included."""
    settings.say("rank: exact")
    n_samples, widths = settings.pick((40, (4, 8)), (1000, (50, 100)))
    features = layer_features("gaussian", n_samples, max(widths), settings.seed)
    timings = interleaved(
        {
            f"{n_samples} × {n}": partial(epsilon_rank, features[:, :n], EPS, exact=True)
            for n in widths
        },
        settings.rounds_of(9),
        rest=settings.rest,
    )
    rows = [
        {"what": name, "answer": _answer(found), "seconds": timings.median(name)}
        for name, found in timings.answers.items()
    ]
    columns = (
        Column("what", "features"),
        Column("answer", "ε-rank"),
        Column("seconds", "median", seconds),
    )
    return Table("exact", "Exact integer ranks of Gaussian features", columns, tuple(rows))


def _with_spectrum(features: Array, eps: float) -> Any:
    found = epsilon_rank(features, eps)
    # It is computed when first asked for.
    _ = found.spectrum
    return found


def _answer(found: Any) -> str | None:
    """Return a count as text; None where the action counts nothing."""
    if isinstance(found, list):
        return ", ".join(str(_answer(entry)) for entry in found)
    if isinstance(found, int):
        return str(found)
    return found.ends if isinstance(found, RankBounds) else None
