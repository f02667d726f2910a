"""Boundary-value problems 𝓛u = f in Ω, 𝓑u = g on ∂Ω on boxes, with known solutions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from epsrank.numerics.operators.nonlinear import NonlinearOperator, allen_cahn, burgers
from epsrank.numerics.operators.operator import LinearOperator, heat, helmholtz, identity, poisson
from epsrank.numerics.operators.points import (
    Face,
    PointKind,
    boundary_points,
    box_points,
    parabolic_faces,
)
from epsrank.numerics.operators.references import allen_cahn_solution, burgers_solution
from epsrank.numerics.operators.stacked import OperatorSystem, StackedOperator, as_kappa
from epsrank.theory.data.inputs import as_box
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.words import plural

Values = Callable[[Array], Array]


@dataclass(frozen=True)
class BoundaryProblem:
    """𝓛u = f in a box Ω and u = g on its sides, with the weight κ of the sides in the loss.

    Attributes
    ----------
    formula : str
        The problem and its solution, as printed.
    operator : LinearOperator or NonlinearOperator
        𝓛, or 𝒩.
    domain : tuple of (float, float)
        The box.
    source, boundary : callable
        f and g, from points (N, d) to values (N,).
    solution : callable or None
        u*, where it is known.
    kappa : float
        κ.
    faces : tuple of (int, bool), or None
        Sides where u is given; None for all.
    n_interior : int
        Interior points unless asked otherwise.
    """

    formula: str
    operator: LinearOperator | NonlinearOperator
    domain: tuple[tuple[float, float], ...]
    source: Values
    boundary: Values
    solution: Values | None = None
    kappa: float = 1.0
    faces: tuple[Face, ...] | None = None
    n_interior: int = 400
    trace: LinearOperator = field(default_factory=identity)

    def system(
        self,
        n_interior: int | None = None,
        *,
        kappa: float | None = None,
        points: PointKind = "quadrature",
        seed: int = 0,
        dtype: torch.dtype = torch.float64,
    ) -> OperatorSystem:
        """Return the problem at points: the least-squares system that a PINN minimises.

        Parameters
        ----------
        n_interior : int, optional
            Interior points; on a product rule the next larger m^d, with m^(d−1) on every side.
        kappa : float, optional
            κ; that of the problem by default.
        points : {"quadrature", "random"}
            Gauss–Legendre product rules, or uniform draws; either way sums are integrals, over Ω
            and over ∂Ω.
        seed : int
            Seed of the draws.
        dtype : torch.dtype
            Type of the points.

        Returns
        -------
        OperatorSystem
            Points, weights and targets.

        Raises
        ------
        InputError
            If the box, κ or the operator do not fit.
        """
        box = as_box(self.domain)
        if self.operator.n_inputs not in (None, len(box)):
            raise InputError(
                "domain",
                f"has {plural(len(box), 'side')}, but {self.operator.name} "
                f"takes {self.operator.n_inputs}",
                "pass one interval per input",
            )
        weight = as_kappa(self.kappa if kappa is None else kappa)
        count = self.n_interior if n_interior is None else n_interior
        # A stream of its own beside those of `tasks.load`, 1 and 2.
        random = np.random.default_rng([seed, 5])
        inner, inner_weights = box_points(box, count, points, random)
        # As many nodes along a side as along an axis; a root may come out a little too large.
        per_side = max(1, math.ceil(len(inner) ** ((len(box) - 1) / len(box)) - 1e-9))
        outer, outer_weights = boundary_points(box, per_side, points, random, self.faces)
        inside = np.arange(len(inner) + len(outer)) < len(inner)
        target = np.concatenate([self.source(inner), math.sqrt(weight) * self.boundary(outer)])
        return OperatorSystem(
            StackedOperator(self.operator, self.trace, weight, torch.from_numpy(inside)),
            torch.from_numpy(np.concatenate([inner, outer])).to(dtype),
            np.concatenate([inner_weights, outer_weights]),
            np.asarray(target, dtype=np.float64)[:, None],
        )


_PI = math.pi
_HALF = (-_PI / 2, _PI / 2)
_UNIT = (-1.0, 1.0)
_DIFFUSIVITY = 0.1


def _zero(x: Array) -> Array:
    return np.zeros(len(x))


def _poisson_line(x: Array) -> Array:
    return np.asarray(np.sin(_PI * x[:, 0]))


def _poisson_square(x: Array) -> Array:
    return np.asarray(np.sin(2 * x).prod(axis=1))


def _helmholtz_line(x: Array) -> Array:
    return np.asarray(np.sin(3 * x[:, 0]) + np.cos(5 * x[:, 0]))


def _helmholtz_square(x: Array) -> Array:
    return np.asarray(np.sin(_PI * x[:, 0]) * np.sin(4 * _PI * x[:, 1]))


def _heat_line(x: Array) -> Array:
    return np.asarray(np.sin(_PI * x[:, 0]) * np.exp(-_DIFFUSIVITY * _PI**2 * x[:, 1]))


def _burgers_data(x: Array) -> Array:
    return np.asarray(np.where(x[:, 1] == 0, -np.sin(_PI * x[:, 0]), 0.0))


def _allen_cahn_data(x: Array) -> Array:
    start = x[:, 0] ** 2 * np.cos(_PI * x[:, 0])
    return np.asarray(np.where(x[:, 1] == 0, start, -1.0))


#: Problems with solutions exact or known to 1e-6; κ is ours (the sources print none).
PROBLEMS: dict[str, BoundaryProblem] = {
    "poisson": BoundaryProblem(
        "−Δu = 8 sin 2x sin 2y on [−π/2, π/2]², u = 0 on the boundary (experiment A6)",
        poisson(),
        (_HALF, _HALF),
        lambda x: 8 * _poisson_square(x),
        _zero,
        _poisson_square,
        kappa=100.0,
    ),
    "poisson-1d": BoundaryProblem(
        "−u″ = π² sin πx on [−1, 1], u(±1) = 0",
        poisson(),
        (_UNIT,),
        lambda x: _PI**2 * _poisson_line(x),
        _zero,
        _poisson_line,
        kappa=100.0,
        n_interior=100,
    ),
    "helmholtz": BoundaryProblem(
        "Δu + u = f on [−1, 1]², u = sin πx sin 4πy",
        helmholtz(1.0),
        (_UNIT, _UNIT),
        lambda x: (1 - 17 * _PI**2) * _helmholtz_square(x),
        _helmholtz_square,
        _helmholtz_square,
        kappa=1000.0,
        n_interior=625,
    ),
    "helmholtz-1d": BoundaryProblem(
        "u″ + 16u = f on [−1, 1], u = sin 3x + cos 5x",
        helmholtz(4.0),
        (_UNIT,),
        lambda x: 7 * np.sin(3 * x[:, 0]) - 9 * np.cos(5 * x[:, 0]),
        _helmholtz_line,
        _helmholtz_line,
        kappa=100.0,
        n_interior=100,
    ),
    "heat": BoundaryProblem(
        "∂_t u = 0.1 u_xx on [−1, 1] × [0, 1], u = exp(−0.1 π² t) sin πx",
        heat(_DIFFUSIVITY),
        (_UNIT, (0.0, 1.0)),
        _zero,
        _heat_line,
        _heat_line,
        kappa=10.0,
        faces=parabolic_faces(2),
    ),
    "burgers": BoundaryProblem(
        "u_t + u u_x = (0.01/π) u_xx on [−1, 1] × [0, 1], u(x, 0) = −sin πx, u(±1, t) = 0",
        burgers(),
        (_UNIT, (0.0, 1.0)),
        _zero,
        _burgers_data,
        burgers_solution,
        kappa=10.0,
        faces=parabolic_faces(2),
        n_interior=900,
    ),
    "allen-cahn": BoundaryProblem(
        "u_t = 10⁻⁴ u_xx + 5u − 5u³ on [−1, 1] × [0, 1], u(x, 0) = x² cos πx, u(±1, t) = −1",
        allen_cahn(),
        (_UNIT, (0.0, 1.0)),
        _zero,
        _allen_cahn_data,
        allen_cahn_solution,
        kappa=100.0,
        faces=parabolic_faces(2),
        n_interior=900,
    ),
}
