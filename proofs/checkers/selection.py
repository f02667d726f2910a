"""N1: neuron selection by exhaustion in rationals, and on networks trained in this run."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np

from epsrank.numerics.pruning import prune
from epsrank.numerics.training import Run
from epsrank.proofs.checkers.base import Checker, Context, Score, skipped
from epsrank.proofs.exact import oracle
from epsrank.proofs.instances.networks import CERTIFIED_WIDTH, planned
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.theory.data.inputs import as_features
from epsrank.theory.floor.certified.ball_spectrum import ball_spectrum
from epsrank.theory.floor.certified.exact_data import exact_data, norm_squared
from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.interval import Interval, nearest
from epsrank.theory.selection.certify import exact_distance
from epsrank.theory.selection.select import select_neurons

CLAIM = "neuron-selection"

_SIZES = {"quick": (2, 3, 4), "default": (2, 3, 4, 5), "full": (2, 3, 4, 5, 6)}

# λ_{p+1} below this part of λ_1: float64 coefficients cannot come as close as exact ones could.
_DEEPEST = Fraction(1, 10**20)


def integer_instances(n: int) -> dict[str, Matrix]:
    """Return integer features of n neurons: monomials, nearly equal ones, a circulant, noise."""
    points = np.arange(-2.0, 4.0)
    alike = np.full((n + 1, n), 40.0)
    alike[np.arange(n), np.arange(n)] += 1.0
    circulant = np.array([[float((i - j) % n) for j in range(n)] for i in range(n)])
    noise = np.random.default_rng(n).integers(-9, 10, (n + 2, n)).astype(np.float64)
    return {
        "monomials": np.vander(points, n, increasing=True),
        "nearly equal": alike,
        "circulant": circulant,
        "noise": noise,
    }


def worst_share(features: Matrix, head: Matrix) -> tuple[float, dict[str, Any] | None]:
    """Return the largest min_S dist² / ((1 + p(n−p)) λ_{p+1} ‖W‖²) over p, and a violation.

    The share is for information; the violation is the first p where the bound fails, decided
    exactly.
    """
    exact, weights = oracle.rational(features), oracle.rational(head)
    n = len(weights)
    columns = oracle.transpose(exact)
    outputs = oracle.transpose(oracle.product(exact, weights))
    gram = oracle.exact_gram(features)
    norm = sum((x * x for row in weights for x in row), Fraction(0))
    eigenvalues = np.linalg.eigvalsh(features.T @ features)[::-1]
    share = 0.0
    for p in range(n):
        best = min(
            oracle.squared_distance([columns[j] for j in chosen], outputs)
            for chosen in combinations(range(n), p)
        )
        factor = 1 + p * (n - p)
        theta = best / (factor * norm)
        # λ_{p+1} ≥ θ exactly if at least p + 1 eigenvalues of G − θI are not negative.
        if n - oracle.inertia(oracle.shifted(gram, theta))[1] < p + 1:
            return share, {"p": p, "best squared distance": best, "features": features, "W": head}
        # A share of an eigenvalue that float64 does not know says nothing.
        if eigenvalues[p] > 1e-9 * eigenvalues[0]:
            share = max(share, float(theta) / float(eigenvalues[p]))
    return share, None


def check_exhaustive(context: Context) -> list[Evidence]:
    """Try all subsets of small integer features in rational arithmetic."""
    random = np.random.default_rng(context.seed)
    shares, witness, count = [], None, 0
    for n in _SIZES[context.effort]:
        for name, features in integer_instances(n).items():
            for outputs in (1, 2):
                head = random.integers(-5, 6, (n, outputs)).astype(np.float64)
                head[0, 0] += 6  # never zero
                share, violation = worst_share(features, head)
                count += n
                shares.append(share)
                if violation is not None and witness is None:
                    witness = {"instance": name, **violation}
    return [
        Evidence(
            CLAIM,
            "exact",
            "refuted" if witness else "passed",
            "All subsets of small integer features: the best has dist² ≤ (1+p(n−p)) λ_(p+1) ‖W‖²",
            {
                "n": list(_SIZES[context.effort]),
                "inequalities decided in rationals": count,
                "largest share of the bound used": max(shares),
            },
            witness=witness,
        )
    ]


def _counts(n: int) -> list[int]:
    """Return some p from few to nearly all."""
    return sorted({1, n // 8, n // 4, n // 2, 3 * n // 4, n - 1} - {0})


def check_network(name: str, context: Context) -> list[Evidence]:
    """Select neurons of a trained network; decide the bound in integers and balls, and prune."""
    network = context.networks[name]
    title = f"p neurons of {name}: ‖u − u_p‖² ≤ (1+f²p(n−p)) λ_(p+1) ‖W‖², integers against balls"
    if network.skipped is not None:
        return skipped([CLAIM], "exact", title, network.skipped)
    run = network.run()
    last = run.last_layer(-1)
    features = as_features(last.features)
    law = last.measure
    spectrum = ball_spectrum(exact_data(features, last.target, law), 256).eigenvalues
    budget = norm_squared(last.coefficients)
    score, rows = Score(), []
    for p in _counts(features.n_features):
        if spectrum[p].lower < _DEEPEST * spectrum[0].upper:
            continue
        found = select_neurons(features, p, coefficients=last.coefficients, measure=law)
        assert found.coefficients is not None
        squared = exact_distance(
            features, law, found.neurons, last.coefficients, found.coefficients
        )
        f = Fraction(1 if found.method == "minors" else Fraction(11, 10))
        factor = 1 + f * f * p * (features.n_features - p)
        score.add(
            _state(squared, spectrum[p], factor * budget),
            {"p": p, "squared distance": nearest(squared), "neurons": found.neurons},
        )
        rows.append(
            {
                "network": name,
                "n": features.n_features,
                "p": p,
                "method": found.method,
                "t": found.growth,
                "certified": found.error,
                "N1": found.ours,
                "draft": found.draft,
            }
        )
    exact = score.evidence(CLAIM, "exact", title, {"network": name, "p": [r["p"] for r in rows]})
    return [replace(exact, rows=rows), _pruned(name, run)]


def _state(squared: Fraction, value: Interval, scale: Fraction) -> str:
    """Decide dist² ≤ scale · λ for an enclosed λ."""
    if squared <= value.lower * scale:
        return "strict"
    return "violated" if squared > value.upper * scale else "unresolved"


def _pruned(name: str, run: Run) -> Evidence:
    """Return evidence on the losses of pruned networks against their guarantees."""
    rows, witness = [], None
    for p in _counts(run.config.width):
        found = prune(run, p)
        rows.append(
            {
                "network": name,
                "p": p,
                "loss": found.loss,
                "pruned loss": found.pruned_loss,
                "guaranteed at most": found.loss_bound,
            }
        )
        if not found.holds and witness is None:
            witness = found.to_json()
    state: State = "refuted" if witness else "passed"
    title = f"Pruned networks of {name} lose no more than guaranteed"
    return Evidence(CLAIM, "property", state, title, {"network": name, "pruned": len(rows)},
                    witness=witness, rows=rows)  # fmt: skip


def selection_checkers(effort: str) -> list[Checker]:
    """Return the checkers of N1."""
    checkers = [Checker("neuron selection by exhaustion", (CLAIM,), "exact", check_exhaustive)]
    names = [name for name, width in planned(effort).items() if width <= CERTIFIED_WIDTH]
    for name in names:
        check = partial(check_network, name)
        checkers.append(Checker(f"neuron selection on {name}", (CLAIM,), "exact", check, (name,)))
    return checkers
