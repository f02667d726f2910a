"""The chain floor ≤ envelope ≤ V(‖β‖) ≤ loss, decided by enclosures on one instance (F2, F3)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from epsrank.theory.data.inputs import as_coefficients, as_eps, as_features, as_target
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.certified.ball_spectrum import ball_spectrum
from epsrank.theory.floor.certified.chain import Verdict, decide_chain
from epsrank.theory.floor.certified.exact_data import exact_data, norm_squared
from epsrank.theory.numbers.interval import Interval, json_float, nearest, point
from epsrank.theory.rank.bounds import rank_text
from epsrank.theory.words import plural

#: Overlaps up to this fraction of ‖u*‖² are what an equality looks like, not a failure.
TOLERANCE = Fraction(1, 10**30)

# Bits: the precision doubles up to here until every inequality is decided.
_MAX_PRECISION = 4096


@dataclass(frozen=True, eq=False)
class ChainCertificate:
    """Certified  (d_r − √ε B)₊² ≤ max_p floor_p² ≤ V(B) ≤ ‖φ·β − u*‖²  with B = ‖β‖.

    Every number is an enclosure with exact rational ends, or exact. All of them are squared norms
    in the stated measure, except the spectrum.
    """

    #: ‖φW − u*‖², exactly.
    loss: Fraction
    #: B² = ‖W‖_F², exactly.
    norm_squared: Fraction
    #: ‖u*‖², exactly.
    target_norm_squared: Fraction
    #: λ_1 ≥ … ≥ λ_n.
    spectrum: tuple[Interval, ...] = field(repr=False)
    #: d_p² for p = 0…n.
    distances_squared: tuple[Interval, ...] = field(repr=False)
    #: Whether Ψ_p is proved to be unique; where it is not, d_p and floor_p belong to one choice.
    separated: tuple[bool, ...] = field(repr=False)
    #: floor_p² = (d_p − √λ_{p+1} B)₊².
    floors: tuple[Interval, ...] = field(repr=False)
    #: max_p floor_p².
    envelope: Interval
    #: The p of the largest lower end.
    envelope_at: int
    #: (d_r − √ε B)₊² at r = r_ε, over all r in the rank interval.
    floor: Interval
    #: V(B).
    reachable: Interval
    #: The μ of the dual lower bound of V(B).
    multiplier: Fraction
    #: r_ε lies between them.
    rank_lower: int
    rank_upper: int
    #: The inequalities of the chain, in order, and floor ≤ loss.
    verdicts: tuple[Verdict, ...]
    #: Empty, or why something stayed unresolved.
    reason: str
    #: ε.
    eps: float
    #: Measure of all numbers and type of the features as given.
    measure: str
    dtype: str
    #: N, n, k.
    n_samples: int
    n_features: int
    n_outputs: int
    #: Bits of the ball arithmetic that decided.
    precision: int

    @property
    def holds(self) -> bool:
        """Whether every inequality of the chain was proved (up to the stated slack)."""
        return all(verdict.holds for verdict in self.verdicts)

    @property
    def violated(self) -> tuple[Verdict, ...]:
        """The inequalities that were disproved; never any, if the arithmetic is right."""
        return tuple(verdict for verdict in self.verdicts if verdict.state == "violated")

    def __str__(self) -> str:
        rank = rank_text(self.rank_lower, self.rank_upper)
        state = "certified" if self.holds else "NOT certified"
        return (
            f"floor² {float(self.floor):.6g} ≤ envelope² {float(self.envelope):.6g} ≤ V(B) "
            f"{float(self.reachable):.6g} ≤ loss {nearest(self.loss):.6g}: {state} (ε = "
            f"{self.eps:g}, r_ε = {rank} of {self.n_features}, B = "
            f"{nearest(self.norm_squared) ** 0.5:.6g}, {self.measure} measure, {self.dtype}, "
            f"balls of {plural(self.precision, 'bit')})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the certificate as plain data, with floats rounded outward."""
        return {
            "measure": self.measure,
            "dtype": self.dtype,
            "eps": self.eps,
            "n_samples": self.n_samples,
            "n_features": self.n_features,
            "n_outputs": self.n_outputs,
            "precision": self.precision,
            "rank": {"lower": self.rank_lower, "upper": self.rank_upper},
            "loss": Interval(self.loss, self.loss).to_json(),
            "coefficient_norm_squared": json_float(self.norm_squared, +1),
            "target_norm_squared": json_float(self.target_norm_squared, +1),
            "reachable": self.reachable.to_json(),
            "multiplier": json_float(self.multiplier, +1),
            "envelope": self.envelope.to_json(),
            "envelope_at": self.envelope_at,
            "floor": self.floor.to_json(),
            "floors": [interval.to_json() for interval in self.floors],
            "distances_squared": [interval.to_json() for interval in self.distances_squared],
            "separated": list(self.separated),
            "spectrum": [interval.to_json() for interval in self.spectrum],
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "holds": self.holds,
            "reason": self.reason,
        }


def certify_chain(
    features: Any,
    target: Any,
    coefficients: Any,
    eps: float,
    *,
    weights: Any = None,
    measure: str | Measure = "mean",
    precision: int = 256,
    max_precision: int = _MAX_PRECISION,
    tolerance: Fraction = TOLERANCE,
) -> ChainCertificate:
    """Prove or disprove  floor ≤ envelope ≤ V(‖β‖) ≤ loss  for one network (F2, F3).

    The floats are taken as the dyadic rationals that they are: G, b, ‖u*‖², ‖β‖² and the loss are
    exact. The eigenbasis is refined in high precision and verified by balls; V(B) is enclosed by
    weak duality from below and by a feasible vector from above; no inequality is assumed. The
    precision doubles until every inequality is decided.
    """
    checked = as_features(features)
    goal = as_target(target, checked.n_samples)
    beta = as_coefficients(coefficients, checked.n_features)
    if beta.shape[1] != goal.shape[1]:
        raise InputError(
            "coefficients",
            f"have {plural(beta.shape[1], 'output')}, but the target has {goal.shape[1]}",
            "pass one column per output",
        )
    threshold = as_eps(eps)
    if precision < 64 or max_precision < precision:
        raise InputError(
            "precision", f"is {precision} of at most {max_precision}", "pass 64 bits or more"
        )
    checked_measure = as_measure(measure, weights, checked.n_samples)
    data = exact_data(checked, goal, checked_measure)
    loss, budget = data.loss(beta), norm_squared(beta)
    while True:
        found = decide_chain(
            data, ball_spectrum(data, precision), threshold, point(loss), budget, tolerance
        )
        if not found["reason"] or 2 * precision > max_precision:
            break
        # All tries together then cost about twice the last one.
        precision *= 2
    return ChainCertificate(
        **found,
        loss=loss,
        norm_squared=budget,
        target_norm_squared=data.target_norm_squared,
        eps=threshold,
        measure=checked_measure.name,
        dtype=checked.dtype,
        n_samples=checked.n_samples,
        n_features=checked.n_features,
        n_outputs=int(goal.shape[1]),
    )
