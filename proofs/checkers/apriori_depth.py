"""An exact witness that N2 with free heads does not bite at depth two: all E_p ≤ 1.2e-4."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
from flint import acb, arb, ctx

from epsrank.proofs.checkers.base import Checker, Context
from epsrank.proofs.ledger.evidence import Evidence
from epsrank.theory.continuous import ANALYTIC_TARGETS, AnalyticSystem
from epsrank.theory.continuous.gram import continuous_gram
from epsrank.theory.dense import DenseNetwork
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.interval import Interval, from_ball

CLAIM = "apriori-depth"

#: The target of experiment A1, cos x + cos 2x + cos 30x on [−1, 1].
TARGET = "cosines"

#: First layer tanh(6(x − x_j)) at 50 points, output 100 tanh(h): h stays within ±0.03, where tanh
#: is nearly linear, and heads of 100 are what undoes the division by 100.
WIDTH, SLOPE, HEAD = 50, 6.0, 100.0

#: A mean squared error that the witness has to stay below; plateaus of A1 are near 0.5.
ENOUGH = Fraction(1, 10**7)

_BITS = 128


def imitating_network(
    width: int = WIDTH, slope: float = SLOPE, head: float = HEAD, target: str = TARGET
) -> DenseNetwork:
    """Return v = c·tanh(h/c) with h a head on `width` neurons tanh(s(x − x_j)), fitted to u*.

    The weights are float64 numbers, which are exact; how they were found proves nothing.
    """
    centres = np.linspace(-1.0, 1.0, width)
    x = np.cos(np.pi * (np.arange(40 * width) + 0.5) / (40 * width))
    neurons = np.column_stack([np.tanh(slope * (x[:, None] - centres)), np.ones(len(x))])
    wanted = np.array([float(value) for value in _values(target, x)])
    # What c·tanh undoes, so that its cubic term costs nothing.
    inner = np.arctanh(wanted / head)
    weights = np.linalg.lstsq(neurons, inner, rcond=1e-15)[0]
    return DenseNetwork(
        "tanh",
        (np.full((width, 1), slope), weights[None, :-1]),
        (-slope * centres, weights[-1:]),
        head=np.array([[head]]),
    )


def _values(target: str, points: Vector) -> list[arb]:
    """Return u* at points, in balls."""
    function = ANALYTIC_TARGETS[target].function
    return [function(acb(x), x).real for x in points.tolist()]


def loss_on_points(network: DenseNetwork, points: Vector, target: str = TARGET) -> Interval:
    """Enclose the mean squared error over points in ball arithmetic: tanh is the real function."""
    assert network.head is not None
    with ctx.workprec(_BITS):
        total = arb(0)
        for x, goal in zip(points.tolist(), _values(target, points), strict=True):
            layer = [arb(x)]
            for weights, biases in zip(network.weights, network.biases, strict=True):
                layer = [
                    (sum((arb(w) * z for w, z in zip(row, layer, strict=True)), arb(b))).tanh()
                    for row, b in zip(weights.tolist(), biases.tolist(), strict=True)
                ]
            heads = zip(network.head[:, 0].tolist(), layer, strict=True)
            value = sum((arb(w) * z for w, z in heads), arb(0))
            total += (value - goal) ** 2
        return from_ball(total / len(points), non_negative=True)


def loss_in_l2(network: DenseNetwork, target: str = TARGET) -> Interval:
    """Enclose the mean squared error over [−1, 1] itself, quadrature included (C3)."""
    assert network.head is not None
    system = AnalyticSystem(network, False, ANALYTIC_TARGETS[target])
    gram = continuous_gram(system, -1.0, 1.0, _BITS)
    coefficients = [*network.head[:, 0].tolist(), -1.0]
    with ctx.workprec(_BITS + 96):
        total = arb(0)
        for i, a in enumerate(coefficients):
            for j, b in enumerate(coefficients):
                total += arb(a) * arb(b) * gram.joint[i, j]
        # The joint matrix is of Lebesgue measure; the mean over [−1, 1] is half of it.
        return from_ball(total / 2, non_negative=True)


def check_witness(context: Context) -> list[Evidence]:
    """Certify the error of one network with a single last neuron: it bounds E_p for all p ≥ 1."""
    network = imitating_network()
    if context.effort == "quick":
        where, loss = "on 401 points", loss_on_points(network, np.linspace(-1.0, 1.0, 401))
    else:
        where, loss = "in L²(−1, 1)", loss_in_l2(network)
    holds = loss.upper <= ENOUGH
    return [
        Evidence(
            CLAIM,
            "exact",
            "passed" if holds else "undecided",
            f"One last neuron after {WIDTH} of tanh(6(x − x_j)) fits the target of A1 {where}, in "
            "ball arithmetic: with free heads E_p² is no more for any p ≥ 1, and N2 no floor",
            {
                "E_p² at most": float(loss.upper),
                "output weight": HEAD,
                "last-layer neurons": network.n_features,
            },
            cause=None if holds else f"the error is enclosed by {loss} only",
        )
    ]


def apriori_depth_checkers() -> list[Checker]:
    """Return the checker of the witness."""
    return [Checker("one last neuron imitates", (CLAIM,), "exact", check_witness)]
