"""Kolmogorov widths d_p(K) = inf_{dim V = p} sup_{u ∈ K} dist(u, V) in closed form."""

from __future__ import annotations

import itertools
import math
from typing import Any, Literal

import numpy as np

from epsrank.theory.data.inputs import as_error, as_positive, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Vector, real_array
from epsrank.theory.words import plural


def ellipsoid_widths(semi_axes: Any) -> Vector:
    """Return d_p(K) = a_{p+1} of K = {Σ c_k e_k : Σ (c_k/a_k)² ≤ 1}, the a_k in falling order.

    The first p axes span a best space. No other does better: K contains the ball of radius a_{p+1}
    of a (p+1)-dimensional space, and a ball of radius r has distance r from some of its points to
    any p-dimensional space (Kolmogorov, Ann. Math. 37 (1936) 107–110; Tikhomirov).
    """
    axes = real_array(semi_axes, "semi_axes")
    if axes.ndim != 1 or bool(np.isnan(axes).any()) or bool((axes < 0).any()):
        raise InputError("semi_axes", f"have shape {axes.shape}", "pass numbers ≥ 0")
    return np.append(np.sort(axes)[::-1], 0.0)


def sobolev_widths(
    smoothness: float,
    count: int,
    *,
    dimension: int = 1,
    period: float = 2 * math.pi,
    radius: float = 1.0,
    ball: Literal["norm", "seminorm"] = "norm",
) -> Vector:
    """Return d_0 … d_count of the periodic Sobolev ball W^s in L² of the torus of that period.

    In the orthonormal basis of cosines and sines of frequencies ω_k = 2πk/L, k ∈ Z^d,

        ``norm``:      ‖u‖² + ‖u‖²_s ≤ R²,   a_k = R (1 + |ω_k|^{2s})^{−1/2},
        ``seminorm``:  ‖u‖²_s ≤ R²,          a_k = R |ω_k|^{−s}, infinite for the constant,

    ‖u‖_s² = Σ |ω_k|^{2s} |û_k|²; for d = 1 and an integer s it is ‖u^{(s)}‖². The ball is an
    ellipsoid, so d_p is the (p+1)-st largest a_k. For d = 1, L = 2π and the seminorm this is
    Kolmogorov's d_{2m−1} = d_{2m} = R m^{−s}. Ball and distance are taken in one and the same
    measure (``volume`` or ``mean``): the widths are then equal.

    Parameters
    ----------
    smoothness : float
        s > 0.
    count : int
        Largest p.
    dimension : int
        d ≥ 1.
    period : float
        L > 0.
    radius : float
        R ≥ 0.
    ball : {"norm", "seminorm"}
        Which ball.

    Returns
    -------
    ndarray of float64, shape (count + 1,)
        The widths.

    Raises
    ------
    InputError
        If an argument is out of range.
    """
    smoothness, period = as_positive(smoothness, "smoothness"), as_positive(period, "period")
    radius = as_error(radius, "radius", "the norm")
    dimension, count = as_whole(dimension, "dimension"), as_whole(count, "count", least=0)
    if ball not in ("norm", "seminorm"):
        raise InputError("ball", f"is {ball!r}", "choose 'norm' or 'seminorm'")
    squares = _lattice_squares(dimension, count + 1)
    frequencies = np.sqrt(squares) * (2 * math.pi / period)
    with np.errstate(over="ignore"):  # of a width that is 0 to float64
        powers = frequencies**smoothness
    if ball == "norm":
        return np.asarray(radius / np.hypot(1.0, powers))
    with np.errstate(divide="ignore"):
        return np.asarray(np.where(powers > 0, radius / powers, math.inf))


def _lattice_squares(dimension: int, count: int) -> Array:
    """Return |k|² of the `count` shortest k ∈ Z^d, with multiplicity, ascending."""
    if dimension == 1:
        return np.asarray(((np.arange(count) + 1) // 2) ** 2, dtype=np.float64)
    side = 1
    while True:
        # All k with |k| ≤ side lie in the cube, so the list is complete up to |k|² = side².
        if (2 * side + 1) ** dimension > 20_000_000:  # 160 MB of squares
            raise InputError(
                "count", f"is {count - 1} in {plural(dimension, 'dimension')}", "ask for fewer"
            )
        axis = np.arange(-side, side + 1) ** 2
        squares = np.zeros(1, dtype=np.int64)
        for _ in itertools.repeat(None, dimension):
            squares = (squares[:, None] + axis[None, :]).ravel()
        squares = np.sort(squares[squares <= side * side])
        if len(squares) >= count:
            return squares[:count].astype(np.float64)
        side *= 2
