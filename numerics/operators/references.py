"""Reference solutions of Burgers' and the Allen–Cahn equation, with errors known by refinement."""

from __future__ import annotations

from functools import cache

import numpy as np
from scipy.fft import dst, idst

from epsrank.numerics.operators.nonlinear import (
    ALLEN_CAHN_DIFFUSIVITY,
    ALLEN_CAHN_RATE,
    BURGERS_VISCOSITY,
)
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

# Nodes of the Gauss–Hermite rule: 60 and 120 of them agree to 1e-9.
_HERMITE = 120
# Sine modes and steps of time; twice as many change values by 5e-8, next to the corners at t = 0,
# where the initial values do not fit the equation.
_MODES, _STEPS = 2048, 1000
# Values of time kept, and points of the local polynomial between them.
_KEEP, _STENCIL = 5, 8


def burgers_solution(x: Matrix, *, nodes: int = _HERMITE) -> Vector:
    """Return u with u_t + u u_x = ν u_xx, ν = 0.01/π, u(x, 0) = −sin πx, u(±1, t) = 0.

    By Cole and Hopf's transformation u = −2ν ∂_x log ψ, where ψ solves the heat equation: with
    F(y) = exp(−cos(πy)/(2πν)) and the substitution η = √(4νt)·z,

        u(x, t) = −∫ sin π(x−η) F(x−η) e^{−z²} dz / ∫ F(x−η) e^{−z²} dz,

    both by one Gauss–Hermite rule.

    Source: J. D. Cole, Quart. Appl. Math. 9 (1951) 225–236; C. Basdevant et al., Computers &
    Fluids 14 (1986) 23–41.
    """
    z, weights = np.polynomial.hermite.hermgauss(nodes)
    y = x[:, :1] - np.sqrt(4 * BURGERS_VISCOSITY * np.maximum(x[:, 1:2], 0.0)) * z
    exponent = -np.cos(np.pi * y) / (2 * np.pi * BURGERS_VISCOSITY)
    # F spans e^{±50}; its largest value of a row cancels in the quotient.
    kernel = weights * np.exp(exponent - exponent.max(axis=1, keepdims=True))
    values: Array = -(np.sin(np.pi * y) * kernel).sum(axis=1) / kernel.sum(axis=1)
    return values


def allen_cahn_solution(x: Matrix, *, modes: int = _MODES, steps: int = _STEPS) -> Vector:
    """Return u with u_t = 10⁻⁴u_xx + 5u − 5u³ on [−1, 1], u(x, 0) = x² cos πx, u(±1, t) = −1.

    v = u + 1 is a sine series on [−1, 1], and its coefficients are followed in time by the
    exponential Runge–Kutta scheme ETDRK4. Between the times kept, the polynomial through 8 of
    them is taken.

    Source: S. M. Cox, P. C. Matthews, J. Comput. Phys. 176 (2002) 430–455; A.-K. Kassam,
    L. N. Trefethen, SIAM J. Sci. Comput. 26 (2005) 1214–1233.
    """
    times, table = _allen_cahn_series(modes, steps)
    spacing = times[1]
    first = np.floor(x[:, 1] / spacing).astype(int) - _STENCIL // 2 + 1
    # The 8 times around t, or the outermost 8 near an end.
    first = np.clip(first, 0, len(times) - _STENCIL)
    position = x[:, 1] / spacing - first
    waves = np.arange(1, modes)
    values = np.full(len(x), -1.0)
    # Some 256 points at a time, since each has a row of 2047 sines.
    for rows in np.array_split(np.arange(len(x)), max(1, len(x) // 256)):
        basis = np.sin(np.outer(x[rows, 0] + 1, waves) * (np.pi / 2))
        for k, share in enumerate(_lagrange(position[rows])):
            values[rows] += share * np.einsum("ij,ij->i", basis, table[first[rows] + k])
    return values


def _lagrange(position: Array) -> list[Array]:
    """Return the Lagrange polynomials of 0, 1, …, 7 at positions."""
    nodes = range(_STENCIL)
    return [
        np.prod([(position - other) / (node - other) for other in nodes if other != node], axis=0)
        for node in nodes
    ]


@cache
def _allen_cahn_series(modes: int, steps: int) -> tuple[Array, Array]:
    """Return times and, per time, the sine coefficients of u + 1."""
    grid = -1 + 2 * np.arange(1, modes) / modes
    waves: Array = np.asarray(np.arange(1, modes) * (np.pi / 2), dtype=np.float64)
    h = 1.0 / steps
    decay: Array = -ALLEN_CAHN_DIFFUSIVITY * np.square(waves)
    half, full, phi, f1, f2, f3 = _etdrk4(h * decay)

    def reaction(coefficients: Array) -> Array:
        # 5u is no stiff term, and goes with the cubic one.
        u = idst(coefficients, type=1) - 1
        transformed: Array = dst(ALLEN_CAHN_RATE * (u - u**3), type=1)
        return transformed

    # SciPy's DST-I of the samples is `modes` times the series' coefficients.
    v = dst(1 + grid**2 * np.cos(np.pi * grid), type=1)
    kept = [v]
    for step in range(1, steps + 1):
        n0 = reaction(v)
        a = half * v + h * phi * n0
        na = reaction(a)
        b = half * v + h * phi * na
        nb = reaction(b)
        c = half * a + h * phi * (2 * nb - n0)
        nc = reaction(c)
        v = full * v + h * (f1 * n0 + 2 * f2 * (na + nb) + f3 * nc)
        if step % _KEEP == 0:
            kept.append(v)
    times: Array = np.asarray(np.arange(len(kept)) * (_KEEP * h), dtype=np.float64)
    return times, np.array(kept) / modes


def _etdrk4(z: Array) -> tuple[Array, ...]:
    """Return the factors of ETDRK4 at z = hλ: means over a circle, where differences cancel."""
    # Its upper half: for real z the lower one gives the conjugates, so the real part is the mean.
    circle = np.exp(1j * np.pi * (np.arange(1, 33) - 0.5) / 32)
    points = z[:, None] + circle
    exponential = np.exp(points)
    phi = ((np.exp(points / 2) - 1) / points).mean(axis=1).real
    cube = points**3
    f1 = ((-4 - points + exponential * (4 - 3 * points + points**2)) / cube).mean(axis=1).real
    f2 = ((2 + points + exponential * (points - 2)) / cube).mean(axis=1).real
    f3 = ((-4 - 3 * points - points**2 + exponential * (4 - points)) / cube).mean(axis=1).real
    return np.exp(z / 2), np.exp(z), phi, f1, f2, f3
