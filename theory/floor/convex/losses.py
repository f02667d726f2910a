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

from epsrank.theory.data.inputs import as_target
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector, to_numpy
from epsrank.theory.numbers.rounding import UNDERFLOW, UNIT_ROUNDOFF, gamma

_U = UNIT_ROUNDOFF["float64"]


@dataclass(frozen=True, eq=False)
class DualPoint:
    """Slopes g_i with the values −ℓ*(g_i, y_i), known to stated errors."""

    #: ‖slopes_i − g_i‖₂ ≤ slope_error for slopes g_i in the domain of ℓ*.
    slopes: Matrix
    #: |values_i + ℓ*(g_i, y_i)| ≤ errors_i for the same g_i.
    values: Vector
    #: Bounds, rounding included.
    errors: Vector
    #: Bound for every sample.
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
    """

    #: δ > 0.
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
        """Return −ℓ*(g, y) and g of one sample in balls."""
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
        """Return −ℓ*(g, y) and g of one sample in balls."""
        slopes = [
            arb(int(np.sign(float(z) - float(y)))) for z, y in zip(outputs, target, strict=True)
        ]
        return _quadratic_ball(slopes, target, arb(0)), slopes


@dataclass(frozen=True)
class SmoothedAbsolute(AbsoluteError):
    """Σ_c h(z_c − y_c)/δ with Huber's h: between |r| − δ/2 and |r|, and smooth.

    Its slopes clip(r/δ, −1, 1) lie in the domain of the conjugate of |r|, so `dual` is a dual point
    of the absolute error: only the solver sees the smoothed values.
    """

    #: δ > 0.
    delta: float = 1e-3

    def evaluate(self, outputs: Array, target: Array) -> tuple[Array, Array]:
        """Return the smoothed loss and its gradient."""
        residual = outputs - target
        slopes = np.clip(residual / self.delta, -1.0, 1.0)
        return (slopes * (residual - self.delta * slopes / 2)).sum(axis=1), slopes


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
        """Return −ℓ*(g, y) and g of one sample in balls."""
        slopes = [arb(2 * (float(z) - float(y))) for z, y in zip(outputs, target, strict=True)]
        return _quadratic_ball(slopes, target, arb(1) / 4), slopes


def _regression_targets(target: Any, n_samples: int, n_outputs: int | None) -> Matrix:
    """Return real targets."""
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


# What the library's logarithm may be off by, relatively, in units of u; `ball` assumes nothing.
_LOG_ROUNDINGS = 8


@dataclass(frozen=True)
class CrossEntropy:
    """ℓ(z, y) = Σ_c y_c (log Σ_d exp z_d − z_c), for labels, distributions or weighted labels."""

    @property
    def name(self) -> str:
        """``"cross_entropy"``."""
        return "cross_entropy"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Matrix:
        """Return targets of shape (N, k): labels as unit vectors, rows of numbers ≥ 0 as they are.

        By default k is the largest label plus one.
        """
        given, _ = to_numpy(target, "target")
        if (given.ndim == 2 and given.shape[1] > 1) or given.dtype.kind == "f":
            goal = as_target(given, n_samples)
            if n_outputs is not None and goal.shape[1] != n_outputs:
                raise InputError(
                    "target",
                    f"has {goal.shape[1]} columns, but there are {n_outputs} outputs",
                    "pass integer labels, or one column per class",
                )
            if float(goal.min()) < 0:
                raise InputError("target", "has a negative entry", "pass labels or distributions")
            return goal
        labels = as_target(given, n_samples)[:, 0].astype(np.int64)
        classes = int(labels.max()) + 1 if n_outputs is None else n_outputs
        if int(labels.min()) < 0 or int(labels.max()) >= classes:
            bad = int(labels.min()) if int(labels.min()) < 0 else int(labels.max())
            raise InputError(
                "target", f"has the label {bad}", f"pass labels from 0 to {classes - 1}"
            )
        return np.asarray(np.eye(classes)[labels])

    def lipschitz(self, target: Array) -> float:
        """Return √2 · max s."""
        return float(np.sqrt(2.0) * target.sum(axis=1).max())

    def evaluate(self, outputs: Array, target: Array) -> tuple[Array, Array]:
        """Return ℓ and s p − y."""
        powers, shifted = _powers(outputs)
        total = powers.sum(axis=1, keepdims=True)
        mass = target.sum(axis=1, keepdims=True)
        values = mass[:, 0] * np.log(total[:, 0]) - np.einsum("ij,ij->i", target, shifted)
        return values, powers * (mass / total) - target

    def dual(self, outputs: Array, target: Array) -> DualPoint:
        """Return the slopes and entropies, with the errors that rounding made.

        The exact dual variable is p = p̃/Σp̃ for the computed p̃: with |Σp̃ − 1| ≤ η, H(p) differs
        from −Σ p̃ log p̃ by at most (1 + H̃) η/(1 − η), and s p from s p̃ by at most s η/(1 − η).
        """
        computed = _softmax(outputs)
        k = computed.shape[1]
        mass = target.sum(axis=1)
        total = computed.sum(axis=1)
        defect = np.abs(total - 1) + gamma(k) * total
        share = defect / (1 - defect)
        # Here, since it alone needs scipy.special, which is a tenth of a second of every import.
        from scipy.special import xlogy

        entropy = -xlogy(computed, computed).sum(axis=1)
        relative = gamma(2 * k + _LOG_ROUNDINGS + 4)
        values = mass * entropy
        errors = (mass * (1 + gamma(k))) * (share * (1 + entropy) + relative * entropy) * (
            1 + 16 * _U
        ) + (2 * _U * values + UNDERFLOW)
        slopes = computed * mass[:, None] - target
        # The product, the sum s, and the difference round: at most (k + 3) u of s p, and u of g.
        slope_error = np.max(mass * (share + gamma(k + 3)) + 2 * _U * np.abs(slopes).sum(axis=1))
        return DualPoint(slopes, values, errors, float(slope_error) * (1 + 16 * _U))

    def ball(self, outputs: list[Any], target: list[Any]) -> tuple[Any, list[Any]]:
        """Return s·H(p) and s p − y at exact outputs, in ball arithmetic."""
        largest = max(outputs, key=float)
        powers = [(z - largest).exp() for z in outputs]
        total, mass = sum(powers, arb(0)), sum(target, arb(0))
        shares = [power / total for power in powers]
        # H(p) = log Σ exp(z − m) − p·(z − m).
        entropy = total.log()
        for share, z in zip(shares, outputs, strict=True):
            entropy -= share * (z - largest)
        return mass * entropy, [mass * p - y for p, y in zip(shares, target, strict=True)]


def _powers(outputs: Array) -> tuple[Array, Array]:
    """Return exp(z − max z) and z − max z."""
    shifted = outputs - outputs.max(axis=1, keepdims=True)
    with np.errstate(under="ignore"):
        return np.exp(shifted), shifted


def _softmax(outputs: Array) -> Array:
    """Return exp(z − max z) / Σ, at most 1 in every entry."""
    powers, _ = _powers(outputs)
    # A quotient that rounds above 1 would make a negative term of the entropy.
    return np.asarray(np.minimum(powers / powers.sum(axis=1, keepdims=True), 1.0))
