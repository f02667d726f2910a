"""What one measurement says about one layer."""

from __future__ import annotations

import html
from dataclasses import asdict, dataclass
from typing import Any, Literal

from epsrank.numerics.monitor.numbers.quantities import Quantities
from epsrank.theory.floor.reading import ReadingName
from epsrank.theory.rank.interval import Decision


@dataclass(frozen=True, slots=True)
class LayerRank:
    """Certified interval  lower ≤ r_ε ≤ upper  of one layer's ε-rank (D1).

    Attributes
    ----------
    eps : float
        Threshold; a multiple of λ_1 where the record is `relative`.
    lower, upper : int
        The ends.
    route, reason : str
        What decided, and why the ends agree or not.
    """

    eps: float
    lower: int
    upper: int
    route: str
    reason: str

    @classmethod
    def of(cls, eps: float, decision: Decision) -> LayerRank:
        """Return a decision together with its threshold.

        Parameters
        ----------
        eps : float
            ε.
        decision : Decision
            What was found.

        Returns
        -------
        LayerRank
            The same.
        """
        return cls(eps, decision.lower, decision.upper, decision.route, decision.reason)

    @property
    def resolved(self) -> bool:
        """Whether both ends agree."""
        return self.lower == self.upper

    def __int__(self) -> int:
        if not self.resolved:
            raise ValueError(f"the {self.eps:g}-rank is only known to lie in {self}: {self.reason}")
        return self.lower

    def __str__(self) -> str:
        return f"{self.lower}" if self.resolved else f"[{self.lower}, {self.upper}]"


@dataclass(frozen=True, slots=True)
class LayerReading:
    """The loss of the last layer against the least that its features allow at its norm (F6).

    Attributes
    ----------
    name : {"feature-limited", "optimiser-limited", "between", "undetermined"}
        The reading.
    loss : float
        Loss of the head as it is, on the samples measured: mean over samples of ‖u − u*‖² (MSE,
        summed over outputs) or of the cross-entropy.
    reachable : float
        Certified: no head of this norm has a smaller loss on these features.
    attained : float
        Some head of this norm reaches this loss; the bound is at most attained − reachable too low.
    norm : float
        B = ‖W‖_F (with the bias where that is a feature).
    ratio_lower, ratio_upper : float
        loss/V lies between them; ratio_upper is ∞ where the bound is 0.
    bias : {"feature", "fixed"} or None
        Whether the constant is a feature and the bias a part of the norm, or the bias is held
        fixed; None for a head without one.
    kind : {"mse", "cross_entropy"}
        The loss.
    n_samples : int
        Samples that the reading rests on.
    reason : str
        One sentence.
    """

    name: ReadingName
    loss: float
    reachable: float
    attained: float
    norm: float
    ratio_lower: float
    ratio_upper: float
    bias: Literal["feature", "fixed"] | None
    kind: Literal["mse", "cross_entropy"]
    n_samples: int
    reason: str

    def __str__(self) -> str:
        return (
            f"{self.name}: loss {self.loss:.4g}, certified reachable loss {self.reachable:.4g} at "
            f"norm {self.norm:.3g}"
        )


@dataclass(frozen=True, slots=True)
class LayerRecord:
    """One row of the history: a step, a layer, and all that was measured there.

    Attributes
    ----------
    step : int
        Training steps made before the measurement.
    layer : str
        Name of the layer.
    loss : float or None
        Mean of the training losses handed in since the measurement before; None without any.
    n_samples, n_features : int
        N and n; both 0 where the layer was not reached.
    dtype, measure : str
        Dtype of the features as they came, and measure of every number.
    relative : bool
        Whether thresholds are multiples of λ_1.
    ranks : tuple of LayerRank
        One for each ε; empty after a failure.
    quantities : Quantities or None
        None where only ranks were asked for, or after a failure.
    reading : LayerReading or None
        For the last layer where targets are known.
    seconds : float
        Wall-clock seconds since the monitor began.
    cost : float
        Seconds that the whole measurement took, all layers together.
    failure : str or None
        Why something could not be measured.
    probe_part : float or None
        Share of the probe that was measured, 1 for all of it; None without a probe, and where the
        pass failed. Numbers of different parts are of different samples.
    """

    step: int
    layer: str
    loss: float | None
    n_samples: int
    n_features: int
    dtype: str
    measure: str
    relative: bool
    ranks: tuple[LayerRank, ...]
    quantities: Quantities | None
    reading: LayerReading | None
    seconds: float
    cost: float
    failure: str | None = None
    probe_part: float | None = None

    def rank(self, eps: float | None = None) -> LayerRank:
        """Return the interval at one ε.

        Parameters
        ----------
        eps : float, optional
            One of the thresholds of the monitor; by default the first.

        Returns
        -------
        LayerRank
            The interval.

        Raises
        ------
        KeyError
            If there is none at that ε, or the measurement failed.
        """
        for entry in self.ranks:
            if eps is None or entry.eps == eps:
                return entry
        raise KeyError(self.failure or f"no rank at ε = {eps!r}")

    def __str__(self) -> str:
        if not self.ranks:
            return f"step {self.step}, {self.layer}: not measured ({self.failure})"
        unit = "·λ₁" if self.relative else ""
        ranks = ", ".join(f"{entry} at ε = {entry.eps:g}{unit}" for entry in self.ranks)
        text = (
            f"step {self.step}, {self.layer}: ε-rank {ranks} of {self.n_features} "
            f"({self.n_samples} samples{self._part()}, {self.measure} measure, {self.dtype})"
        )
        return text if self.reading is None else f"{text}; {self.reading}"

    def _part(self) -> str:
        partial = self.probe_part is not None and self.probe_part < 1
        return f" from {self.probe_part:.3g} of the probe" if partial else ""

    def _repr_html_(self) -> str:
        return f"<span>{html.escape(str(self))}</span>"

    def to_json(self) -> dict[str, Any]:
        """Return the record as nested plain values.

        Returns
        -------
        dict
            One entry per attribute.
        """
        return asdict(self)
