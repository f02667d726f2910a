"""One layer of a saved network on some samples: all that a rank or a floor needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from epsrank.theory.data.measure import MeasureName
from epsrank.theory.floor.arguments import BiasName
from epsrank.theory.numbers.arrays import Matrix, Vector


@dataclass(frozen=True, eq=False)
class CheckpointLayer:
    """Φ of one layer, and u = φW + b where it is the last one.

    Attributes
    ----------
    label : str
        Checkpoint and layer, for people.
    features : array or tensor, shape (N, n)
        Φ, in the dtype of the network.
    weights : ndarray of float64, shape (N,), or None
        Sample weights that belong to the features; None for 1 each.
    measure : {"mean", "raw", "volume"}
        Measure that belongs to them.
    target : ndarray of float64, shape (N, k), or None
        u*, where the checkpoint knows it.
    coefficients : ndarray of float64, shape (n, k), or None
        W of the head; None where this is not what enters a linear head.
    bias_value : ndarray of float64, shape (k,), or None
        b of the head.
    bias : {"feature", "fixed"} or None
        What the bias is taken for; None without one.
    constant : ndarray of float64, shape (N,), or None
        What the constant function is at the samples where that is not 1 (L1).
    loss : str or None
        Loss that the training minimised, where the checkpoint says it.
    """

    label: str
    features: Any
    weights: Vector | None = None
    measure: MeasureName = "mean"
    target: Matrix | None = None
    coefficients: Matrix | None = None
    bias_value: Vector | None = None
    bias: BiasName | None = None
    loss: str | None = None
    constant: Vector | None = None

    def __str__(self) -> str:
        rows, columns = self.features.shape
        return f"{self.label}: {rows} samples × {columns} features"
