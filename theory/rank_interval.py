"""The ε-rank as a result: an interval with its reasons, one number only when both ends agree."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

from epsrank.theory.errors import InputError
from epsrank.theory.inputs import Array
from epsrank.theory.spectrum_source import SpectrumSource


@dataclass(frozen=True, eq=False)
class RankInterval:
    """Certified enclosure  lower ≤ r_ε(G) ≤ upper  of r_ε(G) = #{k : λ_k(G) > ε}  (D1).

    Attributes
    ----------
    eps : float
        Threshold as given; relative to λ_1 when `relative`.
    lower, upper : int
        The ε-rank of the numbers given lies between them, ends included.
    route : str
        What decided: ``"gram"``, ``"projection"``, ``"svd"``, ``"exact"``, ``"ball"``,
        ``"spectrum"``, and where only a count was asked for also ``"samples"`` and
        ``"gram-float32"``; joined by ``+`` where several routes contributed.
    reason : str
        One sentence: why the ends agree, or why they do not.
    noise_floor : float
        Rounding bound ‖G̃ − G‖₂ of the float64 Gram matrix, in the units of λ: below it the Gram
        route alone resolves no ε (C2).
    measure : str
        ``"mean"``, ``"raw"`` or ``"volume"``.
    dtype : str
        Type of the features as given.
    n_samples, n_features : int
        N and n (N is 0 where only a Gram matrix or a spectrum was given).
    relative : bool
        Whether the threshold is ε·λ_1.
    source : SpectrumSource or None
        What `spectrum`, `spectrum_error` and `storage` are computed from when asked for; None where
        only a count was asked for, and they raise an `InputError`.
    """

    eps: float
    lower: int
    upper: int
    route: str
    reason: str
    noise_floor: float
    measure: str
    dtype: str
    n_samples: int
    n_features: int
    relative: bool = False
    source: SpectrumSource | None = field(kw_only=True, repr=False)

    @property
    def spectrum(self) -> Array:
        """λ_1 ≥ … ≥ λ_n in the measure, float64 of shape (n,), as computed on first use."""
        return self._known_source().values

    @property
    def spectrum_error(self) -> float:
        """|computed λ_k − λ_k| ≤ spectrum_error for every k, rounding included."""
        return self._known_source().error

    @property
    def storage(self) -> tuple[int, int]:
        """Interval of the ε-rank over *every* real matrix that rounds to the features given (C2).

        `lower` and `upper` speak of the stored numbers. Where this interval is wider, a float32 (or
        bfloat16) copy of the features cannot say what rank they had before they were rounded.
        """
        return self._known_source().storage(self.eps, self.relative, (self.lower, self.upper))

    def _known_source(self) -> SpectrumSource:
        if self.source is None:
            raise InputError(
                "counts_only", "left no spectrum", "ask again without counts_only=True"
            )
        return self.source

    @property
    def resolved(self) -> bool:
        """Whether both ends agree, so that the ε-rank is one number."""
        return self.lower == self.upper

    def __int__(self) -> int:
        if not self.resolved:
            raise ValueError(
                f"the {self.eps:g}-rank is only known to lie in [{self.lower}, {self.upper}]: "
                f"{self.reason}; use .lower and .upper, or ask with exact=True"
            )
        return self.lower

    def __contains__(self, rank: object) -> bool:
        return isinstance(rank, int) and self.lower <= rank <= self.upper

    def __str__(self) -> str:
        rank = f"{self.lower}" if self.resolved else f"[{self.lower}, {self.upper}]"
        eps = f"{self.eps:g}·λ₁" if self.relative else f"{self.eps:g}"
        return (
            f"ε-rank {rank} of {self.n_features} at ε = {eps} ({self.measure} measure, "
            f"{self.dtype}, route {self.route}, float64 Gram noise floor {self.noise_floor:.1e})"
        )

    def _repr_html_(self) -> str:
        return (
            f"<span title='{html.escape(self.reason, quote=True)}'>{html.escape(str(self))}</span>"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``"ranks"`` in the contract of ``epsrank rank --json``.

        Returns
        -------
        dict
            Keys ``eps``, ``lower``, ``upper``, ``route``, ``reason``, ``relative``, ``storage``
            (None where only a count was asked for).
        """
        return {
            "eps": self.eps,
            "lower": self.lower,
            "upper": self.upper,
            "route": self.route,
            "reason": self.reason,
            "relative": self.relative,
            "storage": None if self.source is None else list(self.storage),
        }
