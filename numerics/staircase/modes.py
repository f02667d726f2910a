"""Curves whose speed of descent has few modes, fitted: a mode of the speed is a drop.

Let g be a curve and v = −g′ the speed at which it falls. Where g is concave v grows, where it is
convex v shrinks, so that v has a mode wherever a concave stretch is followed by a convex one. Every
decay (exponential, power law, mixtures, also after a first transient) is convex and has none
but for its start; a logistic curve has one; a staircase has two or more.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter1d
from scipy.optimize import nnls

from epsrank.theory.numbers.arrays import Vector

# Knots that a curve may bend at; ours. Even ones, those nearest the start, where decays bend most,
# and the entries where the series itself bends most, so that a jump between neighbours is none
# that a curve could not take. A short series has fewer, or a curve could follow its noise.
_EVEN, _NEAR, _SHARP = (8, 24), (1, 2, 3, 4, 6, 8), (4, 16)
# Bandwidth, as a share of the length, at which the bends are read that the search starts from.
_BANDWIDTH = 0.025
# From so many modes downwards the ends of stretches are moved for the best fit.
_REFINED = 4


@dataclass(eq=False)
class Curves:
    """Weighted least squares among continuous piecewise linear curves with given signs of bends."""

    #: The series and its weights' inverses, the local standard deviations.
    time: Vector
    values: Vector
    scale: Vector
    #: Where pieces begin that it is compared with: a curve may jump there as well.
    jumps: frozenset[int] = frozenset()
    #: Indices of the knots.
    knots: NDArray[np.intp] = field(init=False)

    def __post_init__(self) -> None:
        n = self.values.size
        self.knots = _knots(self.values, self.scale, self.jumps)
        x = (self.time - self.time[0]) / (self.time[-1] - self.time[0])
        lines = np.stack([np.ones(n), x - x.mean()], axis=1) / self.scale[:, None]
        # Level and slope are free: they are projected out, and one sign per knot remains.
        line, _ = np.linalg.qr(lines)
        bends = np.abs(x[:, None] - x[self.knots]) / self.scale[:, None]
        bends = bends - line @ (line.T @ bends)
        self._bends = bends / np.linalg.norm(bends, axis=0)
        given = self.values / self.scale
        self._rest = given - line @ (line.T @ given)
        # In the basis of the bends the problem has as many rows as knots.
        basis, self._small = np.linalg.qr(self._bends)
        self._target = basis.T @ self._rest
        self._outside = float(self._rest @ self._rest - self._target @ self._target)
        self._size = float(np.abs(self._target).max()) or 1.0
        self._known: dict[bytes, tuple[float, Vector]] = {}

    def fit(self, signs: Vector) -> tuple[float, Vector]:
        """Return the squared error of the best curve with these signs of bends, and its bends."""
        key = signs.tobytes()
        if key not in self._known:
            weights, error = nnls(self._small * signs, self._target / self._size, maxiter=5000)
            squares = self._outside + (error * self._size) ** 2
            self._known[key] = squares, signs * weights * self._size
        return self._known[key]

    def residual(self, signs: Vector) -> Vector:
        """Return what the best curve leaves, in local standard deviations."""
        return np.asarray(self._rest - self._bends @ self.fit(signs)[1])

    def curve(self, signs: Vector) -> Vector:
        """Return the best curve at the times."""
        return np.asarray(self.values - self.scale * self.residual(signs))


def _knots(values: Vector, scale: Vector, jumps: frozenset[int]) -> NDArray[np.intp]:
    n = values.size
    evenly = int(np.clip(n // 4, *_EVEN))
    even = np.round(np.linspace(0, n - 1, evenly + 2)).astype(np.intp)
    bent = np.abs(np.diff(values, 2)) / scale[1:-1]
    sharp = 1 + np.argsort(bent, kind="stable")[::-1][: int(np.clip(n // 8, *_SHARP))]
    knots = np.unique(np.concatenate([even, _NEAR, sharp, np.array(sorted(jumps), np.intp)]))
    return np.asarray(knots[(knots > 0) & (knots < n - 1)], np.intp)


def fewest_modes(curves: Curves) -> dict[int, Vector]:
    """Return signs of bends by the number of modes of the speed, 0 among them.

    Begins with the bends of the smoothed series, and turns the stretch over whose loss costs least,
    until no mode is left.
    """
    signs = _smoothed_bends(curves)
    if modes(signs) <= _REFINED:
        signs = _refined(curves, signs)
    found = {modes(signs): signs}
    while modes(signs) > 0:
        edges = stretches(signs)
        turned = []
        for k, (first, end) in enumerate(pairwise(edges)):
            at_end = (k == 0 and signs[first] > 0) or (end == signs.size and signs[first] < 0)
            if not at_end:  # turning these over leaves as many modes
                other = signs.copy()
                other[first:end] *= -1
                turned.append((curves.fit(other)[0], k, other))
        signs = min(turned, key=lambda item: item[:2])[2]
        if modes(signs) <= _REFINED:
            signs = _refined(curves, signs)
        found[modes(signs)] = signs
    return found


def stretches(signs: Vector) -> list[int]:
    """Return where stretches of one sign begin, and the end."""
    return [0, *(np.flatnonzero(np.diff(signs)) + 1).tolist(), signs.size]


def modes(signs: Vector) -> int:
    """Return the number of modes of the speed: concave stretches that convex ones follow."""
    return int(((signs[:-1] < 0) & (signs[1:] > 0)).sum())


def _smoothed_bends(curves: Curves) -> Vector:
    """Return the signs at the knots of the second difference of a Gaussian average."""
    width = max(1.0, _BANDWIDTH * curves.values.size)
    y, reach = curves.values, min(int(4 * width), curves.values.size - 1)
    # Continued by reflection in its end points, so that the average keeps slopes there.
    before, after = 2 * y[0] - y[reach:0:-1], 2 * y[-1] - y[-2 : -2 - reach : -1]
    smooth = gaussian_filter1d(np.concatenate([before, y, after]), width)[reach : reach + y.size]
    bends = np.diff(np.diff(smooth) / np.diff(curves.time))
    return np.where(bends[curves.knots - 1] >= 0, 1.0, -1.0)


def _refined(curves: Curves, signs: Vector, passes: int = 3) -> Vector:
    """Move the ends of stretches by single knots while that improves the fit."""
    best = curves.fit(signs)[0]
    for _ in range(passes):
        before = best
        for k in range(1, len(stretches(signs)) - 1):
            for step in (-1, 1):
                while True:
                    edges = stretches(signs)
                    giving = k - 1 if step < 0 else k
                    if edges[giving + 1] - edges[giving] == 1:
                        break  # the stretch has one knot
                    moved = signs.copy()
                    moved[edges[k] - 1 if step < 0 else edges[k]] *= -1
                    error = curves.fit(moved)[0]
                    if error >= best * (1 - 1e-9):
                        break
                    best, signs = error, moved
        if best >= before * (1 - 1e-6):
            break
    return signs
