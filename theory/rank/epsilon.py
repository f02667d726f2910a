"""The ε-rank of features (D1), as certified intervals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from epsrank.theory.data.exact_gram import exact_gram
from epsrank.theory.data.inputs import as_eps, as_features
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.rank.counts import CountProblem
from epsrank.theory.rank.interval import RankInterval, SpectrumSource
from epsrank.theory.rank.of_features import RankProblem
from epsrank.theory.rank.problem import Thresholds


def epsilon_rank(
    features: Any,
    eps: float,
    *,
    weights: Any = None,
    measure: str | Measure = "mean",
    exact: bool = False,
    relative: bool = False,
    counts_only: bool = False,
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
        Threshold ε·λ_1 in place of ε: nothing is above it where ε ≥ 1.
    counts_only : bool
        Nothing else is wanted of the spectrum, so that some of the samples or float32 products may
        do where they provably suffice; `spectrum` and `storage` are then not to be had.

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
        features,
        [eps],
        weights=weights,
        measure=measure,
        exact=exact,
        relative=relative,
        counts_only=counts_only,
    )[0]


def epsilon_ranks(
    features: Any,
    eps: Sequence[float],
    *,
    weights: Any = None,
    measure: str | Measure = "mean",
    exact: bool = False,
    relative: bool = False,
    counts_only: bool = False,
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
    counts_only : bool
        As in `epsilon_rank`.

    Returns
    -------
    list of RankInterval
        One for each threshold, in the order given.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
    asked = Thresholds(tuple(as_eps(value) for value in eps), relative)
    if not asked.eps:
        raise InputError("eps", "is an empty sequence", "pass at least one threshold")
    checked = as_features(features)
    law = as_measure(measure, weights, checked.n_samples)
    # The shortcuts know neither λ_1 nor integers.
    quick = CountProblem(checked, law) if counts_only and not (exact or relative) else None
    decisions = [] if quick is None else quick.decide(asked)
    still_open = [not found.resolved for found in decisions] or [True] * len(asked.eps)
    source: SpectrumSource | None = None
    if quick is not None and not any(still_open):
        noise_floor = quick.noise_floor
    else:
        problem = RankProblem(checked, law, exact)
        rest = iter(problem.decide(asked.where(still_open)))
        decisions = [next(rest) if o else decisions[k] for k, o in enumerate(still_open)]
        source = None if counts_only else problem.source()
        noise_floor = problem.noise_floor
    return [
        RankInterval.of(
            value,
            decision,
            noise_floor=noise_floor,
            measure=law.name,
            dtype=checked.dtype,
            n_samples=checked.n_samples,
            n_features=checked.n_features,
            relative=relative,
            source=source,
        )
        for value, decision in zip(asked.eps, decisions, strict=True)
    ]


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
    # Which measure is of no matter: c > 0 changes no rank.
    return int(exact_gram(checked, as_measure("raw", weights, checked.n_samples)).matrix.rank())
