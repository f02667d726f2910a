"""F3: V(B) = min_{‖W‖_F ≤ B} ‖φ·W − u*‖², the loss that the features allow at norm B."""

from __future__ import annotations

import html
import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.floor.decomposition import FloorData
from epsrank.theory.floor.secular import solve_secular
from epsrank.theory.floor.weighting import frobenius, times_power_of_two
from epsrank.theory.inputs import Array, as_norm


@dataclass(frozen=True, eq=False)
class ReachableLoss:
    """V(B), with the multiplier and the dual value that certify it.

    Weak duality: D(μ) = min_W {‖φ·W − u*‖² + μ(‖W‖_F² − B²)} ≤ V(B) ≤ ‖φ·W − u*‖² for every μ ≥ 0
    and every ‖W‖_F ≤ B; `dual` and `value` are such a pair, and they agree to rounding.

    Attributes
    ----------
    norm : float
        √V(B).
    bound : float
        B.
    multiplier : float
        μ ≥ 0; 0 where the ball does not bind, ∞ for B = 0.
    dual_norm : float
        √D(μ)_+.
    attained_norm : float
        ‖W(B)‖_F ≤ B.
    iterations : int
        Steps of the secular equation.
    measure : str
        The measure of the loss.
    coefficients : ndarray of float64, shape (n, k), or None
        W(B) of least norm, where asked for.
    """

    norm: float
    bound: float
    multiplier: float
    dual_norm: float
    attained_norm: float
    iterations: int
    measure: str
    coefficients: Array | None = field(default=None, repr=False)

    @property
    def value(self) -> float:
        """V(B), the squared norm."""
        return self.norm * self.norm

    @property
    def dual(self) -> float:
        """D(μ) ≤ V(B), the squared norm."""
        return self.dual_norm * self.dual_norm

    @property
    def gap(self) -> float:
        """√V − √D ≥ 0: what the solver left undecided, as a norm."""
        return max(0.0, self.norm - self.dual_norm)

    def __str__(self) -> str:
        return (
            f"V(B = {self.bound:g}) = {self.value:.6g} ({self.measure} measure, multiplier "
            f"{self.multiplier:.3g}, duality gap {self.gap:.1e} on the norm)"
        )

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"

    def to_json(self) -> dict[str, Any]:
        """Return the numbers, with null for what is not finite.

        Returns
        -------
        dict
            Keys ``bound``, ``value``, ``dual``, ``multiplier``, ``attained_norm``, ``measure``.
        """
        numbers = {
            "bound": self.bound,
            "value": self.value,
            "dual": self.dual,
            "multiplier": self.multiplier,
            "attained_norm": self.attained_norm,
        }
        finite = {key: x if math.isfinite(x) else None for key, x in numbers.items()}
        return {**finite, "measure": self.measure}


def reachable_loss(
    data: FloorData, norm: float, *, with_coefficients: bool = False
) -> ReachableLoss:
    """Return V(B) = min_{‖W‖_F ≤ B} ‖φ·W − u*‖² by one secular equation in the SVD (F3).

    Parameters
    ----------
    data : FloorData
        Decomposition of features and target.
    norm : float
        B ≥ 0; ``inf`` gives V(∞) = d_n².
    with_coefficients : bool
        Whether to return W(B) as well.

    Returns
    -------
    ReachableLoss
        V(B), multiplier, dual value.

    Notes
    -----
    V(B) ≥ max_p floor_p², and there is no converse: on graded random features V/envelope² has the
    median 1.03 for noise targets and 1.13 for planted ones, but for σ = (1, ½), c = (101, 26) and
    B = 50√5 every floor is 0 while V(B) = 2. Each floor spends the whole norm in one direction.
    """
    bound = as_norm(norm)
    point = solve_secular(data.sigma, data.amplitudes, data.scaled_norm(bound))
    primal = frobenius(np.append(point.residual, data.outside))
    dual_part = frobenius(np.append(point.dual_residual, data.outside))
    # D = dual_part² + excess; the square root is taken without squaring what is tiny.
    if dual_part > 0:
        ratio = max(0.0, 1.0 + (point.dual_excess / dual_part) / dual_part)
        dual = dual_part * math.sqrt(ratio)
    else:
        dual = math.sqrt(max(0.0, point.dual_excess))
    back = data.target_exponent - data.feature_exponent
    coefficients = None
    if with_coefficients:
        spectral = point.gains[:, None] * data.components
        with np.errstate(over="ignore", under="ignore"):
            coefficients = np.ldexp(data.right @ spectral, back)
    root = times_power_of_two(point.root, data.feature_exponent)
    return ReachableLoss(
        norm=data.unscaled(primal),
        bound=bound,
        multiplier=root * root,
        dual_norm=data.unscaled(min(dual, primal)),
        attained_norm=times_power_of_two(point.norm, back),
        iterations=point.iterations,
        measure=data.measure,
        coefficients=coefficients,
    )
