"""The least weighted squared error of a straight line on every contiguous piece, enclosed.

For a piece that starts at x_i put ξ = x − x_i and η = y − y_i: floating-point differences, so each
has relative error u whatever the size of x. With the sums

    M_0 = Σw, M_1 = Σwξ, M_2 = Σwξ², N_1 = Σwη, N_2 = Σwη², P = Σwξη

the error of the best line is S_yy − S_xy²/S_xx, S_xx = M_2 − M_1²/M_0 and so on. All terms of M_k
and N_2 are non-negative (ξ ≥ 0), so with ε = γ_{ℓ+8} for ℓ points

    |M̂_k − M_k| ≤ ε M_k, |N̂_2 − N_2| ≤ ε N_2, |N̂_1 − N_1| ≤ ε√(M_0 N_2), |P̂ − P| ≤ ε√(M_2 N_2),

and by Cauchy–Schwarz M_1²/M_0 ≤ M_2, N_1²/M_0 ≤ N_2, M_1|N_1|/M_0 ≤ √(M_2 N_2). For ε ≤ 1/1000

    |Ŝ_xx − S_xx| ≤ 7ε M̂_2,  |Ŝ_xy − S_xy| ≤ 8ε√(M̂_2 N̂_2),  |Ŝ_yy − S_yy| ≤ 7ε N̂_2.
"""

from __future__ import annotations

import numpy as np

from epsrank.theory.apriori.samples import LineSamples
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF

_U = UNIT_ROUNDOFF["float64"]

# Below this, products of small differences have lost bits to underflow.
_SMALLEST_SPREAD = 2.0**-900

# Roundings of the last few operations, relative to N_2: far below ε = (ℓ + 16)u.
_LAST_ROUNDINGS = 1.0 + 32 * _U


class PieceCosts:
    """Sums over all pieces that end at one point, extended point by point."""

    def __init__(self, samples: LineSamples) -> None:
        groups, outputs = samples.n_groups, samples.y.shape[1]
        self._samples = samples
        self._origin_x = samples.x[samples.starts]
        self._origin_y = np.ascontiguousarray(samples.y[samples.starts].T)
        self._m = np.zeros((3, groups))
        self._n1 = np.zeros((outputs, groups))
        self._n2 = np.zeros((outputs, groups))
        self._p = np.zeros((outputs, groups))
        self._stops = np.append(samples.starts[1:], len(samples.x))
        self._next = 0

    def advance(self) -> Vector:
        """Add the next group g of equal x, and bound the cost of every piece that ends with it."""
        group, s = self._next, self._samples
        self._next += 1
        active = slice(0, group + 1)
        for index in range(s.starts[group], self._stops[group]):
            self._add(active, float(s.x[index]), s.y[index], float(s.w[index]))
        lengths = self._stops[group] - s.starts[active]
        lower = _bounds(
            self._m[:, active],
            self._n1[:, active],
            self._n2[:, active],
            self._p[:, active],
            lengths,
        )[0]
        lower[group] = self._one_point(group, int(lengths[group]))
        return lower

    def _add(self, active: slice, x: float, y: Array, w: float) -> None:
        """Add one weighted point to the sums of every piece that has begun."""
        xi = x - self._origin_x[active]
        weighted = w * xi
        self._m[0, active] += w
        self._m[1, active] += weighted
        self._m[2, active] += weighted * xi
        for output in range(len(y)):
            eta = y[output] - self._origin_y[output, active]
            self._p[output, active] += weighted * eta
            scaled = w * eta
            self._n1[output, active] += scaled
            self._n2[output, active] += scaled * eta

    def _one_point(self, group: int, length: int) -> float:
        """Return a lower bound for a piece of equal x, where a line is a constant."""
        n2 = self._n2[:, group]
        spread = n2 - self._n1[:, group] ** 2 / self._m[0, group]
        loss = float(np.sum(spread)) - 8 * _relative(length) * float(np.sum(n2)) - UNDERFLOW
        return max(0.0, loss)


def piece_bounds(samples: LineSamples, first: int, last: int) -> tuple[float, float]:
    """Enclose the cost of the piece of the groups first…last."""
    stop = samples.starts[last + 1] if last + 1 < samples.n_groups else len(samples.x)
    part = slice(samples.starts[first], stop)
    xi = samples.x[part] - samples.x[part][0]
    eta = (samples.y[part] - samples.y[part][0]).T
    w = samples.w[part]
    weighted = w * xi
    m = np.array([[np.sum(w)], [np.sum(weighted)], [np.sum(weighted * xi)]])
    n1 = np.sum(w * eta, axis=1, keepdims=True)
    n2 = np.sum(w * eta * eta, axis=1, keepdims=True)
    p = np.sum(weighted * eta, axis=1, keepdims=True)
    if first == last:
        spread = float(np.sum(n2 - n1**2 / m[0]))
        error = 8 * _relative(len(w)) * float(np.sum(n2)) + UNDERFLOW
        return max(0.0, spread - error), max(0.0, spread + error)
    lower, upper = _bounds(m, n1, n2, p, np.array([len(w)]))
    return float(lower[0]), float(upper[0])


def _relative(length: int) -> float:
    """Return ε ≥ γ_{ℓ+8} for one piece."""
    # 1.01 covers the denominator 1 − ku of γ_k.
    return float((length + 16) * _U * 1.01)


def _bounds(m: Array, n1: Array, n2: Array, p: Array, lengths: Array) -> tuple[Array, Array]:
    """Return lower and upper bounds of S_yy − S_xy²/S_xx, summed over outputs, entry by entry."""
    epsilon = (lengths + 16) * (_U * 1.01)
    with np.errstate(divide="ignore", invalid="ignore", over="ignore", under="ignore"):
        slope = m[1] / m[0]
        s_xx = m[2] - slope * m[1]
        e_xx = 7 * epsilon * m[2]
        least, most = s_xx - e_xx, s_xx + e_xx
        total = np.sum(n2, axis=0)
        s_yy = np.sum(n2 - n1 * n1 / m[0], axis=0)
        s_xy = np.abs(p - slope * n1)
        e_xy = 8 * epsilon * np.sqrt(m[2] * n2) + UNDERFLOW
        larger = np.sum((s_xy + e_xy) ** 2, axis=0)
        smaller = np.sum(np.maximum(s_xy - e_xy, 0.0) ** 2, axis=0)
        # 7 ε as derived above, and one for the last operations.
        error = 8 * epsilon * total + UNDERFLOW
        # S_xy²/S_xx is at most the larger numerator over the smaller denominator, and conversely.
        lower = s_yy - error - larger / least * _LAST_ROUNDINGS
        upper = s_yy + error - smaller / most / _LAST_ROUNDINGS
    # A spread too small to divide by: then the line may explain everything, or nothing.
    solid = (least > e_xx) & (m[2] > _SMALLEST_SPREAD)
    lower = np.where(solid, np.maximum(lower, 0.0), 0.0)
    upper = np.where(m[2] > _SMALLEST_SPREAD, upper, s_yy + error)
    return lower, np.maximum(upper, 0.0)
