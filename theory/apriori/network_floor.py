"""N2 for one network on the line: what its ε-rank alone forbids, before its features are seen."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np

from epsrank.theory.apriori.segments import SegmentedDistances, relu_distances
from epsrank.theory.data.inputs import as_coefficients, as_features, as_norm
from epsrank.theory.data.measure import as_measure
from epsrank.theory.floor.arguments import refuse_unless_one
from epsrank.theory.numbers.arrays import Vector
from epsrank.theory.numbers.rounding import upward
from epsrank.theory.numbers.scaled import frobenius, norm_error, times_power_of_two
from epsrank.theory.selection.basis import NeuronBasis, neuron_basis
from epsrank.theory.selection.constants import selection_factor
from epsrank.theory.shown import Shown


@dataclass(frozen=True, eq=False)
class AprioriFloor(Shown):
    """‖u − u*‖ ≥ (E_p − √((1 + p(n−p)) λ_{p+1}) ‖β‖)_+ for every p, certified (N2, N3).

    Attributes
    ----------
    floors : ndarray of float64, shape (n + 1,)
        Certified lower bounds of ‖u − u*‖, one per p, rounding included.
    reaches : ndarray of float64, shape (n + 1,)
        √((1 + p(n−p)) λ_{p+1}) ‖β‖, rounded up; 0 at p = n, except for the rounding of features.
    distances : SegmentedDistances
        Bounds of E_p.
    norm : float
        ‖W‖_F, or the bound on it.
    n_features : int
        n.
    measure : str
        Measure of the norms.
    """

    floors: Vector = field(repr=False)
    reaches: Vector = field(repr=False)
    distances: SegmentedDistances
    norm: float
    n_features: int
    measure: str

    @property
    def best(self) -> float:
        """max_p of the floors."""
        return float(np.max(self.floors))

    @property
    def at(self) -> int:
        """The p of the largest floor."""
        return int(np.argmax(self.floors))

    def __str__(self) -> str:
        return (
            f"‖u − u*‖ ≥ {self.best:.4g} by E_p and λ_{{p+1}} (p = {self.at} of {self.n_features}, "
            f"‖W‖ = {self.norm:.4g}, {self.measure} measure)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the floors as plain data.

        Returns
        -------
        dict
            Keys ``measure``, ``n_features``, ``norm``, ``best``, ``at``, ``floors``, ``reaches``,
            ``distances``.
        """
        return {
            "measure": self.measure,
            "n_features": self.n_features,
            "norm": self.norm,
            "best": self.best,
            "at": self.at,
            "floors": self.floors.tolist(),
            "reaches": self.reaches.tolist(),
            "distances": self.distances.to_json(),
        }


def apriori_floor(
    features: Any,
    points: Any,
    target: Any,
    *,
    norm: float | None = None,
    coefficients: Any = None,
    neurons: int | None = None,
    weights: Any = None,
    measure: Any = "mean",
    feature_error: float = 0.0,
) -> AprioriFloor:
    """Bound ‖u − u*‖ from below by the eigenvalues and E_p alone, for ReLU features on the line.

    The features must be φ_j(x) = relu(a_j x + b_j) of one real x: E_p bounds the distance from u*
    to such networks only. An output bias does no harm, since E_p allows for one.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ.
    points : array_like, shape (N,)
        x.
    target : array_like, shape (N,) or (N, k)
        u*.
    norm : float, optional
        Bound B on ‖W‖_F. Exactly one of `norm` and `coefficients` is needed.
    coefficients : array_like or tensor, shape (n,) or (n, k), optional
        W, without the output bias.
    neurons : int, optional
        Largest p for which E_p is computed; n by default, at most.
    weights : array_like, shape (N,), optional
        Sample weights.
    measure : {"mean", "raw", "volume"}
        Normalisation of the weights.
    feature_error : float
        Δ ≥ ‖φ̂ − φ‖_F in the measure, where the features given are computed ones: then σ_{p+1} grows
        by Δ, and ‖û − u*‖ may be below ‖u − u*‖ by Δ‖W‖.

    Returns
    -------
    AprioriFloor
        Certified floors for p = 0…n.

    Raises
    ------
    InputError
        If an argument cannot be used.
    """
    refuse_unless_one(norm, coefficients)
    checked = as_features(features)
    n = checked.n_features
    law = as_measure(measure, weights, checked.n_samples)
    if coefficients is not None:
        head = as_coefficients(coefficients, n)
        size = upward(frobenius(head) * (1 + norm_error(head.size)))
    else:
        size = as_norm(norm)
    basis = neuron_basis(checked, law)
    most = n if neurons is None else min(neurons, n)
    distances = relu_distances(points, target, most, measure=law)
    slack = as_norm(feature_error, name="feature_error")
    reaches = np.zeros(n + 1)
    floors = np.zeros(n + 1)
    for p in range(n + 1):
        if size:  # else 0 · ∞ where a reach has no bound
            reaches[p] = _reach(basis, p, slack) * upward(size)
        if np.isfinite(reaches[p]):
            floors[p] = _difference(distances.at(p), float(reaches[p]))
    return AprioriFloor(
        floors=floors,
        reaches=reaches,
        distances=distances,
        norm=size,
        n_features=n,
        measure=law.name,
    )


def _reach(basis: NeuronBasis, p: int, slack: float) -> float:
    """Return √(1 + p(n−p)) (σ_{p+1} + Δ) + Δ, rounded up."""
    n = basis.n_features
    if p == n:
        return slack
    above = upward(float(basis.sigma[p]) + basis.error)
    root = times_power_of_two(above, basis.problem.feature_exponent)
    return upward(upward(selection_factor(n, p) ** 0.5) * upward(root + slack) + slack)


def _difference(distance: float, reach: float) -> float:
    """Return (E − reach)_+, rounded down."""
    exact = Fraction(distance) - Fraction(reach)
    near = distance - reach
    return max(0.0, near if Fraction(near) <= exact else float(np.nextafter(near, -np.inf)))
