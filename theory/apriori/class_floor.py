"""N2 as a curve: the floor against the ε-rank, for a class of networks or of functions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_eps, as_norm, as_positive, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Vector, real_array

# Squares of it, times as many again, are far from overflow.
_MOST_NEURONS = 10**18


def class_floor(
    distances: Any, *, n: int, eps: float, norm: float, stability: float = 1.0
) -> Vector:
    """Return C_S⁻¹ (E_p − √((1 + p(n−p)) ε) B)_+ for p = 0…P: √L(u) is at least that (N2).

    For every network of n last-layer neurons with r_ε = p and ‖β‖ ≤ B, where E_p is the distance
    from u* to the networks of the same depth with p last-layer neurons, or a lower bound of it
    (`relu_distances`), never the error of a trained network, which is an upper bound.

    For a stable problem ‖v − u*‖ ≤ C_S √L(v), `stability` is C_S; for the squared error itself it
    is 1.
    """
    found = _distances(distances, n)
    p, rest = _split(len(found), n)
    return _floor(found, 1.0 + p * rest, eps, norm, stability)


def draft_class_floor(
    distances: Any, *, n: int, eps: float, norm: float, stability: float = 1.0
) -> Vector:
    """Return C_S⁻¹ (E_p − √((p+1)(n−p)² ε) B)_+: the floor of [S1] (draft), weaker than N2."""
    found = _distances(distances, n)
    p, rest = _split(len(found), n)
    return _floor(found, (p + 1.0) * rest**2, eps, norm, stability)


def width_floor(widths: Any, *, eps: float, norm: float) -> Vector:
    """Return (d_p(K) − √ε B)_+: some u* ∈ K is at least that far from every network with r_ε = p.

    The span Ψ_p of the leading eigenfeatures has dimension p, so some u* ∈ K has distance d_p(K) or
    more from it (or comes arbitrarily close), and F2 holds with that distance. There is no factor
    of selection: the class is that of all p-dimensional spaces.

    Parameters
    ----------
    widths : array_like, shape (P + 1,)
        Kolmogorov widths d_0 ≥ d_1 ≥ …, such as `sobolev_widths`; d_0 may be infinite.
    eps : float
        ε > 0, in the measure of the widths.
    norm : float
        B ≥ 0, possibly infinite.

    Returns
    -------
    ndarray of float64, shape (P + 1,)
        The floors, as norms.
    """
    found = _distances(widths, None)
    return _floor(found, np.ones(len(found)), eps, norm, 1.0)


def _split(count: int, n: int) -> tuple[Vector, Vector]:
    """Return p = 0 … count − 1 and n − p, as floats: products of whole ones go around at 2⁶³."""
    p = np.arange(count, dtype=np.float64)
    return p, float(n) - p


def _distances(distances: Any, n: int | None) -> Array:
    """Check distances: numbers ≥ 0 that do not grow, no more than n + 1 of them."""
    found = real_array(distances, "distances")
    if found.ndim != 1 or found.size == 0 or bool(np.isnan(found).any()) or found[-1] < 0:
        raise InputError("distances", f"have shape {found.shape}", "pass E_0, E_1, … ≥ 0")
    if bool((found[1:] > found[:-1]).any()):
        raise InputError("distances", "grow", "order them by the number of neurons")
    if n is not None:
        as_whole(n, "n", least=0, most=_MOST_NEURONS)
    if n is not None and len(found) > n + 1:
        raise InputError(
            "distances", f"are {len(found)} for n = {n}", f"pass at most {n + 1} (p ≤ n)"
        )
    return found


def _floor(distances: Array, factor: Array, eps: float, norm: float, stability: float) -> Array:
    """Return (E_p − √(factor ε) B)_+ / C_S."""
    root, bound = math.sqrt(as_eps(eps)), as_norm(norm)
    constant = as_positive(stability, "stability", "pass C_S > 0")
    reach = np.sqrt(factor) * root
    with np.errstate(invalid="ignore", over="ignore"):
        # 0·∞ = 0: at p = n nothing is taken away, whatever the norm.
        lost = np.where(reach > 0, reach * bound, 0.0)
        # Where both are infinite nothing is known, and the floor is 0.
        floors = np.where(np.isinf(lost), 0.0, distances - lost)
    return np.asarray(np.maximum(floors, 0.0) / constant)
