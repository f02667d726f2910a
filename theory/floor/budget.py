"""F5: the rank budget of a loss, p_min(δ) = min{p : d_p ≤ δ + √ε B}."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.theory.errors import InputError
from epsrank.theory.floor.bounds import scaled_root
from epsrank.theory.floor.decomposition import FloorData

# Losses asked for by default: ‖u*‖² times these factors.
DECADES = tuple(10.0**-power for power in range(1, 9))


@dataclass(frozen=True)
class RankBudget:
    """Loss ≤ δ² with ‖W‖_F ≤ B forces r_ε ≥ rank (F5).

    Attributes
    ----------
    loss : float
        δ², in the measure.
    rank : int or None
        The least ε-rank, rounding allowed for: a smaller ε-rank is impossible. None where no span
        of these features comes close enough, so that the loss is out of reach at any ε-rank.
    nominal : int or None
        The same from the numbers as computed, without allowance; `rank` ≤ `nominal`.
    """

    loss: float
    rank: int | None
    nominal: int | None

    @property
    def resolved(self) -> bool:
        """Whether rounding made no difference."""
        return self.rank == self.nominal

    def __str__(self) -> str:
        needs = "is out of reach" if self.rank is None else f"needs ε-rank ≥ {self.rank}"
        return f"loss {self.loss:.3g} {needs}"

    def to_json(self) -> dict[str, Any]:
        """Return ``{"loss", "rank"}``.

        Returns
        -------
        dict
            The rank is null where the loss is out of reach.
        """
        return {"loss": self.loss if math.isfinite(self.loss) else None, "rank": self.rank}


def rank_budget(
    data: FloorData, norm: float, eps: float, losses: Iterable[float] | None = None
) -> tuple[RankBudget, ...]:
    """Return p_min(δ) = min{p : d_p ≤ δ + √ε B} for each loss δ² (F5).

    Proof: at p = r_ε the floor of F2 gives d_p − √ε B ≤ δ, so r_ε belongs to the set.

    Parameters
    ----------
    data : FloorData
        Decomposition of features and target.
    norm : float
        B ≥ 0, possibly infinite.
    eps : float
        ε ≥ 0 in the measure of `data`.
    losses : iterable of float, optional
        Values of δ²; by default ‖u*‖²·10^(−1…−8).

    Returns
    -------
    tuple of RankBudget
        One per loss, in the order given.

    Raises
    ------
    InputError
        If a loss is negative or NaN.
    """
    bound = data.scaled_norm(norm)
    root = scaled_root(data, math.sqrt(eps))
    slack = root * bound if root > 0 else 0.0
    # With σ_{p+1}(A) ≤ √ε only σ̂_{p+1} ≤ √ε + shift is known, and norms are known to the tolerance.
    shift = data.error.singular_values
    cap = data.target_norm
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
    """Return a loss ≥ 0 as float.

    Parameters
    ----------
    loss : float
        δ².

    Returns
    -------
    float
        The same.

    Raises
    ------
    InputError
        If it is negative, NaN or not a number.
    """
    try:
        value = float(loss)
    except (TypeError, ValueError):
        raise InputError("losses", f"hold {loss!r}", "pass squared norms ≥ 0") from None
    if math.isnan(value) or value < 0:
        raise InputError("losses", f"hold {value:g}", "pass squared norms ≥ 0")
    return value
