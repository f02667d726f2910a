"""Exact witnesses against "deeper layers have larger ε-rank": in integers, and in L²(−1, 1)."""

from __future__ import annotations

from typing import Any

import numpy as np

from epsrank.numerics.checkpoint.dense import dense_network
from epsrank.numerics.first_layer.initial_rank import initial_network
from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.exact import oracle
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.continuous import continuous_ranks
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.kernels.input_measure import box_measure
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.rank import epsilon_rank

CLAIM = "depth-order"

#: Integer weights of the smallest witness: both matrices have full rank and no neuron is dead.
INPUTS = np.array([[-1.0], [1.0]])
WEIGHTS = (np.array([[1.0], [-1.0]]), np.array([[1.0, -1.0], [2.0, -1.0]]))

#: The network of experiment A2, before training.
DOMAIN, WIDTH, DEPTH, EPS = (-1.0, 1.0), 50, 4, 1e-6


def integer_witness(weights: tuple[Array, ...] = WEIGHTS) -> dict[str, Any] | None:
    """Return a ReLU network with integer weights whose second layer has the smaller ε-rank.

    φ¹ = (x₊, (−x)₊) and φ² = ((φ¹_1 − φ¹_2)₊, (2φ¹_1 − φ¹_2)₊) = (x₊, 2x₊) on x = ±1: rank 2, then
    rank 1, although W_2 is invertible.

    Rational elimination and the integer route have to agree. None where the second layer is no
    smaller.
    """
    network = DenseNetwork("relu", weights, tuple(np.zeros(len(w)) for w in weights))
    eps, layers, ranks = 0.5, [], []
    for number in range(1, network.depth + 1):
        # Products and sums of small integers: float64 makes no error here.
        features = network.layer(number).features(INPUTS)
        count = oracle.exact_rank(features, eps, None, "raw")
        measured = int(epsilon_rank(features, eps, measure="raw", exact=True))
        # Two routes that share no code: one of them is wrong, and so no evidence.
        if count != measured:
            raise ArithmeticError(f"two exact counts differ: {count} and {measured}")
        layers.append(features)
        ranks.append(count)
    if not ranks[1] < ranks[0]:
        return None
    return {
        "network": network,
        "inputs": INPUTS,
        "features": layers,
        "eps": eps,
        "measure": "raw",
        "ranks": ranks,
        "det W_2": float(np.linalg.det(weights[1])),
    }


def network_witness(width: int = WIDTH, depth: int = DEPTH, seed: int = 0) -> dict[str, Any] | None:
    """Return the tanh network of experiment A2 at initialisation, its ranks certified in L²(−1, 1).

    The float64 weights are exact numbers, tanh is the real function, and ∫φφᵀdx is enclosed by ball
    arithmetic (C3), so the ranks are those of the network itself and not of a sample.

    None where the last layer is not certainly smaller than the first.
    """
    model = initial_network(box_measure(DOMAIN), "tanh", width, depth, seed=seed)
    network = dense_network(model)
    ranks = [
        continuous_ranks(network.layer(number), [EPS], DOMAIN)[0] for number in range(1, depth + 1)
    ]
    if not ranks[-1].upper < ranks[0].lower:
        return None
    return {
        "network": f"tanh, {depth} hidden layers of {width}, default initialisation, seed {seed}",
        "domain": list(DOMAIN),
        "measure": "volume",
        "eps": EPS,
        "ranks": [[rank.lower, rank.upper] for rank in ranks],
        "why": [rank.reason for rank in ranks],
    }


def check_depth_order(context: Context) -> list[Evidence]:
    """Exhibit exact witnesses against "the ε-rank of hidden layers grows with depth"."""
    return [
        _evidence(
            "A ReLU network with integer weights, an invertible second matrix and no dead neuron: "
            "rank 2, then 1",
            integer_witness(),
        ),
        _evidence(
            f"The network of experiment A2 ({DEPTH} × {WIDTH}, tanh) before training, in L²(−1, 1) "
            "by ball arithmetic: its last layer has the smaller ε-rank",
            network_witness(seed=context.seed),
        ),
    ]


def _evidence(title: str, witness: dict[str, Any] | None) -> Evidence:
    """Return what a witness says about the universal statement."""
    if witness is None:
        cause = "this network is no counterexample"
        return Evidence(CLAIM, "exact", "undecided", title, cause=cause)
    figures = {"ranks": witness["ranks"], "eps": witness["eps"], "measure": witness["measure"]}
    return Evidence(CLAIM, "exact", "refuted", title, figures, witness=witness)


def depth_order_checkers() -> list[Checker]:
    """Return the checker of the order of ε-ranks by depth."""
    return [Checker("order by depth", (CLAIM,), "exact", check_depth_order)]
