"""What one measurement says about one layer."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from epsrank.numerics.monitor.numbers.quantities import Quantities
from epsrank.theory.estimate import Meaning
from epsrank.theory.floor.reading import Reading, ReadingBias, ReadingName, half_ratio, half_text
from epsrank.theory.rank.bounds import DecidedRank
from epsrank.theory.shown import Shown
from epsrank.theory.words import plural


@dataclass(frozen=True, slots=True)
class LayerRank(DecidedRank):
    """Certified interval  lower ≤ r_ε ≤ upper  of one layer's ε-rank (D1).

    ε is a multiple of λ_1 where the record is `relative`.
    """


@dataclass(frozen=True, slots=True)
class LayerReading:
    """The loss of the last layer against the least that its features allow at its norm (F6)."""

    #: The reading.
    name: ReadingName
    #: Loss of the head as it is, on the samples measured: mean over samples of ‖u − u*‖² (MSE,
    #: summed over outputs) or of the cross-entropy.
    loss: float
    #: Certified: no head of this norm has a smaller loss on these features.
    reachable: float
    #: Some head of this norm reaches this loss; the bound is at most attained − reachable too low.
    attained: float
    #: B = ‖W‖_F (with the bias where that is a feature).
    norm: float
    #: loss/V lies between them; ratio_upper is ∞ where the bound is 0.
    ratio_lower: float
    ratio_upper: float
    #: Whether any bias may go with the weights, or the constant is a feature and the bias a part of
    #: the norm, or the bias is held fixed; None for a head without one.
    bias: ReadingBias | None
    #: The loss.
    kind: str
    #: Samples that the reading rests on.
    n_samples: int
    #: One sentence.
    reason: str
    #: B½: a head of this norm halves the loss; ∞ if none does up to `cap`, None where that is not
    #: known, as in records that are older than this number.
    half_norm: float | None = None
    #: Largest norm that was considered.
    cap: float | None = None
    #: Name of the output layer, and what the model's output is made of by it, such as
    #: ``u = 0.5·(φW + b)``; None in records that are older.
    head: str | None = None
    form: str | None = None
    #: Ends of the ε-rank, at the first ε, of the features Dφ that the reading is of; None where
    #: these are φ, and of outputs that are scaled one by one.
    rank_lower: int | None = None
    rank_upper: int | None = None

    @classmethod
    def of(
        cls,
        reading: Reading,
        *,
        kind: str,
        n_samples: int,
        head: str | None = None,
        form: str | None = None,
    ) -> LayerReading:
        """Take the numbers of a reading."""
        assert reading.loss is not None
        assert reading.norm is not None
        return cls(
            name=reading.name,
            loss=reading.loss,
            reachable=reading.reachable or 0.0,
            attained=math.inf if reading.attained is None else reading.attained,
            norm=reading.norm,
            ratio_lower=reading.lower or 0.0,
            ratio_upper=math.inf if reading.upper is None else reading.upper,
            bias=reading.bias,
            kind=kind,
            n_samples=n_samples,
            reason=reading.reason,
            half_norm=reading.half_norm,
            cap=reading.cap,
            head=head,
            form=form,
        )

    @property
    def half_ratio(self) -> float | None:
        """B½/B: how many times larger a head has to be to halve the loss."""
        return half_ratio(self.half_norm, self.norm)

    def __str__(self) -> str:
        return (
            f"{self.name}: loss {self.loss:.4g}, certified reachable loss {self.reachable:.4g} at "
            f"norm {self.norm:.3g}, {half_text(self.half_norm, self.norm, self.cap)}"
        )


@dataclass(frozen=True, slots=True)
class QuantityRecord(Shown):
    """One quantity of the user's own, of the whole model at one step."""

    #: Training steps made before the measurement.
    step: int
    #: Name that it was given.
    name: str
    #: None where there is none; see `cause`.
    value: float | None = None
    #: Ends of its interval, what that claims, and its level, as in `Estimate`.
    low: float | None = None
    high: float | None = None
    meaning: Meaning | None = None
    level: float | None = None
    #: Why there is no value, or what it changed that was put back.
    cause: str | None = None
    #: Seconds that it took.
    seconds: float = 0.0

    @property
    def shown(self) -> str:
        """The value and its interval: ``2.5 [2.4, 2.7]``."""
        if self.value is None:
            return "–"
        if self.low is None and self.high is None:
            return f"{self.value:.4g}"
        ends = ("−∞" if self.low is None else f"{self.low:.4g}",
                "∞" if self.high is None else f"{self.high:.4g}")  # fmt: skip
        return f"{self.value:.4g} [{ends[0]}, {ends[1]}]"

    def __str__(self) -> str:
        claims: str = self.meaning or ""
        if self.level is not None:
            claims = f"{self.level:g} {claims}"
        text = f"step {self.step}, {self.name}: {self.shown}" + f" ({claims})" * bool(claims)
        return text if self.cause is None else f"{text} ({self.cause})"


@dataclass(frozen=True, slots=True)
class LayerRecord(Shown):
    """One row of the history: a step, a layer, and all that was measured there."""

    #: Training steps made before the measurement.
    step: int
    #: Name of the layer.
    layer: str
    #: Mean of the training losses handed in since the measurement before; None without any.
    loss: float | None
    #: N and n; both 0 where the layer was not reached.
    n_samples: int
    n_features: int
    #: Dtype of the features as they came, and measure of every number.
    dtype: str
    measure: str
    #: Whether thresholds are multiples of λ_1.
    relative: bool
    #: One for each ε; empty after a failure.
    ranks: tuple[LayerRank, ...]
    #: None where only ranks were asked for, or after a failure.
    quantities: Quantities | None
    #: For the last layer where targets are known.
    reading: LayerReading | None
    #: Wall-clock seconds since the monitor began.
    seconds: float
    #: Seconds that the whole measurement took, all layers together.
    cost: float
    #: Why something could not be measured.
    failure: str | None = None
    #: Share of the probe that was measured, 1 for all of it; None without a probe, and where the
    #: pass failed. Numbers of different parts are of different samples.
    probe_part: float | None = None
    #: The user's own quantities of this measurement: of the model, so the same for all layers.
    own_quantities: tuple[QuantityRecord, ...] = ()

    def rank(self, eps: float | None = None) -> LayerRank:
        """Return the interval at one ε."""
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
            f"({plural(self.n_samples, 'sample')}{self._part()}, "
            f"{self.measure} measure, {self.dtype})"
        )
        return text if self.reading is None else f"{text}; {self.reading}"

    def _part(self) -> str:
        partial = self.probe_part is not None and self.probe_part < 1
        return f" from {self.probe_part:.3g} of the probe" if partial else ""

    def to_json(self) -> dict[str, Any]:
        """Return the record as nested plain values; own quantities where there are any."""
        found = asdict(self)
        if not self.own_quantities:
            del found["own_quantities"]
        return found
