"""The floor of a loss as a result: loss ≥ V(‖β‖) ≥ envelope ≥ floor, and its reading."""

from __future__ import annotations

import html
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.floor.decomposed.bounds import RankBudget
from epsrank.theory.floor.reading import Reading, ReadingName
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.shown import ordered
from epsrank.theory.strict_json import nulled


@dataclass(frozen=True, eq=False)
class LossFloor:
    """The chain  floor ≤ envelope ≤ V(B) ≤ loss  of F2 and F3 for fixed features.

    `loss`, `reachable`, `envelope`, `floor` and `floors` are squared norms in the measure; the
    fields ending in ``_norm`` are their roots, on which `tolerance` is a derived rounding bound.

    Attributes
    ----------
    eps : float
        ε.
    rank : RankInterval
        The ε-rank of the features.
    coefficient_norm : float
        B = ‖W‖_F (the bias included where it is a feature), or the norm asked about; may be ∞.
    loss_norm : float or None
        √loss = ‖φ·W − u*‖; None where only a norm was given.
    reachable_norm : float
        √V(B): the least possible ‖φ·W − u*‖ with ‖W‖_F ≤ B (F3).
    unbounded_norm : float
        √V(∞) = d_n, as far as float64 resolves the span of the features: directions with σ_k below
        rounding do not count, so the true d_n may be smaller (`loss_floor` with norm=inf has the
        tolerance that belongs to it; it bounds d_n from above to within the tolerance at ‖W(∞)‖).
    envelope_norm : float
        max_p (d_p − √λ_{p+1} B)_+ (F2).
    floor_norm : float
        (d_p − √ε B)_+ at p = rank.upper (F2).
    multiplier : float
        μ of the secular equation; 0 where a larger norm would not help.
    distances : ndarray of float64, shape (n + 1,)
        d_p = dist(u*, Ψ_p), p = 0…n. Where λ_p and λ_{p+1} agree to rounding, Ψ_p is one choice
        among many; every floor holds for any choice.
    floor_norms : ndarray of float64, shape (n + 1,)
        (d_p − √λ_{p+1} B)_+, p = 0…n.
    spectrum : ndarray of float64, shape (n,)
        λ_1 ≥ … ≥ λ_n as computed from singular values of A.
    rank_budget : tuple of RankBudget
        Least ε-rank per loss (F5).
    verdict : Reading
        The reading of the plateau with its numbers (F6). Its bias is free wherever the head has
        one, whatever `bias` says of the floors, so that it is the same from every entry.
    tolerance : float
        Rounding bound on every inequality of the chain between norms: F·B + T.
    evaluation_tolerance : float
        The smaller bound T between numbers of one decomposition (envelope, V(B), V(∞)).
    bias : {None, "feature", "fixed"}
        How an output bias entered.
    measure, dtype, route : str
        Measure of all norms, dtype of the features as given, ``"svd"`` or ``"moments"``.
    n_samples, n_features, n_outputs : int
        N, n (with the constant feature, if any) and k.
    """

    eps: float
    rank: RankInterval
    coefficient_norm: float
    loss_norm: float | None
    reachable_norm: float
    unbounded_norm: float
    envelope_norm: float
    floor_norm: float
    multiplier: float
    distances: Vector = field(repr=False)
    floor_norms: Vector = field(repr=False)
    spectrum: Vector = field(repr=False)
    rank_budget: tuple[RankBudget, ...]
    verdict: Reading
    tolerance: float
    evaluation_tolerance: float
    bias: str | None
    measure: str
    dtype: str
    route: str
    n_samples: int
    n_features: int
    n_outputs: int

    @property
    def loss(self) -> float | None:
        """‖φ·W − u*‖², None where only a norm was given."""
        return None if self.loss_norm is None else self.loss_norm * self.loss_norm

    @property
    def reachable(self) -> float:
        """V(B)."""
        return self.reachable_norm * self.reachable_norm

    @property
    def reachable_unbounded(self) -> float:
        """V(∞) = d_n², as far as float64 resolves the span of the features."""
        return self.unbounded_norm * self.unbounded_norm

    @property
    def envelope(self) -> float:
        """max_p floor_p²."""
        return self.envelope_norm * self.envelope_norm

    @property
    def floor(self) -> float:
        """(d_p − √ε B)_+² at p = rank.upper."""
        return self.floor_norm * self.floor_norm

    @property
    def floors(self) -> Array:
        """floor_p² for p = 0…n, shape (n + 1,)."""
        with np.errstate(over="ignore", under="ignore"):
            return np.square(self.floor_norms)

    @property
    def reading(self) -> ReadingName:
        """The word of the reading (F6), such as 'norm-limited'."""
        return self.verdict.name

    @property
    def ratio(self) -> float | None:
        """loss/V(B) of the reading, None without a loss."""
        return self.verdict.ratio

    @property
    def half_ratio(self) -> float | None:
        """B½/B of the reading: how many times larger a head has to be to halve the loss."""
        return self.verdict.half_ratio

    def __str__(self) -> str:
        chain = [("V(B)", self.reachable), ("envelope", self.envelope), ("floor", self.floor)]
        if self.loss is not None:
            chain.insert(0, ("loss", self.loss))
        return (
            f"{ordered(chain)} at B = {self.coefficient_norm:.4g}, ε = {self.eps:g}, "
            f"ε-rank {self.rank.ends} of {self.n_features} "
            f"({self.measure} measure, {self.dtype}); "
            f"{self.verdict}"
        )

    def _repr_html_(self) -> str:
        rows = [
            ("loss", "not given" if self.loss is None else f"{self.loss:.6g}"),
            (f"reachable V({self.coefficient_norm:.4g})", f"{self.reachable:.6g}"),
            ("reachable V(∞)", f"{self.reachable_unbounded:.6g}"),
            ("envelope max_p", f"{self.envelope:.6g}"),
            (f"floor at ε = {self.eps:g}", f"{self.floor:.6g}"),
            ("ε-rank", f"{self.rank.ends} of {self.n_features}"),
            ("reading", str(self.verdict)),
            ("rounding bound on norms", f"{self.tolerance:.1e}"),
        ]
        body = "".join(
            f"<tr><th>{html.escape(name)}</th><td>{html.escape(text)}</td></tr>"
            for name, text in rows
        )
        caption = f"squared norms, {self.measure} measure, {self.dtype}, {self.route}"
        return f"<table><caption>{html.escape(caption)}</caption>{body}</table>"

    def to_json(self) -> dict[str, Any]:
        """Return the object that ``epsrank floor --json`` prints; null stands for ∞.

        Returns
        -------
        dict
            Keys ``measure``, ``eps``, ``rank``, ``coefficient_norm``, ``loss``, ``reachable``,
            ``envelope``, ``floor``, ``rank_budget``, ``reading``, and ``reason``, ``tolerance``,
            ``reachable_unbounded``, ``bias``, ``dtype``, ``route``, ``n_samples``, ``n_features``,
            ``n_outputs``, and the numbers of the reading, as in `Reading.to_json`.
        """
        return {
            "measure": self.measure,
            "eps": self.eps,
            "rank": {"lower": self.rank.lower, "upper": self.rank.upper},
            "coefficient_norm": nulled(self.coefficient_norm),
            "loss": None if self.loss is None else nulled(self.loss),
            "reachable": nulled(self.reachable),
            "envelope": nulled(self.envelope),
            "floor": nulled(self.floor),
            "rank_budget": [entry.to_json() for entry in self.rank_budget],
            **self.verdict.to_json(),
            "tolerance": nulled(self.tolerance),
            "reachable_unbounded": nulled(self.reachable_unbounded),
            "bias": self.bias,
            "dtype": self.dtype,
            "route": self.route,
            "n_samples": self.n_samples,
            "n_features": self.n_features,
            "n_outputs": self.n_outputs,
        }
