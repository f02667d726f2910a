"""N1 and N4 decided without rounding: exhaustive selections, certified errors, rational frames."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

from fractions import Fraction
from itertools import combinations

import numpy as np
from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epsrank.proofs.exact import oracle
from epsrank.proofs.strategies import (
    FloorCase,
    coefficients,
    floor_cases,
    integer_features,
    small_integers,
)
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.selection import certify
from epsrank.theory.selection.select import select_neurons

_PINNED = (
    # Equal neurons, a neuron of zeros, fewer samples than neurons, and a zero network.
    FloorCase(np.ones((2, 3)), np.ones((2, 1)), np.ones((3, 1)), 0.25, None, "raw"),
    FloorCase(np.diag([1.0, 0.0]), np.ones((2, 1)), np.ones((2, 1)), 0.25, None, "mean"),
    FloorCase(np.eye(2, 4), np.ones((2, 2)), np.ones((4, 2)), 1e-6, None, "mean"),
    FloorCase(np.eye(2), np.ones((2, 1)), np.zeros((2, 1)), 1e-6, np.array([0.0, 1.0]), "volume"),
)


def _selection_factor(n: int, p: int) -> int:
    return 1 + p * (n - p)


@states("neuron-selection", features=integer_features(5, 5, bound=5), data=st.data(), share=0.3)
def some_neurons_carry_the_network(tally: Tally, features: Array, data: st.DataObject) -> None:
    """Some p neurons have dist(u, span φ_S)² ≤ (1 + p(n−p)) λ_{p+1} ‖W‖², exactly (N1)."""
    n = features.shape[1]
    head = data.draw(coefficients(n, data.draw(st.integers(1, 2))), label="coefficients")
    exact, weights = oracle.rational(features), oracle.rational(head)
    columns = oracle.transpose(exact)
    outputs = oracle.transpose(oracle.product(exact, weights))
    norm = sum((x * x for row in weights for x in row), Fraction(0))
    assume(norm > 0)
    gram = oracle.exact_gram(features)
    for p in range(n):
        best = min(
            oracle.squared_distance([columns[j] for j in chosen], outputs)
            for chosen in combinations(range(n), p)
        )
        # λ_{p+1} ≥ θ exactly if at least p + 1 eigenvalues of G − θI are not negative.
        theta = best / (_selection_factor(n, p) * norm)
        if n - oracle.inertia(oracle.shifted(gram, theta))[1] < p + 1:
            refute(f"p = {p}: every subset is further away than √({_selection_factor(n, p)}·λ)‖W‖")
        tally.count(True)


@states("neuron-selection", case=floor_cases(6, 5), pinned=[{"case": case} for case in _PINNED],
        share=0.2)  # fmt: skip
def selections_are_as_close_as_certified(tally: Tally, case: FloorCase) -> None:
    """The exact distance of the neurons chosen is at most what was certified, and obeys N1."""
    features = as_features(case.features)
    law = as_measure(case.measure, case.weights, features.n_samples)
    for p in range(features.n_features + 1):
        for method in ("minors", "exchange", "closest"):
            found = select_neurons(
                features,
                p,
                coefficients=case.coefficients,
                method=method,
                measure=law,
            )
            assert found.coefficients is not None
            assert found.error is not None
            assert found.bound is not None
            squared = certify.exact_distance(
                features, law, found.neurons, case.coefficients, found.coefficients
            )
            if not np.isfinite(found.error) or squared > Fraction(found.error) ** 2:
                refute(f"p = {p}, {method}: ‖u − u_p‖² = {squared} > {found.error!r}²")
            if method == "minors" and found.growth > 1 + 1e-6:
                refute(f"p = {p}: the maximal minor leaves an entry {found.growth!r}")
            if method == "exchange" and found.growth > 1.1 + 1e-6:
                refute(f"p = {p}: the exchange leaves an entry {found.growth!r}")
            if np.isfinite(found.bound):
                _obeys_bound(p, method, squared, found.bound, found.rounding or 0.0)
            tally.count(bool(np.isfinite(found.bound)))


def _obeys_bound(p: int, method: str, squared: Fraction, bound: float, rounding: float) -> None:
    """Refute if the distance exceeds N1's certified bound by more than the rounding of C."""
    if squared > (Fraction(bound) + Fraction(rounding)) ** 2:
        refute(f"p = {p}, {method}: ‖u − u_p‖² = {squared} > {bound!r}², N1's bound")


@st.composite
def rational_frames(draw: st.DrawFn, largest: int = 6) -> oracle.Matrix:
    """Draw n × p matrices with exactly orthonormal rational columns, by Cayley's transform."""
    n = draw(st.integers(2, largest))
    p = draw(st.integers(1, n - 1))
    entries = draw(hnp.arrays(np.int64, (n, n), elements=small_integers(4), fill=st.nothing()))
    scale = Fraction(1, draw(st.integers(1, 4)))
    skew = [
        [Fraction(int(entries[i, j]) - int(entries[j, i])) * scale for j in range(n)]
        for i in range(n)
    ]
    plus = [[x + (i == j) for j, x in enumerate(row)] for i, row in enumerate(skew)]
    # (I − A)(I + A)⁻¹ = 2(I + A)⁻¹ − I; I + A is always invertible.
    inverse = _inverse(plus)
    return [[2 * row[j] - (i == j) for j in range(p)] for i, row in enumerate(inverse)]


def _inverse(matrix: oracle.Matrix) -> oracle.Matrix:
    """Return the inverse by Gauss–Jordan elimination."""
    n = len(matrix)
    rows = [[*row, *(Fraction(i == j) for j in range(n))] for i, row in enumerate(matrix)]
    for column in range(n):
        pivot = next(i for i in range(column, n) if rows[i][column] != 0)
        rows[column], rows[pivot] = rows[pivot], rows[column]
        rows[column] = [x / rows[column][column] for x in rows[column]]
        for i in range(n):
            if i != column and rows[i][column]:
                factor = rows[i][column]
                rows[i] = [a - factor * b for a, b in zip(rows[i], rows[column], strict=True)]
    return [row[n:] for row in rows]


def has_good_rows(frame: oracle.Matrix) -> bool:
    """Decide exactly whether some p rows have σ_min ≥ 1/√n: Q_SᵀQ_S − I/n is semidefinite."""
    n, p = len(frame), len(frame[0])
    for chosen in combinations(range(n), p):
        rows = [frame[i] for i in chosen]
        gram = oracle.product(oracle.transpose(rows), rows)
        if oracle.is_positive_semidefinite(oracle.shifted(gram, Fraction(1, n))):
            return True
    return False


@states("subset-conjecture", frame=rational_frames(), share=0.25)
def rational_frames_have_good_rows(tally: Tally, frame: oracle.Matrix) -> None:
    """Every rational n×p orthonormal matrix drawn has p rows with σ_min ≥ 1/√n, exactly (N4)."""
    if not has_good_rows(frame):
        refute(f"no p rows of {[[str(x) for x in row] for row in frame]} have σ_min ≥ 1/√n")
    tally.count(True)
