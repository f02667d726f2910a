"""What others would do: change points by PELT, and a threshold on falls, tuned on white noise."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import ruptures

from epsrank.numerics.staircase.series import as_vector
from epsrank.theory.numbers.arrays import Vector

# Penalty of a change point in units of log n, as the Bayesian information criterion has it for a
# level and a place.
_PENALTY = 3.0
# Standard deviations of the noise that a fall must exceed: 5 % of white noise of 126 entries has
# two such falls.
_FACTOR = 4.0


@dataclass(frozen=True)
class Marks:
    """What a detector says at the least."""

    #: First index beyond each step.
    steps: tuple[int, ...]
    #: No test of coupling.
    coupling_pvalue: float | None = None

    @property
    def is_staircase(self) -> bool:
        """Whether there are two steps or more."""
        return len(self.steps) > 1


def pelt(series: Any, rank: Any = None, *, scale: str = "log", direction: str = "down") -> Marks:
    """Mark the change points of ruptures' PELT at which the level falls."""
    y = _read(series, scale, direction)
    search = ruptures.KernelCPD(kernel="linear", min_size=3).fit((y / _noise(y))[:, None])
    edges = [0, *search.predict(pen=_PENALTY * float(np.log(y.size)))]
    levels = [float(y[a:b].mean()) for a, b in pairwise(edges)]
    falls = [
        b for b, left, right in zip(edges[1:-1], levels, levels[1:], strict=False) if right < left
    ]
    return Marks(tuple(falls))


def threshold(
    series: Any, rank: Any = None, *, scale: str = "log", direction: str = "down"
) -> Marks:
    """Mark where the mean of five entries falls by more than four standard deviations of a mean."""
    y = _read(series, scale, direction)
    means = np.convolve(y, np.ones(5) / 5, "valid")
    falls = means[:-5] - means[5:]
    far = falls > _FACTOR * _noise(y) * np.sqrt(2 / 5)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], far, [False]]).astype(int)))
    runs = zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)
    return Marks(tuple(a + int(np.argmax(falls[a:b])) + 5 for a, b in runs))


def _read(series: Any, scale: str, direction: str) -> Vector:
    y = as_vector(series, "series")
    y = np.log(y) if scale == "log" else y
    return np.asarray(y if direction == "down" else -y)


def _noise(y: Vector) -> float:
    """Return the standard deviation of white noise by the median of differences."""
    found = float(np.median(np.abs(np.diff(y)))) / (0.6745 * np.sqrt(2))
    return found or 1e-9 * (float(np.ptp(y)) or 1.0)
