"""M1 (testable parts), M7 and M8: subspaces, perturbations and sums of Gram matrices."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from epsrank.proofs.exact import oracle
from epsrank.proofs.properties.comparisons import at_most, rank, threshold
from epsrank.proofs.strategies import (
    KnownSpectrum,
    feature_pairs,
    integer_features,
    known_spectra,
    small_integers,
    spectra,
    thresholds,
)
from epsrank.proofs.strategies.spectra import from_singular_values
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.numbers.arrays import Array


def _difference(first: Array, second: Array) -> Fraction:
    """Return max_i Σ_j |G_ij − G′_ij| ≥ ‖G − G′‖₂, exactly."""
    left, right = oracle.exact_gram(first), oracle.exact_gram(second)
    rows = [
        sum((abs(a - b) for a, b in zip(*pair, strict=True)), Fraction(0))
        for pair in zip(left, right, strict=True)
    ]
    return max(rows)


@states(
    "rank-stability",
    pinned=[
        {"features": np.eye(2), "noise": np.zeros((2, 2)), "scale": 0, "eps": 1.0},
        {"features": np.eye(2), "noise": np.eye(2), "scale": -3, "eps": 1.0},
    ],
    features=integer_features(6, 5),
    noise=hnp.arrays(np.float64, (6, 5), elements=small_integers(3).map(float)),
    scale=st.integers(-30, 0),
    eps=thresholds(),
)
def stable_under_perturbation(
    tally: Tally, features: Array, noise: Array, scale: int, eps: float
) -> None:
    """r_{ε+t}(G) ≤ r_ε(G′) ≤ r_{ε−t}(G) with an exact upper bound t of ‖G − G′‖₂ (M7)."""
    n_samples, n = features.shape
    moved = features + np.ldexp(noise[:n_samples, :n], scale)
    gap = _difference(features, moved)
    middle = rank(moved, eps, measure="raw")
    coarse = rank(features, threshold(Fraction(eps) + gap, above=True), measure="raw")
    at_most(tally, coarse, middle, "r_{ε+t}(G) ≤ r_ε(G′)")
    if Fraction(eps) > gap:
        fine = rank(features, threshold(Fraction(eps) - gap, above=False), measure="raw")
        at_most(tally, middle, fine, "r_ε(G′) ≤ r_{ε−t}(G)")


@states(
    "rank-stability",
    features=integer_features(6, 5),
    noise=hnp.arrays(np.float64, (6, 5), elements=small_integers(3).map(float)),
    scale=st.integers(-12, 0),
)
def eigenvalues_move_by_at_most_the_norm(
    tally: Tally, features: Array, noise: Array, scale: int
) -> None:
    """|λ_k(G) − λ_k(G′)| ≤ ‖G − G′‖₂ between certified spectra (M7)."""
    n_samples, n = features.shape
    moved = features + np.ldexp(noise[:n_samples, :n], scale)
    before, after = rank(features, 1.0, measure="raw"), rank(moved, 1.0, measure="raw")
    # float rounds the fraction to nearest, and so perhaps down.
    allowed = float(_difference(features, moved)) * (1 + 1e-15)
    unknown = before.spectrum_error + after.spectrum_error
    worst = float(np.abs(before.spectrum - after.spectrum).max())
    if worst > allowed + unknown:
        refute(f"an eigenvalue moved by {worst!r}, ‖G − G′‖ ≤ {allowed!r}")
    tally.count(worst + unknown <= allowed)


@states(
    "rank-stability",
    values=st.sampled_from((1, 2, 4)).flatmap(lambda n: st.tuples(spectra(n), spectra(n))),
    data=st.data(),
)
def stable_in_a_common_eigenbasis(
    tally: Tally, values: tuple[Array, Array], data: st.DataObject
) -> None:
    """With a common eigenbasis ‖G − G′‖₂ is exact, and the bounds of M7 are tight."""
    n = len(values[0])
    known = [from_singular_values(value, n) for value in values]
    # Eigenvalues belong together by eigenvector, not by size.
    gaps = [
        n * n * abs(Fraction(float(a)) ** 2 - Fraction(float(b)) ** 2)
        for a, b in zip(*values, strict=True)
    ]
    choices = [value for value in known[1].eigenvalues if value > 0] or [Fraction(1)]
    eps = threshold(data.draw(st.sampled_from(choices), label="eps"), above=True)
    gap = max(gaps)
    middle = rank(known[1].features, eps, measure="raw")
    coarse = rank(known[0].features, threshold(Fraction(eps) + gap, above=True), measure="raw")
    at_most(tally, coarse, middle, "r_{ε+t}(G) ≤ r_ε(G′)")
    if Fraction(eps) > gap:
        fine = rank(known[0].features, threshold(Fraction(eps) - gap, above=False), measure="raw")
        at_most(tally, middle, fine, "r_ε(G′) ≤ r_{ε−t}(G)")


@states(
    "rank-subadditive",
    pinned=[
        {"pair": (np.eye(2), np.eye(2)), "eps": 1.0, "delta": 1.0},
        {"pair": (np.array([[1.0, 0.0]]), np.array([[0.0, 1.0]])), "eps": 0.25, "delta": 0.25},
    ],
    pair=feature_pairs(),
    eps=thresholds(),
    delta=thresholds(),
)
def subadditive(
    tally: Tally, pair: tuple[NDArray[Any], NDArray[Any]], eps: float, delta: float
) -> None:
    """r_{ε+δ}(G + H) ≤ r_ε(G) + r_δ(H) (M8)."""
    first, second = pair
    total = threshold(Fraction(eps) + Fraction(delta), above=True)
    both = rank(np.concatenate([first, second]), total, measure="raw")
    left, right = rank(first, eps, measure="raw"), rank(second, delta, measure="raw")
    if both.lower > left.upper + right.upper:
        refute(f"{both.lower} > {left.upper} + {right.upper}")
    tally.count(both.upper <= left.lower + right.lower)


@states(
    "rank-variational",
    features=integer_features(6, 5),
    basis=hnp.arrays(np.float64, (5, 3), elements=small_integers(3).map(float)),
    eps=thresholds(),
)
def subspaces_bound_the_rank_from_below(
    tally: Tally, features: Array, basis: Array, eps: float
) -> None:
    """A subspace on which xᵀGx > ε xᵀx has dimension at most r_ε (M1, ≥)."""
    vectors = basis[: features.shape[1]]
    columns = [k for k in range(3) if vectors[:, k].any()]
    if not columns:
        tally.count(False)
        return
    rows = oracle.transpose(oracle.rational(vectors[:, columns]))
    shifted = oracle.shifted(oracle.exact_gram(features), Fraction(eps))
    compressed = oracle.product(oracle.product(rows, shifted), oracle.transpose(rows))
    # Positive definite on the columns means: independent, and xᵀGx > ε xᵀx on their span.
    if not oracle.is_positive_definite(compressed):
        tally.count(False)
        return
    count = rank(features, eps, measure="raw")
    if count.upper < len(columns):
        refute(f"a subspace of dimension {len(columns)}, but r_ε = {count.upper}")
    tally.count(count.lower >= len(columns))


@states(
    "rank-variational",
    known=known_spectra(8),
    eps=thresholds(),
    data=st.data(),
)
def leading_eigenvectors_attain_the_rank(
    tally: Tally, known: KnownSpectrum, eps: float, data: st.DataObject
) -> None:
    """The leading eigenvectors span such a subspace of dimension r_ε (M1, ≤)."""
    at = data.draw(st.sampled_from([Fraction(eps), *known.eigenvalues]), label="threshold")
    count = known.rank(at)
    shifted = oracle.shifted(oracle.exact_gram(known.features), at)
    rows = oracle.transpose(oracle.rational(known.eigenvectors))
    whole = oracle.product(oracle.product(rows, shifted), oracle.transpose(rows))
    leading = [row[:count] for row in whole[:count]]
    trailing = [[-value for value in row[count:]] for row in whole[count:]]
    if count and not oracle.is_positive_definite(leading):
        refute(f"the leading {count} eigenvectors fail at ε = {at}")
    if trailing and not oracle.is_positive_semidefinite(trailing):
        refute(f"a direction beyond the leading {count} exceeds ε = {at}")
    tally.count(True)
