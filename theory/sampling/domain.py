"""sup_x ‖Tᵀφ(x)‖² of a network over a box, by branch and bound in ball arithmetic."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from epsrank.theory.data.inputs import as_box
from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.dense.ranges import BoxEvaluator, largest_square
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.rank.routes.ball import ball_precision

# Far beyond float64, in which the bounds are handed out.
_BITS = 96

# Boxes per pass: bounds memory, and lets the best centre so far prune the rest.
_BOXES_PER_PASS = 512


@dataclass(frozen=True)
class Supremum:
    """lower ≤ sup_x ‖Tᵀφ(x)‖² ≤ upper, both certified."""

    #: The ends; `lower` is attained at a point of the domain up to rounding.
    lower: float
    upper: float
    #: Boxes looked at.
    boxes: int
    #: Whether the relative gap asked for was reached.
    finished: bool


def largest_leverage(
    network: DenseNetwork,
    domain: Sequence[tuple[float, float]] | Array,
    readout: Matrix | None = None,
    *,
    gap: float = 0.1,
    max_boxes: int = 40_000,
) -> Supremum:
    """Enclose sup_x ‖Tᵀφ(x)‖² over a box.

    In every pass all boxes are halved whose upper bound is beyond the best centre and the gap, each
    along its widest side, until none is left or the boxes are used up; the bounds are valid
    whenever it stops.

    Without a readout T is the identity.
    """
    box = as_box(domain, n_inputs=network.n_inputs)
    evaluate = BoxEvaluator(network, readout)
    widths = box[:, 1] - box[:, 0]
    # At most 4³ boxes to begin with, whatever the dimension is.
    pieces = _cut(box, 16 if network.n_inputs == 1 else 4)
    best, settled, seen = 0.0, 0.0, 0
    while True:
        nxt: list[Array] = []
        bounds: list[Array] = []
        for start in range(0, len(pieces), _BOXES_PER_PASS):
            part = pieces[start : start + _BOXES_PER_PASS]
            centres = part.mean(axis=2)
            # Centres are rounded, so the larger half counts, with the rounding of the difference.
            radii = np.maximum(part[:, :, 1] - centres, centres - part[:, :, 0]) * (1 + 2.0**-50)
            with ball_precision(_BITS):
                lower, upper = largest_square(evaluate(centres, radii), radii)
            best = max(best, float(lower.max()))
            seen += len(part)
            nxt.append(part)
            bounds.append(upper)
        everything, tops = np.concatenate(nxt), np.concatenate(bounds)
        open_ = tops > best * (1 + gap)
        settled = max(settled, float(tops[~open_].max(initial=0.0)))
        if seen + 2 * int(open_.sum()) > max_boxes or not open_.any():
            rest = float(tops[open_].max(initial=0.0))
            return Supremum(best, max(settled, rest), seen, not open_.any())
        pieces = _halve(everything[open_], widths)


def _cut(box: Matrix, parts: int) -> Array:
    """Cut a box into equal parts along its first sides."""
    axes = []
    for k, (low, high) in enumerate(box):
        ends = np.linspace(low, high, (parts if k < 3 else 1) + 1)
        # Rounded ends would leave out a strip along the edge.
        ends[0], ends[-1] = low, high
        axes.append(np.stack([ends[:-1], ends[1:]], axis=1))
    grids = np.meshgrid(*(np.arange(len(axis)) for axis in axes), indexing="ij")
    return np.stack([axis[g.ravel()] for axis, g in zip(axes, grids, strict=True)], axis=1)


def _halve(pieces: Array, widths: Vector) -> Array:
    """Halve every box along its widest side, relative to the domain."""
    side = np.argmax((pieces[:, :, 1] - pieces[:, :, 0]) / widths, axis=1)
    rows = np.arange(len(pieces))
    cut = pieces[rows, side].mean(axis=1)
    left, right = pieces.copy(), pieces.copy()
    left[rows, side, 1] = cut
    right[rows, side, 0] = cut
    return np.concatenate([left, right])
