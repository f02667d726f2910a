"""The population ε-rank as a result: an interval, its probability, and what it rests on."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Literal

from epsrank.theory.rank.bounds import RankBounds
from epsrank.theory.sampling.plain import BootstrapInterval, PlainInterval
from epsrank.theory.shown import Shown

LeverageSource = Literal["domain", "given", "data"]


@dataclass(frozen=True)
class PopulationRank(RankBounds, Shown):
    """lower ≤ r_ε(G) ≤ upper for the population Gram G = E φφᵀ, with probability `confidence`.

    The samples are taken to be independent draws of the population; the measure has mass 1.

    Attributes
    ----------
    eps : float
        ε.
    lower, upper : int
        The interval.
    confidence : float
        1 − δ.
    guaranteed : bool
        Whether the leverage is certified over a domain or given; where it is only the largest of
        the sample, `lower` and `upper` are estimates.
    certain_lower : int
        A lower end that holds with probability `confidence` whatever the leverage is.
    sample_lower, sample_upper : int
        The ε-rank of the sample itself.
    ridge : float
        τ, the ridge of the leverage.
    leverage : float
        κ ≥ sup_x φᵀ(G + τI)⁻¹φ, as used.
    leverage_source : {"domain", "given", "data"}
        Where it comes from.
    deviation_upper, deviation_lower : float
        η₊ and η₋: (1 − η₋)(G + τI) ≼ Ĝ + τI ≼ (1 + η₊)(G + τI).
    threshold_lower, threshold_upper : float
        `lower` counts sample eigenvalues above the first, `upper` those above the second (n where
        it is not positive).
    separating_samples : int or None
        N that would put both ends at the sample's ε-rank if its eigenvalues were the population's;
        None where no N would (an eigenvalue equals ε).
    plain : PlainInterval
        The plain matrix Bernstein interval.
    bootstrap : BootstrapInterval or None
        The percentile interval, guaranteed by nothing.
    n_samples, n_features : int
        N and n.
    dtype : str
        Type of the features as given.
    """

    eps: float
    lower: int
    upper: int
    confidence: float
    guaranteed: bool
    certain_lower: int
    sample_lower: int
    sample_upper: int
    ridge: float
    leverage: float
    leverage_source: LeverageSource
    deviation_upper: float
    deviation_lower: float
    threshold_lower: float
    threshold_upper: float
    separating_samples: int | None
    plain: PlainInterval
    bootstrap: BootstrapInterval | None
    n_samples: int
    n_features: int
    dtype: str
    measure: str = "mean"
    route: str = "relative concentration"

    @property
    def status(self) -> str:
        """``"guaranteed"`` or ``"estimated, not guaranteed"``."""
        return "guaranteed" if self.guaranteed else "estimated, not guaranteed"

    def __str__(self) -> str:
        ends = self.ends if self.resolved else f"in {self.ends}"
        source = {"domain": "certified over the domain", "given": "as given", "data": "from data"}
        return (
            f"population ε-rank {ends} of {self.n_features} at ε = {self.eps:g} with probability "
            f"{self.confidence:g} ({self.status}: N = {self.n_samples}, leverage "
            f"{self.leverage:.4g} {source[self.leverage_source]}; at least {self.certain_lower} "
            f"whatever the leverage)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the result as plain data, with None for what is not finite.

        Returns
        -------
        dict
            One key per attribute, and ``status``.
        """
        entry: dict[str, Any] = {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in vars(self).items()
        }
        entry["plain"] = self.plain.to_json()
        entry["bootstrap"] = None if self.bootstrap is None else self.bootstrap.to_json()
        entry["status"] = self.status
        return entry
