"""What commands would take, by their sizes: rough seconds and bytes, for `weigh` to ask about.

Rates are those of one core of a laptop, measured at small sizes and good to a factor of a few, as
absurd requests are not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Sequence
from math import comb
from pathlib import Path
from typing import TYPE_CHECKING, Any

from epsrank.cli.cost import Asked, furthest, weigh
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from torch import nn

    from epsrank.numerics.stages.axis import RunAxis
    from epsrank.numerics.training import Run

# Operations per second: of products and eigenvalues in float64, of sums in whole numbers, of
# factorisations in balls or rounded numbers, of resampled Gram matrices.
_FLOAT, _EXACT, _BALLS, _RESAMPLED = 5e9, 7e7, 1e7, 3e9
#: Largest n of subsets; the search itself is of PyTorch, which this need not wait for.
_LARGEST = 12
#: Bytes of a number in lists and arrays of all p, with what is made of it.
_LISTED = 100.0
#: Bytes of a float64, and arrays of the size of the features that are held at a time.
_FLOAT_BYTES, _COPIES = 8, 2


def shape_of(features: Any) -> tuple[int, int]:
    """Return N and n of features as they are read, or of an array."""
    given = getattr(features, "given", features)
    return int(given.shape[0]), int(given.shape[1])


def weigh_features(
    option: str,
    shape: tuple[int, int],
    *,
    counts: int = 1,
    decompositions: int = 1,
    exact: bool = False,
    yes: bool,
) -> None:
    """Weigh spectra of N×n features, or exact counts of them."""
    samples, width = shape
    operations, memory = _decomposition(shape)
    seconds = decompositions * operations / _FLOAT
    if exact:
        seconds += counts * samples * width * min(samples, width) / _EXACT
    size = f"{samples} × {width} numbers" + (" in exact arithmetic" if exact else "")
    weigh(option, size, seconds=seconds, memory=memory, yes=yes)


def _decomposition(shape: tuple[int, int]) -> tuple[float, float]:
    """Return the operations of a spectrum of N×n features, and the bytes held."""
    samples, width = shape
    less = min(samples, width)
    operations = 2.0 * samples * width * less + 5.0 * less**3
    return operations, _COPIES * _FLOAT_BYTES * (1.0 * samples * width + less * less)


def weigh_balls(option: str, shape: tuple[int, int], *, yes: bool) -> None:
    """Weigh numbers of N×n features in ball arithmetic."""
    samples, width = shape
    seconds = width * width * (samples + 4.0 * width) / _BALLS
    weigh(option, f"{samples} × {width} numbers in balls", seconds=seconds, yes=yes)


def weigh_chains(
    asked: Asked, shape: tuple[int, int], *, moments: int, weights: int = 0, yes: bool
) -> None:
    """Weigh how tight bounds are at some moments: passes of the network, and decompositions."""
    samples, width = shape
    operations, memory = _decomposition(shape)
    # Loss, V, spectrum and distances, at each moment.
    seconds = max(1, moments) * (2.0 * samples * weights + 4 * operations) / _FLOAT
    value = f"{asked.value} with {samples} × {width} numbers each"
    weigh(asked.option, value, seconds=seconds, memory=memory, yes=yes)


def weigh_run(run: Run, moments: int, *, yes: bool) -> None:
    """Weigh the chains of a run: its layers are decomposed at some moments."""
    count = min(max(1, moments), max(1, len(run.records)))
    shape = (len(run.task.x), run.config.width)
    weigh_chains(Asked("--moments", count, 12), shape, moments=count, yes=yes)


def weigh_model(model: nn.Module, data: Any, *, samples: int, moments: int, yes: bool) -> None:
    """Weigh the chains of a network of the user's, by its widest layer."""
    pair = isinstance(data, (tuple, list)) and len(data) == 2
    inputs = data[0] if pair else getattr(data, "x", data)
    samples, moments = max(1, samples), max(1, moments)
    with contextlib.suppress(TypeError):  # a problem, or data without a length
        samples = min(samples, len(inputs))
    width = max((int(getattr(part, "in_features", 0)) for part in model.modules()), default=0)
    asked = furthest(
        Asked("--max-samples", samples, 2000),
        Asked("--checkpoints", moments, 12),
        Asked("--model", width, 1000, power=2.0),
    )
    weights = sum(part.numel() for part in model.parameters())
    weigh_chains(asked, (samples, width), moments=moments, weights=weights, yes=yes)


# A figure, and a point in it, read and drawn: 300 000 rows of a history took 16 s.
_FIGURE_SECONDS, _POINT_SECONDS = 1.0, 5e-5


def weigh_figures(what: str, *, figures: int, points: int, yes: bool) -> None:
    """Weigh drawing."""
    seconds = _FIGURE_SECONDS * figures + _POINT_SECONDS * points
    value = f"{what}, {plural(figures, 'figure')} of {plural(points, 'row')}"
    weigh("RUN", value, seconds=seconds, yes=yes)


def weigh_certificate(option: str, shape: tuple[int, int], *, times: int, yes: bool) -> None:
    """Weigh a certificate for Coq: numbers get longer with the width, and Coq reads them all."""
    samples, width = shape
    # Found here: 1.7 s at width 130; accepted there: about a minute at width 200.
    found, read = 1.7 * (width / 130) ** 3.5, 60.0 * (width / 200) ** 3.5
    seconds = times * (found + read) * max(1.0, samples / 1000)
    what = f"{samples} × {width} numbers, found here and read by Coq"
    weigh(option, what, seconds=seconds, yes=yes)


def weigh_resamples(resamples: int, shape: tuple[int, int], counts: int, *, yes: bool) -> None:
    """Weigh a bootstrap: a Gram matrix and its eigenvalues for every resample and ε."""
    samples, width = shape
    each = 1e-4 + (samples * width**2 + 10.0 * width**3) / _RESAMPLED
    seconds = counts * resamples * each
    memory = float(_FLOAT_BYTES * resamples)
    weigh("--resamples", resamples, seconds=seconds, memory=memory, yes=yes)


def weigh_segments(points: int, neurons: int, *, named: bool, yes: bool) -> None:
    """Weigh optimal partitions of N points into P pieces: O(N²P) time, O(NP) memory."""
    pieces = max(0, min(neurons, points))
    seconds = 1e-7 * points**2 * (1 + 0.1 * pieces)
    # A sum and the place of a cut.
    memory = (_FLOAT_BYTES + 4.0) * points * (pieces + 1) + _LISTED * max(0, neurons)
    # Of points in a file there is no option.
    asked = furthest(
        Asked("--neurons", neurons, 32), *([Asked("--n-train", points, 1000)] if named else [])
    )
    weigh(asked.option, asked.value, seconds=seconds, memory=memory, yes=yes)


def weigh_widths(count: int) -> None:
    """Weigh the memory of widths d_0 … d_P."""
    weigh("--neurons", count, memory=_LISTED * max(0.0, count), yes=False)


def weigh_subsets(
    cases: Sequence[tuple[int, int]], restarts: int, steps: int, *, yes: bool
) -> None:
    """Weigh descents over all subsets of rows at once."""
    # Larger ones are refused by the search.
    counts = [(comb(n, p), min(p, n - p)) for n, p in cases if 0 < p < n <= _LARGEST]
    seconds = 1.5e-5 * restarts * steps * sum(count for count, _ in counts)
    # Blocks, their Gram matrices, eigenvectors and images.
    memory = max((6.0 * _FLOAT_BYTES * restarts * count * p * p for count, p in counts), default=0)
    asked = furthest(Asked("--steps", steps, 150), Asked("--restarts", restarts, 16))
    weigh(asked.option, asked.value, seconds=seconds, memory=memory, yes=yes)


def weigh_stages(runs: Sequence[RunAxis], *, yes: bool) -> None:
    """Weigh the stages of runs: each loss is looked at by the detector of staircases."""
    lengths = [max((len(t.steps) for t in run.tracks.values()), default=0) for run in runs]
    # 0.065 s for a hundred rows.
    seconds = sum(0.065 * max(1.0, length / 100) for length in lengths)
    weigh("SOURCE", f"{plural(len(runs), 'run')} of up to {plural(max(lengths, default=0), 'row')}",
          seconds=seconds, yes=yes)  # fmt: skip


# Of one core: a verification of all claims on record took 2900 s at the standard size; the others
# have a tenth and five times as many cases.
_VERIFY_SECONDS = {"quick": 300.0, "standard": 2900.0, "full": 14_500.0}


def weigh_verification(
    size: str, claims: Collection[str], jobs: int | None, out: str, *, yes: bool
) -> None:
    """Weigh a verification of the claims of the ledger; of one that has begun nothing is asked."""
    from epsrank.numerics.processes.cores import workers_for
    from epsrank.proofs.ledger.claims import load_ledger

    if yes or (Path(out) / "kept").is_dir():
        return
    every = len(load_ledger())
    share = len(set(claims)) / every if claims else 1.0
    seconds = share * _VERIFY_SECONDS[size] / workers_for(jobs, every)
    weigh("--size", size, seconds=seconds, yes=yes)


# By docs/benchmarks.md a quarter of an hour for the monitor, in 120 rounds or until that is over.
_BENCH_SECONDS, _USUAL_SECONDS = {"monitor": 900.0}, 300.0
_BENCH_ROUNDS, _USUAL_ROUNDS = {"monitor": 120}, 9
_BENCH_EFFORTS = {"quick": 0.02, "default": 1.0, "full": 6.0}


def weigh_benchmarks(names: Collection[str], rounds: int | None, effort: str, *, yes: bool) -> None:
    """Weigh benchmarks by their number, their sizes and the rounds asked for."""
    seconds = 0.0
    for name in names:
        turns = 1.0 if rounds is None else rounds / _BENCH_ROUNDS.get(name, _USUAL_ROUNDS)
        seconds += _BENCH_EFFORTS[effort] * turns * _BENCH_SECONDS.get(name, _USUAL_SECONDS)
    if rounds is not None:
        weigh("--rounds", rounds, seconds=seconds, yes=yes)
    else:
        weigh("NAME", f"{', '.join(names)} at size {effort}", seconds=seconds, yes=yes)
