"""A Gram matrix summed in floating point, together with a bound of its rounding error."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from epsrank.theory.data.measure import MeasureName
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, Square
from epsrank.theory.rank import epsilon_rank_from_gram
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.theory.floor.result import LossFloor


@dataclass(frozen=True, eq=False)
class AccumulatedGram:
    """G̃ ≈ G = Φᵀ diag(w) Φ / c with ‖G̃ − G‖₂ ≤ error, and the moments of a target."""

    #: G̃, symmetric.
    values: Square = field(repr=False)
    #: Bound of ‖G̃ − G‖₂: accumulation, normalisation and symmetrisation included (C2).
    error: float
    #: Φᵀ diag(w) u* / c as computed; None without outputs.
    moments: Matrix | None = field(repr=False)
    #: Bound of the Frobenius norm of their error; 0 without outputs.
    moments_error: float
    #: Σ w‖u*‖² / c as computed; 0 without outputs.
    target_norm_squared: float
    #: Bound of its error.
    target_error: float
    #: Σ w as computed (N for unit weights).
    mass: float
    #: Measure, and dtype of the batches (``"mixed"`` if there were several).
    measure: MeasureName
    dtype: str
    #: N.
    n_samples: int

    def __str__(self) -> str:
        n = self.values.shape[0]
        return (
            f"Gram matrix {n} × {n} of {plural(self.n_samples, 'sample')} ({self.measure} measure, "
            f"{self.dtype} features, float64 sums, error ≤ {self.error:.1e})"
        )

    def rank(self, eps: float, *, relative: bool = False) -> RankInterval:
        """ε-rank of G, certified against the rounding of the sums (M7)."""
        return epsilon_rank_from_gram(
            self.values,
            eps,
            gram_error=self.error,
            n_samples=self.n_samples,
            measure=self.measure,
            dtype=self.dtype,
            relative=relative,
        )

    def loss_floor(
        self,
        *,
        eps: float,
        norm: float | None = None,
        coefficients: Any = None,
        losses: Iterable[float] | None = None,
    ) -> LossFloor:
        """Loss ≥ V(‖β‖) ≥ envelope ≥ floor of the accumulated target (F1–F6)."""
        if self.moments is None:
            raise InputError("target", "was not accumulated", "set n_outputs and pass targets")
        # Loaded by who asks for a floor: sums of ranks do without.
        from epsrank.theory.floor.loss_floor import loss_floor_from_moments

        return loss_floor_from_moments(
            self.values,
            self.moments,
            self.target_norm_squared,
            eps=eps,
            norm=norm,
            coefficients=coefficients,
            gram_error=self.error,
            cross_error=self.moments_error,
            target_error=self.target_error,
            accumulated_in=None,
            n_samples=self.n_samples,
            measure=self.measure,
            dtype=self.dtype,
            losses=losses,
        )

    def to_json(self) -> dict[str, Any]:
        """Return the matrix and its bounds as plain data."""
        return {
            "values": self.values.tolist(),
            "error": self.error,
            "moments": None if self.moments is None else self.moments.tolist(),
            "moments_error": self.moments_error,
            "target_norm_squared": self.target_norm_squared,
            "target_error": self.target_error,
            "mass": self.mass,
            "measure": self.measure,
            "dtype": self.dtype,
            "n_samples": self.n_samples,
        }
