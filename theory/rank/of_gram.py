"""One Gram matrix that is known to an error bound: its spectrum once, and as many counts as wanted.

The sibling of `RankProblem` for a matrix without its features, such as one that was summed over
batches. No integer arithmetic: what float64 and the matrix's own error leave open stays open.
"""

from __future__ import annotations

import math
from fractions import Fraction
from functools import cache, cached_property
from typing import Any, Literal, get_args

import numpy as np

from epsrank.theory.data.exact_gram import exact_gram_of_matrix
from epsrank.theory.data.inputs import as_eps, as_error, as_matrix_argument, as_whole
from epsrank.theory.data.measure import MeasureName
from epsrank.theory.data.weighted import scaling_exponent
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import (
    Array,
    Square,
    refuse_non_finite,
    to_float64,
    to_numpy,
)
from epsrank.theory.numbers.dtypes import dtype_label, sum_type
from epsrank.theory.numbers.dyadic import float_above, power_of_two
from epsrank.theory.numbers.rounding import (
    UNDERFLOW,
    UNIT_ROUNDOFF,
    frobenius,
    gram_error_bound,
    upward,
)
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.enclosure import SpectrumEnclosure, from_error
from epsrank.theory.rank.interval import RankInterval, SpectrumSource, scaled, scaled_float
from epsrank.theory.rank.problem import Thresholds, beyond_largest, gap_reason
from epsrank.theory.rank.routes.exact import IntegerCount, integer_count, whole_largest
from epsrank.theory.rank.routes.factorised import factorised_count
from epsrank.theory.rank.routes.gram import eigenpairs, gram_enclosure, symmetric_spectrum
from epsrank.theory.words import plural

# From this width on, and up to this many thresholds, factorisations spare the eigenvalues: Cholesky
# for full rank gains a factor of 5 at 64 already, LDLᵀ from about 200 on (docs/benchmarks.md).
_WIDE_ENOUGH_FOR_COUNTS = 64
_FEW_THRESHOLDS = 2

_UNIT = Fraction(1)


class GramProblem:
    """Certified counts #{k : λ_k(G) > ε} for every G with ‖G̃ − G‖₂ ≤ t  (D1 with M7).

    `gram` is G̃, exactly symmetric. With `counts_only` nothing else is wanted of the spectrum, so
    that factorisations may spare it.
    """

    def __init__(self, gram: Square, error: float, *, counts_only: bool = False) -> None:
        matrix = as_matrix_argument(gram, "gram")
        if not np.array_equal(matrix, matrix.T):
            raise InputError("gram", "is not symmetric", "pass (G + Gᵀ)/2 and count the change")
        if not error >= 0:
            raise InputError("gram_error", f"is {error!r}", "pass a bound ≥ 0 on ‖G̃ − G‖₂")
        shift = scaling_exponent(float(np.abs(matrix).max()))
        self.scale = power_of_two(-shift)
        self.error = float(error)
        if shift and np.isfinite(self.error):  # no Fraction is infinite; nothing is decided then
            matrix = np.ldexp(matrix, shift)
            # UNDERFLOW covers the entries that ldexp flushes to 0.
            self.error = upward(float_above(Fraction(error) / self.scale) + UNDERFLOW)
        self.matrix: Array = matrix
        self.n_features = int(matrix.shape[0])
        self.counts_only = counts_only

    @cached_property
    def enclosure(self) -> SpectrumEnclosure:
        """Certified intervals of the eigenvalues of G / scale."""
        return gram_enclosure(self.matrix, self.error)

    @property
    def spectrum(self) -> Array:
        """λ_1 ≥ … ≥ λ_n of G as computed, clipped at 0."""
        return scaled(self.enclosure.values, self.scale)

    @property
    def spectrum_error(self) -> float:
        """|spectrum_k − λ_k| ≤ spectrum_error for every k."""
        return scaled_float(self.enclosure.error, self.scale)

    def decide(self, thresholds: Thresholds) -> list[Decision]:
        """Decide several thresholds, from one spectrum or, for wide matrices, from none."""
        spare = (
            self.counts_only
            and not thresholds.relative
            and self.n_features >= _WIDE_ENOUGH_FOR_COUNTS
            and len(thresholds.eps) <= _FEW_THRESHOLDS
            and "enclosure" not in self.__dict__
        )
        return [
            beyond_largest(eps, thresholds.relative)
            or (self._without_eigenvalues(eps) if spare else None)
            or self._by_eigenvalues(eps, thresholds.relative)
            for eps in map(as_eps, thresholds.eps)
        ]

    def _without_eigenvalues(self, eps: float) -> Decision | None:
        """Decide one threshold by factorisations alone, where these suffice."""
        if not np.isfinite(self.error):
            return None
        theta = Fraction(eps) / self.scale
        return factorised_count(self.matrix, self.error, theta, theta)

    def _by_eigenvalues(self, eps: float, relative: bool) -> Decision:
        """Decide one threshold from the spectrum."""
        if not np.isfinite(self.error):
            return Decision(0, self.n_features, "gram", "the matrix has no finite error bound")
        best = self.enclosure
        ends = best.threshold(eps, self.scale, relative)
        lower, upper = best.count_above(eps, ends, relative)
        if lower == upper:
            return Decision(lower, upper, "gram", gap_reason(best, lower, ends[0], relative))
        reason = (
            f"eigenvalues {lower + 1} to {upper} lie within the error bound {best.error:.1e} of "
            "the threshold"
        )
        return Decision(lower, upper, "gram", reason)


def epsilon_rank_from_spectrum(
    spectrum: Any,
    eps: float,
    *,
    error: float = 0.0,
    measure: Literal["mean", "raw", "volume"] = "raw",
    dtype: str = "float64",
    relative: bool = False,
) -> RankInterval:
    """ε-rank of a spectrum  λ_1, …, λ_n  whose entries are known to within `error`  (D1).

    Parameters
    ----------
    spectrum : array_like, shape (n,)
        Eigenvalues of the Gram matrix, in any order (squares of singular values of A, not the
        singular values themselves).
    eps : float
        ε > 0.
    error : float
        |entry − λ_k| ≤ error < ∞ for each k; 0 takes the numbers as exact, integers of any size
        included.
    measure : {"mean", "raw", "volume"}
        Measure of the spectrum; a label.
    dtype : str
        Dtype of the features; a label.
    relative : bool
        Threshold ε·λ_1.

    Returns
    -------
    RankInterval
        The interval.

    Raises
    ------
    InputError
        If the spectrum is not a non-empty vector of finite numbers ≥ −error.
    """
    threshold = as_eps(eps)
    given, _ = to_numpy(spectrum, "spectrum")
    if given.ndim != 1 or given.size == 0:
        raise InputError("spectrum", f"has shape {given.shape}", "pass a vector of eigenvalues")
    values, exact = to_float64(given, "spectrum")
    refuse_non_finite(values, "spectrum")
    bound = as_error(error, "error", "each eigenvalue's error")
    if float(values.min()) < -bound:
        raise InputError(
            "spectrum",
            f"has the negative eigenvalue {float(values.min()):.3g}",
            "pass the eigenvalues of a Gram matrix, or their error bound",
        )
    label = dtype_label(dtype)
    _check_measure(measure)
    # As they were given: integers beyond 2⁵³ would be rounded on the way to float64.
    entries = [Fraction(value) for value in (values if exact else given).tolist()]
    lower, upper = _count_rational(entries, Fraction(bound), Fraction(threshold), relative)
    if exact and bound == 0:
        descending = np.sort(values)[::-1]
        enclosure = SpectrumEnclosure(descending, descending, descending)
    else:
        rounded = 0.0 if exact else UNIT_ROUNDOFF["float64"] * float(values.max())
        enclosure = from_error(values, upward(bound + rounded))
    reason = (
        "counted in the spectrum given"
        if lower == upper
        else f"eigenvalues {lower + 1} to {upper} lie within {bound:.3g} of the threshold"
    )
    return RankInterval.of(
        threshold,
        Decision(lower, upper, "spectrum", reason),
        noise_floor=bound,
        measure=measure,
        dtype=label,
        n_samples=0,
        n_features=len(values),
        relative=relative,
        source=SpectrumSource(_UNIT, known=enclosure),
    )


def _count_rational(
    entries: list[Fraction], error: Fraction, eps: Fraction, relative: bool
) -> tuple[int, int]:
    """Count λ_k > ε, or λ_k > ελ_1, for eigenvalues known to an error, without any rounding."""
    if beyond_largest(float(eps), relative) is not None:
        return 0, 0
    below = above = eps
    if relative:
        largest = max(entries)
        below, above = eps * max(largest - error, Fraction(0)), eps * (largest + error)
    # No eigenvalue of a Gram matrix is negative, so that a negative end says as much as 0.
    lower = sum(entry - error > above for entry in entries)
    upper = sum(entry + error > below for entry in entries)
    # λ_1 itself is above a part of it unless it is 0.
    certain = int(relative and largest > error)
    return max(lower, certain), max(upper, certain)


def _check_measure(measure: Any) -> None:
    """Refuse a measure that there is not: the label would travel with the result."""
    if measure not in get_args(MeasureName):
        raise InputError("measure", f"is {measure!r}", "choose 'mean', 'raw' or 'volume'")


def _symmetric_part(gram: Any) -> tuple[Array, float]:
    """Return (G + Gᵀ)/2 and a bound on the distance to G, refusing a plainly asymmetric matrix.

    `gram` is G. Returns the symmetric matrix and ‖(G − Gᵀ)/2‖_F, rounded upward.
    """
    matrix = as_matrix_argument(gram, "gram")
    if np.array_equal(matrix, matrix.T):
        return matrix, 0.0
    largest = float(np.abs(matrix).max())
    gap = float(np.abs(matrix - matrix.T).max())
    if gap > 1e-6 * largest:
        raise InputError(
            "gram", f"is not symmetric (entries differ by {gap:.3g})", "pass ΦᵀΦ, or its mean"
        )
    # Halved before they are added, since the sum may overflow; 1e-15 covers what rounds here.
    symmetric = matrix / 2 + matrix.T / 2
    return symmetric, upward(frobenius(matrix - symmetric) + 1e-15 * frobenius(matrix))


def epsilon_rank_from_gram(
    gram: Any,
    eps: float,
    *,
    gram_error: float = 0.0,
    accumulated_in: str | None = None,
    n_samples: int = 0,
    measure: Literal["mean", "raw", "volume"] = "raw",
    dtype: str = "float64",
    relative: bool = False,
) -> RankInterval:
    """ε-rank of a Gram matrix that is known to within ‖G̃ − G‖₂ ≤ t  (D1 with M7).

    r_{ε+t}(G̃) ≤ r_ε(G) ≤ r_{ε−t}(G̃), each side counted with certified eigenvalues, and in integer
    arithmetic where float64 cannot decide.

    Parameters
    ----------
    gram : array_like or tensor, shape (n, n)
        G̃, symmetric positive semidefinite to within t.
    eps : float
        ε > 0.
    gram_error : float
        t ≥ 0, finite, with which G̃ was computed; 0 takes G̃ as exact.
    accumulated_in : {"float64", "float32", "float16", "bfloat16"}, optional
        Adds the rounding bound of a product accumulated in that dtype over `n_samples` (C2); by
        name, or a dtype of NumPy or PyTorch. Where there is no bound (bfloat16 from 126 samples
        on, float16 from 1022 on) the interval is [0, n].
    n_samples : int
        N, where known.
    measure : {"mean", "raw", "volume"}
        Measure that G̃ was taken in; a label.
    dtype : str
        Dtype of the features; a label.
    relative : bool
        Threshold ε·λ_1.

    Returns
    -------
    RankInterval
        The certified interval; `noise_floor` is t plus the eigenvalue solver's own bound.

    Raises
    ------
    InputError
        If the matrix is not square, symmetric, finite and positive semidefinite to within t.
    """
    threshold = as_eps(eps)
    matrix, asymmetry = _symmetric_part(gram)
    error = upward(as_error(gram_error, "gram_error", "‖G̃ − G‖₂") + asymmetry)
    label = dtype_label(dtype)
    _check_measure(measure)
    count = as_whole(n_samples, "n_samples", least=0)
    summed = None if accumulated_in is None else sum_type(accumulated_in).name
    if summed is not None:
        if count < 1:
            raise InputError("n_samples", f"is {count}", "say how many samples were summed")
        error = upward(
            error + gram_error_bound(float(np.trace(matrix)), count, summed, n_features=len(matrix))
        )
    problem = GramProblem(matrix, error)
    if math.isfinite(error):
        decision, enclosure, total = _decided(problem, threshold, relative)
        source = SpectrumSource(problem.scale, known=enclosure)
        noise_floor = scaled_float(total, problem.scale)
    else:
        reason = (
            f"sums of {plural(count, 'term')} in {summed} have no "
            "error bound (γ_N ≥ 1): form the Gram "
            "matrix in float64"
        )
        decision = beyond_largest(threshold, relative) or Decision(
            0, problem.n_features, "gram", reason
        )
        source = SpectrumSource(problem.scale, gram=problem.matrix, formed=error)
        noise_floor = math.inf
    return RankInterval.of(
        threshold,
        decision,
        noise_floor=noise_floor,
        measure=measure,
        dtype=label,
        n_samples=count,
        n_features=problem.n_features,
        relative=relative,
        source=source,
    )


def _decided(
    problem: GramProblem, eps: float, relative: bool
) -> tuple[Decision, SpectrumEnclosure, float]:
    """Count in the certified spectrum, then in integers; with the enclosure and its error."""
    values, solver = symmetric_spectrum(problem.matrix)
    total = upward(problem.error + solver)
    if float(values.min()) < -(problem.error + solver) - UNDERFLOW:
        least = float(values.min()) * float(problem.scale)
        raise InputError(
            "gram",
            f"has the eigenvalue {least:.3g}, below its error bound",
            "pass a Gram matrix (positive semidefinite), or its gram_error",
        )
    enclosure = from_error(values, total)
    ends = enclosure.threshold(eps, problem.scale, relative)
    lower, upper = enclosure.count_above(eps, ends, relative)
    reason = "no eigenvalue lies within the error bound of the threshold"
    decision = beyond_largest(eps, relative) or Decision(lower, upper, "gram", reason)
    if not decision.resolved:
        decision = _sharpened(problem, eps, relative, enclosure, decision)
    return decision, enclosure, total


def _sharpened(
    problem: GramProblem,
    eps: float,
    relative: bool,
    enclosure: SpectrumEnclosure,
    found: Decision,
) -> Decision:
    """Count at θ ± t in integer or ball arithmetic, for a matrix taken as exact."""
    gram = exact_gram_of_matrix(problem.matrix)

    @cache
    def vectors() -> Array | None:
        pairs = eigenpairs(problem.matrix)
        return None if pairs is None else pairs[1][:, ::-1]

    shift = Fraction(problem.error)
    below, above = enclosure.threshold(eps, problem.scale, relative)
    if relative and not problem.error:
        low, high = (end / gram.scale for end in enclosure.largest)
        largest = whole_largest(gram, low, high, vectors)
        if largest is not None:
            below = above = Fraction(eps) * largest * gram.scale

    @cache  # both ends agree where the matrix is exact and the threshold is one number
    def count(theta: Fraction) -> IntegerCount | None:
        return integer_count(gram, gram.threshold(theta), vectors) if theta > 0 else None

    counts = [count(above + shift), count(below - shift)]
    routes = sorted({known.route for known in counts if known is not None})
    least = None if counts[0] is None else counts[0].lower
    most = None if counts[1] is None else counts[1].upper
    lower = found.lower if least is None else max(least, found.lower)
    upper = found.upper if most is None else min(most, found.upper)
    reason = (
        "counted in integer or ball arithmetic"
        if lower == upper
        else "eigenvalues lie within the matrix's own error bound of the threshold"
    )
    return Decision(lower, upper, "+".join(routes) or "gram", reason)
