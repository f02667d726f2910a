"""C4 decided exactly on instances: the sandwich of Ĝ + τI and the counts, with κ certified."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
from flint import arb, arb_mat

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.instances.populations import Population, populations
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.continuous import continuous_rank
from epsrank.theory.continuous.gram import continuous_gram
from epsrank.theory.continuous.system import AnalyticSystem
from epsrank.theory.data.exact_gram import exact_gram
from epsrank.theory.data.inputs import as_features
from epsrank.theory.data.measure import as_measure
from epsrank.theory.dense import ANALYTIC
from epsrank.theory.dense.ranges import ball_matrix
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.dyadic import to_fmpq
from epsrank.theory.numbers.rounding import downward, upward
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.rank.routes.ball import ball_precision, positive_inertia
from epsrank.theory.sampling import largest_leverage, sufficient_samples
from epsrank.theory.sampling.whitening import whitening

CLAIM = "sample-rank"

# One sample is drawn per network, so chance must be out of the question.
_DELTA = 1e-9

_ETA = 0.3

_BITS = 256


@dataclass(frozen=True, eq=False)
class _Known:
    """G = E φφᵀ in balls, and κ ≥ sup φᵀ(G + τI)⁻¹φ over the domain, both certified."""

    gram: Any
    leverage: float
    dimension: float


def known_population(law: Population, ridge: float) -> _Known:
    """Enclose the Gram matrix of a network at uniform points of its interval, and certify κ."""
    assert law.network is not None
    assert law.domain is not None
    low, high = law.domain[0]
    enclosed = continuous_gram(AnalyticSystem(law.network), low, high, _BITS)
    nodes, weights = np.polynomial.legendre.leggauss(400)
    reference = law.network.features((low + high) / 2 + (high - low) / 2 * nodes)
    # Weights of the uniform law, w/2, times the 400 rows that a mean divides by.
    white = whitening(reference * np.sqrt(400 * weights / 2)[:, None], ridge).matrix
    top = largest_leverage(law.network, law.domain, white, gap=0.05).upper
    with ball_precision(_BITS):
        gram = enclosed.joint / arb(to_fmpq(Fraction(high) - Fraction(low)))
        t = ball_matrix(white)
        n = gram.nrows()
        least = Fraction(99, 100)
        # Tᵀ(G + τI)T − (99/100) I is positive definite: then κ ≤ sup ‖Tᵀφ‖²/(99/100).
        tilted = t.transpose() * _plus(gram, Fraction(ridge)) * t
        if positive_inertia(_plus(tilted, -least)) != n:
            raise ArithmeticError("the reference does not whiten the population to a hundredth")
    kappa = upward(top / float(least))
    # The effective dimension is a mean of leverages, and at most n.
    return _Known(gram, kappa, min(float(n), kappa))


def sandwich(known: _Known, features: Matrix, ridge: float, eta: float) -> dict[str, int | None]:
    """Count positive eigenvalues of (1+η)(G+τI) − (Ĝ+τI) and of (Ĝ+τI) − (1−η)(G+τI).

    A count is n where the matrix is positive definite, and None where it is undecided.
    """
    checked = as_features(features)
    sample = exact_gram(checked, as_measure("mean", None, checked.n_samples))
    tau = Fraction(ridge)
    with ball_precision(_BITS):
        ours = _plus(arb_mat(sample.matrix) * arb(to_fmpq(sample.scale)), tau)
        true = _plus(known.gram, tau)
        # Congruence by T⁻ᵀ-like vectors only helps the pivots; any invertible matrix is admissible.
        values, vectors = np.linalg.eigh(features.T @ features / len(features))
        t = ball_matrix(vectors / np.sqrt(np.maximum(values, 0) + ridge))
        up, down = arb(1) + arb(eta), arb(1) - arb(eta)
        return {
            "above": positive_inertia(t.transpose() * (true * up - ours) * t),
            "below": positive_inertia(t.transpose() * (ours - true * down) * t),
        }


def _plus(matrix: Any, shift: Fraction) -> Any:
    rows = matrix.tolist()
    for k, row in enumerate(rows):
        row[k] += arb(to_fmpq(shift))
    return arb_mat(rows)


def check_sandwich(context: Context) -> list[Evidence]:
    """Draw the N that C4 asks for at η = 0.3, and decide both its conclusions exactly."""
    rows: list[dict[str, Any]] = []
    state: State = "passed"
    for law in populations():
        if law.network is None or law.network.activation not in ANALYTIC:
            continue
        row = _instance(law, context.seed)
        rows.append(row)
        if not row["holds"]:
            state = "refuted" if row["decided"] else "undecided"
            break
    failed = None if state == "passed" else rows[-1]
    return [
        Evidence(
            CLAIM,
            "exact",
            state,
            "The N that certified leverage asks for at η = 0.3, δ = 1e-9: the sandwich of Ĝ + τI "
            "and the counts above ε(1 ± 2η), decided in integer and ball arithmetic on networks "
            "whose population Gram matrix and ε-rank are certified",
            {"instances": len(rows), "δ": _DELTA, "η": _ETA},
            witness=failed if state == "refuted" else None,
            cause="the balls did not decide it" if state == "undecided" else None,
            rows=rows,
        )
    ]


def _instance(law: Population, seed: int) -> dict[str, Any]:
    eps = law.eps
    known = known_population(law, eps)
    count = sufficient_samples(known.leverage, known.dimension, _ETA, _DELTA)
    features = law.draw(np.random.default_rng([seed, 4]), count)
    found = sandwich(known, features, eps, _ETA)
    assert law.network is not None
    assert law.domain is not None
    truth = continuous_rank(law.network, eps, law.domain[0], measure="mean")
    n = law.network.n_features
    thresholds = [upward(eps * (1 + 2 * _ETA)), downward(eps * (1 - 2 * _ETA))]
    above, below = epsilon_ranks(features, thresholds)
    return {
        "population": law.name,
        "ε": eps,
        "leverage": known.leverage,
        "N": count,
        "closed form N": math.ceil(
            2 * known.leverage * (1 + _ETA / 3) / _ETA**2
            * math.log(8 * known.dimension / _DELTA)
        ),
        "ε-rank": [truth.lower, truth.upper],
        "interval": [above.lower, below.upper],
        "decided": None not in found.values() and truth.resolved,
        "holds": found == {"above": n, "below": n}
        and above.lower <= truth.lower <= truth.upper <= below.upper,
    }  # fmt: skip


def sampling_exact_checkers() -> list[Checker]:
    """Return the checker of the sandwich."""
    return [Checker("relative concentration on networks", (CLAIM,), "exact", check_sandwich)]
