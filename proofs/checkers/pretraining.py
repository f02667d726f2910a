"""A‴: what is proved of the initial ε-rank under a structured first layer, and where it falls.

**One tanh layer on [−1, 1].** A default neuron is f(x) = tanh(wx + b) with |w|, |b| ≤ 1, whatever
was drawn. On the Bernstein ellipse of parameter ρ = 3 the imaginary part of wx + b is at most
(ρ − 1/ρ)/2 = 4/3 < π/2, so |f| ≤ tan(4/3) < 4.14 there, and f is a polynomial of degree k − 1 up to
2·4.14·ρ^(1−k)/(ρ − 1) = 4.14·3^(1−k) on [−1, 1] (Trefethen, Approximation Theory, Theorem 8.2).
Polynomials of that degree have dimension k. Hence λ_{k+1}(G) ≤ n·(4.14·3^(1−k))² for n neurons in
every measure of mass 1, and the default ε-rank is at most

    k(n, ε) = min{k : n·(4.14·3^(1−k))² ≤ ε}.

The structured layer is one fixed network: its ε-rank is certified. With k(n, ε) ≤ r_ε′(structured)
for ε ≤ ε′ the structured layer is at least as good at every threshold between (M2).
"""

from __future__ import annotations

from fractions import Fraction
from itertools import pairwise
from typing import Any

import numpy as np
from flint import arb, fmpq

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.checkers.searches import describe_case
from epsrank.proofs.exact import oracle
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.proofs.properties.pretraining import INTERVAL, WIDTHS
from epsrank.proofs.strategies import Domain, InitialNetwork
from epsrank.theory.continuous import continuous_ranks
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.words import plural

CLAIM = "pretraining-property"

#: At least tan(4/3), and ρ.
LARGEST, ELLIPSE = Fraction(414, 100), 3
# Features as float64 computes them differ from tanh by less.
_ROUNDING = Fraction(1, 10**15)

#: Between neighbours one certified rank serves all thresholds.
LEVELS = (1e-8, 1e-4, 1e-3, 1e-2)

# Widths whose structured layer is certified in L²(−1, 1) too, by this many of its neurons (M3).
_IN_BALLS = {"quick": (16,), "default": (16, 50, 100), "full": (16, 20, 32, 50, 64, 80, 100)}
_NEURONS = 16


def default_rank_at_most(n: int, eps: float) -> int:
    """Return k(n, ε): no default tanh layer of n neurons on [−1, 1] has a larger ε-rank."""
    k = 1
    while n * (LARGEST / ELLIPSE ** (k - 1) + _ROUNDING) ** 2 > Fraction(eps):
        k += 1
    return k


def one_layer(effort: str) -> list[dict[str, Any]]:
    """Return per width and pair of thresholds both ranks, the structured one certified twice."""
    if not arb(fmpq(4, 3)).tan() < arb(fmpq(LARGEST.numerator, LARGEST.denominator)):
        raise ArithmeticError("tan(4/3) is not below its bound")
    rows = []
    for n in range(WIDTHS[0], WIDTHS[1] + 1):
        network = InitialNetwork(Domain(box=(INTERVAL,)), n).with_init("structured")
        balls = _in_balls(network, LEVELS[1:]) if n in _IN_BALLS[effort] else None
        ranks = epsilon_ranks(
            network.features(), LEVELS[1:], measure=network.domain.measure().measure
        )
        for place, (small, large) in enumerate(pairwise(LEVELS)):
            rows.append(
                {
                    "n": n,
                    "ε from": small,
                    "ε to": large,
                    "default at most": default_rank_at_most(n, small),
                    "structured at least": ranks[place].lower,
                    "structured in L² at least": None if balls is None else balls[place],
                }
            )
    return rows


def _in_balls(network: InitialNetwork, levels: tuple[float, ...]) -> list[int]:
    """Certify lower ends of the ε-ranks of a layer in L², by some of its neurons (M3)."""
    chosen = np.unique(np.linspace(0, network.width - 1, _NEURONS).round().astype(int))
    weight, bias = _weights(network)[0]
    part = DenseNetwork("tanh", (weight[chosen],), (bias[chosen],))
    found = continuous_ranks(part, list(levels), INTERVAL, measure="mean")
    return [rank.lower for rank in found]


def _weights(network: InitialNetwork) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return weights and biases of the hidden layers, as exact float64 numbers."""
    return [
        (layer.weight.detach().numpy(), layer.bias.detach().numpy())
        for layer in network.model().layers
    ]


def tanh_witness() -> dict[str, Any]:
    """Two layers of two tanh neurons on [−2, 2], in L² by ball arithmetic: 1 against 2."""
    network = InitialNetwork(Domain(box=((-2.0, 2.0),)), 2, 2, seed=0)
    ranks, eps = {}, 1e-2
    for init in ("structured", "default"):
        layers = _weights(network.with_init(init))
        dense = DenseNetwork("tanh", *zip(*layers, strict=True))
        (found,) = continuous_ranks(dense, [eps], (-2.0, 2.0), measure="mean")
        ranks[init] = [found.lower, found.upper]
    return {
        **describe_case({"network": network}),
        "eps": eps,
        "measure": "mean, in L²(−2, 2)",
        "ranks": ranks,
    }


def relu_witness() -> dict[str, Any]:
    """One layer of 8 ReLU neurons on [−10, 10], counted in rational arithmetic: 7 against 8.

    The grid of the structured layer ends at b, where its last neuron is (γ(x − b))₊ = 0 on [a, b]:
    its ε-rank is at most n − 1, whatever n and ε.
    """
    network = InitialNetwork(Domain(box=((-10.0, 10.0),)), 8, 1, "relu", seed=2)
    inputs = network.domain.measure()
    ranks, eps = {}, 1e-6
    for init in ("structured", "default"):
        features = network.with_init(init).features()
        count = oracle.exact_rank(features, eps, inputs.measure.weights, "mean")
        found = network.with_init(init).rank(eps, exact=True)
        # Two routes that share no code: one of them is wrong, and so no evidence.
        if count not in found:
            raise ArithmeticError(f"two exact counts differ: {count} and {found}")
        ranks[init] = [count, count]
    return {
        **describe_case({"network": network}),
        "eps": eps,
        "measure": "mean over 200 points",
        "ranks": ranks,
    }


def check_one_layer(context: Context) -> list[Evidence]:
    """Compare the bound for every default draw with the certified structured layers."""
    rows = one_layer(context.effort)
    least = [
        min(row["structured at least"], row["structured in L² at least"] or row["n"])
        for row in rows
    ]
    short = [row for row, found in zip(rows, least, strict=True) if found < row["default at most"]]
    margin = min(found - row["default at most"] for row, found in zip(rows, least, strict=True))
    title = (
        f"One tanh layer on [−1, 1], {WIDTHS[0]} to {plural(WIDTHS[1], 'neuron')}, "
        f"every ε from {LEVELS[0]:g}"
        f" to {LEVELS[-1]:g}, every default draw: its ε-rank is at most k(n, ε), and the structured"
        " layer, certified on 200 points, has more"
    )
    if short:
        return [
            Evidence(CLAIM, "exact", "undecided", title, {"short": len(short)}, witness=short[0],
                     cause="the bound exceeds a certified rank")
        ]  # fmt: skip
    figures = {
        "widths": WIDTHS[1] - WIDTHS[0] + 1,
        "smallest margin": margin,
        "in L² by balls too, widths": list(_IN_BALLS[context.effort]),
    }
    return [Evidence(CLAIM, "exact", "regime", title, figures, rows=rows)]


def check_outside(context: Context) -> list[Evidence]:
    """Exhibit certified networks outside the regime whose rank the structured layer lowers."""
    # They depend on no effort and no seed.
    del context
    found = []
    for title, make in (
        ("Outside the regime: two layers of two tanh neurons on [−2, 2], by ball arithmetic",
         tanh_witness),
        ("Outside the regime: eight ReLU neurons on [−10, 10], in rational arithmetic; the last "
         "neuron of the grid is dead, so that the rank is at most n − 1", relu_witness),
    ):  # fmt: skip
        witness = make()
        ranks = witness["ranks"]
        # Without its witness the claim would not be one of a regime only.
        if not ranks["structured"][1] < ranks["default"][0]:
            raise ArithmeticError(f"this network is no counterexample: {ranks}")
        figures = {"ranks": ranks, "eps": witness["eps"], "measure": witness["measure"]}
        found.append(Evidence(CLAIM, "exact", "regime", title, figures, witness=witness))
    return found


def pretraining_checkers() -> list[Checker]:
    """Return the checkers of the initial ε-rank under a structured first layer."""
    return [
        Checker("initial rank of one layer", (CLAIM,), "exact", check_one_layer),
        Checker("initial rank outside the regime", (CLAIM,), "exact", check_outside),
    ]
