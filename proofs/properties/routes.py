"""D1 and C2: every route's interval contains the exact count, at any dtype, measure and scale."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import torch
from hypothesis import assume
from hypothesis import strategies as st
from numpy.typing import NDArray

from epsrank.proofs.exact import oracle
from epsrank.proofs.properties.comparisons import contains, rank
from epsrank.proofs.strategies import (
    KnownSpectrum,
    RankCase,
    feature_matrices,
    gram_matrices,
    known_spectra,
    narrow_features,
    rank_cases,
    thresholds,
)
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import gram_error_bound
from epsrank.theory.rank import algebraic_rank, epsilon_rank, epsilon_rank_from_gram
from epsrank.theory.rank.of_features import RankProblem
from epsrank.theory.rank.routes.svd import svd_enclosure

# Two neurons that differ by 1e-30, one whose square underflows, an exact tie, a huge scale.
_PINNED = (
    RankCase(np.array([[1.0, 1.0], [0.0, 1e-30]]), 1e-60, None, "raw"),
    RankCase(np.array([[1.0, 1.0], [0.0, 1e-30]]), 4e-61, None, "raw"),
    RankCase(np.array([[1e-150], [0.0]]), 1e-300, None, "mean"),
    RankCase(np.eye(3), 1.0, None, "raw"),
    RankCase(np.array([[1e150, 1.0]]), 1e300, np.array([0.5]), "volume"),
    RankCase(np.array([[0.0, 0.0]]), 1e-6, None, "mean"),
)


def _truth(case: RankCase) -> int:
    return oracle.exact_rank(case.features, case.eps, case.weights, case.measure)


@states(
    "rank-definition",
    pinned=[{"case": case} for case in _PINNED],
    case=rank_cases(),
)
def exact_route_counts_exactly(tally: Tally, case: RankCase) -> None:
    """The exact route is one number and equals an independent rational count (D1, C1)."""
    count = rank(case.features, case.eps, weights=case.weights, measure=case.measure)
    contains(tally, count, _truth(case), "the exact route")
    if not count.resolved:
        refute(f"the exact route leaves {count.ends}")


@states(
    "rank-definition",
    "float-resolution",
    pinned=[{"case": case} for case in _PINNED],
    case=rank_cases(),
    share=3.0,
)
def default_route_is_never_wrong(tally: Tally, case: RankCase) -> None:
    """The default route never excludes the exact count, at any dtype and scale (C2)."""
    count = rank(case.features, case.eps, False, weights=case.weights, measure=case.measure)
    contains(tally, count, _truth(case), "the default route")


@states(
    "rank-definition",
    pinned=[{"case": case} for case in _PINNED],
    case=rank_cases(),
)
def routes_enclose_the_spectrum(tally: Tally, case: RankCase) -> None:
    """The enclosures of the Gram and SVD routes contain every eigenvalue."""
    checked = as_features(case.features)
    measure = as_measure(case.measure, case.weights, checked.n_samples)
    problem = RankProblem(checked, measure)
    weighted = problem.weighted
    gram = oracle.exact_gram(case.features, case.weights, case.measure)
    enclosures = {"gram": problem.fast, "svd": svd_enclosure(weighted)}
    for name, found in enclosures.items():
        if found is None:
            tally.count(False)
            continue
        for k, (low, high) in enumerate(zip(found.lower, found.upper, strict=True)):
            # λ_{k+1} ≤ high ⟺ at most k eigenvalues above high; λ_{k+1} ≥ low likewise.
            above = oracle.inertia(oracle.shifted(gram, Fraction(float(high)) * weighted.scale))[0]
            under = oracle.inertia(oracle.shifted(gram, Fraction(float(low)) * weighted.scale))[1]
            if above > k or under > len(gram) - k - 1:
                refute(f"λ_{k + 1} lies outside the {name} route's [{low}, {high}]")
        tally.count(True)


@states(
    "rank-definition",
    case=rank_cases(flavours=("integers", "mantissas", "graded", "deficient", "huge_range")),
    exact=st.booleans(),
)
def reported_spectrum_is_within_its_error(tally: Tally, case: RankCase, exact: bool) -> None:
    """The spectrum reported is right to within the error reported with it."""
    found = rank(case.features, case.eps, exact, weights=case.weights, measure=case.measure)
    assume(bool(np.isfinite(found.spectrum).all()) and np.isfinite(found.spectrum_error))
    gram = oracle.exact_gram(case.features, case.weights, case.measure)
    for k, value in enumerate(found.spectrum):
        high = Fraction(float(value)) + Fraction(found.spectrum_error)
        low = Fraction(float(value)) - Fraction(found.spectrum_error)
        above = oracle.inertia(oracle.shifted(gram, high))[0]
        under = oracle.inertia(oracle.shifted(gram, low))[1]
        if above > k or under > len(gram) - k - 1:
            refute(f"λ_{k + 1} is off {value} by more than {found.spectrum_error}")
    tally.count(True)


@states(
    "rank-definition",
    known=known_spectra(8),
    data=st.data(),
)
def ties_are_not_counted(tally: Tally, known: KnownSpectrum, data: st.DataObject) -> None:
    """At thresholds equal to an eigenvalue the count is strict (D1)."""
    positive = [value for value in known.eigenvalues if value > 0]
    assume(positive)
    at = data.draw(st.sampled_from(positive), label="eigenvalue")
    eps = float(at)
    assume(Fraction(eps) == at)
    contains(tally, rank(known.features, eps, measure="raw"), known.rank(at), "the exact route")
    default = rank(known.features, eps, False, measure="raw")
    contains(tally, default, known.rank(at), "the default route")


@states(
    "rank-definition",
    case=gram_matrices(),
    eps=thresholds(),
    data=st.data(),
)
def gram_matrices_are_counted_right(
    tally: Tally, case: tuple[Array, tuple[Fraction, ...]], eps: float, data: st.DataObject
) -> None:
    """A Gram matrix of exactly known spectrum is counted right."""
    gram, eigenvalues = case
    exact = [v for v in eigenvalues if v > 0 and Fraction(float(v)) == v]
    at = data.draw(st.sampled_from([eps, *map(float, exact)]), label="threshold")
    truth = sum(value > Fraction(at) for value in eigenvalues)
    contains(tally, epsilon_rank_from_gram(gram, at), truth, "the Gram matrix route")


@states(
    "rank-definition",
    known=known_spectra(8),
)
def separated_spectra_give_one_number(tally: Tally, known: KnownSpectrum) -> None:
    """A spectrum with a gap around ε gives a single number without exact arithmetic."""
    top = known.eigenvalues[0]
    assume(top > 0)
    # ε between neighbours that differ by a factor ≥ 4 and lie well above rounding.
    gaps = [
        (a, b)
        for a, b in zip(known.eigenvalues, [*known.eigenvalues[1:], Fraction(0)], strict=True)
        if a >= 4 * b and a >= top / 10**8
    ]
    assume(gaps)
    for high, _ in gaps:
        eps = float(high) / 2
        assume(eps > 0)
        found = rank(known.features, eps, False, measure="raw")
        contains(tally, found, known.rank(Fraction(eps)), "the default route")
        if not found.resolved:
            refute(f"a gap of factor 2 around ε = {eps!r} stays unresolved")


@states(
    "rank-definition",
    features=feature_matrices(),
)
def rank_at_zero_is_the_rank(tally: Tally, features: NDArray[Any]) -> None:
    """r_0, the rank, equals that of an independent rational elimination."""
    found, truth = algebraic_rank(features), oracle.exact_rank(features, 0)
    if found != truth:
        refute(f"the rank is {truth}, not {found}")
    tally.count(True)


@states(
    "float-resolution",
    "rank-definition",
    features=st.sampled_from(("float32", "float16", "bfloat16")).flatmap(narrow_features),
    tensor=st.sampled_from((None, torch.float32, torch.float16, torch.bfloat16)),
    eps=st.sampled_from((1e-8, 1e-6, 1e-12, 1e-20)),
)
def narrow_features_never_give_a_wrong_integer(
    tally: Tally, features: NDArray[Any], tensor: torch.dtype | None, eps: float
) -> None:
    """Narrow features (float32, float16, bfloat16) at ε = 1e-8 never give a wrong integer."""
    given: Any = features
    if tensor is not None:
        # Rounded once more by torch; the numbers it then holds are the ones to count.
        given = torch.from_numpy(features.copy()).to(tensor)
        features = given.double().numpy()
    truth = oracle.exact_rank(features, eps, measure="mean")
    contains(tally, epsilon_rank(given, eps), truth, "the default route")


@states(
    "float-resolution",
    features=feature_matrices(
        flavours=("integers", "mantissas", "duplicated", "graded", "deficient", "float32")
    ),
    eps=thresholds(),
    near=st.sampled_from((None, 0.0, 2.0**-52, -(2.0**-23), 1e-6)),
    dtype=st.sampled_from(("float64", "float32")),
)
def float_gram_miscounts_only_below_the_floor(
    tally: Tally, features: NDArray[Any], eps: float, near: float | None, dtype: str
) -> None:
    """A Gram matrix formed in floats, then counted exactly, errs only within its floor (C2)."""
    rows = features.astype(dtype)
    gram = rows.T @ rows
    if near is not None:
        # Aim at an eigenvalue of the matrix that was computed.
        eps = abs(float(np.linalg.eigvalsh(gram.astype(np.float64))[-1])) * (1.0 + near)
    assume(eps > 1e-300 and bool(np.isfinite(gram).all()))
    trace, width = float(np.trace(gram)), rows.shape[1]
    floor = Fraction(gram_error_bound(trace, len(rows), dtype, n_features=width))
    exact, at = oracle.exact_gram(rows), Fraction(eps)
    stored = oracle.inertia(oracle.shifted(oracle.rational(gram), at))[0]
    least = oracle.inertia(oracle.shifted(exact, at + floor))[0]
    most = oracle.inertia(oracle.shifted(exact, at - floor))[0]
    if not least <= stored <= most:
        refute(
            f"{dtype} counts {stored}, beyond its floor {float(floor)!r}: exactly, {least} lie "
            f"above ε + floor and {most} above ε − floor"
        )
    tally.count(least == most)
