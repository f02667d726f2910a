"""F2: the loss floors floor_p = (d_p − σ_{p+1} B)_+, their envelope, and the ε-form at p = r_ε."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import as_coefficients
from epsrank.theory.errors import InputError
from epsrank.theory.floor.decomposed.decomposition import FloorData
from epsrank.theory.numbers.arrays import Array, Vector, real_number
from epsrank.theory.numbers.scaled import frobenius, row_norms, times_power_of_two


def floors(data: FloorData, norm: float) -> Vector:
    """Return floor_p = (d_p − √λ_{p+1} B)_+ for p = 0…n: ‖φ·W − u*‖ ≥ floor_p if ‖W‖_F ≤ B (F2).

    Proof: project φ·W − u* onto Ψ_p^⊥; there u* has norm d_p and φ·W at most √λ_{p+1} ‖W‖_F (F1).
    """
    with np.errstate(over="ignore", under="ignore"):
        return np.ldexp(_scaled_floors(data, norm), data.target_exponent)


def envelope(data: FloorData, norm: float) -> float:
    """Return max_p floor_p: the strongest floor of F2, which needs no ε."""
    return data.unscaled(float(_scaled_floors(data, norm).max()))


def epsilon_floor(data: FloorData, rank: int, eps: float, norm: float) -> float:
    """Return (d_p − √ε B)_+ at p = rank: a floor wherever r_ε ≤ rank, for then λ_{p+1} ≤ ε (F2)."""
    distance = float(data.scaled_distances[rank])
    root = math.sqrt(eps)
    # √ε·B in scaled units; its size, not B's alone, decides what is lost.
    reach = 0.0 if root == 0 else data.scaled_norm(norm) * scaled_root(data, root)
    return data.unscaled(max(0.0, distance - reach))


def scaled_root(data: FloorData, root: float) -> float:
    """Return √ε in the units of the scaled singular values."""
    with np.errstate(over="ignore", under="ignore"):
        return float(np.ldexp(root, -data.feature_exponent))


def _scaled_floors(data: FloorData, norm: float) -> Array:
    """Return floor_p for p = 0…n in scaled units."""
    bound = data.scaled_norm(norm)
    with np.errstate(over="ignore", under="ignore"):
        # 0·∞ = 0 here: a direction that vanishes reaches nothing, whatever its coefficient.
        reach = np.multiply(
            data.next_sigma, bound, where=data.next_sigma > 0, out=np.zeros(data.n_features + 1)
        )
        return np.maximum(data.scaled_distances - reach, 0.0)


# Losses asked for by default: ‖u*‖² times these factors.
DECADES = tuple(10.0**-power for power in range(1, 9))


@dataclass(frozen=True)
class RankBudget:
    """Loss ≤ δ² with ‖W‖_F ≤ B forces r_ε ≥ rank (F5)."""

    #: δ², in the measure.
    loss: float
    #: The least ε-rank, rounding allowed for: a smaller ε-rank is impossible. None where no span of
    #: these features comes close enough, so that the loss is out of reach at any ε-rank.
    rank: int | None
    #: The same from the numbers as computed, without allowance; `rank` ≤ `nominal`.
    nominal: int | None

    @property
    def resolved(self) -> bool:
        """Whether rounding made no difference."""
        return self.rank == self.nominal

    def __str__(self) -> str:
        needs = "is out of reach" if self.rank is None else f"needs ε-rank ≥ {self.rank}"
        return f"loss {self.loss:.3g} {needs}"

    def to_json(self) -> dict[str, Any]:
        """Return ``{"loss", "rank"}``."""
        return {"loss": self.loss if math.isfinite(self.loss) else None, "rank": self.rank}


def rank_budget(
    data: FloorData, norm: float, eps: float, losses: Iterable[float] | None = None
) -> tuple[RankBudget, ...]:
    """Return p_min(δ) = min{p : d_p ≤ δ + √ε B} for each loss δ² (F5).

    Proof: at p = r_ε the floor of F2 gives d_p − √ε B ≤ δ, so r_ε belongs to the set.
    """
    bound = data.scaled_norm(norm)
    root = scaled_root(data, math.sqrt(eps))
    slack = root * bound if root > 0 else 0.0
    # With σ_{p+1}(A) ≤ √ε only σ̂_{p+1} ≤ √ε + shift is known, and norms are known to the tolerance.
    shift = data.error.singular_values
    cap = data.target_norm
    # No distance exceeds ‖u*‖, so no more than that needs to be allowed.
    allowance = min(data.error.at(bound) + (shift * bound if shift else 0.0), cap)
    if losses is None:
        radii = [data.target_norm * math.sqrt(factor) for factor in DECADES]
        size = data.unscaled(data.target_norm)
        values = [size * factor * size for factor in DECADES]
    else:
        values = [_checked_loss(loss) for loss in losses]
        with np.errstate(over="ignore", under="ignore"):
            radii = [float(np.ldexp(math.sqrt(x), -data.target_exponent)) for x in values]
    distances = data.scaled_distances
    return tuple(
        RankBudget(value, _first(distances <= radius + slack + allowance), nominal)
        for value, radius in zip(values, radii, strict=True)
        for nominal in (_first(distances <= radius + slack),)
    )


def _first(reached: np.ndarray[Any, np.dtype[np.bool_]]) -> int | None:
    """Return the first index that holds, None where none does."""
    return int(np.argmax(reached)) if bool(reached.any()) else None


def _checked_loss(loss: float) -> float:
    """Return a loss ≥ 0 as float."""
    value = real_number(loss, "losses", "pass squared norms ≥ 0")
    if value < 0:
        raise InputError("losses", f"hold {value:g}", "pass squared norms ≥ 0")
    return value


@dataclass(frozen=True, eq=False)
class Tail:
    """‖u − P_p u‖² = Σ_{k>p} λ_k ‖q_kᵀW‖² ≤ λ_{p+1} ‖W‖_F² for p = 0…n (F1)."""

    #: ‖u − P_p u‖ for u = φ·W.
    norms: Vector = field(repr=False)
    #: √λ_{p+1} ‖W‖_F, with λ_{n+1} := 0.
    bounds: Vector = field(repr=False)
    #: ‖W‖_F.
    coefficient_norm: float
    #: The measure of the norms.
    measure: str

    @property
    def squares(self) -> Array:
        """‖u − P_p u‖², shape (n + 1,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.square(self.norms)


def tail(data: FloorData, coefficients: Vector) -> Tail:
    """Return the tail of u = φ·W beyond every p, exactly and bounded (F1)."""
    weights = as_coefficients(coefficients, data.n_features)
    size = frobenius(weights)
    shift = int(np.frexp(size)[1])
    rotated = data.right.T @ np.ldexp(weights, -shift)
    parts = data.sigma * row_norms(rotated)
    sums = np.hypot.accumulate(np.concatenate(([0.0], parts[::-1])))[::-1]
    norms = np.concatenate((sums, np.zeros(data.n_features - data.numerical_rank)))
    exponent = data.feature_exponent + shift
    with np.errstate(over="ignore", under="ignore"):
        return Tail(
            np.ldexp(norms, exponent),
            np.ldexp(data.next_sigma * times_power_of_two(size, -shift), exponent),
            size,
            data.measure,
        )
