"""One layer of a saved network on some samples: all that a rank or a floor needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from epsrank.theory.data.measure import Measure
from epsrank.theory.floor.arguments import BiasName
from epsrank.theory.numbers.arrays import Matrix, Vector
from epsrank.theory.words import plural


@dataclass(frozen=True, eq=False)
class CheckpointLayer:
    """Φ of one layer, and u = φW + b where it is the last one."""

    #: Checkpoint and layer, for people.
    label: str
    #: Φ, in the dtype of the network.
    features: Any
    #: Measure of the samples.
    measure: Measure
    #: u*, where the checkpoint knows it.
    target: Matrix | None = None
    #: W of the head; None where this is not what enters a linear head.
    coefficients: Matrix | None = None
    #: b of the head.
    bias_value: Vector | None = None
    #: What the bias is taken for; None without one.
    bias: BiasName | None = None
    #: Loss that the training minimised, where the checkpoint says it.
    loss: str | None = None
    #: What the constant function is at the samples where that is not 1 (L1).
    constant: Vector | None = None

    def __str__(self) -> str:
        rows, columns = self.features.shape
        return f"{self.label}: {plural(rows, 'sample')} × {plural(columns, 'feature')}"
