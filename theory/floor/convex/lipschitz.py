"""L2: the floor that the ε-rank puts under the mean of a Lipschitz loss.

Let P project onto the span of p directions q_1 … q_p and ‖W‖_F ≤ B. Then P W = QC, and with a loss
that is L-Lipschitz in ‖·‖₂ and a measure of mass 1

    mean ℓ(φW, y) ≥ min_{‖C‖_F ≤ B} mean ℓ(φQC, y) − L ‖A(I − P)‖₂ B,

where ‖A(I − P)‖₂² = λ_{p+1} for eigenvectors. For computed directions the same holds with what is
evaluated here: C in a ball of B/σ_min(Q), and ‖A(I − P)‖₂² ≤ ‖G − QΛQᵀ‖₂ for every Λ.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import Features, as_coefficients, as_eps, as_features, as_norm
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.data.weighted import weighted_features
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import BiasName, refuse_unless_one, with_bias
from epsrank.theory.floor.convex.floor import convex_floor
from epsrank.theory.floor.convex.losses import ConvexLoss
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.floor.convex.problem import mean_shares, norm_ends
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, chunked_product, frobenius, gamma, upward
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.interval import RankInterval
from epsrank.theory.rank.routes.gram import eigenpairs, form_gram, symmetric_spectrum
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural

_U = UNIT_ROUNDOFF["float64"]


@dataclass(frozen=True, eq=False)
class LipschitzFloor(Shown):
    """mean ℓ(φW, y) ≥ restricted − L √tail B = floor for every ‖W‖_F ≤ B (L2).

    Attributes
    ----------
    eps : float
        ε.
    rank : RankInterval
        The ε-rank of the features (the constant included where the bias is a feature).
    directions : int
        p, the upper end of the rank.
    norm : float
        B.
    restricted : float
        Certified lower bound of min_C mean ℓ(φQC, y).
    tail : float
        Certified upper bound of ‖A(I − P)‖₂², λ_{p+1} up to rounding.
    lipschitz : float
        L.
    floor : float
        The floor, at least 0.
    loss_name, measure, dtype : str
        ℓ, ``"mean"``, and the type of the features.
    bias : {None, "feature", "fixed"}
        How an output bias entered.
    """

    eps: float
    rank: RankInterval
    directions: int
    norm: float
    restricted: float
    tail: float
    lipschitz: float
    floor: float
    loss_name: str
    measure: str
    dtype: str
    bias: str | None

    def __str__(self) -> str:
        return (
            f"floor {self.floor:.6g} of the {self.loss_name} at B = {self.norm:.6g}: "
            f"{self.restricted:.6g} with {plural(self.directions, 'direction')} "
            f"(ε = {self.eps:g}), less "
            f"{self.restricted - self.floor:.3g} for the others ({self.measure} measure, "
            f"{self.dtype})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data.

        Returns
        -------
        dict
            One entry per attribute; the rank as in `RankInterval.to_json`.
        """
        names = ("eps", "directions", "norm", "restricted", "tail", "lipschitz", "floor")
        labels = ("loss_name", "measure", "dtype", "bias")
        numbers = {name: getattr(self, name) for name in (*names, *labels)}
        return {**numbers, "rank": self.rank.to_json()}


def lipschitz_floor(
    features: Any,
    target: Any,
    *,
    eps: float,
    loss: str | ConvexLoss = "cross_entropy",
    norm: float | None = None,
    coefficients: Any = None,
    n_outputs: int | None = None,
    weights: Any = None,
    bias: BiasName | None = None,
    bias_value: Any = None,
    tolerance: float = 1e-3,
) -> LipschitzFloor:
    """Floor under the mean of a Lipschitz loss from the directions above ε (L2).

    It needs no more than p = r_ε directions of the features, and is below the bound of
    `convex_floor`, which knows all of them.

    Parameters
    ----------
    features, target, loss, norm, coefficients, n_outputs, weights, bias, bias_value, tolerance
        See `convex_floor`.
    eps : float
        ε > 0, in the mean measure.

    Returns
    -------
    LipschitzFloor
        The floor, certified, with its parts.

    Raises
    ------
    InputError
        If an argument cannot be used, the loss is not Lipschitz, or no eigenvalues can be computed.
    """
    law, threshold = as_convex_loss(loss), as_eps(eps)
    refuse_unless_one(norm, coefficients)
    checked = as_features(features)
    matrix = None if coefficients is None else as_coefficients(coefficients, checked.n_features)
    k = n_outputs if matrix is None else matrix.shape[1]
    goal = law.targets(target, checked.n_samples, k)
    mean = as_measure("mean", weights, checked.n_samples)
    slope = mean_slope(law, goal, mean)
    if bias not in (None, "feature", "fixed"):
        raise InputError("bias", f"is {bias!r}", "choose None, 'feature' or 'fixed'")
    if not math.isfinite(slope):
        raise InputError("loss", f"{law.name} is not Lipschitz", "ask loss_floor for its floor")
    if bias == "feature":
        # Before the directions are taken: the constant has its part in the ε-rank.
        empty = np.empty((0, goal.shape[1]))
        checked, _, matrix = with_bias(checked, empty, matrix, bias, bias_value)
        bias_value = None
    radius = as_norm(norm) if matrix is None else norm_ends(matrix)[1]
    rank = epsilon_rank(checked, threshold, measure=mean)
    head = {} if bias != "fixed" else {"bias": "fixed", "bias_value": bias_value}
    floors = RankFloors(law, checked, goal, mean, radius, slope, head, tolerance)
    found = floors.at(rank.upper)
    return LipschitzFloor(
        eps=threshold,
        rank=rank,
        directions=rank.upper,
        norm=radius,
        restricted=found.restricted,
        tail=found.tail,
        lipschitz=slope,
        floor=found.floor,
        loss_name=law.name,
        measure="mean",
        dtype=checked.dtype,
        bias=bias,
    )


def mean_slope(law: ConvexLoss, goal: Any, mean: Measure) -> float:
    """Return L of the mean that is taken: over what samples count, as by weights of classes."""
    return upward(law.lipschitz(goal) * float(mean_shares(mean, law, goal).sum()))


@dataclass(frozen=True)
class RankFloor:
    """What p directions leave of a loss."""

    #: Certified lower bound of R_p = min_C mean ℓ(φQC, y).
    restricted: float
    #: Certified upper bound of λ_{p+1}.
    tail: float
    #: L √tail B with the rounding of the directions.
    lost: float
    #: Bound on that rounding alone.
    rounding: float

    @property
    def floor(self) -> float:
        """(R_p − L √λ_{p+1} B)_+, rounded down."""
        return max(0.0, self.restricted - self.lost - 4 * _U * (self.restricted + self.lost))


@dataclass(frozen=True, eq=False)
class RankFloors:
    """The floors of L2 for any number of directions p; each is computed once."""

    #: ℓ, φ, y and the measure, whose mass is 1.
    law: ConvexLoss
    features: Features
    goal: Any
    mean: Measure
    #: B.
    radius: float
    #: L of the mean.
    slope: float
    #: Bias and offset, as `convex_floor` takes them: the proof of L2 does not touch them.
    head: Mapping[str, Any] = field(default_factory=dict)
    #: Relative gap at which the solver stops.
    tolerance: float = 1e-3
    _known: dict[int, RankFloor] = field(default_factory=dict, init=False)

    def at(self, p: int) -> RankFloor:
        """Return R_p and what is lost on the other directions."""
        if p not in self._known:
            part = _directions(self.features, self.mean, p)
            # PW = QC has ‖C‖_F ≤ B/σ_min(Q), and σ_min(Q)² ≥ 1 − ‖QᵀQ − I‖.
            inner = upward(self.radius / math.sqrt(1 - part.defect))
            restricted = convex_floor(
                part.features,
                self.goal,
                loss=self.law,
                norm=inner,
                weights=self.mean.weights,
                n_outputs=self.goal.shape[1],
                tolerance=self.tolerance,
                **self.head,
            ).reachable
            rounding = self.slope * part.rounding * inner
            lost = upward(self.slope * math.sqrt(part.tail) * self.radius + rounding)
            self._known[p] = RankFloor(restricted, part.tail, lost, upward(rounding))
        return self._known[p]

    def budget(self, loss: float, eps: float) -> int:
        """Return p_min: r_ε ≥ p_min for every head of norm B with at most this loss (F5, L2).

        With r_ε = p the loss is at least R_p − L√ε B, and R_p falls as p grows: what is proved out
        of reach with p directions is so with fewer.
        """
        lost = self.slope * math.sqrt(eps) * self.radius
        low, high = 0, self.features.n_features
        while low < high:
            middle = (low + high) // 2
            found = self.at(middle)
            if found.restricted > upward(loss + lost + found.rounding):
                low = middle + 1
            else:
                high = middle
        return low


@dataclass(frozen=True, eq=False)
class _Directions:
    """Ψ̃ ≈ ΦQ, ‖QᵀQ − I‖ ≤ defect, ‖ψ̃_i − φ_iQ‖ ≤ rounding, ‖A(I − P)‖₂² ≤ tail."""

    features: Array
    defect: float
    rounding: float
    tail: float


def _directions(features: Features, measure: Measure, count: int) -> _Directions:
    """Return the features along the leading eigenvectors, with what is left of them."""
    weighted = weighted_features(features, measure, rescale=False)
    with np.errstate(over="ignore", invalid="ignore"):
        product, formed = form_gram(weighted)
    scale = float(weighted.scale)
    gram = product * scale
    pairs = eigenpairs(gram) if np.isfinite(gram).all() else None
    if pairs is None:
        raise InputError("features", "have no Gram matrix in float64", "rescale them")
    values, vectors = pairs
    if count == 0:
        found, solved = symmetric_spectrum(gram)
        error = formed * scale + 4 * _U * frobenius(gram)
        tail = upward(float(np.abs(found).max()) + solved + error)
        return _Directions(np.zeros((features.n_samples, 1)), 0.0, 0.0, tail)
    kept = len(values) - count
    basis, leading = vectors[:, kept:], values[kept:]
    overlaps, g = chunked_product(basis.T, basis)
    overlaps[np.diag_indices_from(overlaps)] -= 1.0
    size = frobenius(basis)
    defect = upward(frobenius(overlaps) + (g + 2 * _U) * size**2)
    if defect >= 0.5:
        raise InputError("features", "have no orthonormal eigenvectors in float64", "rescale them")
    outer, g = chunked_product(basis * leading, basis.T)
    rest = gram - (outer + outer.T) / 2
    found, solved = symmetric_spectrum(rest)
    # The conversion of G by a rounded scale, the product QΛQᵀ, and the difference all round.
    error = formed * scale + (g + 4 * _U) * (frobenius(basis * leading) * size + frobenius(gram))
    tail = upward(float(np.abs(found).max()) + solved + error)
    rows = float(np.sqrt(np.einsum("ij,ij->i", features.values, features.values).max()))
    rounding = upward(gamma(features.n_features + 2) * rows * size * 1.01)
    return _Directions(features.values @ basis, defect, rounding, tail)
