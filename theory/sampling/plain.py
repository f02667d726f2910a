"""The plain matrix Bernstein interval, for comparison: absolute deviations, vacuous at small ε.

‖Ĝ − G‖ ≤ t with probability 1 − δ for t = b/3 + √(b²/9 + 2b‖G‖), b = (M²/N) log(2n/δ) and
‖φ(x)‖² ≤ M² [Tropp 2015, Thm 1.6.2; Σ E S² ≼ M²G/N]. With ‖G‖ ≤ ‖Ĝ‖ + t this is
t ≤ 4b/3 + √(16b²/9 + 2b‖Ĝ‖). Weyl (M7) then puts
r_ε(G) between the counts of λ̂ above ε + t and ε − t; the latter is n once t ≥ ε.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh

from epsrank.theory.numbers.arrays import Matrix
from epsrank.theory.numbers.rounding import upward
from epsrank.theory.rank.bounds import RankBounds


@dataclass(frozen=True)
class PlainInterval(RankBounds):
    """Interval of the population ε-rank from an absolute bound on ‖Ĝ − G‖."""

    #: The ends.
    lower: int
    upper: int
    #: t.
    deviation: float
    #: M² ≥ sup ‖φ‖².
    envelope: float
    #: Whether M² is known, rather than the largest of the sample.
    guaranteed: bool
    #: Whether t ≥ ε, so that the upper end is n whatever the sample was.
    vacuous: bool

    def to_json(self) -> dict[str, Any]:
        """Return the interval as plain data."""
        return dict(vars(self))


def plain_deviation(
    envelope: float, norm: float, n_samples: int, n_features: int, delta: float
) -> float:
    """Return t with ‖Ĝ − G‖₂ ≤ t with probability 1 − δ."""
    b = envelope * math.log(2 * n_features / delta) / n_samples
    return upward(4 * b / 3 + math.sqrt(16 * b * b / 9 + 2 * b * norm))


@dataclass(frozen=True)
class BootstrapInterval(RankBounds):
    """Percentiles of the ε-rank of resampled Gram matrices.

    The ε-rank of a sample is biased (a sample Gram matrix spreads its small eigenvalues), and
    resampling repeats the bias: this interval is not guaranteed to cover anything.
    """

    #: The percentiles (1 ∓ confidence)/2.
    lower: int
    upper: int
    #: Number of resamples.
    resamples: int
    #: Always False.
    guaranteed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the interval as plain data."""
        return dict(vars(self))


def bootstrap_interval(
    features: Matrix, eps: float, confidence: float, resamples: int, seed: int
) -> BootstrapInterval:
    """Resample rows with replacement and count."""
    n_samples = len(features)
    values, vectors = eigh(features.T @ features / n_samples)
    # Counted by inertia in a basis that makes G + εI the identity, where nothing is small.
    scale = 1 / np.sqrt(np.maximum(values, 0.0) + eps)
    whitened = features @ (vectors * scale)
    random = np.random.default_rng(seed)
    counts = np.empty(resamples, dtype=np.int64)
    for k in range(resamples):
        weights = random.multinomial(n_samples, np.full(n_samples, 1 / n_samples))
        chosen = weights > 0
        rows = whitened[chosen] * np.sqrt(weights[chosen, None] / n_samples)
        shifted = rows.T @ rows - np.diag(eps * scale**2)
        counts[k] = np.count_nonzero(np.linalg.eigvalsh(shifted) > 0)
    tail = (1 - confidence) / 2
    # Quantiles that are counts themselves, without interpolation.
    low, high = np.quantile(counts, [tail, 1 - tail], method="inverted_cdf")
    return BootstrapInterval(int(low), int(high), resamples)
