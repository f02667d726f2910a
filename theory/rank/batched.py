"""ε-ranks of many feature matrices of one shape: what NumPy does for all is done at once."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.data.inputs import Features, as_eps, as_features
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.data.weighted import far_apart, weight_roots
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import (
    Array,
    Vector,
    refuse_non_finite,
    to_float64,
    to_numpy,
)
from epsrank.theory.numbers.dyadic import float_above, float_below, power_of_two
from epsrank.theory.numbers.rounding import gram_factor
from epsrank.theory.numbers.threads import blas_for
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.epsilon import epsilon_rank
from epsrank.theory.rank.interval import RankInterval, SpectrumSource, scaled_float
from epsrank.theory.rank.problem import gap_reason
from epsrank.theory.rank.routes.gram import formed_error, in_range
from epsrank.theory.rank.routes.shortcuts import FULL
from epsrank.theory.rank.routes.stacked import (
    StackedSpectra,
    all_above_each,
    stacked_spectra,
)
from epsrank.theory.rank.storage import storage_move

# Above these sizes a matrix takes so long that calling Python for each of them is not felt.
_WIDEST, _LONGEST = 128, 4096

# Features that one thread takes at a time: they and their Gram matrices stay in its cache.
_ENTRIES_AT_A_TIME = 2**17

# Threads at most; more of them wait for memory.
_MOST_THREADS = 8

# Matrices from which a second thread is worth its start.
_MANY = 16


class RankBatch(Sequence[RankInterval]):
    """Certified ε-ranks  lower_i ≤ r_ε(G_i) ≤ upper_i  of many matrices (D1), in their order.

    A sequence of `RankInterval`, each put together when it is asked for: counts of thousands of
    small matrices take less time than as many objects.

    Attributes
    ----------
    eps : float
        Threshold.
    lower, upper : ndarray of int, shape (m,)
        Ends of the intervals.
    """

    def __init__(
        self, eps: float, lower: NDArray[np.int64], upper: NDArray[np.int64], source: _Source
    ) -> None:
        self.eps = eps
        self.lower = lower
        self.upper = upper
        self._source = source

    @property
    def resolved(self) -> bool:
        """Whether both ends agree for every matrix."""
        return bool((self.lower == self.upper).all())

    def __len__(self) -> int:
        return len(self.lower)

    @overload
    def __getitem__(self, index: int) -> RankInterval: ...

    @overload
    def __getitem__(self, index: slice) -> list[RankInterval]: ...

    def __getitem__(self, index: int | slice) -> RankInterval | list[RankInterval]:
        if isinstance(index, slice):
            return [self[i] for i in range(len(self))[index]]
        return self._source.interval(range(len(self))[index], self.eps)

    def __iter__(self) -> Iterator[RankInterval]:
        return (self[i] for i in range(len(self)))

    def __repr__(self) -> str:
        ends = [f"{low}" if low == high else f"[{low}, {high}]" for low, high in self._pairs()]
        shown = ", ".join(ends[:8]) + (", …" if len(ends) > 8 else "")
        return f"{len(self)} ε-ranks at ε = {self.eps:g}: {shown}"

    def _pairs(self) -> Iterator[tuple[int, int]]:
        return zip(self.lower.tolist(), self.upper.tolist(), strict=True)


@dataclass(frozen=True, eq=False)
class _Source:
    """What intervals are put together from: a stack of spectra, or intervals by themselves."""

    #: None where all matrices were taken one by one.
    stack: _Stack | None
    #: Of matrices that the stack leaves open or out.
    alone: dict[int, RankInterval]

    def interval(self, index: int, eps: float) -> RankInterval:
        """Return the interval of one matrix."""
        found = self.alone.get(index)
        if found is not None:
            return found
        assert self.stack is not None
        return self.stack.interval(index, eps)


def batched_epsilon_rank(
    stack: Any,
    eps: float,
    *,
    weights: Any = None,
    measure: str | Measure = "mean",
) -> RankBatch:
    """ε-ranks  r_ε = #{k : λ_k(G_i) > ε}  of many feature matrices of one shape (D1, strict).

    All layers of a network of constant width, all members of an ensemble or of a sweep, all steps
    of a run. The intervals are those of `epsilon_rank`; where matrices are small, most of the time
    of that call is Python's, which is spent once here, and the matrices are shared by threads. A
    matrix that float64 eigenvalues leave open is handed on to `epsilon_rank`.

    Parameters
    ----------
    stack : array_like or tensor, shape (m, N, n), or sequence of m matrices of shape (N, n)
        Φ_1, …, Φ_m on the same samples, as in `epsilon_rank`.
    eps : float
        ε > 0, in the units of λ.
    weights : array_like, shape (N,), optional
        w_i ≥ 0, 1 each by default.
    measure : {"mean", "volume", "raw"}
        As in `epsilon_rank`.

    Returns
    -------
    RankBatch
        The certified intervals: arrays `lower` and `upper`, and a `RankInterval` for each index.

    Raises
    ------
    InputError
        If an argument cannot be used, or the matrices have different shapes.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> layers = [np.tanh(x * slope + np.linspace(-1, 1, 20)) for slope in (1, 2, 4)]
    >>> ranks = batched_epsilon_rank(layers, 1e-6)
    >>> ranks.lower.tolist(), ranks.resolved
    ([6, 6, 6], True)
    >>> ranks[0].route
    'gram'
    """
    threshold = as_eps(eps)
    matrices, dtype, exact = _as_stack(stack)
    m, n_samples, n_features = matrices.shape
    law = as_measure(measure, weights, n_samples)
    found: _Stack | None = None
    if exact and n_features <= _WIDEST and n_samples <= _LONGEST:
        found = _Stack.of(matrices, dtype, law, threshold)
    if found is None:
        lower, upper, left = np.zeros(m, np.int64), np.zeros(m, np.int64), np.arange(m)
    else:
        lower, upper, left = found.counts()
    alone = {
        index: epsilon_rank(Features(matrices[index], dtype, exact), threshold, measure=law)
        for index in left.tolist()
    }
    for index, rank in alone.items():
        lower[index], upper[index] = rank.lower, rank.upper
    return RankBatch(threshold, lower, upper, _Source(found, alone))


def _as_stack(stack: Any) -> tuple[NDArray[Any], str, bool]:
    """Check matrices of one shape; return them, their dtype, and whether float64 holds them."""
    if isinstance(stack, (list, tuple)):
        checked = [as_features(each, name=f"stack[{i}]") for i, each in enumerate(stack)]
        if not checked:
            raise InputError("stack", "is empty", "pass at least one matrix")
        shapes = {each.given.shape for each in checked}
        kinds = {(each.dtype, each.given.dtype) for each in checked}
        if len(shapes) > 1 or len(kinds) > 1:
            several = shapes if len(shapes) > 1 else {dtype for dtype, _ in kinds}
            what = "shapes" if len(shapes) > 1 else "dtypes"
            raise InputError(
                "stack",
                f"has {what} {', '.join(sorted(map(str, several)))}",
                "pass matrices of one shape and dtype; epsilon_rank takes the others one by one",
            )
        exact = all(each.exact for each in checked)
        return np.stack([each.given for each in checked]), checked[0].dtype, exact
    given, dtype = to_numpy(stack, "stack")
    if given.ndim != 3 or given.size == 0:
        raise InputError("stack", f"has shape {given.shape}", "pass (m, N, n), none of them 0")
    if given.dtype.kind == "f" and given.dtype.itemsize < 8:
        refuse_non_finite(given, "stack")
        return given, dtype, True
    values, exact = to_float64(given, "stack")
    refuse_non_finite(values, "stack")
    return (values if exact else given), dtype, exact


@dataclass(frozen=True, eq=False)
class _Part:
    """Some of the Gram matrices, all at once: those of full rank by Cholesky, others by spectra."""

    #: H̃_i, of shape (k, n, n), their traces, and bounds of ‖H̃_i − H_i‖ (infinite: not usable).
    grams: Array
    traces: Vector
    formed: Vector
    #: Spectra, and the row of each matrix among them; −1 where G − εI is positive definite.
    spectra: StackedSpectra
    rows: NDArray[np.int64]
    #: Counts beyond θ, and whether both ends agree.
    lower: NDArray[np.int64]
    upper: NDArray[np.int64]

    @classmethod
    def of(cls, block: Array, g: float, theta: Fraction) -> _Part:
        """Count the eigenvalues of AᵢᵀAᵢ beyond θ; g is that of `gram_factor`."""
        with np.errstate(over="ignore", invalid="ignore"):
            grams = np.matmul(block.transpose(0, 2, 1), block)
            traces = grams.diagonal(axis1=1, axis2=2).sum(axis=1)
        formed = np.array(
            [formed_error(t, g) if in_range(t) else math.inf for t in traces.tolist()]
        )
        # Others are left to `epsilon_rank`, which rescales.
        grams[np.isinf(formed)] = 0.0
        k, n = grams.shape[:2]
        full = all_above_each(grams, formed, float_above(theta))
        rest = np.flatnonzero(~full)
        rows = np.full(k, -1)
        rows[rest] = np.arange(len(rest))
        spectra = stacked_spectra(grams[rest] if full.any() else grams, formed[rest])
        lower, upper = np.full(k, n), np.full(k, n)
        lower[rest] = np.count_nonzero(spectra.lower > float_above(theta), axis=1)
        upper[rest] = np.count_nonzero(spectra.upper > float_below(theta), axis=1)
        return cls(grams, traces, formed, spectra, rows, lower, np.maximum(lower, upper))


@dataclass(frozen=True, eq=False)
class _Stack:
    """Matrices of one shape at one threshold, on the scale of the features as they are."""

    parts: list[_Part]
    #: Matrices in each part but the last.
    step: int
    #: ε in units of H, and G = scale · H.
    theta: Fraction
    scale: Fraction
    #: The largest root of a weight.
    root: float
    measure: Measure
    dtype: str
    n_features: int

    @classmethod
    def of(cls, matrices: NDArray[Any], dtype: str, measure: Measure, eps: float) -> _Stack | None:
        """Count for all of them; None where weights differ too much for the plain products."""
        roots, shift = weight_roots(measure)
        if far_apart(roots):
            return None
        m, n_samples, n = matrices.shape
        scale = power_of_two(-2 * shift) / measure.normaliser
        theta = Fraction(eps) / scale
        g = gram_factor(n_samples, roots is not None)

        def part(chosen: slice) -> _Part:
            block = np.asarray(matrices[chosen], dtype=np.float64)
            return _Part.of(block if roots is None else block * roots[:, None], g, theta)

        step = max(_ENTRIES_AT_A_TIME // (n_samples * n), 1)
        chosen = [slice(start, start + step) for start in range(0, m, step)]
        threads = min(len(chosen), _MOST_THREADS, _cores()) if m >= _MANY else 1
        with blas_for(n):
            if threads > 1:
                with ThreadPoolExecutor(threads) as pool:
                    parts = list(pool.map(part, chosen))
            else:
                parts = [part(each) for each in chosen]
        root = 1.0 if roots is None else float(roots.max())
        return cls(parts, step, theta, scale, root, measure, dtype, n)

    def counts(self) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.int64]]:
        """Return both ends for every matrix, and the indices of those that are left open."""
        lower = np.concatenate([part.lower for part in self.parts])
        upper = np.concatenate([part.upper for part in self.parts])
        usable = np.concatenate([np.isfinite(part.formed) for part in self.parts])
        return lower, upper, np.flatnonzero((lower != upper) | ~usable)

    def interval(self, index: int, eps: float) -> RankInterval:
        """Put the result for one matrix together."""
        part, i = self.parts[index // self.step], index % self.step
        count, row, formed = int(part.lower[i]), int(part.rows[i]), float(part.formed[i])
        known = None if row < 0 else part.spectra.enclosure(row)
        reason = FULL if known is None else gap_reason(known, count, self.theta)
        samples = self.measure.n_samples
        energy = float(part.traces[i]) + formed
        return RankInterval.of(
            eps,
            Decision(count, count, "gram", reason),
            noise_floor=scaled_float(formed, self.scale),
            measure=self.measure.name,
            dtype=self.dtype,
            n_samples=samples,
            n_features=self.n_features,
            source=SpectrumSource(
                scale=self.scale,
                gram=part.grams[i] if known is None else None,
                formed=formed,
                known=known,
                move=storage_move(self.dtype, samples * self.n_features, energy, self.root),
            ),
        )


def _cores() -> int:
    """Return the cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
