"""What is certified about a network on an interval: its ε-rank and its floor in L²(Ω)."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from epsrank.theory.floor.certified.chain import Verdict
from epsrank.theory.numbers.interval import Interval, json_float, nearest
from epsrank.theory.rank.bounds import CertifiedRank
from epsrank.theory.shown import Explained, Shown
from epsrank.theory.words import plural


@dataclass(frozen=True, eq=False)
class Quadrature:
    """How the integrals were enclosed."""

    #: Pieces of Ω and Gauss–Legendre nodes in all.
    pieces: int
    nodes: int
    #: Bound of the sum of the quadrature remainders of any entry of G.
    remainder: float
    #: Precision of the enclosures.
    bits: int

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data."""
        return dict(vars(self))


@dataclass(frozen=True, eq=False)
class ContinuousRank(Explained, CertifiedRank):
    """lower ≤ r_ε(G) ≤ upper for G = ∫_Ω φφᵀ dμ: a theorem about the network, with no grid in it.

    Attributes
    ----------
    eps : float
        ε.
    lower, upper : int
        The ε-rank lies between them, ends included.
    domain : tuple of (float, float)
        Ω.
    measure : {"volume", "mean"}
        dμ = dx, or dx/|Ω|: the ε-rank under ``mean`` at ε is the one under ``volume`` at ε·|Ω|.
    spectrum : tuple of Interval, length n
        λ_1 ≥ … ≥ λ_n.
    quadrature : Quadrature
        How.
    reason : str
        Why the ends agree, or why not.
    activation : str
        Name of σ.
    """

    eps: float
    lower: int
    upper: int
    domain: tuple[float, float]
    measure: str
    spectrum: tuple[Interval, ...] = field(repr=False)
    quadrature: Quadrature
    reason: str
    activation: str
    dtype: str = "float64"
    route: str = "gauss-legendre, ball"

    @property
    def n_features(self) -> int:
        """Number of functions n."""
        return len(self.spectrum)

    def __str__(self) -> str:
        return (
            f"ε-rank {self.ends} of {self.n_features} at ε = {self.eps:g} over "
            f"{_ends(self.domain)} ({self.measure} measure, {self.activation}, "
            f"{plural(self.quadrature.nodes, 'node')} on "
            f"{plural(self.quadrature.pieces, 'piece')}, "
            f"remainder ≤ {self.quadrature.remainder:.1e})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the rank as plain data, without the spectrum.

        Returns
        -------
        dict
            Keys ``eps``, ``lower``, ``upper``, ``measure``, ``domain``, ``route``, ``reason``,
            ``quadrature``.
        """
        return {
            "eps": self.eps,
            "lower": self.lower,
            "upper": self.upper,
            "measure": self.measure,
            "domain": list(self.domain),
            "route": self.route,
            "reason": self.reason,
            "quadrature": self.quadrature.to_json(),
        }


@dataclass(frozen=True, eq=False)
class ContinuousFloor(Shown):
    """Certified  (d_r − √ε B)₊² ≤ max_p floor_p² ≤ V(B) ≤ ‖φ·β − u*‖²  in L²(Ω), B = ‖β‖ (F2, F3).

    Attributes
    ----------
    loss, reachable, envelope, floor : Interval
        ‖φβ − u*‖², V(B), max_p floor_p² and the floor at r = r_ε.
    norm_squared : Fraction
        B², exactly.
    target_norm_squared : Interval
        ‖u*‖².
    rank : ContinuousRank
        r_ε of the features that carry β.
    distances_squared : tuple of Interval, length n + 1
        d_p².
    floors : tuple of Interval, length n + 1
        floor_p².
    verdicts : tuple of Verdict
        The inequalities of the chain.
    target : str
        u* as a formula.
    bias : {"feature", "fixed", "none"}
        What became of the output bias.
    reason : str
        Empty, or what stayed open.
    """

    loss: Interval
    reachable: Interval
    envelope: Interval
    floor: Interval
    norm_squared: Fraction
    target_norm_squared: Interval
    rank: ContinuousRank
    distances_squared: tuple[Interval, ...] = field(repr=False)
    floors: tuple[Interval, ...] = field(repr=False)
    verdicts: tuple[Verdict, ...]
    target: str
    bias: str
    reason: str

    @property
    def holds(self) -> bool:
        """Whether every inequality of the chain was proved (up to the stated slack)."""
        return all(verdict.holds for verdict in self.verdicts)

    def __str__(self) -> str:
        state = "certified" if self.holds else "NOT certified"
        return (
            f"floor² {float(self.floor):.6g} ≤ envelope² {float(self.envelope):.6g} ≤ V(B) "
            f"{float(self.reachable):.6g} ≤ loss {float(self.loss):.6g}: {state} for {self.target} "
            f"over {_ends(self.rank.domain)} (ε = {self.rank.eps:g}, r_ε in "
            f"[{self.rank.lower}, {self.rank.upper}] of {self.rank.n_features}, B = "
            f"{nearest(self.norm_squared) ** 0.5:.6g}, {self.rank.measure} measure)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the floor as plain data, with floats rounded outward.

        Returns
        -------
        dict
            Enclosures as in `Interval.to_json`.
        """
        return {
            "target": self.target,
            "bias": self.bias,
            "loss": self.loss.to_json(),
            "reachable": self.reachable.to_json(),
            "envelope": self.envelope.to_json(),
            "floor": self.floor.to_json(),
            "coefficient_norm_squared": json_float(self.norm_squared, +1),
            "target_norm_squared": self.target_norm_squared.to_json(),
            "rank": self.rank.to_json(),
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "holds": self.holds,
            "reason": self.reason,
        }


def _ends(domain: tuple[float, float]) -> str:
    return f"[{domain[0]:g}, {domain[1]:g}]"
