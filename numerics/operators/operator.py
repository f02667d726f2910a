"""Linear differential operators 𝓛 as transformations of functions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from epsrank.numerics.operators.derivatives import Function
from epsrank.numerics.operators.jets import derivatives
from epsrank.theory.errors import InputError

Transform = Callable[[Function], Function]


@dataclass(frozen=True)
class LinearOperator:
    """𝓛: f ↦ 𝓛f with 𝓛(af + bg) = a𝓛f + b𝓛g."""

    #: What it is called.
    name: str
    #: As printed.
    formula: str
    #: From a function (points (N, d) to values (N, m)) to another one.
    transform: Transform = field(repr=False)
    #: Its highest derivative; features need so many that do not vanish.
    order: int
    #: d, where it is bound to one.
    n_inputs: int | None = None

    def __call__(self, function: Function) -> Function:
        """Return 𝓛f."""
        return self.transform(function)

    def __str__(self) -> str:
        return f"{self.name}: {self.formula}"


def identity() -> LinearOperator:
    """Return u ↦ u, whose restriction to ∂Ω is the Dirichlet operator."""
    return LinearOperator("identity", "u", lambda function: function, 0)


def poisson() -> LinearOperator:
    """Return u ↦ −Δu."""

    def transform(function: Function) -> Function:
        """Return −Δf."""

        def apply(x: Tensor) -> Tensor:
            """Return the negative sum of second derivatives."""
            d = x.shape[1]
            jet = derivatives(function, x, (2,) * d)
            return -sum((jet.second(axis) for axis in range(1, d)), jet.second(0))

        return apply

    return LinearOperator("poisson", "−Δu", transform, 2)


def helmholtz(wavenumber: float = 1.0) -> LinearOperator:
    """Return u ↦ Δu + k²u for the wavenumber k."""
    k = _number(wavenumber, "wavenumber")

    def transform(function: Function) -> Function:
        """Return Δf + k²f."""

        def apply(x: Tensor) -> Tensor:
            """Return the sum of both terms."""
            d = x.shape[1]
            jet = derivatives(function, x, (2,) * d)
            return sum((jet.second(axis) for axis in range(d)), k * k * jet.value)

        return apply

    return LinearOperator("helmholtz", f"Δu + {k * k:g}u", transform, 2)


def heat(diffusivity: float = 1.0) -> LinearOperator:
    """Return u ↦ ∂_t u − νΔu for the diffusivity ν; t is the last coordinate, and no part of Δ."""
    nu = _number(diffusivity, "diffusivity")

    def transform(function: Function) -> Function:
        """Return ∂_t f − νΔf."""

        def apply(x: Tensor) -> Tensor:
            """Return the difference of both terms."""
            last = x.shape[1] - 1
            jet = derivatives(function, x, (2,) * last + (1,))
            return jet.first(last) - nu * sum(
                (jet.second(axis) for axis in range(last)), torch.zeros_like(jet.value)
            )

        return apply

    return LinearOperator("heat", f"∂_t u − {nu:g}Δu", transform, 2)


OPERATORS: dict[str, Callable[..., LinearOperator]] = {
    "identity": identity,
    "poisson": poisson,
    "helmholtz": helmholtz,
    "heat": heat,
}

# What people ask for next, with the term that stands in the way.
_NONLINEAR = {
    "burgers": "u ∂_x u",
    "allen-cahn": "u³",
    "navier-stokes": "(u·∇)u",
    "kdv": "u ∂_x u",
    "eikonal": "|∇u|",
    "schrodinger": "|u|²u",
}


def named_operator(name: str, **parameters: float) -> LinearOperator:
    """Return a linear operator by its name."""
    key = str(name).lower().replace("_", "-").replace("ö", "o")
    if key in _NONLINEAR:
        raise InputError(
            "operator",
            f"is {name!r}, which is nonlinear: of {_NONLINEAR[key]} no Gram matrix of features can "
            "be formed",
            "linearise it about a function that you fix",
        )
    if key not in OPERATORS:
        raise InputError("operator", f"is {name!r}", f"choose one of {', '.join(OPERATORS)}")
    try:
        return OPERATORS[key](**parameters)
    except TypeError:
        given = ", ".join(parameters)
        raise InputError("operator", f"{name!r} does not take {given}", "drop it") from None


def _number(value: float, name: str) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise InputError(name, f"is {value!r}", "pass a finite number")
    return number
