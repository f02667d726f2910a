"""The ε-rank of features, of a Gram matrix, of a spectrum (D1), as certified intervals."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any, Literal

import numpy as np

from theory.dyadic import power_of_two
from theory.enclosure import SpectrumEnclosure, from_error
from theory.errors import InputError
from theory.exact_gram import ExactGram, exact_gram, exact_gram_of_matrix
from theory.inputs import Array, as_eps, as_features, as_matrix_argument, to_numpy
from theory.measure import as_measure
from theory.rank_interval import RankInterval
from theory.rank_problem import RankProblem
from theory.rounding import UNDERFLOW, frobenius, gram_error_bound, upward
from theory.routes.ball import ball_count
from theory.routes.exact import exact_cost, exact_count
from theory.routes.gram import symmetric_spectrum
from theory.spectrum_source import SpectrumSource, scaled_float
from theory.weighted import scaling_exponent

# Widths from which the characteristic polynomial of a given Gram matrix is left to ball arithmetic.
_EXACT_SECONDS = 20.0


def epsilon_rank(
    features: Any,
    eps: float,
    *,
    weights: Any = None,
    measure: str = "mean",
    exact: bool = False,
    relative: bool = False,
) -> RankInterval:
    """ε-rank  r_ε = #{k : λ_k(G) > ε}  of  G = ∫ φφᵀ dμ = Φᵀ diag(w) Φ / c  (D1, strict).

    The cheapest route that decides is taken: float64 Gram matrix, then singular directions of the
    weighted features, then ball arithmetic or the integer characteristic polynomial. Each route
    carries a certified error bound, and the result is an interval unless both ends agree.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ_ij = φ_j(x_i): post-activation outputs of the last hidden layer, one column per neuron.
        Any real dtype; the stored numbers are taken as exact.
    eps : float
        ε > 0, in the units of λ (or of λ_k/λ_1 when `relative`).
    weights : array_like, shape (N,), optional
        w_i ≥ 0, 1 each by default.
    measure : {"mean", "volume", "raw"}
        c = Σw for ``mean``, 1 otherwise; ``volume`` needs quadrature weights.
    exact : bool
        Decide in integer arithmetic whatever the margin.
    relative : bool
        Threshold ε·λ_1 in place of ε.

    Returns
    -------
    RankInterval
        The certified interval.

    Raises
    ------
    InputError
        If an argument cannot be used; the message names it and the remedy.

    References
    ----------
    .. [1] Yang, Zhao, Zhu, "ε-rank and the staircase phenomenon", arXiv 2412.05144, Def. 2.2.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)[:, None]
    >>> rank = epsilon_rank(np.tanh(x + np.linspace(-1, 1, 20)), 1e-6)
    >>> int(rank), rank.route
    (6, 'gram')
    """
    return epsilon_ranks(
        features, [eps], weights=weights, measure=measure, exact=exact, relative=relative
    )[0]


def epsilon_ranks(
    features: Any,
    eps: Sequence[float],
    *,
    weights: Any = None,
    measure: str = "mean",
    exact: bool = False,
    relative: bool = False,
) -> list[RankInterval]:
    """ε-ranks at several thresholds from one decomposition; see `epsilon_rank`.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ.
    eps : sequence of float
        Thresholds, each > 0.
    weights : array_like, shape (N,), optional
        w_i ≥ 0.
    measure : {"mean", "volume", "raw"}
        Normalisation of the measure.
    exact : bool
        Decide in integer arithmetic whatever the margin.
    relative : bool
        Thresholds ε·λ_1.

    Returns
    -------
    list of RankInterval
        One for each threshold, in the order given.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
    thresholds = [as_eps(value) for value in eps]
    if not thresholds:
        raise InputError("eps", "is an empty sequence", "pass at least one threshold")
    checked = as_features(features)
    problem = RankProblem(checked, as_measure(measure, weights, checked.n_samples), exact)
    decisions = problem.decide_all(thresholds, relative)
    source = problem.source()
    return [
        RankInterval(
            eps=value,
            lower=decision.lower,
            upper=decision.upper,
            route=decision.route,
            reason=decision.reason,
            noise_floor=problem.noise_floor,
            measure=problem.measure.name,
            dtype=checked.dtype,
            n_samples=checked.n_samples,
            n_features=checked.n_features,
            relative=relative,
            source=source,
        )
        for value, decision in zip(thresholds, decisions, strict=True)
    ]


def _symmetric_part(gram: Any) -> tuple[Array, float]:
    """Return (G + Gᵀ)/2 and a bound on the distance to G, refusing a plainly asymmetric matrix.

    Parameters
    ----------
    gram : array_like
        G.

    Returns
    -------
    tuple of (ndarray of float64, float)
        Symmetric matrix and ‖(G − Gᵀ)/2‖_F, rounded upward.

    Raises
    ------
    InputError
        If the asymmetry exceeds rounding.
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
        t ≥ 0, with which G̃ was computed; 0 takes G̃ as exact.
    accumulated_in : {"float64", "float32", "float16", "bfloat16"}, optional
        Adds the rounding bound of a product accumulated in that dtype over `n_samples` (C2).
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
    if not gram_error >= 0:
        raise InputError("gram_error", f"is {gram_error!r}", "pass a bound ≥ 0 on ‖G̃ − G‖₂")
    error = upward(float(gram_error) + asymmetry)
    if accumulated_in is not None:
        if n_samples < 1:
            raise InputError("n_samples", f"is {n_samples}", "say how many samples were summed")
        error = upward(error + gram_error_bound(float(np.trace(matrix)), n_samples, accumulated_in))
    scale = power_of_two(-scaling_exponent(float(np.abs(matrix).max())))
    if scale != 1:
        matrix = matrix * float(1 / scale)
        error = upward(float(Fraction(error) / scale) + UNDERFLOW)
    values, solver = symmetric_spectrum(matrix)
    if float(values.min()) < -(error + solver) - UNDERFLOW:
        raise InputError(
            "gram",
            f"has the eigenvalue {float(values.min()) * float(scale):.3g}, below its error bound",
            "pass a Gram matrix (positive semidefinite), or its gram_error",
        )
    enclosure = from_error(values, upward(error + solver))
    below = above = Fraction(threshold) / scale
    if relative:
        below = above = Fraction(threshold)
        below, above = below * Fraction(enclosure.lower[0]), above * Fraction(enclosure.upper[0])
    lower, upper = enclosure.count(below, above)
    route, reason = "gram", "no eigenvalue lies within the error bound of the threshold"
    if lower != upper:
        lower, upper, route = _sharpen(matrix, error, below, above, (lower, upper))
        reason = (
            "counted in integer or ball arithmetic"
            if lower == upper
            else "eigenvalues lie within the matrix's own error bound of the threshold"
        )
    return _without_features(
        enclosure,
        threshold,
        (lower, upper, route, reason),
        noise_floor=scaled_float(upward(error + solver), scale),
        labels=(measure, dtype, n_samples, relative),
        scale=scale,
    )


def _sharpen(
    matrix: Array, error: float, below: Fraction, above: Fraction, found: tuple[int, int]
) -> tuple[int, int, str]:
    """Count at θ ± t in integer or ball arithmetic, for a matrix taken as exact.

    Parameters
    ----------
    matrix : ndarray of float64, shape (n, n)
        G̃.
    error : float
        t.
    below, above : Fraction
        Enclosure of the threshold.
    found : tuple of (int, int)
        Bounds known already.

    Returns
    -------
    tuple of (int, int, str)
        Bounds and route.
    """
    gram = exact_gram_of_matrix(matrix)
    vectors = np.linalg.eigh(matrix)[1][:, ::-1]
    shift = Fraction(error)
    counts = [
        _exact_or_ball(gram, gram.threshold(theta), vectors) if theta > 0 else None
        for theta in ((above + shift), (below - shift))
    ]
    routes = sorted({count[1] for count in counts if count is not None})
    low, high = (count[0] if count is not None else None for count in counts)
    return (
        found[0] if low is None else max(low, found[0]),
        found[1] if high is None else min(high, found[1]),
        "+".join(routes) or "gram",
    )


def _exact_or_ball(gram: ExactGram, theta: Fraction, vectors: Array) -> tuple[int | None, str]:
    if gram.n_features <= 64:
        return exact_count(gram, theta), "exact"
    count, _ = ball_count(gram, theta, vectors)
    if count is None and exact_cost(gram) <= _EXACT_SECONDS:
        return exact_count(gram, theta), "exact"
    return count, "ball"


def _without_features(
    enclosure: SpectrumEnclosure,
    eps: float,
    decision: tuple[int, int, str, str],
    *,
    noise_floor: float,
    labels: tuple[str, str, int, bool],
    scale: Fraction = Fraction(1),
) -> RankInterval:
    lower, upper, route, reason = decision
    measure, dtype, n_samples, relative = labels
    return RankInterval(
        eps=eps,
        lower=lower,
        upper=upper,
        route=route,
        reason=reason,
        noise_floor=noise_floor,
        measure=measure,
        dtype=dtype,
        n_samples=n_samples,
        n_features=len(enclosure.values),
        relative=relative,
        source=SpectrumSource(scale, known=enclosure),
    )


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
        |entry − λ_k| ≤ error for each k; 0 takes the numbers as exact.
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
    values = given.astype(np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InputError("spectrum", f"has shape {values.shape}", "pass a vector of eigenvalues")
    if not np.isfinite(values).all():
        raise InputError("spectrum", "has NaN or infinite entries", "drop or recompute them")
    if not error >= 0:
        raise InputError("error", f"is {error!r}", "pass a bound ≥ 0 on each eigenvalue's error")
    if float(values.min()) < -error:
        raise InputError(
            "spectrum",
            f"has the negative eigenvalue {float(values.min()):.3g}",
            "pass the eigenvalues of a Gram matrix, or their error bound",
        )
    if error == 0:
        descending = np.sort(values)[::-1]
        enclosure = SpectrumEnclosure(descending, descending, descending)
    else:
        enclosure = from_error(values, float(error))
    below = above = Fraction(threshold)
    if relative:
        below, above = below * Fraction(enclosure.lower[0]), above * Fraction(enclosure.upper[0])
        # λ_k > ελ_1 compares rationals where the entries are exact.
    lower, upper = _count_rational(enclosure, below, above)
    reason = (
        "counted in the spectrum given"
        if lower == upper
        else f"eigenvalues {lower + 1} to {upper} lie within {error:.3g} of the threshold"
    )
    return _without_features(
        enclosure,
        threshold,
        (lower, upper, "spectrum", reason),
        noise_floor=float(error),
        labels=(measure, dtype, 0, relative),
    )


def _count_rational(
    enclosure: SpectrumEnclosure, below: Fraction, above: Fraction
) -> tuple[int, int]:
    lower = sum(Fraction(value) > above for value in enclosure.lower.tolist())
    upper = sum(Fraction(value) > below for value in enclosure.upper.tolist())
    return lower, upper


def algebraic_rank(features: Any, *, weights: Any = None) -> int:
    """Rank of G, that is r_0 (D1 with ε = 0), in integer arithmetic.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ, taken as exact.
    weights : array_like, shape (N,), optional
        w_i ≥ 0; samples of weight 0 do not count.

    Returns
    -------
    int
        Number of linearly independent features on the samples of positive weight.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
    checked = as_features(features)
    return int(exact_gram(checked, as_measure("raw", weights, checked.n_samples)).matrix.rank())
