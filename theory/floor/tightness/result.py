"""The chain  loss ≥ V(B) ≥ envelope ≥ floor  at one head, over ε and B, and how tight it is."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from epsrank.theory.data.measure import Measure
from epsrank.theory.floor.certified.certificate import ChainCertificate
from epsrank.theory.floor.chain import LinkState, worst_state
from epsrank.theory.floor.reading import Curve, Reading
from epsrank.theory.floor.tightness.enclosed import Enclosed
from epsrank.theory.numbers.arrays import Matrix, Vector
from epsrank.theory.rank.bounds import rank_text
from epsrank.theory.shown import Shown
from epsrank.theory.strict_json import nulled


@dataclass(frozen=True)
class AtEps:
    """The floor at one ε, and what the loss asks of the ε-rank there."""

    #: ε.
    eps: float
    #: r_ε lies between them.
    rank_lower: int
    rank_upper: int
    #: (d_p − √ε B)_+² at p = `rank_upper` (F2), or the floor of a Lipschitz loss (L2), of which all
    #: three numbers are the certified one.
    floor: Enclosed | None
    #: p_min: a loss as small as the one here forces r_ε ≥ p_min at this norm (F5).
    budget: int | None
    #: Why there is no floor.
    reason: str = ""

    @property
    def rank(self) -> str:
        """The ε-rank as text: one number, or an interval."""
        return rank_text(self.rank_lower, self.rank_upper)

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data."""
        return {
            "eps": self.eps,
            "rank": {"lower": self.rank_lower, "upper": self.rank_upper},
            "floor": None if self.floor is None else self.floor.to_json(),
            "budget": self.budget,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class AtNorm:
    """V and the envelope at another norm than the head's."""

    #: B; may be ∞.
    norm: float
    #: V(B).
    reachable: Enclosed
    #: max_p (d_p − √λ_{p+1} B)_+².
    envelope: Enclosed | None

    def to_json(self) -> dict[str, Any]:
        """Return the row as plain data; a norm of null is ∞."""
        return {
            "norm": nulled(self.norm),
            "reachable": self.reachable.to_json(),
            "envelope": None if self.envelope is None else self.envelope.to_json(),
        }


@dataclass(frozen=True)
class TightLink:
    """One inequality of the chain."""

    #: Such as ``"V(B) ≤ loss"``.
    name: str
    #: Holds as computed; holds up to the enclosures; is disproved by them.
    state: LinkState


@dataclass(frozen=True, eq=False)
class LayerTightness(Shown):
    """loss ≥ V(B) ≥ envelope ≥ floors of one head on its features, each with both of its ends.

    Squared errors are ‖u − u*‖² in the measure; other losses are means over the samples.

    Attributes
    ----------
    loss : Enclosed
        Of the head.
    norm : float
        B = ‖W‖_F, with the bias only where ``bias="feature"``.
    reachable : Enclosed
        V(B). Its lower end is a dual bound and its upper end the loss of a head that was found.
    envelope : Enclosed or None
        max_p (d_p − √λ_{p+1} B)_+²; None for other losses than the squared error.
    by_eps : tuple of AtEps
        Floors and budgets over ε.
    by_norm : tuple of AtNorm
        V and envelope at several norms.
    spectrum : ndarray of float64, shape (n,)
        λ_1 ≥ … ≥ λ_n of the features, the constant included where the bias is a feature.
    distances : ndarray of float64, shape (n + 1,), or None
        d_p = dist(u*, Ψ_p).
    curve : Curve
        B ↦ V(B).
    features, coefficients : ndarray of float64
        Φ and W as the chain has them, with the bias where it is a feature.
    certificates : tuple of ChainCertificate
        One for each ε where the chain was decided in ball arithmetic, else empty.
    certified : bool
        Whether the ends of V(B) trust no library function.
    loss_name, dtype : str
        ``"squared"`` or the name of the loss; the type of the features.
    law : Measure
        The measure of all numbers, with its weights; `measure` is its name.
    bias : {"feature", "fixed", "free"} or None
        How the bias of the head entered.
    n_samples, n_features, n_outputs : int
        N, n and k.
    step : int or None
        Update of the training.
    """

    loss: Enclosed
    norm: float
    reachable: Enclosed
    envelope: Enclosed | None
    by_eps: tuple[AtEps, ...]
    by_norm: tuple[AtNorm, ...]
    spectrum: Vector = field(repr=False)
    distances: Vector | None = field(repr=False)
    curve: Curve = field(repr=False)
    features: Matrix = field(repr=False)
    coefficients: Matrix = field(repr=False)
    question: Callable[[], Reading] = field(repr=False)
    certificates: tuple[ChainCertificate, ...] = field(repr=False)
    certified: bool
    loss_name: str
    law: Measure = field(repr=False)
    dtype: str
    bias: str | None
    n_samples: int
    n_features: int
    n_outputs: int
    step: int | None = None

    @property
    def measure(self) -> str:
        """Name of the measure."""
        return self.law.name

    @property
    def squares(self) -> bool:
        """Whether the loss is the squared error."""
        return self.distances is not None

    @property
    def loss_over_reachable(self) -> Enclosed:
        """loss/V(B): "at most" rests on the dual bound of V, "at least" on the head found."""
        return self.loss.over(self.reachable)

    @property
    def reachable_over_envelope(self) -> Enclosed | None:
        """V(B)/envelope, how far the theorem is from the best that any floor could say."""
        return None if self.envelope is None else self.reachable.over(self.envelope)

    def loss_over_floor(self, at: AtEps) -> Enclosed | None:
        """Return loss/floor at one ε: how far the loss is from what the ε-rank alone says.

        Parameters
        ----------
        at : AtEps
            An entry of `by_eps`.

        Returns
        -------
        Enclosed or None
            The ratio; None where there is no floor.
        """
        return None if at.floor is None else self.loss.over(at.floor)

    def tight(self, factor: float = 1.25) -> bool | None:
        """Return whether loss ≤ factor · V(B): proved, disproved, or None where it is open.

        Parameters
        ----------
        factor : float
            At least 1.

        Returns
        -------
        bool or None
            True rests on the dual bound of V, False on a head that was found.
        """
        ratio = self.loss_over_reachable
        if ratio.upper <= factor:
            return True
        return False if ratio.lower > factor else None

    @cached_property
    def verdict(self) -> Reading:
        """The reading of F6 with a free bias, as everywhere; computed when first asked for."""
        return self.question()

    @cached_property
    def links(self) -> tuple[TightLink, ...]:
        """The inequalities of the chain, and the floors recomputed from d_p and ε."""
        found = [_link("V(B) ≤ loss", self.reachable, self.loss)]
        above, name = self.reachable, "V(B)"
        if self.envelope is not None:
            found.append(_link("envelope ≤ V(B)", self.envelope, self.reachable))
            above, name = self.envelope, "envelope"
        for row in self.by_eps:
            if row.floor is None:
                continue
            at = f"floor at ε = {row.eps:g}"
            found.append(_link(f"{at} ≤ {name}", row.floor, above))
            again = self._floor_again(row)
            if again is not None:
                states = _link("", again, row.floor), _link("", row.floor, again)
                worst: LinkState = (
                    "violated" if any(x.state == "violated" for x in states) else "strict"
                )
                found.append(TightLink(f"{at} = (d_p − √ε B)²", worst))
        return tuple(found)

    @property
    def state(self) -> LinkState:
        """The worst state of all links; ``violated`` would be a finding, or a damaged record."""
        found = worst_state(link.state for link in self.links)
        assert found is not None
        return found

    def _floor_again(self, row: AtEps) -> Enclosed | None:
        """Return the floor from the distances, as wide as rounding has left the one given."""
        if self.distances is None or row.floor is None:
            return None
        norm = float(self.distances[row.rank_upper]) - math.sqrt(row.eps) * self.norm
        # The width in norms, of which the square forgets the sign.
        width = math.sqrt(row.floor.upper) - math.sqrt(row.floor.lower)
        size = 1e-9 * float(self.distances[0])
        return Enclosed.of_norm(max(0.0, norm), width + size)

    def __str__(self) -> str:
        at = "" if self.step is None else f"step {self.step}: "
        slack = self.reachable_over_envelope
        envelope = "" if slack is None else f", V/envelope = {slack}"
        first = self.by_eps[0]
        floor = "none" if first.floor is None else f"{first.floor.value:.4g}"
        return (
            f"{at}loss {self.loss.value:.4g}, V(B) = {self.reachable} at B = {self.norm:.4g}: "
            f"loss/V = {self.loss_over_reachable}{envelope}; floor {floor} at ε = {first.eps:g}, "
            f"ε-rank {first.rank} of {self.n_features} ({self.loss_name}, {self.measure} measure)"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data; every enclosure has ``lower``, ``value``, ``upper``.

        Returns
        -------
        dict
            Keys ``step``, ``loss``, ``norm``, ``reachable``, ``envelope``,
            ``loss_over_reachable``, ``reachable_over_envelope``, ``by_eps``, ``by_norm``,
            ``state``, ``links``, ``certified`` and ``certificates``.
        """
        slack = self.reachable_over_envelope
        return {
            "step": self.step,
            "loss": self.loss.to_json(),
            "norm": nulled(self.norm),
            "reachable": self.reachable.to_json(),
            "envelope": None if self.envelope is None else self.envelope.to_json(),
            "loss_over_reachable": self.loss_over_reachable.to_json(),
            "reachable_over_envelope": None if slack is None else slack.to_json(),
            "by_eps": [
                row.to_json() | {"loss_over_floor": None if ratio is None else ratio.to_json()}
                for row in self.by_eps
                for ratio in (self.loss_over_floor(row),)
            ],
            "by_norm": [row.to_json() for row in self.by_norm],
            "state": self.state,
            "links": [{"name": link.name, "state": link.state} for link in self.links],
            "certified": self.certified,
            "certificates": [
                {"eps": own.eps, "holds": own.holds, "precision": own.precision}
                for own in self.certificates
            ],
        }


def _link(name: str, smaller: Enclosed, larger: Enclosed) -> TightLink:
    """Compare a ≤ b: NaN violates, and so does a computed number outside the other's reach."""
    numbers = (smaller.lower, smaller.value, larger.value, larger.upper)
    if any(map(np.isnan, numbers)) or smaller.lower > larger.upper:
        return TightLink(name, "violated")
    return TightLink(name, "strict" if smaller.value <= larger.value else "rounding")
