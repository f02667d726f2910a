"""Values and slopes of a network on many boxes at once, enclosed in balls.

On a box with centre c and half widths h the mean-value form encloses every pre-activation,
z(x) ∈ z(c) + Σ_k ∂_k z(box)·[−h_k, h_k], layer by layer, with the slopes from the chain rule in
balls; what it adds to the true range shrinks with h². At a kink of ReLU the slope is [0, 1].
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from flint import arb, arb_mat

from epsrank.theory.dense.activations import BALL_ACTIVATIONS
from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.numbers.arrays import Matrix, Vector


def ball_matrix(values: Matrix) -> Any:
    """Return a float64 matrix as balls of radius 0."""
    return arb_mat([[arb(entry) for entry in row] for row in values.tolist()])


@dataclass(frozen=True, eq=False)
class BoxRange:
    """φ at the centres of B boxes, and its slopes over the boxes."""

    #: φ(c).
    values: Any
    #: Enclosures of ∂_k φ over each box, one per input k.
    slopes: list[Any]


class BoxEvaluator:
    """A network with its weights as balls, ready to be evaluated on boxes."""

    def __init__(self, network: DenseNetwork, readout: Matrix | None = None) -> None:
        self.sigma = BALL_ACTIVATIONS[network.activation]
        self.weights = [ball_matrix(w) for w in network.weights]
        self.biases = [[arb(b) for b in bias.tolist()] for bias in network.biases]
        self.readout = None if readout is None else ball_matrix(readout.T)

    def __call__(self, centres: Matrix, radii: Matrix) -> BoxRange:
        """Enclose φ (or Tᵀφ) and its slopes."""
        values = ball_matrix(np.ascontiguousarray(centres.T))
        offsets = [[arb(0, r) for r in axis] for axis in radii.T.tolist()]
        slopes: list[Any] | None = None
        for matrix, bias in zip(self.weights, self.biases, strict=True):
            rows = (matrix * values).tolist()
            centre = [[z + b for z in row] for row, b in zip(rows, bias, strict=True)]
            if slopes is None:
                n_boxes = len(centres)
                chain = [
                    [[matrix[i, k]] * n_boxes for i in range(matrix.nrows())]
                    for k in range(matrix.ncols())
                ]
            else:
                chain = [(matrix * slope).tolist() for slope in slopes]
            ranges = _mean_value(centre, chain, offsets)
            derivative = [[self.sigma.derivative(z) for z in row] for row in ranges]
            # At the centres only: what the boxes add is in the slopes.
            values = arb_mat([[self.sigma.value(z) for z in row] for row in centre])
            slopes = [
                arb_mat(
                    [
                        [s * t for s, t in zip(row, link, strict=True)]
                        for row, link in zip(derivative, links, strict=True)
                    ]
                )
                for links in chain
            ]
        assert slopes is not None
        if self.readout is not None:
            values, slopes = self.readout * values, [self.readout * s for s in slopes]
        return BoxRange(values, slopes)


def _mean_value(centre: Any, slopes: Any, offsets: Any) -> Any:
    """Return z(c) + Σ_k slope_k·[−h_k, h_k] for every neuron and box."""
    total = centre
    for table, axis in zip(slopes, offsets, strict=True):
        total = [
            [z + s * h for z, s, h in zip(row, links, axis, strict=True)]
            for row, links in zip(total, table, strict=True)
        ]
    return total


def largest_square(found: BoxRange, radii: Matrix) -> tuple[Vector, Vector]:
    """Bound ‖φ‖² at the centre from below and over the box from above.

    The lower bounds at the centres are lower bounds of the supremum.
    """
    offsets = [[arb(0, r) for r in axis] for axis in radii.T.tolist()]
    centre = found.values.tolist()
    ranges = _mean_value(centre, [slope.tolist() for slope in found.slopes], offsets)
    lower, upper = np.empty(len(radii)), np.empty(len(radii))
    for box in range(len(radii)):
        least, most = arb(0), arb(0)
        for low_row, high_row in zip(centre, ranges, strict=True):
            least += low_row[box] * low_row[box]
            top = arb(high_row[box].abs_upper())
            most += top * top
        lower[box] = _float_below(least)
        upper[box] = _float_above(most)
    return lower, upper


def _float_below(ball: Any) -> float:
    """Return a float64 below a square; 0 where its ball is not finite."""
    return float(np.nextafter(float(ball.lower()), -np.inf)) if ball.is_finite() else 0.0


def _float_above(ball: Any) -> float:
    """Return a float64 above a ball; ∞ where it is not finite."""
    return float(np.nextafter(float(ball.upper()), np.inf)) if ball.is_finite() else np.inf
