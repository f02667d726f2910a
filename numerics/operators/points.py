"""Points and weights on a box and on its boundary: product rules, grids, random draws."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import product
from typing import Literal, get_args

import numpy as np

from epsrank.theory.data.inputs import as_box
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, Vector

PointKind = Literal["quadrature", "random"]
Box = tuple[tuple[float, float], ...]
#: A side of a box: the coordinate that is fixed, and whether at its upper end.
Face = tuple[int, bool]


def all_faces(n_inputs: int) -> tuple[Face, ...]:
    """Return the 2d sides of a box in R^d."""
    return tuple(product(range(n_inputs), (False, True)))


def parabolic_faces(n_inputs: int) -> tuple[Face, ...]:
    """Return the sides where a problem in time is given data: all except that of the final time.

    Time is the last coordinate.
    """
    return tuple(face for face in all_faces(n_inputs) if face != (n_inputs - 1, True))


def box_points(
    domain: Sequence[tuple[float, float]] | Matrix,
    count: int,
    kind: PointKind = "quadrature",
    generator: np.random.Generator | None = None,
) -> tuple[Matrix, Vector]:
    """Return points of a box with weights that sum to |Ω|.

    They are those of the Gauss–Legendre product rule, exact to degree 2m − 1 in each coordinate, or
    a uniform draw with equal weights.
    """
    box = as_box(domain)
    if kind not in get_args(PointKind):
        raise InputError("points", f"is {kind!r}", "choose 'quadrature' or 'random'")
    low, high = box.T
    if kind == "random":
        if generator is None:
            raise InputError("generator", "is missing", "pass numpy.random.default_rng(seed)")
        volume = float(np.prod(high - low))
        return generator.uniform(low, high, (count, len(box))), np.full(count, volume / count)
    # The root of m^d may come out a little above m, and is m.
    per_axis = max(1, math.ceil(count ** (1 / len(box)) - 1e-9))
    nodes, weights = np.polynomial.legendre.leggauss(per_axis)
    axes = [a + (b - a) / 2 * (nodes + 1) for a, b in box]
    shares = [(b - a) / 2 * weights for a, b in box]
    points = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(box))
    product_weights = np.stack(np.meshgrid(*shares, indexing="ij"), axis=-1)
    return points, product_weights.reshape(-1, len(box)).prod(axis=1)


def boundary_points(
    domain: Sequence[tuple[float, float]] | Matrix,
    count: int,
    kind: PointKind = "quadrature",
    generator: np.random.Generator | None = None,
    faces: Sequence[Face] | None = None,
) -> tuple[Matrix, Vector]:
    """Return points of the sides of a box with weights that sum to their area.

    They come side after side. The ends of an interval have weight 1 each.
    """
    box = as_box(domain)
    points, weights = [], []
    for axis, upper in all_faces(len(box)) if faces is None else faces:
        rest = [interval for index, interval in enumerate(box) if index != axis]
        # In one dimension a side is a point, with the counting measure.
        side, share = np.zeros((1, 0)), np.ones(1)
        if rest:
            side, share = box_points(rest, count, kind, generator)
        points.append(np.insert(side, axis, box[axis, int(upper)], axis=1))
        weights.append(share)
    return np.concatenate(points), np.concatenate(weights)
