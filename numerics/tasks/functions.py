"""Targets given by a formula on an interval or a box."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from epsrank.theory.numbers.arrays import Array, Matrix

_PI = math.pi


@dataclass(frozen=True)
class Target:
    """A function u*: Ω → R with its box."""

    #: As printed.
    formula: str
    #: From points (N, d) to values (N,).
    function: Callable[[Array], Array]
    #: The box Ω.
    domain: tuple[tuple[float, float], ...]
    #: Whether the samples are Gauss–Legendre nodes and the measure ``volume``, so that sums are
    #: integrals over Ω; otherwise they are an equispaced grid under the ``mean`` measure.
    quadrature: bool = False
    #: Training points unless asked otherwise.
    n_train: int = 500


def _cosines(x: Array) -> Array:
    t = x[:, 0]
    values: Array = np.cos(t) + np.cos(2 * t) + np.cos(30 * t)
    return values


def _peaks(x: Array) -> Array:
    s, t = x[:, 0], x[:, 1]
    values: Array = (
        3 * (1 - s) ** 2 * np.exp(-(s**2) - (t + 1) ** 2)
        - 10 * (s / 5 - s**3 - t**5) * np.exp(-(s**2) - t**2)
        - np.exp(-((s + 1) ** 2) - t**2) / 3
    )
    return values


def _multiscale(x: Array) -> Array:
    values: Array = sum(
        (2.0**-k * np.sin(2.0**k * _PI * x[:, 0]) for k in range(6)), np.zeros(len(x))
    )
    return values


_UNIT = ((-1.0, 1.0),)
_SQUARE = ((-1.0, 1.0), (-1.0, 1.0))

TARGETS: dict[str, Target] = {
    "cosines": Target("cos x + cos 2x + cos 30x on [−1, 1] (experiment A1)", _cosines, _UNIT),
    "cosines-l2": Target(
        "cos x + cos 2x + cos 30x in L²(−1, 1), Gauss–Legendre nodes", _cosines, _UNIT, True, 200
    ),
    "step": Target("sign x on [−1, 1]", lambda x: np.sign(x[:, 0]), _UNIT),
    "absolute": Target("|x| on [−1, 1]", lambda x: np.abs(x[:, 0]), _UNIT),
    "power": Target("|x|^1.5 on [−1, 1]", lambda x: np.abs(x[:, 0]) ** 1.5, _UNIT),
    "runge": Target("1/(1 + 25x²) on [−1, 1]", lambda x: 1 / (1 + 25 * x[:, 0] ** 2), _UNIT),
    "chirp": Target("cos 20x² on [−1, 1]", lambda x: np.cos(20 * x[:, 0] ** 2), _UNIT),
    "multiscale": Target("Σ_{k=0}^{5} 2^{−k} sin 2^k πx on [−1, 1]", _multiscale, _UNIT),
    "frequencies": Target(
        "sin x + 2 sin 3x + 3 sin 5x on [−5, 5] (experiment C4)",
        lambda x: np.sin(x[:, 0]) + 2 * np.sin(3 * x[:, 0]) + 3 * np.sin(5 * x[:, 0]),
        ((-5.0, 5.0),),
        n_train=101,
    ),
    "cosines-2d": Target(
        "cos x cos y + cos 10x cos 10y on [−1, 1]² (experiment A7)",
        lambda x: np.cos(x).prod(axis=1) + np.cos(10 * x).prod(axis=1),
        _SQUARE,
        n_train=1024,
    ),
    "poisson-solution": Target(
        "sin 2x sin 2y on [−π/2, π/2]², the solution of experiment A6",
        lambda x: np.sin(2 * x).prod(axis=1),
        ((-_PI / 2, _PI / 2), (-_PI / 2, _PI / 2)),
        n_train=1024,
    ),
    "peaks": Target(
        "the peaks function on [−3, 3]²", _peaks, ((-3.0, 3.0), (-3.0, 3.0)), n_train=1024
    ),
}


def grid(domain: tuple[tuple[float, float], ...], n_points: int) -> Matrix:
    """Return the equispaced grid of a box, both ends included, with at least n_points points."""
    d = len(domain)
    # The root of m^d may come out a little above m, and is m.
    per_axis = max(2, math.ceil(n_points ** (1 / d) - 1e-9))
    axes = [np.linspace(low, high, per_axis) for low, high in domain]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, d)


def gauss_legendre(domain: tuple[tuple[float, float], ...], n_points: int) -> tuple[Array, Array]:
    """Return the Gauss–Legendre rule of an interval: exact for polynomials of degree 2N − 1.

    Its nodes have shape (N, 1); its weights, of shape (N,), sum to b − a.
    """
    (low, high) = domain[0]
    nodes, weights = np.polynomial.legendre.leggauss(n_points)
    half = (high - low) / 2
    return (low + half * (nodes + 1))[:, None], half * weights
