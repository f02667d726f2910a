"""The product space of L1: 𝓛u inside Ω beside √κ 𝓑u on ∂Ω, as one vector of samples."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from epsrank.numerics.operators.derivatives import Function
from epsrank.numerics.operators.nonlinear import NonlinearOperator
from epsrank.numerics.operators.operator import LinearOperator
from epsrank.theory.data.measure import MeasureName
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

# Rows per differentiation: bounds the memory of second derivatives of wide layers.
_ROWS = 4096


@dataclass(frozen=True, eq=False)
class StackedOperator:
    """u ↦ (𝓛u, √κ 𝓑u), the first at interior points and the second at boundary points."""

    #: 𝓛, or 𝒩 where the problem is nonlinear: a loss then, but no features and no floor.
    operator: LinearOperator | NonlinearOperator
    #: 𝓑.
    boundary: LinearOperator
    #: κ ≥ 0.
    kappa: float
    #: Which points are interior ones.
    inside: Tensor = field(repr=False)

    @property
    def no_floor(self) -> str | None:
        """Why no floor applies; None for a linear operator."""
        operator = self.operator
        return operator.no_floor if isinstance(operator, NonlinearOperator) else None

    def __call__(self, function: Function, x: Tensor, index: Tensor | None = None) -> Tensor:
        """Return (𝓛f, √κ 𝓑f) at the points, with the graph of f's parameters.

        `function` is f, from points (N, d) to values (N, m).
        """
        inside = (self.inside if index is None else self.inside[index]).to(x.device)
        interior, edge = inside.nonzero()[:, 0], (~inside).nonzero()[:, 0]
        parts = []
        # A batch may have points of one kind only, and no operator is asked about none.
        if len(interior):
            parts.append(self.operator(function)(x[interior]))
        if len(edge):
            parts.append(math.sqrt(self.kappa) * self.boundary(function)(x[edge]))
        # Both kinds may alternate in a batch: rows go back to where their points are.
        order = torch.cat([interior, edge]).argsort()
        return torch.cat(parts)[order]

    def __str__(self) -> str:
        return f"({self.operator.formula}, √{self.kappa:g} {self.boundary.formula} on ∂Ω)"


def constant(x: Tensor) -> Tensor:
    """Return the function 1, whose image is what an output bias adds."""
    return torch.ones_like(x[:, :1])


@dataclass(frozen=True, eq=False)
class OperatorSystem:
    """‖𝓛u − f‖² + κ‖𝓑u − g‖² as one weighted sum of squares: F1–F6 apply to it verbatim (L1).

    With A the matrix of `features`, weights and `target`, it is Σ_i w_i ((Aβ)_i − target_i)².

    Attributes
    ----------
    stacked : StackedOperator
        The operator of the product space.
    x : Tensor, shape (N, d)
        Interior points, then boundary points.
    weights : ndarray of float64, shape (N,)
        Weights of both rules; κ is not in them.
    target : ndarray of float64, shape (N, 1)
        (f, √κ g).
    measure : {"volume", "raw"}
        ``"volume"`` where the weights are quadrature rules.
    """

    stacked: StackedOperator
    x: Tensor = field(repr=False)
    weights: Vector = field(repr=False)
    target: Matrix = field(repr=False)
    measure: MeasureName = "volume"

    @property
    def n_interior(self) -> int:
        """Number of interior points."""
        return int(self.stacked.inside.sum())

    def features(self, function: Function) -> Matrix:
        """Return the matrix (𝓛φ_j, √κ 𝓑φ_j) in float64.

        Parameters
        ----------
        function : callable
            φ, from points (N, d) to values (N, n).

        Returns
        -------
        ndarray of float64, shape (N, n)
            The features of L1, for `epsrank.loss_floor` and `epsrank.epsilon_rank` with `weights`
            and `measure`.

        Raises
        ------
        InputError
            If the operator is nonlinear.
        """
        if self.stacked.no_floor is not None:
            raise InputError(
                "operator", "is nonlinear, so images of features do not add up", "linearise it"
            )
        return images(self.stacked, function, self.x)

    def loss(self, function: Function) -> float:
        """Return ‖𝓛u − f‖² + κ‖𝓑u − g‖² from u itself, without any features.

        Parameters
        ----------
        function : callable
            u, from points (N, d) to values (N, 1).

        Returns
        -------
        float
            The loss.
        """
        inside = self.stacked.inside.numpy()
        root = math.sqrt(self.stacked.kappa)
        # With κ = 0 the targets of the edge are 0, and it does not count.
        source, edge = self.target[inside], self.target[~inside] / (root or 1.0)
        with torch.no_grad():
            residual = self.stacked.operator(function)(self.x[inside]).double().numpy() - source
            misfit = self.stacked.boundary(function)(self.x[~inside]).double().numpy() - edge
        first = float(self.weights[inside] @ np.square(residual[:, 0]))
        second = float(self.weights[~inside] @ np.square(misfit[:, 0]))
        return first + self.stacked.kappa * second


def images(stacked: StackedOperator, function: Function, x: Tensor) -> Matrix:
    """Return (𝓛f, √κ 𝓑f) at the points in float64, without a graph, some thousand rows at a time.

    `function` is f, from points (N, d) to values (N, m).
    """
    rows = torch.split(torch.arange(len(x), device=x.device), _ROWS)
    with torch.no_grad():
        parts = [stacked(function, x[part], part.cpu()) for part in rows]
    values: Array = torch.cat(parts).double().cpu().numpy()
    return values


def as_kappa(kappa: float, *, name: str = "kappa") -> float:
    """Check a boundary weight κ ≥ 0."""
    try:
        value = float(kappa)
    except (TypeError, ValueError):
        value = math.nan
    if not (math.isfinite(value) and value >= 0):
        raise InputError(name, f"is {kappa!r}", "pass a finite number ≥ 0")
    return value
