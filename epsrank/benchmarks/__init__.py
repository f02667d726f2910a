"""Speed as ratios against the alternatives, one benchmark per file; ``epsrank bench`` runs them.

A benchmark is a function ``measure(settings) -> list[Table]``. The heavy rooms are imported when it
runs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import import_module

from epsrank.benchmarks.result import BenchmarkResult, KeptResult
from epsrank.benchmarks.settings import BenchmarkSettings

#: Name, and what is measured; each is a file of this package.
BENCHMARKS = {
    "rank": "the certified ε-rank against products, singular values and matrix_rank",
    "shapes": "one ε-rank of every shape, and many small ones at once, against eigvalsh(AᵀA)",
    "monitor": "training with RankMonitor against none, ndtracker, SVD and matrix_rank",
    "scaling": "the count over width, the sums over samples, the monitor over layers and processes",
    "large": "time and memory that a monitor adds on Transformers of 10 and 50 million parameters",
    "ensemble": "many networks as one batched program against a loop over them",
}


def run_benchmarks(
    names: Iterable[str] = (),
    settings: BenchmarkSettings | None = None,
    kept: Mapping[str, KeptResult] | None = None,
) -> Iterator[BenchmarkResult | KeptResult]:
    """Run benchmarks one after another, those left out that are `kept` from before."""
    from epsrank.benchmarks.settings import describe_machine, limited_threads
    from epsrank.theory.errors import InputError

    chosen = list(dict.fromkeys(names)) or list(BENCHMARKS)
    for name in chosen:
        if name not in BENCHMARKS:
            raise InputError("NAME", f"is {name!r}", f"choose from {', '.join(BENCHMARKS)}")
    settings = settings or BenchmarkSettings()
    for name in chosen:
        if kept is not None and name in kept:
            yield kept[name]
            continue
        with limited_threads(settings.threads):
            measure = import_module(f"{__name__}.{name}").measure
            tables = tuple(measure(settings))
            yield BenchmarkResult(name, settings, describe_machine(), tables)
