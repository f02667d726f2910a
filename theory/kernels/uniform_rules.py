"""Quadrature over uniform weights and biases: (w, b) uniform on [−h, h]^d × [−h_b, h_b]."""

from __future__ import annotations

import numpy as np
from scipy.stats import qmc

from epsrank.theory.inputs import Array
from epsrank.theory.kernels.neurons import Parameters

#: Activations with a kink or a jump at 0.
KINKED = ("relu", "leaky_relu", "elu", "step")
#: Nodes per parameter of two product rules, by the number of parameters.
NODES = {1: (200, 150), 2: (48, 40), 3: (16, 14)}
_POINTS = 8192
# Breakpoints of a split rule, and nodes between two of them.
_BREAKS, _BETWEEN = 200, 3


def product_rule(d: int, half: float, half_bias: float, nodes: int) -> Parameters:
    """Return the Gauss–Legendre product rule, exponentially accurate for analytic σ.

    Parameters
    ----------
    d : int
        Inputs.
    half, half_bias : float
        h and h_b; h_b = 0 means no bias.
    nodes : int
        Nodes per parameter.

    Returns
    -------
    tuple of ndarray of float64
        Weights (Q, d), biases (Q,), probabilities (Q,).
    """
    count = d + (half_bias > 0)
    t, w = np.polynomial.legendre.leggauss(nodes)
    grid = np.stack(np.meshgrid(*[t] * count, indexing="ij"), axis=-1).reshape(-1, count)
    probability = w / 2
    for _ in range(count - 1):
        probability = np.multiply.outer(probability, w / 2)
    biases = half_bias * grid[:, d] if count > d else np.zeros(len(grid))
    return half * grid[:, :d], biases, probability.ravel()


def split_rule(points: Array, half: float, half_bias: float, nodes: int) -> Parameters:
    """Return a rule for one input and σ with a kink at 0: no kink lies inside a panel.

    For every w the bias is integrated between neighbours among −w x_i, where the products
    σ(w x_i + b) σ(w x_j + b) are smooth (for ReLU quadratic, so that the rule is exact in b); w is
    split at 0, where the order of these points turns.

    Parameters
    ----------
    points : ndarray of float64, shape (N,)
        Inputs x_i; of more than 200 every so many give breakpoints.
    half, half_bias : float
        h and h_b.
    nodes : int
        Nodes per sign of w.

    Returns
    -------
    tuple of ndarray of float64
        Weights (Q, 1), biases (Q,), probabilities (Q,).
    """
    t, w = np.polynomial.legendre.leggauss(nodes)
    slopes = np.concatenate([-half * (t + 1) / 2, half * (t + 1) / 2])
    chance = np.concatenate([w, w]) / 4
    if half_bias == 0:
        return slopes[:, None], np.zeros(len(slopes)), chance
    chosen = np.sort(points)[
        np.unique(np.linspace(0, len(points) - 1, _BREAKS).round().astype(int))
    ]
    inner, inner_weights = np.polynomial.legendre.leggauss(_BETWEEN)
    kinks = np.clip(np.sort(-slopes[:, None] * chosen, axis=1), -half_bias, half_bias)
    edge = np.full((len(slopes), 1), half_bias)
    ends = np.concatenate([-edge, kinks, edge], axis=1)
    middle, radius = (ends[:, 1:] + ends[:, :-1]) / 2, np.diff(ends, axis=1) / 2
    biases = middle[:, :, None] + radius[:, :, None] * inner
    weight = chance[:, None, None] * radius[:, :, None] * inner_weights / (2 * half_bias)
    kept = weight.ravel() > 0
    spread = np.broadcast_to(slopes[:, None, None], biases.shape).ravel()
    return spread[kept][:, None], biases.ravel()[kept], weight.ravel()[kept]


def scattered_rule(d: int, half: float, half_bias: float, seed: int) -> Parameters:
    """Return a scrambled Sobol set of the cube of parameters, with equal probabilities.

    Parameters
    ----------
    d : int
        Inputs.
    half, half_bias : float
        h and h_b.
    seed : int
        Seed of the scrambling.

    Returns
    -------
    tuple of ndarray of float64
        Weights (Q, d), biases (Q,), probabilities (Q,).
    """
    sobol = qmc.Sobol(d + 1, scramble=True, rng=np.random.default_rng(seed))
    cube = 2 * sobol.random(_POINTS) - 1
    return half * cube[:, :d], half_bias * cube[:, d], np.full(_POINTS, 1 / _POINTS)


def draw_uniform(
    d: int, half: float, half_bias: float, count: int, rng: np.random.Generator
) -> tuple[Array, Array]:
    """Draw uniform weights and biases.

    Parameters
    ----------
    d : int
        Inputs.
    half, half_bias : float
        h and h_b.
    count : int
        Neurons.
    rng : numpy.random.Generator
        Source of randomness.

    Returns
    -------
    tuple of ndarray of float64
        Weights (count, d) and biases (count,).
    """
    return half * rng.uniform(-1, 1, (count, d)), half_bias * rng.uniform(-1, 1, count)
