"""Percentile interval of the ε-rank over resamples: for comparison, never guaranteed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh

from epsrank.theory.inputs import Array


@dataclass(frozen=True)
class BootstrapInterval:
    """Percentiles of the ε-rank of resampled Gram matrices.

    The ε-rank of a sample is biased (a sample Gram matrix spreads its small eigenvalues), and
    resampling repeats the bias: this interval is not guaranteed to cover anything.

    Attributes
    ----------
    lower, upper : int
        The percentiles (1 ∓ confidence)/2.
    resamples : int
        Number of resamples.
    guaranteed : bool
        Always False.
    """

    lower: int
    upper: int
    resamples: int
    guaranteed: bool = False

    def to_json(self) -> dict[str, Any]:
        """Return the interval as plain data.

        Returns
        -------
        dict
            One key per attribute.
        """
        return dict(vars(self))


def bootstrap_interval(
    features: Array, eps: float, confidence: float, resamples: int, seed: int
) -> BootstrapInterval:
    """Resample rows with replacement and count.

    Parameters
    ----------
    features : ndarray of float64, shape (N, n)
        Φ.
    eps : float
        ε.
    confidence : float
        Share of resamples inside the interval.
    resamples : int
        How many.
    seed : int
        Seed of the draws.

    Returns
    -------
    BootstrapInterval
        The percentiles, in float64.
    """
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
    low, high = np.quantile(counts, [tail, 1 - tail], method="inverted_cdf")
    return BootstrapInterval(int(low), int(high), resamples)
