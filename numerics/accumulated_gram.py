"""A Gram matrix summed in floating point, together with a bound of its rounding error."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from theory.inputs import Array


@dataclass(frozen=True, eq=False)
class AccumulatedGram:
    """G̃ ≈ G = Φᵀ diag(w) Φ / c with ‖G̃ − G‖₂ ≤ error, and the moments of a target.

    Attributes
    ----------
    values : ndarray of float64, shape (n, n)
        G̃, symmetric.
    error : float
        Bound of ‖G̃ − G‖₂: accumulation, normalisation and symmetrisation included (C2).
    moments : ndarray of float64, shape (n, k), or None
        Φᵀ diag(w) u* / c as computed; None without outputs.
    moments_error : float
        Bound of the Frobenius norm of their error; 0 without outputs.
    target_norm_squared : float
        Σ w‖u*‖² / c as computed; 0 without outputs.
    target_error : float
        Bound of its error.
    mass : float
        Σ w as computed (N for unit weights).
    measure, dtype : str
        Measure, and dtype of the batches (``"mixed"`` if there were several).
    n_samples : int
        N.
    """

    values: Array = field(repr=False)
    error: float
    moments: Array | None = field(repr=False)
    moments_error: float
    target_norm_squared: float
    target_error: float
    mass: float
    measure: str
    dtype: str
    n_samples: int

    def __str__(self) -> str:
        n = self.values.shape[0]
        return (
            f"Gram matrix {n} × {n} of {self.n_samples} samples ({self.measure} measure, "
            f"{self.dtype} features, float64 sums, error ≤ {self.error:.1e})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the matrix and its bounds as plain data.

        Returns
        -------
        dict
            One key per attribute.
        """
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
