"""What travels through one measurement: its samples, its moment, and what was seen of layers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from epsrank.numerics.gram.few_rows import FewRows
from epsrank.numerics.gram.layer import LayerAccumulator
from epsrank.numerics.monitor.heads.share import Gathered
from epsrank.numerics.monitor.measuring.settings import Settings
from epsrank.numerics.monitor.records.record import QuantityRecord
from epsrank.theory.errors import described


@dataclass(frozen=True, eq=False)
class Sample:
    """What one measurement is made of."""

    #: Targets of its samples.
    targets: Any = None
    #: Share of the probe; None without a probe.
    part: float | None = None
    #: Why its features could not be gathered.
    cause: str | None = None
    #: The user's own quantities on the same samples.
    own: tuple[QuantityRecord, ...] = ()

    @classmethod
    def of(cls, gather: Callable[[], Sample]) -> Sample:
        """Return what a pass through the model gathers, or else why it failed."""
        try:
            return gather()
        except Exception as error:
            return cls(cause=described(error))


@dataclass(frozen=True, eq=False)
class Moment:
    """What all records of one measurement have in common."""

    #: Training steps made.
    step: int
    #: Mean training loss since the measurement before.
    loss: float | None
    #: Since the monitor began.
    seconds: float
    #: What is measured.
    sample: Sample
    #: Whether a reading of a price in seconds may be made; None for any price.
    allows: Callable[[float], bool] | None = None


@dataclass(frozen=True, eq=False)
class Seen:
    """What one process has seen of the layers, or all of a group together."""

    #: Per layer.
    sums: dict[str, LayerAccumulator] = field(default_factory=dict)
    #: Layers that could not be summed, and why.
    problems: dict[str, str] = field(default_factory=dict)
    #: Why the measurement failed as a whole.
    cause: str | None = None
    #: Rows and targets of every head, for its reading.
    gathered: Gathered = field(default_factory=Gathered)
    #: Layers that were measured on a part of their samples only, and why.
    lost: dict[str, str] = field(default_factory=dict)


def nothing_summed(
    settings: Settings, n_features: int, device: torch.device | str
) -> LayerAccumulator:
    """Return the sums of a layer before its first sample."""
    # A spectrum is wanted to the last digit; a count allows float32 where ε does.
    counts = not settings.spectrum(n_features)
    # One batch is often shorter than its layer is wide; forgetting adds up many.
    kind = LayerAccumulator if settings.forgetting else FewRows
    return kind(
        n_features,
        device=device,
        measure=settings.measure,
        eps=min(settings.eps) if counts else None,
        relative=settings.relative,
    )
