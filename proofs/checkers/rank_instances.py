"""D1 on instances: all routes against exact counts, on trained networks and hard matrices."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.proofs.checkers.base import Checker, Context, skipped
from epsrank.proofs.exact import oracle
from epsrank.proofs.instances.networks import checkpoints, planned
from epsrank.proofs.ledger.evidence import Evidence, State
from epsrank.proofs.strategies.spectra import from_singular_values
from epsrank.theory.data.exact_gram import exact_gram
from epsrank.theory.data.inputs import Features, as_features
from epsrank.theory.data.measure import Measure
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.rank.of_features import RankProblem
from epsrank.theory.rank.routes.ball import ball_count
from epsrank.theory.rank.routes.exact import exact_count
from epsrank.theory.rank.routes.svd import right_singular_vectors, svd_enclosure

EPS = (1e-2, 1e-4, 1e-6, 1e-8, 1e-12, 1e-20)

#: Name, Φ, ε and measure of an instance.
Case = tuple[str, Any, float, Measure]

_COUNTS = {"quick": 3, "default": 5, "full": 12}


def routes(features: Features, eps: float, law: Measure) -> dict[str, tuple[int, int] | None]:
    """Return what each route says about r_ε, run by itself.

    Ends are by route (``gram``, ``svd``, ``ball``, ``default``); None where a route gave up.
    """
    problem = RankProblem(features, law)
    theta = Fraction(eps) / problem.weighted.scale
    svd = svd_enclosure(problem.weighted)
    gram = exact_gram(features, law)
    vectors = right_singular_vectors(problem.weighted.weighted())
    balls, _ = ball_count(gram, gram.threshold(Fraction(eps)), vectors)
    default: RankInterval = epsilon_rank(features, eps, measure=law)
    return {
        "gram": problem.fast.count(theta, theta),
        "svd": None if svd is None else svd.count(theta, theta),
        "ball": None if balls is None else (balls, balls),
        "default": (default.lower, default.upper),
    }


def exact_truth(features: Features, eps: float, law: Measure) -> int:
    """Return r_ε by the integer characteristic polynomial (C1)."""
    gram = exact_gram(features, law)
    return exact_count(gram, gram.threshold(Fraction(eps)))


def compare(cases: Iterable[Case], title: str, figures: dict[str, Any]) -> Evidence:
    """Compare every route with the exact count on some instances."""
    single = {"gram": 0, "svd": 0, "ball": 0, "default": 0}
    instances = 0
    rows: list[dict[str, Any]] = []
    witness: dict[str, Any] | None = None
    for name, features, eps, law in cases:
        checked = as_features(features)
        truth, found = exact_truth(checked, eps, law), routes(checked, eps, law)
        instances += 1
        rows.append({"instance": name, "eps": eps, "exact": truth, **found})
        for route, ends in found.items():
            if ends is None:
                continue
            single[route] += ends[0] == ends[1]
            if not ends[0] <= truth <= ends[1] and witness is None:
                witness = {"instance": name, "eps": eps, "route": route, "says": ends,
                           "exact": truth, "features": features}  # fmt: skip
    state: State = "refuted" if witness else "passed"
    decided = {f"{route} gave one number": count for route, count in single.items()}
    return Evidence(
        "rank-definition",
        "exact",
        state,
        title,
        {**figures, "instances": instances, **decided},
        witness=witness,
        rows=rows,
    )


def check_network_ranks(name: str, context: Context) -> list[Evidence]:
    """Compare the routes on the last layer of a trained network."""
    network = context.networks[name]
    title = f"All routes against the integer characteristic polynomial on {name}"
    if network.skipped is not None:
        return skipped(["rank-definition"], "exact", title, network.skipped)
    run = network.run()
    cases = [
        (f"step {point.step}", point.features, eps, point.measure)
        for point in checkpoints(run, _COUNTS[context.effort])
        for eps in EPS
    ]
    return [compare(cases, title, {"network": name})]


def _hard_cases() -> list[Case]:
    """Return clustered, tied, graded, duplicated and badly scaled matrices."""
    x = np.arange(1, 65) / 64.0
    monomials = np.cumprod(np.repeat(x[:, None], 24, axis=1), axis=1)
    cluster = from_singular_values(np.ldexp(2.0**20 + np.arange(-4.0, 4.0), -20), 16)
    graded = from_singular_values(2.0 ** -np.arange(8.0), 8)
    twins = np.concatenate([monomials[:, :6], monomials[:, :6] + 2.0**-40], axis=1)
    matrices: dict[str, NDArray[Any]] = {
        "monomials x¹…x²⁴": monomials,
        "monomials, float32": monomials.astype(np.float32),
        "eigenvalues clustered to 1e-6": cluster.features,
        "eigenvalues 4^-k": graded.features,
        "neurons 2^-40 apart": twins,
        "scale 1e-150": monomials[:, :8] * 1e-150,
        "scale 1e150": monomials[:, :8] * 1e150,
    }
    cases: list[Case] = [
        (name, features, eps, Measure("mean", len(features)))
        for name, features in matrices.items()
        for eps in (*EPS, 1e-30)
    ]
    for name, known in (("cluster", cluster), ("graded", graded)):
        # Thresholds equal to an eigenvalue: the strict inequality decides.
        law = Measure("raw", len(known.features))
        cases += [
            (f"{name}, ε equal to an eigenvalue", known.features, float(value), law)
            for value in known.eigenvalues
            if Fraction(float(value)) == value
        ]
    return cases


def check_hard_matrices(context: Context) -> list[Evidence]:
    """Compare the routes on matrices made to mislead, and the exact one with an oracle."""
    cases = _hard_cases()
    title = "All routes against the integer characteristic polynomial on clustered, tied, graded, "
    first = compare(cases, title + "duplicated and badly scaled matrices", {})
    # Rational elimination is slow beyond a dozen neurons.
    small = [case for case in cases if case[1].shape[1] <= 12]
    rows, witness = 0, None
    for name, features, eps, law in small:
        truth = oracle.exact_rank(features, eps, law.weights, law.name)
        count = exact_truth(as_features(features), eps, law)
        rows += 1
        if truth != count and witness is None:
            witness = {"instance": name, "eps": eps, "elimination": truth, "Descartes": count}
    second = Evidence(
        "rank-definition",
        "exact",
        "refuted" if witness else "passed",
        "Descartes' rule on the characteristic polynomial against rational elimination "
        "(Sylvester's law of inertia), two independent exact counts",
        {"instances": rows},
        witness=witness,
    )
    return [first, second]


def rank_instance_checkers(effort: str) -> list[Checker]:
    """Return one checker per network of an effort, and one for the hard matrices."""
    claims = ("rank-definition",)
    # Integer characteristic polynomials of 53-bit features grow as n⁴.
    narrow = [name for name, width in planned(effort).items() if width <= 50]
    return [
        Checker("ranks of hard matrices", claims, "exact", check_hard_matrices),
        *(
            Checker(
                f"ranks on {name}", claims, "exact", partial(check_network_ranks, name), (name,)
            )
            for name in narrow
        ),
    ]
