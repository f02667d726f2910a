r"""When the input weights of a small two-layer network have certainly condensed on one orientation.

Theorem P2 of docs/plateau-bounds.md. With g = mean y x, ĝ = g/‖g‖, neurons (a_k, w_k), and

    p_k = (a_k + ĝ·w_k)/√2,   s_k² = a_k² + ‖w_k‖²,   π_k = |p_k|/s_k  at the start,
    B = mean ‖x‖² + 3κ mean |y|‖x‖³,   m_0 = max(‖W_1‖₂, ‖W_2‖₂),
    m_{n+1} = m_n (1 + η c (‖g‖ + B m_n²)),   μ = B m_n²/‖g‖,
    E² = (‖g‖ + B m_n²)/(‖g‖ + B m_0²),

at the step n of descent with η c ‖g‖ ≤ 2 every neuron with π_k > E − 1 has all but a part

    τ_k ≤ E (√(1 − π_k²) m_0/m_n + μ/3)/(π_k − E + 1)

of itself along p_k, so that w_k is within arctan √(2τ²/(1 − τ²)) of ±ĝ if τ = τ_k < 1.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from epsrank.theory.data.inputs import as_positive, as_share, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.flows.plateau_bound import RATE, Sizes, checked, spectral
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.shown import Shown

# Roundings of up to 10⁶ steps and samples are far less; both are checked.
_SLACK = 1e-6
_FINEST = 1e-9
_UP = 1 + 2.0**-46


@dataclass(frozen=True)
class CondensationBound(Shown):
    """How far the neurons of a two-layer network have certainly turned before its loss has fallen.

    Attributes
    ----------
    step : int or None
        n, of descent; None where no rate was given.
    time : float
        ηn, or T of the flow.
    fall : float
        By at most this share of its first value the loss has fallen until then.
    direction : array, shape (d,) or (d + 1,)
        ĝ, with the entry of the bias last where there are biases.
    cosines : array, shape (n,)
        |cos| of the angle between (w_k, b_k) and ĝ is at least this; 0 where nothing is certain.
    """

    #: n.
    step: int | None
    #: ηn or T.
    time: float
    #: f.
    fall: float
    #: ĝ.
    direction: Vector = field(repr=False)
    #: By neuron.
    cosines: Vector = field(repr=False)
    #: |a_k|‖w_k‖ at least and at most, in units that all share.
    _least: Vector = field(repr=False)
    _most: Vector = field(repr=False)

    def neurons(self, cosine: float = 0.95) -> int:
        """Return how many neurons are certainly within an angle of ±ĝ.

        Parameters
        ----------
        cosine : float
            Of the angle.

        Returns
        -------
        int
            Their number.
        """
        return int(np.count_nonzero(self.cosines >= as_share(cosine, "cosine")))

    def share(self, cosine: float = 0.95) -> float:
        """Return how much of the amplitude Σ |a_k|‖w_k‖ certainly lies within an angle of ±ĝ.

        Parameters
        ----------
        cosine : float
            Of the angle.

        Returns
        -------
        float
            A lower bound, from 0 to 1.
        """
        near = self.cosines >= as_share(cosine, "cosine")
        inside, outside = float(self._least[near].sum()), float(self._most[~near].sum())
        return inside / (inside + outside) * (1 - _SLACK) if inside else 0.0


def condensation_bound(
    layers: Sequence[ArrayLike],
    inputs: ArrayLike,
    target: ArrayLike,
    *,
    learning_rate: float | None = None,
    activation: str = "tanh",
    fall: float = 0.02,
    factor: float = 2.0,
    most: int = 100_000,
) -> CondensationBound:
    r"""Bound how far neurons have condensed on one orientation before the loss has fallen.

    The sufficient condition: a neuron with a part of its first weights along
    :math:`(1, \hat g)/\sqrt 2` turns to ±ĝ while the loss still is near its first value, if the
    weights are small enough against that part. For weights σθ with σ → 0 all such neurons get
    arbitrarily near before the loss has fallen by any given share.

    Parameters
    ----------
    layers : sequence of array_like, or nn.Sequential
        W_1 of shape (n, d) or, with biases last, (n, d + 1), and W_2 of shape (1, n), at the start;
        or ``nn.Sequential(nn.Linear(d, n), nn.Tanh(), nn.Linear(n, 1, bias=False))``.
    inputs : array_like, shape (N,) or (N, d)
        Samples.
    target : array_like, shape (N,) or (N, 1)
        Theirs.
    learning_rate : float, optional
        η of full-batch descent; without it the gradient flow is meant.
    activation : {"tanh", "sin", "linear"}
        Of the neurons.
    fall : float
        f: the last moment is looked at until which the loss has certainly not fallen by more.
    factor : float
        c: 2 for the mean of squares, 1 for half of it.
    most : int
        Steps to look ahead.

    Returns
    -------
    CondensationBound
        The moment, and what is certain of every neuron there.

    Raises
    ------
    InputError
        If there are not two layers and one output, g is 0 up to rounding, the activation is not
        nearly linear at 0, ηc‖g‖ > 2, the first weights are too large for the fall, or arguments
        are as in `plateau_bound`.

    Notes
    -----
    Statement and proof: docs/plateau-bounds.md. Condensation at small weights is that of Luo, Xu,
    Ma, Zhang, JMLR 22 (2021), and Zhou et al., arXiv 2105.11686; this condition and its constants
    are ours.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 60)
    >>> draw = np.random.default_rng(0)
    >>> layers = [1e-5 * draw.normal(size=(50, 2)), 1e-5 * draw.normal(size=(1, 50))]
    >>> found = condensation_bound(layers, x, np.sin(3 * x), learning_rate=0.05, fall=0.005)
    >>> found.neurons(0.95), round(found.share(0.95), 2)
    (48, 0.84)
    """
    limit, c = as_share(fall, "fall"), as_positive(factor, "factor", "pass c > 0")
    eta = None if learning_rate is None else as_positive(learning_rate, *RATE)
    longest = as_whole(most, "most")
    start, sizes = checked(layers, inputs, target, activation)
    if len(start) != 2 or len(start[1]) != 1:
        shapes = [w.shape for w in start]
        raise InputError("layers", f"have shapes {shapes}", "pass two, with one output")
    if not math.isfinite(sizes.cubic):
        problem = f"is {activation!r}, which is not linear to second order at 0"
        raise InputError("activation", problem, "choose one of tanh, sin, linear")
    g = sizes.x.T @ sizes.y[:, 0] / len(sizes.x)
    size = float(np.linalg.norm(g))
    if not size * _FINEST > sizes.rounding * sizes.product:
        raise InputError("target", "has mean y x = 0 up to rounding", "no orientation grows first")
    first = max(spectral(w) for w in start)
    if first == 0:
        raise InputError(
            "layers", "are 0, which no step changes", "pass weights that are not all 0"
        )
    need = sizes.needed(1 - limit, first * first)
    bend = sizes.inputs**2 + 3 * sizes.cubic * sizes.cubes
    # mean y u is at most m²(‖g‖ + κ mean |y|‖x‖³ m²); of that the loss falls by twice at most.
    reach = _reach(sizes, need)
    if not reach > first:
        problem = f"have norms up to {first:.3g}, with which the loss may fall by {limit:g} at once"
        raise InputError("layers", problem, "pass smaller weights, or a larger fall")
    step: int | None = None
    last = reach
    # Logarithms one by one: the square of the quotient would overflow.
    time = 2 * (math.log(reach) - math.log(first))
    time += math.log((size + bend * first**2) / (size + bend * reach**2))
    time /= 2 * c * size
    if eta is not None:
        rate = c * eta
        if rate * size > 2:
            raise InputError("learning_rate", f"is {eta:g}", f"pass ≤ {2 / (c * size):g}")
        step, last = _advanced(first, reach, rate, size, bend, longest)
        time = step * eta
    cosines, least, greatest = _turned(start[0], start[1][0], g / size, first, last, bend / size)
    return CondensationBound(step, time, limit, g / size, cosines, least, greatest)


def _reach(sizes: Sizes, need: float) -> float:
    """Return the largest m with which the loss cannot have fallen so far, rounded down."""
    drive, bend = sizes.nuclear, sizes.cubic * sizes.cubes
    if need <= 0:
        return 0.0
    # The root of bend·z² + drive·z = need, in a form without cancellation.
    return math.sqrt(2 * need / (drive + math.sqrt(drive**2 + 4 * bend * need))) * (1 - _FINEST)


def _advanced(
    m: float, reach: float, rate: float, size: float, bend: float, most: int
) -> tuple[int, float]:
    """Return the last step n ≤ most with m_n ≤ reach, and m_n."""
    for step in range(most):
        ahead = m * (1 + rate * (size + bend * m * m)) * _UP
        if ahead > reach:
            return step, m
        m = ahead
    return most, m


def _turned(
    inner: Vector, outer: Vector, direction: Vector, first: float, last: float, bend: float
) -> tuple[Vector, Vector, Vector]:
    """Return least cosines, and least and largest amplitudes, by neuron; bend is B/‖g‖."""
    # In units of the largest, by a power of 2, which rounds nothing: squares do not underflow.
    exponent = math.frexp(first)[1]
    inner, outer = np.ldexp(inner, -exponent), np.ldexp(outer, -exponent)
    s = np.sqrt(outer**2 + np.sum(inner**2, axis=1))
    along = np.abs(outer + inner @ direction) / math.sqrt(2)
    with np.errstate(invalid="ignore", divide="ignore"):
        pi = np.where(s > 0, np.clip(along / s - _FINEST, 0, 1), 0.0)
    mu = bend * last**2
    grown = math.sqrt((1 + mu) / (1 + bend * first**2)) * (1 + _SLACK)
    left = pi - (grown - 1)
    across = grown * (np.sqrt(1 - pi**2) * first / last + mu / 3) * (1 + _SLACK)
    tau = np.full(len(s), math.inf)
    np.divide(across, left, out=tau, where=left > 0)
    near = tau < 1
    square = np.where(near, tau, 0.0) ** 2
    cosines = np.where(near, np.sqrt((1 - square) / (1 + square)) - _FINEST, 0.0)
    # |a||w| ≥ |p² − m²|/2 of a = (p + m)/√2 and ĝ·w = (p − m)/√2, and ≤ s²/2.
    least = np.where(near, (s * np.maximum(left, 0)) ** 2 * (1 - square) / 2, 0.0)
    return np.maximum(cosines, 0), least, (s * grown) ** 2 / 2
