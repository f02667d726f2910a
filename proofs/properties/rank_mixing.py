"""M5 and M6: the ε-rank under orthogonal mixing, scaling, and invertible mixing of neurons."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st

from epsrank.proofs.exact import oracle
from epsrank.proofs.properties.comparisons import at_most, rank, same, threshold
from epsrank.proofs.strategies import (
    RankCase,
    dyadic_orthogonal,
    exact_mixings,
    integer_features,
    integer_invertible,
    known_spectra,
    rank_cases,
    signed_permutations,
    thresholds,
)
from epsrank.proofs.testing.search import Tally, states
from epsrank.theory.numbers.arrays import Array


def _mixed(features: Array, mixing: Array) -> Array:
    """Return ΦT, rejecting the case where float64 rounds it."""
    result = features @ mixing
    exact = oracle.product(oracle.rational(features), oracle.rational(mixing))
    assume(oracle.rational(result) == exact)
    return np.asarray(result, dtype=np.float64)


@states(
    "rank-invariance",
    case=rank_cases(),
    data=st.data(),
)
def invariant_under_signed_permutations(tally: Tally, case: RankCase, data: st.DataObject) -> None:
    """r_ε is unchanged by permuting neurons and flipping their signs (M5)."""
    features = case.features.astype(np.float64)
    mixing = data.draw(signed_permutations(features.shape[1]), label="mixing")
    # No product: 0·1e150 + … would be exact too, but column picking cannot round at all.
    picked = np.abs(mixing).argmax(axis=0)
    mixed = features[:, picked] * mixing.sum(axis=0)
    measure = {"weights": case.weights, "measure": case.measure}
    for exact in (True, False):
        left = rank(features, case.eps, exact, **measure)
        same(tally, rank(mixed, case.eps, exact, **measure), left, "r_ε(φP) = r_ε(φ)")


@states(
    "rank-invariance",
    features=st.one_of(integer_features(7, 9), known_spectra(8).map(lambda known: known.features)),
    eps=thresholds(),
    data=st.data(),
)
def invariant_under_orthogonal_mixing(
    tally: Tally, features: Array, eps: float, data: st.DataObject
) -> None:
    """r_ε is unchanged by orthogonal mixing with exactly representable Q (M5)."""
    mixed = _mixed(features, data.draw(dyadic_orthogonal(features.shape[1]), label="mixing"))
    for exact in (True, False):
        left, right = rank(mixed, eps, exact), rank(features, eps, exact)
        same(tally, left, right, "r_ε(φQ) = r_ε(φ)")


@states(
    "rank-invariance",
    pinned=[{"case": RankCase(np.eye(2), 1.0, None, "raw"), "factor": -3.0}],
    case=rank_cases(),
    factor=st.one_of(
        st.integers(-40, 40).map(lambda e: 2.0**e), st.sampled_from((-1.0, 3.0, -5.0, 7.0))
    ),
)
def covariant_under_scaling(tally: Tally, case: RankCase, factor: float) -> None:
    """r_{c²ε}(cφ) = r_ε(φ) for c where both sides are exact (M5)."""
    features = case.features.astype(np.float64)
    with np.errstate(over="ignore"):
        scaled = features * factor
    assume(bool(np.isfinite(scaled).all()))
    wanted = [[value * Fraction(factor) for value in row] for row in oracle.rational(features)]
    assume(oracle.rational(scaled) == wanted)
    eps = case.eps * factor * factor
    assume(0 < eps < 1e306 and Fraction(eps) == Fraction(case.eps) * Fraction(factor) ** 2)
    measure = {"weights": case.weights, "measure": case.measure}
    for exact in (True, False):
        left = rank(scaled, eps, exact, **measure)
        right = rank(features, case.eps, exact, **measure)
        same(tally, left, right, "r_{c²ε}(cφ) = r_ε(φ)")


def _between(
    tally: Tally, features: Array, mixed: Array, eps: float, low: float, high: float
) -> None:
    """Check r_{ε/low}(φ) ≤ r_ε(φT) ≤ r_{ε/high}(φ) for low ≤ σ_min², high ≥ σ_max²."""
    for exact in (True, False):
        middle = rank(mixed, eps, exact, measure="raw")
        coarse = threshold(Fraction(eps) / Fraction(low), above=True)
        fine = threshold(Fraction(eps) / Fraction(high), above=False)
        left = rank(features, coarse, exact, measure="raw")
        right = rank(features, fine, exact, measure="raw")
        at_most(tally, left, middle, "r_{ε/σ_min²}(φ) ≤ r_ε(φT)")
        at_most(tally, middle, right, "r_ε(φT) ≤ r_{ε/σ_max²}(φ)")


@states(
    "rank-mixing",
    features=integer_features(7, 6),
    eps=thresholds(),
    data=st.data(),
)
def bounded_under_known_mixing(
    tally: Tally, features: Array, eps: float, data: st.DataObject
) -> None:
    """Ostrowski's bounds with T of exactly known singular values (M6)."""
    mixing, low, high = data.draw(exact_mixings(features.shape[1]), label="mixing")
    _between(tally, features, _mixed(features, mixing), eps, low**2, high**2)


@states(
    "rank-mixing",
    pinned=[{"features": np.eye(2), "mixing": np.array([[1.0, 1.0], [0.0, 1.0]]), "eps": 0.5}],
    features=integer_features(6, 4).filter(lambda f: f.shape[1] >= 2),
    mixing=integer_invertible(4),
    eps=thresholds(),
)
def bounded_under_integer_mixing(tally: Tally, features: Array, mixing: Array, eps: float) -> None:
    """Ostrowski's bounds with integer T, its singular values enclosed exactly (M6)."""
    n = features.shape[1]
    # A leading block of a unit-triangular product is itself such a product, so invertible.
    square = mixing[:n, :n]
    squares = np.linalg.svd(square, compute_uv=False) ** 2
    # Guessed in float64 with some room; that they bound the spectrum is decided exactly below.
    low, high = float(squares[-1]) * (1 - 1e-6), float(squares[0]) * (1 + 1e-6)
    gram = oracle.exact_gram(square)
    assume(low > 0 and oracle.is_positive_semidefinite(oracle.shifted(gram, Fraction(low))))
    assume(oracle.inertia(oracle.shifted(gram, Fraction(high)))[0] == 0)
    _between(tally, features, _mixed(features, square), eps, low, high)
