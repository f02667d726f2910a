"""Convex losses ℓ(z, y) of a sample's outputs, with the conjugates that bound them from below.

For every slope g in the domain of the conjugate ℓ*(g, y) = sup_z {g·z − ℓ(z, y)},

    ℓ(z, y) ≥ g·z − ℓ*(g, y)    for all z  (Fenchel–Young),

with equality at the z whose (sub)gradient g is. A `DualPoint` holds one such g for every sample as
float64 numbers, and how far these are from numbers for which the inequality holds exactly: so a
bound built on it stands whatever rounding did to z. The losses of classes are in `classes`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from flint import arb

from epsrank.theory.data.inputs import as_positive, as_target
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.targets import Entries, entries, real_rows
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
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

    @property
    def slopes_sum_to_zero(self) -> bool:
        """Whether the slopes of a sample sum to 0 over its outputs: the last one follows."""
        ...

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Any:
        """Check targets, of shape (N, k) in one of the forms of `targets`."""
        ...

    def counts(self, target: Any) -> Vector | None:
        """Return what each sample counts for in the mean; None for 1 each."""
        ...

    def lipschitz(self, target: Any) -> float:
        """Return L with |ℓ(z, y) − ℓ(z′, y)| ≤ L ‖z − z′‖₂; ∞ where there is none."""
        ...

    def evaluate(self, outputs: Array, target: Any) -> tuple[Array, Array]:
        """Return ℓ(z_i, y_i), shape (N,), and a (sub)gradient in z, shape (N, k)."""
        ...

    def smoothed(self, width: float) -> ConvexLoss | None:
        """Return a loss within `width` of this one whose slopes vary steadily; None if these do.

        Its `dual` is one of this loss: the slopes are the other's, the conjugate is this one's.
        """
        ...

    def dual(self, outputs: Array, target: Any) -> DualPoint:
        """Return the slopes at these outputs as a certified point of the conjugate's domain."""
        ...

    def balanced(self, outputs: Array, target: Any, shares: Vector) -> DualPoint:
        """Return nearly the same slopes, moved so that  Σ_i w_i g_i = 0  for the exact g_i."""
        ...

    def ball(
        self, outputs: list[Any], target: list[Any], factors: list[Any] | None = None
    ) -> tuple[Any, list[Any]]:
        """Return −ℓ*(g, y) and g at one sample's outputs, in ball arithmetic."""
        ...


class Entrywise:
    """ℓ(z, y) = Σ_c f_c h(z_c − y_c),  h(r) = max_{|p| ≤ s} (p r − a p²).

    With slopes g_c = f_c p_c:  −ℓ*(g, y) = −Σ_c f_c (p_c y_c + a p_c²) on |p_c| ≤ s; L = s ‖f‖₂.
    The squared error has a = ¼ and s = ∞, Huber's ½ and δ, the absolute error 0 and 1.
    """

    @property
    def slopes_sum_to_zero(self) -> bool:
        """False: every output has a slope of its own."""
        return False

    @property
    def name(self) -> str:
        """What the loss is called."""
        raise NotImplementedError

    @property
    def bend(self) -> float:
        """Return a ≥ 0."""
        raise NotImplementedError

    @property
    def steep(self) -> float:
        """Return s > 0."""
        raise NotImplementedError

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Array | Entries:
        """Return real targets."""
        return real_rows(target, n_samples, n_outputs)

    def counts(self, target: Array | Entries) -> Vector | None:
        """Every sample counts for 1."""
        del target
        return None

    def lipschitz(self, target: Array | Entries) -> float:
        """Return s ‖f‖₂, the largest over the samples."""
        values, factors = entries(target)
        if factors is None:
            return float(self.steep * np.sqrt(values.shape[1]))
        return float(self.steep * np.sqrt(np.square(factors).sum(axis=1).max()))

    def smoothed(self, width: float) -> ConvexLoss | None:
        """Only the absolute error has slopes that jump."""
        del width
        return None

    def _shares(self, residual: Array) -> Array:
        """Return p = h′(r), in the domain exactly."""
        if self.bend == 0:
            return np.asarray(self.steep * np.sign(residual))
        with np.errstate(over="ignore"):
            return np.asarray(np.clip(residual / (2 * self.bend), -self.steep, self.steep))

    def evaluate(self, outputs: Array, target: Array | Entries) -> tuple[Array, Array]:
        """Return ℓ and f h′(z − y)."""
        goal, factors = entries(target)
        residual = outputs - goal
        p = self._shares(residual)
        values = p * (residual - self.bend * p)
        if factors is not None:
            values, p = factors * values, factors * p
        return np.asarray(values.sum(axis=1)), p

    def dual(self, outputs: Array, target: Array | Entries) -> DualPoint:
        """Return the slopes, which lie in the domain exactly but for the product with f."""
        return self._dual(self._shares(outputs - entries(target)[0]), target)

    @property
    def _conjugate_bend(self) -> float:
        """Return the a of the conjugate."""
        return self.bend

    def _dual(self, p: Array, target: Array | Entries) -> DualPoint:
        goal, factors = entries(target)
        linear, square = p * goal, self._conjugate_bend * p * p
        if factors is not None:
            linear, square = factors * linear, factors * square
        size = np.abs(linear).sum(axis=1) + square.sum(axis=1)
        values = -(linear.sum(axis=1) + square.sum(axis=1))
        errors = gamma(p.shape[1] + 6) * size * (1 + 8 * _U) + UNDERFLOW
        if factors is None:
            return DualPoint(p, values, errors, 0.0)
        slopes = factors * p
        rounded = 1.01 * _U * float(np.sqrt(np.square(slopes).sum(axis=1).max())) + UNDERFLOW
        return DualPoint(slopes, values, errors, rounded)

    def balanced(self, outputs: Array, target: Array | Entries, shares: Vector) -> DualPoint:
        """Shift p_c by Σ w f p / Σ w f and shrink it into the domain.

        Let ρ_c be what is left of Σ w f p and F_c = Σ w f. Then p″ = (p − ρ/F)/(1 + |ρ|/(F s)) is
        in the domain with Σ w f p″ = 0, and |p″ − p| ≤ 2|ρ|/F.
        """
        goal, factors = entries(target)
        p = self._shares(outputs - goal)
        scale = shares[:, None] if factors is None else shares[:, None] * factors
        total = np.broadcast_to(np.sum(scale, axis=0), (p.shape[1],))
        total = np.where(total > 0, total, 1.0)  # an output without weight has no slopes to shift
        for _ in range(3):  # each leaves the rounding of the last
            left = (scale * p).sum(axis=0) / total
            p = np.clip((p - left) / (1 + np.abs(left) / self.steep), -self.steep, self.steep)
        point = self._dual(p, target)
        rounding = gamma(len(p) + 16) * (scale * np.abs(p)).sum(axis=0)
        left = (np.abs((scale * p).sum(axis=0)) + rounding) / total * (2 + 2.0**-20)
        weight = np.ones_like(p) if factors is None else factors
        steepness = np.abs(goal) + self._conjugate_bend * (2 * np.abs(p) + left)
        return DualPoint(
            point.slopes,
            point.values,
            point.errors + 1.01 * (weight * left * steepness).sum(axis=1),
            point.slope_error + 1.01 * float(np.sqrt(np.square(weight * left).sum(axis=1).max())),
        )

    def ball(
        self, outputs: list[Any], target: list[Any], factors: list[Any] | None = None
    ) -> tuple[Any, list[Any]]:
        """Return −ℓ*(g, y) and g of one sample in balls."""
        residual = np.array([float(z) - float(y) for z, y in zip(outputs, target, strict=True)])
        shares = [arb(p) for p in self._shares(residual).tolist()]
        weights = [arb(1)] * len(shares) if factors is None else [arb(f) for f in factors]
        total, bend = arb(0), arb(self._conjugate_bend)
        for f, p, y in zip(weights, shares, target, strict=True):
            total -= f * (p * y + bend * p * p)
        return total, [f * p for f, p in zip(weights, shares, strict=True)]


@dataclass(frozen=True)
class Huber(Entrywise):
    """ℓ(z, y) = Σ_c h(z_c − y_c), h(r) = r²/2 for |r| ≤ δ and δ|r| − δ²/2 beyond; L = δ√k.

    Attributes
    ----------
    delta : float
        δ > 0.

    Examples
    --------
    >>> Huber(0.5).name
    'huber(0.5)'
    """

    delta: float = 1.0

    def __post_init__(self) -> None:
        as_positive(self.delta, "delta", "pass a number > 0")

    @property
    def name(self) -> str:
        """``"huber"`` with its δ."""
        return f"huber({self.delta:g})"

    @property
    def bend(self) -> float:
        """½."""
        return 0.5

    @property
    def steep(self) -> float:
        """δ."""
        return float(self.delta)


@dataclass(frozen=True)
class SmoothAbsoluteError(Entrywise):
    """ℓ(z, y) = Σ_c h(z_c − y_c), h(r) = r²/(2β) for |r| ≤ β and |r| − β/2 beyond; L = √k.

    PyTorch's ``SmoothL1Loss``.

    Attributes
    ----------
    beta : float
        β > 0.
    """

    beta: float = 1.0

    def __post_init__(self) -> None:
        as_positive(self.beta, "beta", "pass a number > 0, or take the absolute error")

    @property
    def name(self) -> str:
        """``"smooth_l1"`` with its β."""
        return f"smooth_l1({self.beta:g})"

    @property
    def bend(self) -> float:
        """β/2."""
        return float(self.beta) / 2

    @property
    def steep(self) -> float:
        """1."""
        return 1.0


@dataclass(frozen=True)
class AbsoluteError(Entrywise):
    """ℓ(z, y) = Σ_c |z_c − y_c|;  L = √k."""

    @property
    def name(self) -> str:
        """``"absolute"``."""
        return "absolute"

    @property
    def bend(self) -> float:
        """0: the slopes jump."""
        return 0.0

    @property
    def steep(self) -> float:
        """1."""
        return 1.0

    def smoothed(self, width: float) -> ConvexLoss:
        """Round the corner over |r| ≤ `width`: slopes of any size up to 1, as at the optimum."""
        return _RoundedAbsolute(width)


@dataclass(frozen=True)
class _RoundedAbsolute(SmoothAbsoluteError):
    """The slopes of a rounded corner as dual points of the absolute error, whose conjugate is 0."""

    @property
    def _conjugate_bend(self) -> float:
        return 0.0


@dataclass(frozen=True)
class SquaredError(Entrywise):
    """ℓ(z, y) = ‖z − y‖², summed over outputs; not Lipschitz.

    V(B) of F3 is exact for this loss (`loss_floor`); here it serves as a check on the others, and
    where entries have weights of their own.
    """

    @property
    def name(self) -> str:
        """``"mse"``."""
        return "mse"

    @property
    def bend(self) -> float:
        """¼."""
        return 0.25

    @property
    def steep(self) -> float:
        """∞."""
        return math.inf


@dataclass(frozen=True, eq=False)
class GaussianError(SquaredError):
    """ℓ(z, y) = Σ_c (z_c − y_c)²/(2 v_c): the Gaussian negative log-likelihood of a mean head.

    Its variances v are given, and the terms ½ log v, which no mean changes, are left out.

    Attributes
    ----------
    variances : array_like, shape () or (N,) or (N, k)
        v > 0.
    """

    variances: Any = field(default=1.0)

    @property
    def name(self) -> str:
        """``"gaussian_nll"``."""
        return "gaussian_nll"

    def targets(self, target: Any, n_samples: int, n_outputs: int | None) -> Entries:
        """Return targets with the factors 1/(2v)."""
        goal = real_rows(target, n_samples, n_outputs)
        if isinstance(goal, Entries):
            return goal
        given = np.ndim(self.variances)
        if given == 0:
            factors = np.full(goal.shape, 0.5 / as_positive(self.variances, "variances"))
            return Entries(goal, factors)
        variances = as_target(self.variances, n_samples, name="variances")
        if variances.shape[1] not in (1, goal.shape[1]) or float(variances.min()) <= 0:
            raise InputError(
                "variances",
                f"have shape {variances.shape} and the least is {float(variances.min()):g}",
                f"pass numbers > 0 of shape {goal.shape}",
            )
        return Entries(goal, np.array(np.broadcast_to(0.5 / variances, goal.shape)))
