r"""The leading-order flow of an L-layer network at 0, and when it reaches infinity.

With activations φ(z) = z + O(z²) and no biases, u(x) = W_L ⋯ W_1 x to leading order, and the loss
c/2 · mean (u − y)² falls at first like −c W_L ⋯ W_1 v, v = mean y x. The flow

    dW_l/dt = c (W_L ⋯ W_{l+1})ᵀ (W_{l−1} ⋯ W_1 v)ᵀ

is homogeneous of degree L − 1: if θ(t) solves it, so does σ θ(σ^{L−2} t). So it blows up at
t*(σ) = σ^{−(L−2)} t*(1) for a fixed direction with all layers scaled by σ, exactly; two layers are
linear and grow exponentially. Source: arXiv 2402.15958 for three layers; the scaling is ours.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from epsrank.theory.data.inputs import as_positive
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector, real_array, refuse_non_finite
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

# About this share of the time is left where the integration ends; it is added by the power law that
# the weights follow. Any less, and deep networks would meet the spacing of floats in time.
_LEFT = 1e-6
_TOLERANCE = 1e-10


@dataclass(frozen=True)
class BlowUp(Shown):
    """When and how a leading-order flow reaches infinity.

    Attributes
    ----------
    time : float
        t*, in units of time; ∞ where it does not blow up.
    reached : float
        Time until which it was integrated: the largest weight is 10^(6/(L−2)) times its first size.
    alignment : float
        The least |cos| between the rows of W_1 and v at that time.
    layers : tuple of array
        W_1, …, W_L there.
    """

    time: float
    reached: float
    alignment: float
    layers: tuple[Matrix, ...] = field(repr=False)


def leading_order_blow_up(
    layers: Sequence[ArrayLike], drive: ArrayLike, *, factor: float = 1.0
) -> BlowUp:
    r"""Integrate the leading-order flow of a network without biases until it blows up.

    .. math:: \dot W_l = c\,(W_L \cdots W_{l+1})^\top (W_{l-1} \cdots W_1 v)^\top,
       \qquad l = 1, \dots, L.

    The flow is homogeneous of degree L − 1, so that weights σW reach infinity at
    :math:`t^*(\sigma) = \sigma^{-(L-2)} t^*(1)`.

    Parameters
    ----------
    layers : sequence of array_like
        W_1 of shape (n_1, d), W_2 of shape (n_2, n_1), …, W_L of shape (1, n_{L−1}); L ≥ 3.
    drive : array_like, shape (d,)
        v = mean y x.
    factor : float
        c: 2 for the mean of squares, 1 for half of it.

    Returns
    -------
    BlowUp
        Its time, a number from SciPy's integration, correct to about eight digits.

    Raises
    ------
    InputError
        If there are fewer than three layers, shapes do not fit, or numbers are not finite.

    Notes
    -----
    Source: arXiv 2402.15958 (three layers).

    Examples
    --------
    Balanced layers of one neuron: q̇ = q², so t* = 1/q.

    >>> round(leading_order_blow_up([[[0.5]], [[0.5]], [[0.5]]], [1.0]).time, 6)
    2.0
    """
    from scipy.integrate import solve_ivp

    start, v = _checked(layers, drive, factor)
    shapes = [w.shape for w in start]
    sizes = np.cumsum([w.size for w in start])[:-1]
    first = np.concatenate([w.ravel() for w in start])
    scale = float(np.abs(first).max())
    degree = len(start) - 2  # of growth beyond the exponential one
    if scale == 0 or not v.any():
        return BlowUp(math.inf, 0.0, math.nan, tuple(start))

    def parts(z: Array) -> list[Matrix]:
        return [a.reshape(shape) for a, shape in zip(np.split(z, sizes), shapes, strict=True)]

    def rhs(_: float, z: Array) -> Array:
        return np.concatenate([w.ravel() for w in flow(parts(z), v, factor)])

    def far(_: float, z: Array) -> float:
        return float(np.abs(z).max() / scale - _LEFT ** (-1 / degree))

    far.terminal = True  # type: ignore[attr-defined]
    # Nothing that starts generically needs longer; what does is driven to 0 and stays there.
    horizon = 1e6 / (factor * float(np.linalg.norm(v)) * scale**degree)
    found: Any = solve_ivp(
        rhs, (0.0, horizon), first, "DOP853", rtol=_TOLERANCE, atol=scale * 1e-14, events=far
    )
    end, z = float(found.t[-1]), found.y[:, -1]
    last = parts(z)
    time = math.inf
    if len(found.t_events[0]):
        # ‖θ‖ ~ (t* − t)^{−1/(L−2)} near the end: d log‖θ‖/dt = 1/((L − 2)(t* − t)).
        growth = float(z @ rhs(end, z)) / float(z @ z)
        time = end + 1 / (degree * growth)
    rows = np.linalg.norm(last[0], axis=1) * np.linalg.norm(v)
    with np.errstate(invalid="ignore"):
        cosines = np.abs(last[0] @ v) / rows
    return BlowUp(time, end, float(np.nanmin(cosines)), tuple(last))


def flow(layers: Sequence[Matrix], v: Vector, factor: float) -> list[Matrix]:
    """Return dW_l/dt for all l."""
    below = [v[:, None]]
    for w in layers[:-1]:
        below.append(w @ below[-1])
    above: list[Array] = [np.ones((1, 1))]
    for w in reversed(layers[1:]):
        above.append(above[-1] @ w)
    above.reverse()
    return [factor * up.T @ down.T for up, down in zip(above, below, strict=True)]


def _checked(
    layers: Sequence[ArrayLike], drive: ArrayLike, factor: float
) -> tuple[list[Matrix], Vector]:
    as_positive(factor, "factor", "pass c > 0: 2 for the mean of squares")
    start = [real_array(w, "layers") for w in layers]
    v = real_array(drive, "drive")
    if len(start) < 3:
        problem = f"are {len(start)}"
        raise InputError("layers", problem, "pass three or more: two layers grow exponentially")
    expected = v.shape[0] if v.ndim == 1 else -1
    for number, w in enumerate(start, 1):
        if w.ndim != 2 or w.shape[1] != expected:
            wanted = (
                f"pass {plural(expected, 'column')}"
                if expected >= 0
                else "pass a drive of shape (d,)"
            )
            raise InputError(f"layer {number}", f"has shape {w.shape}", wanted)
        expected = w.shape[0]
    if expected != 1:
        raise InputError("layers", f"end in {plural(expected, 'row')}", "pass one output")
    refuse_non_finite(v, "drive")
    for w in start:
        refuse_non_finite(w, "layers")
    return start, v
