"""The kernel of one layer: κ(S_xx, S_xy, S_yy) = E[σ(u)σ(v)], (u, v) normal of covariance S."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Literal

import numpy as np
import sympy as sp
from numpy.typing import ArrayLike

from epsrank.theory.errors import InputError
from epsrank.theory.kernels.closed_forms import S_xx, S_xy, S_yy
from epsrank.theory.numbers.arrays import Array, Square
from epsrank.theory.printers import to_latex
from epsrank.theory.shown import Shown

#: Values and an estimate of their error, from vectors of S_xx, S_xy, S_yy.
Quadrature = Callable[[Array, Array, Array], tuple[Array, float]]
Route = Literal["closed form", "quadrature"]

_ULP = float(np.finfo(np.float64).eps)
# Stands for a variance of 0: its root, 1e-150, is still a number.
_TINY_VARIANCE = 1e-300

# For arguments that rounding has put just outside the domain.
_SAFE_FUNCTIONS: dict[str, Any] = {
    "sqrt": lambda value: np.sqrt(np.maximum(value, 0.0)),
    "asin": lambda value: np.arcsin(np.clip(value, -1.0, 1.0)),
    "acos": lambda value: np.arccos(np.clip(value, -1.0, 1.0)),
}


@dataclass(frozen=True, eq=False)
class LayerKernel(Shown):
    """κ(S_xx, S_xy, S_yy) = E[σ(u)σ(v)] of one activation.

    Attributes
    ----------
    name : str
        Name of σ.
    activation : callable
        σ, entrywise on float64 arrays.
    route : {"closed form", "quadrature"}
        How κ is evaluated.
    expression : sympy Expr or None
        κ in S_xx, S_xy, S_yy; an integral where there is no closed form, None where only σ is
        given.
    rule : callable or None
        The quadrature.
    """

    name: str
    activation: Callable[[Array], Array] = field(repr=False)
    route: Route
    expression: Any = field(default=None, repr=False)
    rule: Quadrature | None = field(default=None, repr=False)

    @cached_property
    def _compiled(self) -> Callable[..., Any]:
        """κ for NumPy arrays, with the arguments of roots and angles kept in their domains."""
        compiled: Callable[..., Any] = sp.lambdify(
            (S_xx, S_xy, S_yy), self.expression, modules=[_SAFE_FUNCTIONS, "numpy"]
        )
        return compiled

    @property
    def latex(self) -> str:
        """κ in LaTeX; empty where there is no expression."""
        return "" if self.expression is None else to_latex(self.expression)

    def __call__(self, xx: ArrayLike, xy: ArrayLike, yy: ArrayLike) -> Array:
        """Evaluate κ on arrays that broadcast."""
        return self.with_error(xx, xy, yy)[0]

    def with_error(self, xx: ArrayLike, xy: ArrayLike, yy: ArrayLike) -> tuple[Array, float]:
        """Evaluate κ, with an estimate of the largest error of an entry.

        Parameters
        ----------
        xx, yy : array_like
            Variances S_xx, S_yy ≥ 0.
        xy : array_like
            Covariances S_xy.

        Returns
        -------
        tuple of (ndarray of float64, float)
            κ, and the error: a few units of rounding, and that of the quadrature.

        Raises
        ------
        InputError
            If a variance is negative, an entry is not finite, S is not a covariance matrix, or κ
            is not finite.
        """
        a, c, b = np.broadcast_arrays(*(np.asarray(value, np.float64) for value in (xx, xy, yy)))
        shape = a.shape
        first, mixed, second = _checked(a.ravel(), c.ravel(), b.ravel())
        if self.rule is not None:
            values, error = self.rule(first, mixed, second)
        else:
            # float overflow shows as a value that is not finite, and is reported below
            with np.errstate(over="ignore", invalid="ignore"):
                values, error = np.asarray(self._compiled(first, mixed, second), np.float64), 0.0
            values = np.broadcast_to(values, first.shape)
        if not np.isfinite(values).all() or not np.isfinite(error):
            raise InputError(
                "activation",
                f"{self.name} has no finite kernel at variance {float(max(a.max(), b.max())):.3g}",
                "choose smaller weight and bias variances",
            )
        scale = float(np.abs(values).max(initial=0.0))
        return values.reshape(shape), error + 8 * _ULP * scale

    def matrix(self, covariance: ArrayLike) -> tuple[Square, float]:
        """Evaluate κ for all pairs of N points.

        Parameters
        ----------
        covariance : array_like, shape (N, N)
            S, the covariance of the pre-activations at the points.

        Returns
        -------
        tuple of (ndarray of float64 of shape (N, N), float)
            K, symmetric, and an estimate of the largest error of an entry.
        """
        s = np.asarray(covariance, dtype=np.float64)
        row, column = np.triu_indices(len(s))
        variance = np.diag(s)
        values, error = self.with_error(variance[row], s[row, column], variance[column])
        out = np.empty_like(s)
        out[row, column] = out[column, row] = values
        return out, error

    def __str__(self) -> str:
        return f"layer kernel of {self.name} ({self.route})"

    def to_json(self) -> dict[str, Any]:
        """Return the kernel as plain data.

        Returns
        -------
        dict
            Keys ``name``, ``route``, ``latex``.
        """
        return {"name": self.name, "route": self.route, "latex": self.latex}


def _checked(xx: Array, xy: Array, yy: Array) -> tuple[Array, Array, Array]:
    """Check covariances, and put them a hair inside the admissible set."""
    for name, values in (("S_xx", xx), ("S_xy", xy), ("S_yy", yy)):
        if values.size == 0 or not np.isfinite(values).all():
            raise InputError(name, "is empty or has NaN or infinite entries", "pass finite numbers")
    least = float(min(xx.min(), yy.min()))
    if least < 0:
        raise InputError("S_xx, S_yy", f"have the negative entry {least:g}", "pass variances ≥ 0")
    first, second = np.maximum(xx, _TINY_VARIANCE), np.maximum(yy, _TINY_VARIANCE)
    # √S_xx √S_yy, so that the product neither over- nor underflows; S_xx itself where both agree,
    # since the product of two rounded roots differs from it.
    most = np.where(first == second, first, np.sqrt(first) * np.sqrt(second))
    excess = float((np.abs(xy) - most * (1 + 1e-6)).max())
    if excess > 1e-12 * float(max(xx.max(), yy.max())) + 1e-140:
        raise InputError(
            "S_xy", f"exceeds √(S_xx S_yy) by {excess:.3g}", "pass the entries of a covariance"
        )
    return first, np.clip(xy, -most, most), second
