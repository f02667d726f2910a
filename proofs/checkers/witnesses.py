"""Exact witnesses against false statements: duplicated neurons, and four slips of the draft."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.exact import oracle
from epsrank.proofs.exact.rational_floor import rational_problem
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.proofs.strategies.spectra import from_singular_values
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank import epsilon_rank


def _counts(features: Array, eps: float, weights: Array | None = None) -> int:
    """Return r_ε under raw weights, by two exact routes that must agree."""
    count = oracle.exact_rank(features, eps, weights, "raw")
    measured = int(epsilon_rank(features, eps, weights=weights, measure="raw", exact=True))
    if count != measured:
        raise ArithmeticError(f"two exact counts differ: {count} and {measured}")
    return count


def duplicate_witness() -> dict[str, Any] | None:
    """Return features whose ε-rank grows when a neuron is duplicated, or None.

    One neuron of squared norm 0.81e-6 is below ε = 1e-6; two copies have λ = 1.62e-6.
    """
    once = np.array([[0.0009]])
    twice = np.concatenate([once, once], axis=1)
    eps = 1e-6
    before, after = _counts(once, eps), _counts(twice, eps)
    if not after > before:
        return None
    square = Fraction(0.0009) ** 2
    return {
        "features": once,
        "duplicated": twice,
        "eps": eps,
        "largest eigenvalue before": float(square),
        "largest eigenvalue after": float(2 * square),
        "rank before": before,
        "rank after": after,
        "measure": "raw",
    }


def threshold_witness() -> dict[str, Any] | None:
    """Return two functions with min ‖Σ c_j f_j‖ > ε over unit c, but λ_min < ε."""
    features, eps = np.eye(2) / 2, 0.375
    # ‖Σ c_j f_j‖ > ε for all unit c says that G − ε² I is positive definite.
    gram = oracle.exact_gram(features)
    by_norm = oracle.is_positive_definite(oracle.shifted(gram, Fraction(eps) ** 2))
    by_eigenvalue = oracle.is_positive_definite(oracle.shifted(gram, Fraction(eps)))
    if not by_norm or by_eigenvalue:
        return None
    return {
        "features": features,
        "eps": eps,
        "min ‖Σ c_j f_j‖ over unit c": 0.5,
        "λ_min": 0.25,
        "independent by the norm": True,
        "independent by λ_min > ε": False,
        "true threshold on the norm": "√ε",
    }


def constant_witness() -> dict[str, Any] | None:
    """Return a network where the draft's bound with C fails for every neuron, and C² holds.

    n = 2, p = 1, ε = λ_2: for both choices of one neuron S, dist(u, span φ_S)² exceeds
    C (p+1)(n−p)² ε with ‖β‖ ≤ C.
    """
    features = np.array([[1.0, 1.0], [0.25, -0.25]])
    beta, bound = np.array([[4.0], [-4.0]]), 6
    eps = 0.125
    if _counts(features, eps) != 1 or float((beta**2).sum()) > bound**2:
        return None
    columns = oracle.transpose(oracle.rational(features))
    output = [row[0] for row in oracle.product(oracle.rational(features), oracle.rational(beta))]
    squares = []
    for column in columns:
        length = sum((x * x for x in column), Fraction(0))
        inner = sum((x * y for x, y in zip(column, output, strict=True)), Fraction(0))
        # |y|² − ⟨x, y⟩²/|x|² is the squared distance of the output to the span of one neuron.
        squares.append(sum((y * y for y in output), Fraction(0)) - inner * inner / length)
    printed = bound * 2 * 1 * Fraction(eps)
    mended = bound * printed
    if not (min(squares) > printed and min(squares) <= mended):
        return None
    return {
        "features": features,
        "coefficients": beta,
        "C": bound,
        "eps": eps,
        "dist² for either neuron": [float(value) for value in squares],
        "bound with C": float(printed),
        "bound with C²": float(mended),
    }


def tail_sum_witness() -> dict[str, Any] | None:
    """Return features whose worst tail over ‖β‖ ≤ C is C²λ_{p+1}, below C² Σ_{k>p} λ_k."""
    known = from_singular_values(np.array([4.0, 0.5, 0.5, 0.5]), 4)
    p, values = 1, known.eigenvalues
    vectors = oracle.transpose(oracle.rational(known.eigenvectors))
    # Worst case: the tail's quadratic form on unit vectors has the maximum λ_{p+1} …
    tail = [[Fraction(0)] * 4 for _ in range(4)]
    for value, vector in list(zip(values, vectors, strict=True))[p:]:
        length = sum((x * x for x in vector), Fraction(0))
        for i in range(4):
            for j in range(4):
                tail[i][j] += value * vector[i] * vector[j] / length
    above = oracle.inertia(oracle.shifted(tail, values[p]))[0]
    # … and q_{p+1} attains it.
    beta = known.eigenvectors[:, [p]] / 2.0
    attained = rational_problem(known, np.zeros((4, 1)), beta)
    worst, total = values[p], sum(values[p:], Fraction(0))
    if above or attained.norm != 1 or attained.tails[p] != worst or not worst < total:
        return None
    return {
        "features": known.features,
        "p": p,
        "C": 1,
        "worst ‖u − P_p u‖²": float(worst),
        "Σ_{k>p} λ_k": float(total),
        "ratio": float(total / worst),
        "attained by": beta,
    }


def step_witness() -> dict[str, Any] | None:
    """Return features whose ε-rank under trapezoidal weights changes without the step h."""
    x = np.linspace(-1.0, 1.0, 5)
    features = np.stack([np.ones(5), x], axis=1)
    step, eps = 0.5, 1.0
    bare = np.array([0.5, 1.0, 1.0, 1.0, 0.5])
    with_step, without = _counts(features, eps, step * bare), _counts(features, eps, bare)
    rescaled = _counts(features, eps * step, step * bare)
    if with_step == without or rescaled != without:
        return None
    return {
        "features": features,
        "weights without h": bare,
        "h": step,
        "eps": eps,
        "rank with h": with_step,
        "rank without h": without,
        "rank with h at ε·h": rescaled,
    }


#: Part of the claim, what is witnessed, and how.
SLIPS: tuple[tuple[str, str, Callable[[], dict[str, Any] | None]], ...] = (
    (
        "threshold",
        "Two functions that are independent by ‖Σ c_j f_j‖ > ε but have λ_min < ε: the threshold "
        "on the norm is √ε",
        threshold_witness,
    ),
    (
        "constant",
        "A network with ‖β‖ ≤ C beyond the bound printed with C, for every choice of neurons; with "
        "C² it holds",
        constant_witness,
    ),
    (
        "tail-sum",
        "Features whose worst tail over ‖β‖ ≤ C is C²λ_(p+1), below C² Σ_(k>p) λ_k",
        tail_sum_witness,
    ),
    (
        "step",
        "Composite weights with and without the step h: the ε-rank differs, and ε·h restores it",
        step_witness,
    ),
)


def check_slips(context: Context) -> list[Evidence]:
    """Exhibit one exact witness per slip of the draft."""
    found = []
    for part, title, make in SLIPS:
        witness = make()
        found.append(
            Evidence(
                "draft-slips",
                "exact",
                "refuted" if witness else "passed",
                title,
                witness=witness,
                part=part,
            )
        )
    return found


def check_duplicate(context: Context) -> list[Evidence]:
    """Exhibit the exact witness against "duplicating a neuron cannot raise the ε-rank"."""
    witness = duplicate_witness()
    title = "One neuron with λ = 0.81e-6, duplicated: 1.62e-6 exceeds ε = 1e-6"
    state: State = "refuted" if witness else "passed"
    return [Evidence("duplicate-neuron", "exact", state, title, witness=witness)]


def witness_checkers() -> list[Checker]:
    """Return the checkers of false statements."""
    return [
        Checker("duplicated neuron", ("duplicate-neuron",), "exact", check_duplicate),
        Checker("slips of the draft", ("draft-slips",), "exact", check_slips),
    ]
