"""Convex losses ℓ(z, y) of a sample's outputs, with the conjugates that bound them from below.

For every slope g in the domain of the conjugate ℓ*(g, y) = sup_z {g·z − ℓ(z, y)},

    ℓ(z, y) ≥ g·z − ℓ*(g, y)    for all z  (Fenchel–Young),

with equality at the z whose (sub)gradient g is. A `DualPoint` holds one such g for every sample as
float64 numbers, and how far these are from numbers for which the inequality holds exactly: so a
bound built on it stands whatever rounding did to z.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from flint import arb

from epsrank.theory.errors import InputError
from epsrank.theory.inputs import Array, as_target
from epsrank.theory.rounding import UNDERFLOW, UNIT_ROUNDOFF, gamma

_U = UNIT_ROUNDOFF["float64"]


@dataclass(frozen=True, eq=False)
class DualPoint:
    """Slopes g_i with the values −ℓ*(g_i, y_i), known to stated errors.

    Attributes
    ----------
    slopes : ndarray of float64, shape (N, k)
        ‖slopes_i − g_i‖₂ ≤ slope_error for slopes g_i in the domain of ℓ*.
    values : ndarray of float64, shape (N,)
        |values_i + ℓ*(g_i, y_i)| ≤ errors_i for the same g_i.
    errors : ndarray of float64, shape (N,)
        Bounds, rounding included.
    slope_error : float
        Bound for every sample.
    """

    slopes: Array
    values: Array
    errors: Array
    slope_error: float


class ConvexLoss(Protocol):
    """A loss ℓ(z, y) ≥ 0, convex in z ∈ R^k for every target y."""

    @property
    def name(self) -> str:
        """What the loss is called in results."""
        ...

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Array:
        """Check targets and return them as float64 of shape (N, k)."""
        ...

    def lipschitz(self, target: Array) -> float:
        """Return L with |ℓ(z, y) − ℓ(z′, y)| ≤ L ‖z − z′‖₂; ∞ where there is none."""
        ...

    def evaluate(self, outputs: Array, target: Array) -> tuple[Array, Array]:
        """Return ℓ(z_i, y_i), shape (N,), and a (sub)gradient in z, shape (N, k)."""
        ...

    def dual(self, outputs: Array, target: Array) -> DualPoint:
        """Return the slopes at these outputs as a certified point of the conjugate's domain."""
        ...

    def ball(self, outputs: list[Any], target: list[Any]) -> tuple[Any, list[Any]]:
        """Return −ℓ*(g, y) and g at one sample's outputs, in ball arithmetic."""
        ...


@dataclass(frozen=True)
class Huber:
    """ℓ(z, y) = Σ_c h(z_c − y_c), h(r) = r²/2 for |r| ≤ δ and δ|r| − δ²/2 beyond.

    −ℓ*(g, y) = −Σ_c (g_c y_c + g_c²/2) on |g_c| ≤ δ; Lipschitz with L = δ√k.

    Attributes
    ----------
    delta : float
        δ > 0.
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        if not 0 < self.delta < np.inf:
            raise InputError("delta", f"is {self.delta!r}", "pass a number > 0")

    @property
    def name(self) -> str:
        """``"huber"`` with its δ."""
        return f"huber({self.delta:g})"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Array:
        """Return real targets."""
        return _regression_targets(target, n_samples, n_outputs)

    def lipschitz(self, target: Array) -> float:
        """Return δ√k."""
        return float(self.delta * np.sqrt(target.shape[1]))

    def evaluate(self, outputs: Array, target: Array) -> tuple[Array, Array]:
        """Return ℓ and clip(z − y, −δ, δ)."""
        residual = outputs - target
        slopes = np.clip(residual, -self.delta, self.delta)
        return (slopes * (residual - slopes / 2)).sum(axis=1), slopes

    def dual(self, outputs: Array, target: Array) -> DualPoint:
        """Return the slopes, which lie in the domain exactly."""
        return _quadratic_dual(self.evaluate(outputs, target)[1], target, 0.5)

    def ball(self, outputs: list[Any], target: list[Any]) -> tuple[Any, list[Any]]:
        """Return the same in balls."""
        slopes = [
            arb(min(max(float(z) - float(y), -self.delta), self.delta))
            for z, y in zip(outputs, target, strict=True)
        ]
        return _quadratic_ball(slopes, target, arb(1) / 2), slopes


@dataclass(frozen=True)
class AbsoluteError:
    """ℓ(z, y) = Σ_c |z_c − y_c|;  −ℓ*(g, y) = −Σ_c g_c y_c on |g_c| ≤ 1;  L = √k."""

    @property
    def name(self) -> str:
        """``"absolute"``."""
        return "absolute"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Array:
        """Return real targets."""
        return _regression_targets(target, n_samples, n_outputs)

    def lipschitz(self, target: Array) -> float:
        """Return √k."""
        return float(np.sqrt(target.shape[1]))

    def evaluate(self, outputs: Array, target: Array) -> tuple[Array, Array]:
        """Return ℓ and sign(z − y), a subgradient."""
        residual = outputs - target
        return np.abs(residual).sum(axis=1), np.sign(residual)

    def dual(self, outputs: Array, target: Array) -> DualPoint:
        """Return the slopes, which lie in the domain exactly."""
        return _quadratic_dual(self.evaluate(outputs, target)[1], target, 0.0)

    def ball(self, outputs: list[Any], target: list[Any]) -> tuple[Any, list[Any]]:
        """Return the same in balls."""
        slopes = [
            arb(int(np.sign(float(z) - float(y)))) for z, y in zip(outputs, target, strict=True)
        ]
        return _quadratic_ball(slopes, target, arb(0)), slopes


@dataclass(frozen=True)
class SquaredError:
    """ℓ(z, y) = ‖z − y‖²;  −ℓ*(g, y) = −(g·y + ‖g‖²/4) for every g; not Lipschitz.

    V(B) of F3 is exact for this loss (`loss_floor`); here it serves as a check on the others.
    """

    @property
    def name(self) -> str:
        """``"mse"``."""
        return "mse"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Array:
        """Return real targets."""
        return _regression_targets(target, n_samples, n_outputs)

    def lipschitz(self, target: Array) -> float:
        """Return ∞."""
        return float("inf")

    def evaluate(self, outputs: Array, target: Array) -> tuple[Array, Array]:
        """Return ℓ and 2(z − y)."""
        residual = outputs - target
        return np.square(residual).sum(axis=1), 2 * residual

    def dual(self, outputs: Array, target: Array) -> DualPoint:
        """Return the slopes; every slope is in the domain."""
        return _quadratic_dual(self.evaluate(outputs, target)[1], target, 0.25)

    def ball(self, outputs: list[Any], target: list[Any]) -> tuple[Any, list[Any]]:
        """Return the same in balls."""
        slopes = [arb(2 * (float(z) - float(y))) for z, y in zip(outputs, target, strict=True)]
        return _quadratic_ball(slopes, target, arb(1) / 4), slopes


def _regression_targets(target: Any, n_samples: int, n_outputs: int | None) -> Array:
    """Return real targets.

    Parameters
    ----------
    target : array_like
        As given.
    n_samples : int
        N.
    n_outputs : int or None
        k, where known.

    Returns
    -------
    ndarray of float64, shape (N, k)
        The targets.

    Raises
    ------
    InputError
        If the number of columns is not k.
    """
    goal = as_target(target, n_samples)
    if n_outputs is not None and goal.shape[1] != n_outputs:
        raise InputError(
            "target",
            f"has {goal.shape[1]} columns, but the coefficients have {n_outputs} outputs",
            "pass one column per output",
        )
    return goal


def _quadratic_dual(slopes: Array, target: Array, factor: float) -> DualPoint:
    """Return −Σ_c (g_c y_c + factor · g_c²) for slopes that are exact as they stand."""
    linear, square = slopes * target, factor * slopes * slopes
    size = np.abs(linear).sum(axis=1) + square.sum(axis=1)
    values = -(linear.sum(axis=1) + square.sum(axis=1))
    errors = gamma(slopes.shape[1] + 4) * size * (1 + 8 * _U) + UNDERFLOW
    return DualPoint(slopes, values, errors, 0.0)


def _quadratic_ball(slopes: list[Any], target: list[Any], factor: Any) -> Any:
    """Return −Σ_c (g_c y_c + factor · g_c²) as a ball."""
    total = arb(0)
    for g, y in zip(slopes, target, strict=True):
        total -= g * y + factor * g * g
    return total
