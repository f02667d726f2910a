"""The head that is asked about: u = φW + D b + o on some samples, all of it checked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.floor.reading import ReadingBias
from epsrank.theory.numbers.arrays import Matrix


@dataclass(frozen=True, eq=False)
class Head:
    """What both kinds of loss start from."""

    #: φ.
    features: Features
    #: W (n, k).
    coefficients: Matrix
    #: u*, or labels.
    target: Any
    measure: Measure
    #: How the bias enters, and b (m, k) with the D (N, m) that it multiplies.
    bias: ReadingBias | None
    bias_value: Matrix
    units: Matrix
    #: o (N, k); None for 0.
    offset: Matrix | None
