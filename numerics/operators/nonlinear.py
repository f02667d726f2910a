"""Nonlinear differential operators 𝒩: a residual to minimise, and no floor.

The floor of a PINN (L1) needs 𝒩(Σ β_j φ_j) = Σ β_j 𝒩φ_j. Where that fails, the loss ‖𝒩u − f‖² is
still the loss, the ε-rank of φ in L²(Ω) is still what the network can express, and no inequality
here connects the two.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

from torch import Tensor

from epsrank.numerics.operators.derivatives import Function
from epsrank.numerics.operators.jets import derivatives
from epsrank.numerics.operators.operator import Transform

#: Constants of the two benchmarks.
ALLEN_CAHN_DIFFUSIVITY = 1e-4
ALLEN_CAHN_RATE = 5.0
BURGERS_VISCOSITY = 0.01 / math.pi


@dataclass(frozen=True)
class NonlinearOperator:
    """𝒩: u ↦ 𝒩u without 𝒩(au + bv) = a𝒩u + b𝒩v."""

    #: What it is called.
    name: str
    #: As printed.
    formula: str
    #: From a function (points (N, d) to values (N, 1)) to another one.
    transform: Transform = field(repr=False)
    #: The term that is not linear.
    term: str
    #: Its highest derivative.
    order: int = 2
    #: d, where it is bound to one.
    n_inputs: int | None = 2

    def __call__(self, function: Function) -> Function:
        """Return 𝒩u."""
        return self.transform(function)

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}"

    @property
    def no_floor(self) -> str:
        """Why there is no floor, in one line."""
        return (
            f"the floor of a PINN (L1) needs a linear operator, and {self.formula} has the term "
            f"{self.term}: ε-ranks are those of φ in L²(Ω)"
        )


def allen_cahn() -> NonlinearOperator:
    """Return u ↦ u_t − 10⁻⁴ u_xx − 5u + 5u³ on points (x, t)."""

    def transform(function: Function) -> Function:
        """Return the residual of u."""

        def apply(x: Tensor) -> Tensor:
            """Return the sum of its terms."""
            jet = derivatives(function, x, (2, 1))
            u = jet.value
            reaction = ALLEN_CAHN_RATE * (u * u * u - u)
            return jet.first(1) - ALLEN_CAHN_DIFFUSIVITY * jet.second(0) + reaction

        return apply

    return NonlinearOperator("allen-cahn", "u_t − 10⁻⁴u_xx − 5u + 5u³", transform, "5u³")


def burgers() -> NonlinearOperator:
    """Return u ↦ u_t + u u_x − (0.01/π) u_xx on points (x, t)."""

    def transform(function: Function) -> Function:
        """Return the residual of u."""

        def apply(x: Tensor) -> Tensor:
            """Return the sum of its terms."""
            jet = derivatives(function, x, (2, 1))
            return jet.first(1) + jet.value * jet.first(0) - BURGERS_VISCOSITY * jet.second(0)

        return apply

    return NonlinearOperator("burgers", "u_t + u u_x − (0.01/π)u_xx", transform, "u u_x")
