r"""How long the loss of a small network certainly stays near its first value, step by step.

Theorem P1 of docs/plateau-bounds.md. Layers W_1, …, W_L with |φ(z)| ≤ |z| and |φ′| ≤ 1 between them
and no biases beyond the first layer's, trained by descent on c/2 · mean ‖u − y‖²:  if
w_l(0) ≥ ‖W_l‖₂ at the start and

    w_l(n + 1) = w_l(n) + η c Γ_n ∏_{j≠l} w_j(n),

then ‖W_l‖₂ ≤ w_l(n) at every step n. With |φ(z) − z| ≤ κ|z|³ and |φ′(z) − 1| ≤ 3κz²

    Γ = min(mean ‖y‖‖x‖, ‖mean y xᵀ‖₂ + 3κ S mean ‖y‖‖x‖³) + ∏ w_j mean ‖x‖²,
    S = Σ_{k<L} ∏_{i≤k} w_i².

The loss cannot have fallen to a share s of its first value before mean ⟨y, u⟩, of which w bounds
what it can be, has reached what that takes.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from epsrank.theory.data.inputs import as_positive, as_share, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.flows.dense_layers import layer_matrices
from epsrank.theory.numbers.arrays import Array, Matrix, Vector, real_array, refuse_non_finite
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

#: κ of each activation: |φ(z) − z| ≤ κ|z|³ and |φ′(z) − 1| ≤ 3κz²; ∞ where φ″(0) is not 0.
CUBIC = {"tanh": 1 / 3, "sin": 1 / 6, "linear": 0.0, "relu": math.inf, "elu": math.inf}

# More than all roundings of one step, and of all sums beside the number of their terms.
_UP = 1 + 2.0**-46
_SLACK = 2.0**-40
# So that products that underflow do not make bounds too small.
_TINY = 1e-300
# ∏ w is at least this.
_LEAST_PRODUCT = 1e-300
# Of the integral: its right ends lose half of a panel.
_PANELS = 20_000
_PANELS_PER_NAT = 200
#: Name of the rate, and what to do about one that is none.
RATE = ("learning_rate", "pass η > 0, or leave it out for the gradient flow")


@dataclass(frozen=True)
class PlateauBound(Shown):
    """How long a plateau certainly lasts.

    Attributes
    ----------
    steps : int or None
        N: the loss is above `share` of its first value at the steps 0, …, N − 1 of descent; None
        where no rate was given.
    time : float
        T: so it is at all times t < T of the gradient flow; ∞ where two layers are 0. Descent has
        N ≥ T/η.
    share : float
        s.
    size : float
        The largest ‖W_l‖₂ at the start.
    """

    #: N.
    steps: int | None
    #: T.
    time: float
    #: s.
    share: float
    #: max ‖W_l(0)‖₂.
    size: float


@dataclass(frozen=True, eq=False)
class Sizes:
    """What Γ takes of samples, rounded up; x has an entry 1 for biases of the first layer."""

    #: Samples, and targets as rows.
    x: Matrix
    y: Matrix
    #: (mean ‖x‖²)^½, (mean ‖y‖²)^½, mean ‖y‖‖x‖ and mean ‖y‖‖x‖³.
    inputs: float
    targets: float
    product: float
    cubes: float
    #: ‖mean y xᵀ‖₂, and the sum of all singular values.
    drive: float
    nuclear: float
    #: κ.
    cubic: float
    #: What a mean of so many terms may lose, relatively.
    rounding: float

    def gains(self, w: Array) -> tuple[Array, Array, Array]:
        """Return ∏ w, the bound of mean ⟨y, u⟩, and Γ; w has one row per layer."""
        product = np.prod(w, axis=0)
        inner = np.cumprod(w[:-1] ** 2, axis=0).sum(axis=0)
        bend = self.cubic * self.cubes * inner if math.isfinite(self.cubic) else math.inf
        along = np.minimum(self.nuclear + bend, self.targets * self.inputs)
        lead = np.minimum(self.drive + 3 * bend, self.product)
        rate = lead + product * self.inputs**2 + _TINY
        return product, product * along * _UP + _TINY, rate * _UP

    def needed(self, share: float, first: float) -> float:
        """Return what mean ⟨y, u⟩ takes, rounded down; `first` is ∏ ‖W_l‖₂ at the start."""
        low = self.targets * (1 - 4 * self.rounding)
        root = math.sqrt(share)
        return low * ((1 - root) * low * (1 - _SLACK) - root * self.inputs * first * (1 + _SLACK))


def plateau_bound(
    layers: Sequence[ArrayLike],
    inputs: ArrayLike,
    target: ArrayLike,
    *,
    learning_rate: float | None = None,
    activation: str = "tanh",
    share: float = 0.9,
    factor: float = 2.0,
    most: int = 20_000,
) -> PlateauBound:
    r"""Bound from below how long the loss of a network stays above a share of its first value.

    .. math:: \min\{n : L(\theta_n) \le s\,L(\theta_0)\} \ge N, \qquad
       \min\{t : L(\theta(t)) \le s\,L(\theta(0))\} \ge T,

    for full-batch descent with rate η and for the gradient flow on
    :math:`L = \tfrac c2\,\mathrm{mean}\,\lVert u - y \rVert^2`, from these very weights. It is
    rigorous: a recursion for spectral norms, with roundings counted against it. With two layers it
    grows by 1/(c‖mean y x‖) per nat of 1/σ, as the plateau does, with more by σ^{−(L−2)}.

    Parameters
    ----------
    layers : sequence of array_like, or nn.Sequential
        W_1, …, W_L at the start, each outputs × inputs; L ≥ 2. W_1 may have one column more than
        `inputs`, the last, for biases; other biases are not covered. A ``Sequential`` alternates
        ``Linear`` and the activation, ends in ``Linear``, and has biases in its first layer alone.
    inputs : array_like, shape (N,) or (N, d)
        Samples.
    target : array_like, shape (N,) or (N, k)
        Theirs.
    learning_rate : float, optional
        η, for N; without it there is T alone.
    activation : {"tanh", "sin", "linear", "relu", "elu"}
        Between the layers; the last is linear.
    share : float
        s, in (0, 1).
    factor : float
        c: 2 for the mean of squares (summed over outputs), 1 for half of it.
    most : int
        Steps of the recursion; where T/η is more, N is ⌈T/η⌉, which is nearly as many.

    Returns
    -------
    PlateauBound
        N and T, both 0 where the first weights are too large to say anything.

    Raises
    ------
    InputError
        If shapes do not fit, or numbers are not finite or not positive.

    Notes
    -----
    Statement and proof: docs/plateau-bounds.md. The plateau of small weights and its cause are from
    Chen, Luo, Wang, arXiv 2410.20119; constants, proof and the step to descent are ours.

    Examples
    --------
    >>> x = np.linspace(-1, 1, 60)
    >>> draw = np.random.default_rng(0)
    >>> for sigma in (1e-3, 1e-5):
    ...     layers = [sigma * draw.normal(size=(50, 2)), sigma * draw.normal(size=(1, 50))]
    ...     found = plateau_bound(layers, x, np.sin(3 * x), learning_rate=0.05)
    ...     print(found.steps)
    103
    237
    """
    share = as_share(share, "share")
    c = as_positive(factor, "factor", "pass c > 0: 2 for the mean of squares")
    rate = None if learning_rate is None else as_positive(learning_rate, *RATE)
    limit = as_whole(most, "most")
    start, sizes = checked(layers, inputs, target, activation)
    w = np.array([spectral(layer) for layer in start])
    size = float(w.max())
    # From two layers of 0 no gradient leaves.
    still = np.count_nonzero(w) < len(w) - 1
    if not still:
        # Larger norms only make bounds smaller; products of all, and squares, do not underflow.
        w = np.maximum(w, _LEAST_PRODUCT ** (1 / len(w)))
    need = sizes.needed(share, math.prod(w.tolist()))
    # Norms whose products overflow allow everything at once.
    with np.errstate(over="ignore", invalid="ignore"):
        if not sizes.gains(w[:, None])[1][0] < need:
            return PlateauBound(None if rate is None else 0, 0.0, share, size)
        time = math.inf if still else _flow(w, sizes, c, need)
        if rate is None:
            return PlateauBound(None, time, share, size)
        if still:
            return PlateauBound(limit, time, share, size)
        if limit * rate < time:
            # Python's integers hold what a float64 step count would not.
            steps = math.ceil(min(time / rate, sys.float_info.max) * (1 - _SLACK))
            return PlateauBound(steps, time, share, size)
        return PlateauBound(_descent(w, sizes, c * rate * _UP, need, limit), time, share, size)


def _descent(w: Vector, sizes: Sizes, rate: float, need: float, most: int) -> int:
    """Return the first step at which the recursion allows the loss to have fallen so far."""
    column = w[:, None]
    for step in range(most):
        _, along, gain = sizes.gains(column)
        if not along[0] < need:
            return step
        norms = column[:, 0].tolist()
        others = [math.prod(norms[:k] + norms[k + 1 :]) for k in range(len(norms))]
        column = (column + rate * gain * np.array(others)[:, None]) * _UP
    return most


def _flow(w: Vector, sizes: Sizes, c: float, need: float) -> float:
    """Return ∫ dρ/(2cΓ∏w) until the loss may have fallen, where w_l² = w_l(0)² + ρ."""

    def at(rho: Array) -> Array:
        return np.sqrt((w**2)[:, None] + rho)

    def short(rho: float) -> bool:
        return bool(sizes.gains(at(np.array([rho])))[1][0] < need)

    low, high = 0.0, float(w.max()) ** 2
    while short(high):
        low, high = high, 4 * high
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if short(middle) else (low, middle)
    # Below the smallest norm nothing grows, nor where one layer alone is smaller: 1/√ρ has no mass.
    small, second = np.sort(w)[:2].tolist()
    unit = max(small**2, 1e-12 * second**2)
    nats = math.log1p(low / unit)
    rho = unit * np.expm1(np.linspace(0, nats, max(_PANELS, int(_PANELS_PER_NAT * nats))))
    product, _, gain = sizes.gains(at(rho[1:]))
    # Γ and ∏w grow: at the right ends the integrand is least. Divided one by one, no denominator
    # underflows; a time beyond float64 is still finite.
    time = float(np.sum(np.diff(rho) / (2 * c * gain) / product)) * (1 - 1e-9)
    return min(time, sys.float_info.max)


def spectral(layer: Matrix) -> float:
    """Return ‖W‖₂, rounded up by more than LAPACK's backward error."""
    # Of a matrix of order 1, so that numbers without all of their digits lose no more.
    exponent = math.frexp(float(np.abs(layer).max()))[1]
    norm = float(np.linalg.norm(np.ldexp(layer, -exponent), 2)) * (1 + 1e-13 * max(layer.shape))
    try:
        return math.nextafter(math.ldexp(norm, exponent), math.inf) if norm else 0.0
    except OverflowError:
        return math.inf


def checked(
    layers: Sequence[ArrayLike], inputs: ArrayLike, target: ArrayLike, activation: str
) -> tuple[list[Matrix], Sizes]:
    """Return the layers, and sizes of the samples with a 1 for biases of the first layer."""
    if activation not in CUBIC:
        raise InputError("activation", f"is {activation!r}", f"choose one of {', '.join(CUBIC)}")
    x, y = (_rows(values, name) for values, name in ((inputs, "inputs"), (target, "target")))
    if len(x) != len(y):
        raise InputError("target", f"has {plural(len(y), 'row')}, inputs {len(x)}", "pass as many")
    start = layer_matrices(layers, activation)
    if len(start) < 2 or any(w.ndim != 2 or not w.size for w in start):
        shapes = [w.shape for w in start]
        raise InputError("layers", f"have shapes {shapes}", "pass two or more matrices")
    if start[0].shape[1] == x.shape[1] + 1:
        x = np.column_stack([x, np.ones(len(x))])
    expected = x.shape[1]
    for number, w in enumerate(start, 1):
        refuse_non_finite(w, f"layer {number}")
        if w.shape[1] != expected:
            problem = f"has {plural(w.shape[1], 'column')}"
            raise InputError(f"layer {number}", problem, f"pass {expected}")
        expected = w.shape[0]
    if expected != y.shape[1]:
        columns = plural(y.shape[1], "column")
        problem = f"has {columns}, and the last layer {plural(expected, 'row')}"
        raise InputError("target", problem, "pass a network of its shape")
    return start, _sizes(x, y, CUBIC[activation])


def _rows(values: ArrayLike, name: str) -> Matrix:
    array = real_array(values, name)
    if array.ndim not in (1, 2) or not array.size:
        raise InputError(name, f"has shape {array.shape}", "pass one row per sample")
    refuse_non_finite(array, name)
    return array.reshape(len(array), -1)


def _sizes(x: Matrix, y: Matrix, cubic: float) -> Sizes:
    """Return the means, rounded up: a sum of n terms that are not negative loses nu of itself."""
    rounding = (len(x) + x.shape[1] + y.shape[1] + 64) * 2.0**-52
    up = 1 + rounding
    a, b = np.linalg.norm(x, axis=1), np.linalg.norm(y, axis=1)
    product = float(np.mean(a * b)) * up
    values = np.linalg.svd(y.T @ x / len(x), compute_uv=False)
    lost = rounding * product * max(1, len(values))
    return Sizes(
        x=x,
        y=y,
        inputs=math.sqrt(float(np.mean(a**2))) * up,
        targets=math.sqrt(float(np.mean(b**2))) * up,
        product=product,
        cubes=float(np.mean(b * a**3)) * up,
        drive=float(values[0]) * up + lost,
        nuclear=float(values.sum()) * up + lost,
        cubic=cubic,
        rounding=rounding,
    )
