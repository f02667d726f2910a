r"""Drops of the loss of small two-layer networks, neuron by neuron: alternating gradient flows.

While weights are small, the loss c/2 · mean (u − y)², u = Σ_k a_k φ(w_k·x) with φ(z) = z^p + … and
p ≥ 2, falls like −c Σ_k U_k, the utilities U_k = a_k mean r (w_k·x)^p of *dormant* neurons against
a residual r that does not change. Each climbs its own utility, and is infinite in a finite time
that scales like σ^{−(p−1)}; at different times for different neurons. So as σ → 0 there are two
kinds of phases: all dormant neurons climb at a fixed r, until one is infinite; then, at once on
that scale, the *active* ones descend to a minimum of the loss, which gives the next r.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from epsrank.theory.data.inputs import as_features, as_positive, as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector, real_array, refuse_non_finite
from epsrank.theory.shown import Shown

#: φ and φ′ of active neurons.
Activation = tuple[Callable[[Array], Array], Callable[[Array], Array]]

# Where the integration of a neuron that goes to infinity ends, in its first size.
_FAR = 1e4
_TOLERANCE = 1e-8
# Size of a neuron that begins to be active, against those that fit the target, and the gradient,
# against that of the start, at which the active ones have arrived.
_SEED, _STILL = 0.05, 1e-5
# A plateau below this share of the target is where a fit ends, and not a residual to climb.
_FITTED = 1e-8
# No phase of the active ones takes so long, in units of the loss's own time.
_LONG = 1e5


@dataclass(frozen=True, eq=False)
class Drop(Shown):
    """One drop of the loss.

    Attributes
    ----------
    neuron : int
        Which one becomes active, from 0.
    time : float
        When, from the start.
    before, after : float
        Losses mean (u − y)² of the plateaus on both sides.
    """

    #: Its place among the weights.
    neuron: int
    #: From the start.
    time: float
    #: Mean squares.
    before: float
    after: float


def alternating_flow(
    outer: ArrayLike,
    inner: ArrayLike,
    inputs: ArrayLike,
    target: ArrayLike,
    *,
    power: int = 2,
    activation: Activation | None = None,
    factor: float = 2.0,
    drops: int = 10,
) -> tuple[Drop, ...]:
    r"""Predict order, times and sizes of the drops of a small two-layer network.

    .. math:: u(x) = \sum_k a_k\,\varphi(w_k \cdot x), \qquad
       \varphi(z) = z^p + \dots, \quad p \ge 2,

    by alternating gradient flows: what the gradient flow of
    :math:`\tfrac c2\,\mathrm{mean}\,(u - y)^2` comes to as weights go to 0. For weights σθ the
    times are σ^{−(p−1)} times those of θ, and the losses the same. Descent has η of time a step.

    Parameters
    ----------
    outer : array_like, shape (n,)
        a_k at the start.
    inner : array_like, shape (n, d)
        w_k; a bias is an entry for a column of ones in the inputs.
    inputs : array_like, shape (N, d)
        Samples.
    target : array_like, shape (N,)
        Theirs.
    power : int
        p. With p = 1 (tanh) all neurons climb to the best affine function together, see
        `escape_rate`, and no utility of first order is left.
    activation : pair of callables, optional
        φ and φ′ on arrays; z^p without it.
    factor : float
        c: 2 for the mean of squares, 1 for half of it.
    drops : int
        Most drops; there are fewer where no dormant neuron goes to infinity any more.

    Returns
    -------
    tuple of Drop
        In the order of time. A prediction for small weights and no bound: within about 1 % of
        trained networks from σ = 0.003, see the source and docs/phenomena.md.

    Raises
    ------
    InputError
        If shapes do not fit, numbers are not finite, or p is less than 2.

    Notes
    -----
    Source: Kunin et al., Alternating gradient flows, arXiv 2506.06489.

    Examples
    --------
    One neuron and one sample: ȧ = 2w², ẇ = 4aw, so w² = 2a² and ȧ = 4a².

    >>> (drop,) = alternating_flow([0.5], [[0.5 * 2**0.5]], [[1.0]], [1.0])
    >>> round(drop.time, 4), drop.before, round(drop.after, 6)
    (0.5, 1.0, 0.0)
    """
    a, w, x, y = _checked(outer, inner, inputs, target)
    p = as_whole(power, "power", least=2)
    c = as_positive(factor, "factor", "pass c > 0: 2 for the mean of squares")
    phi = activation or _monomial(p)
    dormant, weights = list(range(len(a))), np.column_stack([a, w])
    active = np.zeros((0, weights.shape[1]))
    residual, time = y, 0.0
    found: list[Drop] = []
    fitted = _FITTED * float(np.mean(y**2))
    for _ in range(min(as_whole(drops, "drops", least=1), len(a))):
        if float(np.mean(residual**2)) <= fitted:
            break
        climbed = _climb(weights[dormant], x, residual, p, c)
        if climbed is None:
            break
        span, weights[dormant], place = climbed
        time += span
        neuron = dormant.pop(place)
        active = _settle(np.vstack([active, _seed(weights[neuron], y)]), x, y, phi)
        before = float(np.mean(residual**2))
        residual = y - phi[0](x @ active[:, 1:].T) @ active[:, 0]
        found.append(Drop(neuron, time, before, float(np.mean(residual**2))))
    return tuple(found)


def _climb(
    weights: Matrix, x: Matrix, residual: Vector, p: int, c: float
) -> tuple[float, Matrix, int] | None:
    """Let dormant neurons climb until one is infinite: how long, where all are, and which it is."""
    from scipy.integrate import solve_ivp

    scale = float(np.abs(weights).max())
    strength = c * float(np.mean(np.abs(residual) * np.linalg.norm(x, axis=1) ** p))
    if not scale or not strength:
        return None

    phi = _monomial(p)

    def rhs(_: float, z: Array) -> Array:
        # While neurons are dormant, what is left of the target does not change.
        return c * _velocity(z.reshape(weights.shape), x, phi, lambda _: residual).ravel()

    def far(_: float, z: Array) -> float:
        return float(np.abs(z).max() / scale - _FAR)

    far.terminal = True  # type: ignore[attr-defined]
    horizon = 1e4 / (strength * scale ** (p - 1))
    run: Any = solve_ivp(
        rhs, (0, horizon), weights.ravel(), "DOP853", rtol=_TOLERANCE, atol=scale * 1e-12,
        events=far,
    )  # fmt: skip
    if not len(run.t_events[0]):
        return None
    end, z = float(run.t[-1]), run.y[:, -1].reshape(weights.shape)
    place = int(np.argmax(np.linalg.norm(z, axis=1)))
    own, speed = z[place], rhs(end, z.ravel()).reshape(z.shape)[place]
    # ‖θ‖ ~ (t* − t)^{−1/(p−1)} near the end.
    return end + float(own @ own) / ((p - 1) * float(own @ speed)), z, place


def _velocity(
    neurons: Matrix, x: Matrix, phi: Activation, left: Callable[[Vector], Vector]
) -> Matrix:
    """Return the gradient of mean r u, u = Σ a_k φ(w_k·x), in all (a_k, w_k); r is left by u."""
    inner = x @ neurons[:, 1:].T
    values = phi[0](inner)
    pull = left(values @ neurons[:, 0])[:, None] / len(x)
    slope = (pull * phi[1](inner) * neurons[:, 0]).T @ x
    return np.column_stack([(pull * values).sum(axis=0), slope])


def _monomial(p: int) -> Activation:
    """Return z^p and its derivative."""
    return lambda z: z**p, lambda z: p * z ** (p - 1)


def _seed(neuron: Vector, y: Vector) -> Vector:
    """Return a neuron of its direction, small against what fits the target."""
    size = float(np.sqrt(np.mean(y**2))) ** (1 / 3)
    found: Vector = (_SEED * size / float(np.linalg.norm(neuron))) * neuron
    return found


def _settle(active: Matrix, x: Matrix, y: Vector, phi: Activation) -> Matrix:
    """Return where active neurons end by the gradient flow of their loss."""
    from scipy.integrate import solve_ivp

    def descent(_: float, z: Array) -> Array:
        return _velocity(z.reshape(active.shape), x, phi, lambda u: y - u).ravel()

    unit = math.sqrt(float(np.mean(y**2))) or 1.0

    def still(_: float, z: Array) -> float:
        return float(np.linalg.norm(descent(0.0, z))) / unit - _STILL

    still.terminal = True  # type: ignore[attr-defined]
    still.direction = -1  # type: ignore[attr-defined]
    run: Any = solve_ivp(
        descent, (0, _LONG / unit), active.ravel(), "LSODA", rtol=1e-8, atol=1e-10, events=still
    )
    found: Matrix = run.y[:, -1].reshape(active.shape)
    return found


def _checked(
    outer: ArrayLike, inner: ArrayLike, inputs: ArrayLike, target: ArrayLike
) -> tuple[Vector, Matrix, Matrix, Vector]:
    a, w, y = (
        real_array(values, name)
        for values, name in ((outer, "outer"), (inner, "inner"), (target, "target"))
    )
    x = as_features(inputs, name="inputs").values
    if a.ndim != 1 or not len(a) or w.ndim != 2 or len(w) != len(a):
        shapes = f"has shape {w.shape}, outer {a.shape}"
        raise InputError("inner", shapes, "pass one row for each entry of outer")
    if w.shape[1] != x.shape[1]:
        problem = f"has shape {w.shape}, inputs {x.shape}"
        raise InputError("inner", problem, "pass as many columns")
    if y.shape != (len(x),):
        raise InputError("target", f"has shape {y.shape}", f"pass one number per row, {len(x)}")
    for values, name in ((a, "outer"), (w, "inner"), (y, "target")):
        refuse_non_finite(values, name)
    return a.astype(np.float64), w.astype(np.float64), x, y
