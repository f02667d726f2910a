"""Small dense networks with an analytic σ (or ReLU), boxes, and matrices to read them out."""

from __future__ import annotations

from functools import partial

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epsrank.proofs.strategies.domains import boxes
from epsrank.theory.continuous import AnalyticTarget
from epsrank.theory.dense import ANALYTIC, BALL_ACTIVATIONS, DenseNetwork
from epsrank.theory.numbers.arrays import Array

#: Targets of the property: entire, with a pole off the interval, with a break on it.
TARGETS = (
    AnalyticTarget("cos 5x", lambda z, _: (5 * z).cos()),
    AnalyticTarget("1/(1 + 9x²)", lambda z, _: 1 / (1 + 9 * z * z)),
    AnalyticTarget("|x|", lambda z, x: z if x > 0 else -z, (0.0,)),
)


#: Boxes whose integrals balls enclose in a moment.
small_boxes = partial(boxes, corners=(-1.5, 1.0), sides=(0.25, 2.0))


def _entries(shape: tuple[int, ...], scale: float) -> st.SearchStrategy[Array]:
    """Draw arrays of quarters up to a scale: exact numbers that shrink well."""
    top = int(4 * scale)
    return hnp.arrays(np.int64, shape, elements=st.integers(-top, top)).map(lambda a: a / 4.0)


@st.composite
def dense_networks(
    draw: st.DrawFn, *, analytic: bool = True, max_inputs: int = 1, max_width: int = 4
) -> DenseNetwork:
    """Draw a network of one or two hidden layers."""
    sigma = draw(st.sampled_from(ANALYTIC if analytic else tuple(BALL_ACTIVATIONS)))
    sizes = [draw(st.integers(1, max_inputs))]
    sizes += draw(st.lists(st.integers(1, max_width), min_size=1, max_size=2))
    weights, biases = [], []
    for k in range(len(sizes) - 1):
        scale = 6.0 if k == 0 else 2.0
        weights.append(draw(_entries((sizes[k + 1], sizes[k]), scale)))
        biases.append(draw(_entries((sizes[k + 1],), scale)))
    head = draw(_entries((sizes[-1], 1), 4.0))
    return DenseNetwork(sigma, tuple(weights), tuple(biases), head, draw(_entries((1,), 1.0)))


def readouts(n: int) -> st.SearchStrategy[Array]:
    """Draw an n×n matrix T of integers."""
    return hnp.arrays(np.int64, (n, n), elements=st.integers(-50, 50)).map(
        lambda a: a.astype(np.float64)
    )
