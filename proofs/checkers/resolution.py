"""C2: float Gram matrices that count wrong, pinned with exact counts, and the floor behind it.

The Gram matrices are accumulated sample by sample with elementwise operations, so that every
machine with IEEE arithmetic gets the same matrix, and the matrix is then counted exactly: no
eigenvalue solver takes part in the witness.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.exact import oracle
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.rounding import gram_error_bound
from epsrank.theory.rank import epsilon_rank


@dataclass(frozen=True, eq=False)
class Pinned:
    """Features, a threshold, and the type in which the Gram matrix is accumulated."""

    #: What they are.
    name: str
    #: Φ; numbers of the type `dtype`.
    features: Matrix
    #: ε, raw weights.
    eps: float
    #: Type of the sums.
    dtype: str


def monomials(n_samples: int, n_features: int, dtype: str) -> Matrix:
    """Return x, x², …, xⁿ at x = i/N, by rounded products: the same numbers everywhere."""
    x = (np.arange(1, n_samples + 1) / n_samples).astype(dtype)
    columns = [x]
    for _ in range(n_features - 1):
        columns.append((columns[-1] * x).astype(dtype))
    return np.stack(columns, axis=1).astype(np.float64)


def pinned() -> list[Pinned]:
    """Return the pinned cases."""
    small, smaller = 2.0**-13, 2.0**-30
    return [
        Pinned(
            "Läuchli's matrix, δ = 2^-13",
            np.array([[1.0, 1.0], [small, 0.0], [0.0, small]]),
            1e-8,
            "float32",
        ),
        Pinned(
            "Läuchli's matrix, δ = 2^-30",
            np.array([[1.0, 1.0], [smaller, 0.0], [0.0, smaller]]),
            1e-20,
            "float64",
        ),
        Pinned("monomials x¹…x²⁴ at 32 points", monomials(32, 24, "float32"), 1e-8, "float32"),
        Pinned("monomials x¹…x²⁴ at 32 points", monomials(32, 24, "float64"), 1e-20, "float64"),
    ]


def accumulated_gram(features: Matrix, dtype: str) -> NDArray[Any]:
    """Return Σ_i φ(x_i) φ(x_i)ᵀ, summed in order in the given type."""
    rows = features.astype(dtype)
    gram = np.zeros((rows.shape[1], rows.shape[1]), dtype=dtype)
    for row in rows:
        gram += np.multiply.outer(row, row)
    return gram


def examine(case: Pinned) -> dict[str, Any]:
    """Count a case exactly, count its float Gram matrix exactly, and compare with the floor."""
    truth = oracle.exact_rank(case.features, case.eps, measure="raw")
    gram = accumulated_gram(case.features, case.dtype)
    # The float matrix is itself exact numbers, and is counted as such.
    stored = oracle.inertia(oracle.shifted(oracle.rational(gram), Fraction(case.eps)))[0]
    solver = int((np.linalg.eigvalsh(gram) > case.eps).sum())
    trace = float(np.trace(gram.astype(np.float64)))
    floor = gram_error_bound(
        trace, len(case.features), case.dtype, n_features=case.features.shape[1]
    )
    # An eigenvalue of the exact matrix within the floor of ε may fall on either side of it.
    low, high = Fraction(case.eps) - Fraction(floor), Fraction(case.eps) + Fraction(floor)
    exact = oracle.exact_gram(case.features)
    within = (
        oracle.inertia(oracle.shifted(exact, low))[0]
        > oracle.inertia(oracle.shifted(exact, high))[0]
    )
    reported = epsilon_rank(case.features.astype(case.dtype), case.eps, measure="raw")
    return {
        "instance": case.name,
        "dtype": case.dtype,
        "eps": case.eps,
        "exact": truth,
        "in float": stored,
        "by eigvalsh": solver,
        "floor": floor,
        "wrong": stored != truth,
        "explained": within,
        "reported": [reported.lower, reported.upper],
        "route": reported.route,
    }


def check_resolution(
    context: Context, cases: Callable[[], list[Pinned]] = pinned
) -> list[Evidence]:
    """Exhibit float Gram matrices that count wrong, and that the floor explains each of them."""
    rows = [examine(case) for case in cases()]
    for row in rows:
        # The solver's own count varies with the library; the exact count of the matrix does not.
        row.pop("by eigvalsh")
    wrong = [row for row in rows if row["wrong"]]
    types = sorted({row["dtype"] for row in wrong})
    exists = Evidence(
        "float-resolution",
        "exact",
        "passed" if len(types) == 2 else "undecided",
        "Gram matrices accumulated in float32 (ε = 1e-8) and float64 (ε = 1e-20), themselves "
        "counted exactly, have another number of eigenvalues above ε than the features",
        {"instances": len(rows), "counted wrong": len(wrong), "types": types},
        cause=None if len(types) == 2 else "no wrong count was found in one of the types",
        rows=rows,
    )
    misled = [
        row
        for row in rows
        if (row["wrong"] and not row["explained"])
        or not row["reported"][0] <= row["exact"] <= row["reported"][1]
    ]
    bounded = Evidence(
        "float-resolution",
        "exact",
        "refuted" if misled else "passed",
        "Each wrong count has an eigenvalue within the computable floor of ε, and the interval "
        "that is reported contains the exact count",
        {"instances": len(rows), "largest floor": max(row["floor"] for row in rows)},
        witness=misled[0] if misled else None,
    )
    return [exists, bounded]


def resolution_checkers() -> list[Checker]:
    """Return the checker of C2."""
    return [Checker("float resolution", ("float-resolution",), "exact", check_resolution)]
