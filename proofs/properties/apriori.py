"""N2 and N3: the dynamic program against all partitions, and floors against random networks."""

# ruff: noqa: D401 — the docstring of a property is its statement, not a command.

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations, pairwise

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from epsrank.proofs.exact import oracle
from epsrank.proofs.exact.oracle import squared_distance
from epsrank.proofs.strategies import sample_weights
from epsrank.proofs.testing.search import Tally, refute, states
from epsrank.theory.apriori import network_floor, segments
from epsrank.theory.apriori.widths import ellipsoid_widths
from epsrank.theory.numbers.arrays import Array, Matrix, Vector


@dataclass(frozen=True, eq=False)
class LineCase:
    """Points on the line with a target and weights."""

    #: x, equal ones included.
    points: Vector
    #: u*.
    target: Matrix
    #: w.
    weights: Vector | None


@st.composite
def line_cases(draw: st.DrawFn, largest: int = 7) -> LineCase:
    """Draw samples on the line: clustered, repeated, far from 0, on scales from 1e-12 to 1e12."""
    n = draw(st.integers(1, largest))
    whole = st.integers(-12, 12)
    points = draw(hnp.arrays(np.int64, n, elements=whole, fill=st.nothing())).astype(np.float64)
    shift = draw(st.sampled_from((0.0, 0.0, 0.1, 1e6, -3e9)))
    points = points * draw(st.sampled_from((1.0, 0.1, 1e-12, 1e12, 2.0**-20))) + shift
    outputs = draw(st.integers(1, 2))
    target = draw(hnp.arrays(np.int64, (n, outputs), elements=whole, fill=st.nothing()))
    scaled = target.astype(np.float64) * draw(st.sampled_from((1.0, 1 / 3, 1e-9, 1e100)))
    return LineCase(points, scaled, draw(sample_weights(n)) if draw(st.booleans()) else None)


def least_squares_by_partition(case: LineCase, breaks: int) -> Fraction:
    """Return D_p² under raw weights by trying every partition, in rational arithmetic."""
    weights = np.ones(len(case.points)) if case.weights is None else case.weights
    groups = sorted({float(x) for x, w in zip(case.points, weights, strict=True) if w > 0})
    pieces: dict[tuple[int, int], Fraction] = {}
    for first in range(len(groups)):
        for last in range(first, len(groups)):
            inside = [
                i
                for i, x in enumerate(case.points.tolist())
                if groups[first] <= x <= groups[last] and weights[i] > 0
            ]
            pieces[first, last] = _line_error(case, weights, inside)
    best: Fraction | None = None
    for cuts in combinations(range(1, len(groups)), min(breaks, len(groups) - 1)):
        ends = [0, *cuts, len(groups)]
        cost = sum((pieces[a, b - 1] for a, b in pairwise(ends)), Fraction(0))
        best = cost if best is None else min(best, cost)
    assert best is not None
    return best


def _line_error(case: LineCase, weights: Array, inside: list[int]) -> Fraction:
    """Return the weighted squared error of the best straight line through some samples."""
    # Orthogonality in the weighted product: Gram–Schmidt on 1 and x, so x is centred at its mean.
    w = [Fraction(float(weights[i])) for i in inside]
    x = [Fraction(float(case.points[i])) for i in inside]
    total = sum(w, Fraction(0))
    mean = sum((a * b for a, b in zip(w, x, strict=True)), Fraction(0)) / total
    centred = [b - mean for b in x]
    spread = sum((a * b * b for a, b in zip(w, centred, strict=True)), Fraction(0))
    error = Fraction(0)
    for column in case.target.T:
        y = [Fraction(float(column[i])) for i in inside]
        level = sum((a * b for a, b in zip(w, y, strict=True)), Fraction(0)) / total
        rest = [b - level for b in y]
        error += sum((a * b * b for a, b in zip(w, rest, strict=True)), Fraction(0))
        if spread:
            cross = sum((a * b * c for a, b, c in zip(w, centred, rest, strict=True)), Fraction(0))
            error -= cross * cross / spread
    return error


@states("a-priori-floor", case=line_cases(), breaks=st.integers(0, 4), share=0.4)
def segments_enclose_every_partition(tally: Tally, case: LineCase, breaks: int) -> None:
    """The certified bounds of D_p contain the best of all partitions, exactly (N3)."""
    found = segments.relu_distances(
        case.points, case.target, breaks, weights=case.weights, measure="raw"
    )
    for p in range(breaks + 1):
        exact = least_squares_by_partition(case, p)
        low, high = Fraction(float(found.lower[p])) ** 2, Fraction(float(found.upper[p])) ** 2
        if not low <= exact <= high:
            refute(f"p = {p}: D_p² = {exact} outside [{float(low)!r}, {float(high)!r}]")
        tally.count(float(exact) == 0 or float(found.lower[p]) > 0)


@states("a-priori-floor", case=line_cases(), data=st.data(), share=0.4)
def random_networks_stay_above_the_floor(tally: Tally, case: LineCase, data: st.DataObject) -> None:
    """No ReLU network on the line is closer to u* than E_p − √((1+p(n−p))λ_{p+1})‖W‖, for any p."""
    n = data.draw(st.integers(1, 5), label="n")
    whole = st.integers(-3, 3)
    slopes = data.draw(hnp.arrays(np.int64, n, elements=whole, fill=st.nothing()), label="slopes")
    knots = data.draw(st.lists(st.sampled_from(case.points.tolist()), min_size=n, max_size=n))
    # Differences of float64 points, times small integers: relative error u per entry.
    differences = case.points[:, None] - np.array(knots)
    features = np.maximum(slopes * differences, 0.0)
    outputs = case.target.shape[1]
    head = data.draw(hnp.arrays(np.int64, (n, outputs), elements=whole, fill=st.nothing()))
    bias = data.draw(st.integers(-3, 3), label="bias")
    # The output is of the size of the target, so that floors are neither 0 nor everything.
    scale = float(np.max(np.abs(case.target))) / max(1.0, float(np.max(features))) or 1.0
    weights = np.ones(len(case.points)) if case.weights is None else case.weights
    floor = network_floor.apriori_floor(
        features,
        case.points,
        case.target,
        coefficients=head * scale,
        weights=case.weights,
        measure="raw",
        feature_error=2.0**-51 * float(np.linalg.norm(np.sqrt(weights)[:, None] * features)),
    )
    error = features @ (head * scale) + bias * scale - case.target
    loss = math.sqrt(float(np.sum(weights[:, None] * (error / scale) ** 2))) * scale
    # Rounding of this loss, far above what float64 can do: relative to the terms in it.
    slack = 1e-12 * (
        loss + floor.distances.target_norm + floor.norm * float(np.abs(features).sum())
    )
    if floor.best > loss + slack:
        refute(f"√loss = {loss!r} is below {floor.best!r} at p = {floor.at}")
    tally.count(floor.best > 0)


@states("a-priori-floor", axes=st.lists(st.integers(0, 9), min_size=1, max_size=5), data=st.data(),
        share=0.25)  # fmt: skip
def no_space_beats_the_width(tally: Tally, axes: list[int], data: st.DataObject) -> None:
    """No p-dimensional space is closer to all of an ellipsoid than its (p+1)-st axis, exactly."""
    widths = ellipsoid_widths(axes)
    m = len(axes)
    p = data.draw(st.integers(0, m - 1), label="p")
    whole = st.integers(-4, 4)
    vectors = data.draw(hnp.arrays(np.int64, (p, m), elements=whole, fill=st.nothing()))
    # sup over the ellipsoid of dist² is the largest eigenvalue of diag(a) P diag(a), P the
    # projection onto the complement: at least w² exactly if w²I − … is not positive definite.
    space = oracle.rational(vectors.astype(np.float64))
    images = []
    for i in range(m):
        unit = [Fraction(i == j) for j in range(m)]
        images.append(_residual(space, unit))
    matrix = [[Fraction(axes[i]) * images[i][j] * axes[j] for j in range(m)] for i in range(m)]
    width = Fraction(float(widths[p])) ** 2
    if width and oracle.inertia(oracle.shifted(matrix, width))[1] == m:
        refute(f"a space of dimension {p} is within {widths[p]} of the ellipsoid {axes}")
    # The leading axes attain it: their space leaves exactly the axes from p + 1 on.
    if squared_distance([], [[Fraction(sorted(axes)[m - 1 - p])]]) != width:
        refute(f"width {widths[p]} is not the axis number {p + 1} of {axes}")
    tally.count(True)


def _residual(space: oracle.Matrix, vector: list[Fraction]) -> list[Fraction]:
    """Return the part of a vector orthogonal to a space."""
    basis: oracle.Matrix = []
    rest = vector
    for direction in [*space, vector]:
        rest = direction
        for other in basis:
            length = sum((x * x for x in other), Fraction(0))
            share = sum((a * b for a, b in zip(other, rest, strict=True)), Fraction(0))
            rest = [a - share / length * b for a, b in zip(rest, other, strict=True)]
        if any(rest) and direction is not vector:
            basis.append(rest)
    return rest
