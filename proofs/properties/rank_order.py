"""M2–M4 and M9: the ε-rank in the order of thresholds, neurons, Gram matrices and data."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from epsrank.proofs.exact import oracle
from epsrank.proofs.properties.comparisons import at_most, rank
from epsrank.proofs.strategies import (
    RankCase,
    feature_pairs,
    gram_matrices,
    integer_features,
    rank_cases,
    sample_weights,
    thresholds,
)
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank import epsilon_rank_from_gram

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.


_EYE = RankCase(np.eye(2), 1.0, None, "raw")
_TINY = RankCase(np.array([[1e-150, 1.0], [0.0, 1e-150]]), 1e-300, None, "mean")


@states(
    "rank-monotone-eps",
    pinned=[{"case": _EYE, "other": 1.0}, {"case": _TINY, "other": 1e-20}],
    case=rank_cases(),
    other=thresholds(),
)
def monotone_in_eps(tally: Tally, case: RankCase, other: float) -> None:
    """r_ε′ ≤ r_ε whenever ε ≤ ε′, exactly and by the default routes (M2)."""
    small, large = sorted((case.eps, other))
    measure = {"weights": case.weights, "measure": case.measure}
    for exact in (True, False):
        fewer = rank(case.features, large, exact, **measure)
        more = rank(case.features, small, exact, **measure)
        at_most(tally, fewer, more, "r_ε′ ≤ r_ε")


@states(
    "rank-monotone-neurons",
    pinned=[{"case": _EYE, "kept": [1]}, {"case": _TINY, "kept": [0]}],
    case=rank_cases(),
    kept=st.lists(st.integers(0, 11), min_size=1, max_size=6),
)
def monotone_in_neurons(tally: Tally, case: RankCase, kept: list[int]) -> None:
    """Leaving neurons out never raises r_ε (M3)."""
    chosen = sorted({index % case.features.shape[1] for index in kept})
    measure = {"weights": case.weights, "measure": case.measure}
    for exact in (True, False):
        part = rank(case.features[:, chosen], case.eps, exact, **measure)
        whole = rank(case.features, case.eps, exact, **measure)
        at_most(tally, part, whole, "r_ε(G_SS) ≤ r_ε(G)")


@states(
    "rank-monotone-loewner",
    case=rank_cases(max_features=4),
    data=st.data(),
)
def monotone_in_weights(tally: Tally, case: RankCase, data: st.DataObject) -> None:
    """Raising raw weights, hence G ≼ G′, never lowers r_ε (M4)."""
    n_samples = case.features.shape[0]
    low = data.draw(sample_weights(n_samples), label="weights")
    # Compared as the floats they are: w ≤ w′ holds exactly, however the sum was rounded.
    high = np.maximum(low, low + data.draw(sample_weights(n_samples), label="increase"))
    for exact in (True, False):
        less = rank(case.features, case.eps, exact, weights=low, measure="raw")
        more = rank(case.features, case.eps, exact, weights=high, measure="raw")
        at_most(tally, less, more, "r_ε(G) ≤ r_ε(G′)")


@states(
    "rank-monotone-loewner",
    pair=st.tuples(gram_matrices(4), gram_matrices(4)),
    eps=thresholds(),
)
def monotone_in_gram_matrices(
    tally: Tally,
    pair: tuple[tuple[NDArray[Any], Any], tuple[NDArray[Any], Any]],
    eps: float,
) -> None:
    """r_ε(G) ≤ r_ε(G + H) for Gram matrices G, H of exactly known spectra (M4)."""
    first, second = (gram for gram, _ in pair)
    n = min(len(first), len(second))
    first, second = first[:n, :n], second[:n, :n]
    total = first + second
    if oracle.rational(total) != [
        [a + b for a, b in zip(*rows, strict=True)]
        for rows in zip(oracle.rational(first), oracle.rational(second), strict=True)
    ]:
        total = 2 * first  # the sum was rounded; 2G dominates G as well
    less = epsilon_rank_from_gram(first, eps)
    at_most(tally, less, epsilon_rank_from_gram(total, eps), "r_ε(G) ≤ r_ε(G + H)")


@states(
    "rank-monotone-data",
    pinned=[{"pair": (np.array([[1.0, 1.0]]), np.array([[1.0, -1.0]])), "eps": 1.0}],
    pair=feature_pairs(),
    eps=thresholds(),
)
def monotone_in_data(tally: Tally, pair: tuple[NDArray[Any], NDArray[Any]], eps: float) -> None:
    """Appending samples with raw weights never lowers r_ε (M4)."""
    first, second = pair
    for exact in (True, False):
        less = rank(first, eps, exact, measure="raw")
        more = rank(np.concatenate([first, second]), eps, exact, measure="raw")
        at_most(tally, less, more, "r_ε(Φ) ≤ r_ε(Φ; Ψ)")


@states(
    "rank-trace",
    pinned=[{"case": _EYE}],
    case=rank_cases(),
)
def bounded_by_the_trace(tally: Tally, case: RankCase) -> None:
    """Ε · r_ε ≤ tr G, with the trace as an exact fraction (M9)."""
    gram = oracle.exact_gram(case.features, case.weights, case.measure)
    trace = sum((gram[k][k] for k in range(len(gram))), Fraction(0))
    count = rank(case.features, case.eps, weights=case.weights, measure=case.measure)
    if count.lower * Fraction(case.eps) > trace:
        refute(f"{count.lower}·{case.eps!r} exceeds the trace {float(trace)!r}")
    tally.count(count.resolved)


@states(
    "duplicate-neuron",
    refutable=True,
    features=integer_features(3, 3, bound=3),
    copied=st.integers(0, 2),
    eps=st.integers(1, 30).map(float),
)
def duplicating_does_not_raise_the_rank(
    tally: Tally, features: Array, copied: int, eps: float
) -> None:
    """Appending a copy of a neuron does not raise r_ε (this is false)."""
    column = copied % features.shape[1]
    twice = np.concatenate([features, features[:, [column]]], axis=1)
    before, after = rank(features, eps, measure="raw"), rank(twice, eps, measure="raw")
    tally.count(before.resolved and after.resolved)
    if after.lower > before.upper:
        refute(
            f"copying neuron {column} raises the rank from {before.upper} to {after.lower} "
            f"at ε = {eps:g} (raw weights)"
        )
