"""The linearised flow of a two-layer network at 0: its rate of growth, and when the loss falls.

With u(x) = Σ_k a_k φ(w_k·x̃), x̃ = (x, 1), φ(z) = z + O(z²) and loss c/2 · mean (u − y)², the
gradient flow at small weights is

    ȧ_k = c g·w_k,   ẇ_k = c a_k g,   g = mean y x̃,

which has the rates ±c‖g‖ and 0: the part p_k = (a_k + ĝ·w_k)/√2 grows like e^{c‖g‖t}, whatever the
width. With an output bias, which moves at a rate of order 1, y is y less its mean: even targets on
symmetric inputs then have g = 0, and no such law.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from epsrank.theory.data.inputs import as_features, as_positive
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import (
    Array,
    Matrix,
    Vector,
    real_array,
    refuse_non_finite,
)


def mean_gradient(inputs: ArrayLike, target: ArrayLike, *, output_bias: bool = False) -> Vector:
    """Return g = mean (y x, y), of y less its mean where there is an output bias.

    inputs: x, shape (N,) or (N, d). target: y, shape (N,).
    """
    x, y = _samples(inputs, target)
    with_one = np.column_stack([x, np.ones(len(x))])
    if not output_bias:
        found: Array = with_one.T @ y / len(y)
        return found
    found = with_one.T @ (y - y.mean()) / len(y)
    # What rounding leaves of 0 is 0: else a target without the law would have a tiny rate.
    unit = len(y) * float(np.finfo(np.float64).eps) * float(np.abs(y).max())
    return np.where(np.abs(found) <= unit * np.abs(with_one).mean(axis=0), 0.0, found)


def escape_rate(
    inputs: ArrayLike, target: ArrayLike, *, output_bias: bool = False, factor: float = 2.0
) -> float:
    r"""Return the rate c‖g‖ at which a two-layer network leaves 0, per unit of time.

    Two-layer networks :math:`u(x) = \sum_k a_k \varphi(w_k \cdot x + b_k)` with
    :math:`\varphi(z) = z + O(z^2)` (tanh, sine), trained from weights of scale σ by gradient
    flow on :math:`\tfrac{c}{2}\,\mathrm{mean}\,(u - y)^2`, grow like :math:`e^{c\lVert g\rVert t}`
    with :math:`g = \mathrm{mean}\,y\,(x, 1)`. The loss stays where it is for a time
    :math:`\log(1/\sigma) / (c\lVert g\rVert) + \mathrm{const}`: steps of gradient descent with
    rate η are η of time each.

    Parameters
    ----------
    inputs : array_like, shape (N,) or (N, d)
        Samples x.
    target : array_like, shape (N,)
        Their y.
    output_bias : bool
        Whether u has a bias of its own, so that y counts less its mean.
    factor : float
        c: 2 for the mean of squares, 1 for half of it.

    Returns
    -------
    float
        c‖g‖ in nats per unit of time; 0 where no such law holds.

    Raises
    ------
    InputError
        If shapes differ, or numbers are not finite or not positive.

    Notes
    -----
    Source: Chen, Luo, Wang, arXiv 2410.20119; Luo, Xu, Ma, Zhang, JMLR 22 (2021).

    Examples
    --------
    >>> round(escape_rate([-1.0, 0.0, 1.0], [-1.0, 0.0, 1.0]), 4)
    1.3333
    >>> escape_rate([-1.0, 0.0, 1.0], [1.0, 0.0, 1.0], output_bias=True)
    0.0
    """
    factor = as_positive(factor, "factor", "pass c > 0: 2 for the mean of squares")
    return float(factor * np.linalg.norm(mean_gradient(inputs, target, output_bias=output_bias)))


def escape_time(
    inputs: ArrayLike,
    target: ArrayLike,
    growing: ArrayLike,
    *,
    share: float = 0.9,
    factor: float = 2.0,
) -> float:
    """Return when the loss is `share` of its first value by the linearised flow, ∞ for never.

    In it u(x) = s(t) ĝ·x̃ with s(t) = ½ Σ p_k² e^{2c‖g‖t}, and the loss falls like
    mean y² − 2s‖g‖ + s² mean (ĝ·x̃)². growing: p_k, shape (n,).
    """
    x, y = _samples(inputs, target)
    g = mean_gradient(x, y)
    size = float(np.linalg.norm(g))
    strength = float(np.sum(np.square(np.asarray(growing, dtype=np.float64)))) / 2
    if size == 0 or strength == 0:
        return math.inf
    along = np.column_stack([x, np.ones(len(x))]) @ (g / size)
    # The smaller root of s² q − 2 s ‖g‖ + fall = 0.
    q, fall = float(np.mean(along**2)), (1 - share) * float(np.mean(y**2))
    inside = size**2 - q * fall
    if inside < 0:
        return math.inf
    s = fall / (size + math.sqrt(inside))
    return max(0.0, math.log(s / strength) / (2 * factor * size))


def affine_loss(inputs: ArrayLike, target: ArrayLike) -> float:
    """Return min over affine v of mean (v − y)²: what one neuron in its linear range leaves."""
    x, y = _samples(inputs, target)
    with_one = np.column_stack([x, np.ones(len(x))])
    rest = y - with_one @ np.linalg.lstsq(with_one, y)[0]
    return float(np.mean(rest**2))


def _samples(inputs: ArrayLike, target: ArrayLike) -> tuple[Matrix, Vector]:
    given = real_array(inputs, "inputs")
    x = as_features(given[:, None] if given.ndim == 1 else given, name="inputs").values
    y = real_array(target, "target")
    if y.shape != (len(x),):
        raise InputError("target", f"has shape {y.shape}", f"pass one number per row, {len(x)}")
    refuse_non_finite(y, "target")
    return x, y
