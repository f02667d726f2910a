"""E[σ(u)σ(v)] for any σ by quadrature in polar coordinates, two-dimensional at every pair."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np

from epsrank.theory.numbers.arrays import Array, Vector

Sigma = Callable[[Array], Array]

#: Nodes per radius and per arc, tried in turn until two in a row agree.
LEVELS = (12, 18, 27, 40, 60, 90)
#: Relative agreement asked for.
TOLERANCE = 1e-13

# Pairs on which the number of nodes is settled, and numbers held at a time.
_TRIAL_PAIRS, _NUMBERS_HELD = 96, 2_000_000
# Relative rounding of nodes and weights, seen in moments of degree 2 to 6.
_RULE_ERROR = 2e-13


def gauss_rule(points: Vector, weights: Vector, count: int) -> tuple[Vector, Vector]:
    """Return the Gauss rule of a discrete measure: exact for polynomials of degree 2m − 1.

    Nodes and weights come from the Jacobi matrix of Stieltjes' procedure (Gautschi, Orthogonal
    Polynomials, 2004, §2.2).
    """
    mass = float(weights.sum())
    previous, current = np.zeros_like(points), np.full_like(points, 1 / math.sqrt(mass))
    diagonal, off = np.empty(count), np.zeros(count)
    for k in range(count):
        diagonal[k] = float(weights @ (points * current**2))
        following = (points - diagonal[k]) * current - off[k - 1] * previous
        norm = math.sqrt(float(weights @ following**2))
        off[k] = norm
        previous, current = current, following / norm
    jacobi = np.diag(diagonal) + np.diag(off[: count - 1], 1) + np.diag(off[: count - 1], -1)
    nodes, vectors = np.linalg.eigh(jacobi)
    return nodes, mass * vectors[0] ** 2


@cache
def _radial(count: int) -> tuple[Array, Array]:
    """Return the Gauss rule of r exp(−r²/2) dr on (0, ∞)."""
    fine, weights = np.polynomial.legendre.leggauss(1200)
    radius = 18.0 * (fine + 1)  # beyond r = 36 the density is below the least float64
    density = weights * radius * np.exp(-(radius**2) / 2)
    return gauss_rule(radius, density / density.sum(), count)


@cache
def interval_rule(count: int) -> tuple[Array, Array]:
    """Return the Gauss–Legendre rule of [0, 1]; kept, since 200 nodes take 50 ms."""
    nodes, weights = np.polynomial.legendre.leggauss(count)
    return (nodes + 1) / 2, weights / 2


def _at_level(sigma: Sigma, xx: Array, xy: Array, yy: Array, count: int) -> Array:
    """Evaluate κ for vectors of pairs with a given number of nodes."""
    radius, radial = _radial(count)
    part, angular = interval_rule(count)
    # (u, v) = r (√S_xx cos φ, √S_yy cos(φ − θ)): signs of u and v change at four angles, so that a
    # kink of σ at 0 lies on the ends of the arcs and the rule converges as for smooth σ.
    theta = np.arccos(np.clip(xy / np.sqrt(xx * yy), -1.0, 1.0))
    total = np.zeros_like(xx)
    quarter = np.full_like(theta, np.pi / 2)
    for start, length in ((theta - quarter, np.pi - theta), (quarter, theta)):
        phi = start[:, None] + length[:, None] * part
        u = (np.sqrt(xx)[:, None] * np.cos(phi))[:, :, None] * radius
        v = (np.sqrt(yy)[:, None] * np.cos(phi - theta[:, None]))[:, :, None] * radius
        # The two arcs are half of the circle; on the other half u and v have their signs turned.
        both = sigma(u) * sigma(v) + sigma(-u) * sigma(-v)
        total += length * np.einsum("pij,i,j->p", both, angular, radial)
    return total / (2 * np.pi)


def polar_kernel(
    sigma: Sigma, xx: Vector, xy: Vector, yy: Vector, *, tolerance: float = TOLERANCE
) -> tuple[Vector, float]:
    """E[σ(u)σ(v)] = (2π)⁻¹ ∫∫ σ(√S_xx r cos φ) σ(√S_yy r cos(φ − θ)) dφ r e^{−r²/2} dr, cos θ = ρ.

    Exponentially accurate for σ that is smooth, or smooth on either side of 0.

    σ acts entrywise and must be square integrable under each normal law. Rules are refined until
    two successive ones agree to `tolerance`, relative to the largest entry. The largest difference
    between the last two on trial pairs is the estimate of the error, and shows the caller where
    they did not converge.
    """
    # The extremes of scale and correlation come first among the trial pairs.
    order = np.unique(
        np.concatenate(
            [
                [np.argmax(xx + yy), np.argmin(xx + yy), np.argmax(xy), np.argmin(xy)],
                np.linspace(0, len(xx) - 1, min(len(xx), _TRIAL_PAIRS)).round(),
            ]
        ).astype(int)
    )
    trial = (xx[order], xy[order], yy[order])
    before, level, error = _at_level(sigma, *trial, LEVELS[0]), LEVELS[0], math.inf
    for level in LEVELS[1:]:
        values = _at_level(sigma, *trial, level)
        error = float(np.abs(values - before).max())
        before = values
        if error <= tolerance * max(float(np.abs(values).max()), np.finfo(float).tiny):
            break
    block = max(1, _NUMBERS_HELD // level**2)
    parts = [
        _at_level(sigma, xx[i : i + block], xy[i : i + block], yy[i : i + block], level)
        for i in range(0, len(xx), block)
    ]
    values = np.concatenate(parts)
    return values, error + _RULE_ERROR * float(np.abs(values).max())
