"""The chosen neurons as a result: which, with which coefficients, and how far from the network."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural


@dataclass(frozen=True, eq=False)
class NeuronSelection(Shown):
    """p neurons S of n with ‖u − φ_S·C‖ ≤ error, certified, and ≤ √((1+f²p(n−p))λ_{p+1})‖W‖ (N1).

    All errors are norms in the measure (roots of squared errors).

    Attributes
    ----------
    neurons : ndarray of intp, shape (p,)
        S, ascending, counted from 0.
    n_features : int
        n.
    method : {"minors", "exchange", "closest"}
        Maximal minor by exhaustion, strong rank-revealing QR, or the closest span by exhaustion.
    growth : float
        t = max|V₁₂V₂₂⁻¹|, as computed: at most 1 for a maximal minor, at most f for the exchange.
    transfer : ndarray of float64, shape (p, n − p)
        K: for *every* output layer W, C = W_S − K W_T is within `constant`·‖W_T‖_F of it.
    constant : float
        √(1 + t²p(n−p)) σ_{p+1}, certified: all roundings included.
    coefficients : ndarray of float64, shape (p, k), or None
        C for the W given.
    route : {"transfer", "least-squares"} or None
        Which C it is: the one of the theorem, or the projection; the one with the smaller error.
    error : float or None
        Certified upper bound of ‖u − φ_S·C‖ for the stored C.
    rounding : float or None
        Part of `error` that only covers rounding; 0 where the error was computed in integers.
    norm : float or None
        ‖W‖_F.
    bound : float or None
        `constant`·‖W‖_F: what N1 promises for this selection, certified.
    ours, draft : float or None
        √((1+p(n−p))λ_{p+1})‖W‖ and the draft's √((p+1)(n−p)Σ_{k>p}λ_k)‖W‖, to rounding.
    measure, dtype : str
        Measure of the norms, and type of the features as given.
    """

    neurons: NDArray[np.intp]
    n_features: int
    method: str
    growth: float
    transfer: Matrix = field(repr=False)
    constant: float
    coefficients: Matrix | None = field(repr=False)
    route: str | None
    error: float | None
    rounding: float | None
    norm: float | None
    bound: float | None
    ours: float | None
    draft: float | None
    measure: str
    dtype: str

    @property
    def p(self) -> int:
        """Number of neurons kept."""
        return len(self.neurons)

    @property
    def left_out(self) -> NDArray[np.intp]:
        """The n − p neurons left out, ascending."""
        return np.setdiff1d(np.arange(self.n_features, dtype=np.intp), self.neurons)

    def __str__(self) -> str:
        head = (
            f"{self.p} of {plural(self.n_features, 'neuron')} "
            f"({self.method}, t = {self.growth:.3g})"
        )
        if self.error is None:
            return f"{head}: ‖u − u_p‖ ≤ {self.constant:.4g}·‖W‖ ({self.measure} measure)"
        return (
            f"{head}: ‖u − u_p‖ ≤ {self.error:.4g} certified; N1 bounds it by {self.ours:.4g}, "
            f"the draft by {self.draft:.4g} ({self.measure} measure, {self.dtype})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the selection as plain data.

        Returns
        -------
        dict
            One key per attribute; ``transfer`` is left out.
        """
        return {
            "measure": self.measure,
            "dtype": self.dtype,
            "n_features": self.n_features,
            "neurons": self.neurons.tolist(),
            "method": self.method,
            "growth": self.growth,
            "constant": self.constant,
            "coefficients": None if self.coefficients is None else self.coefficients.tolist(),
            "route": self.route,
            "error": self.error,
            "rounding": self.rounding,
            "norm": self.norm,
            "bound": self.bound,
            "ours": self.ours,
            "draft": self.draft,
        }
