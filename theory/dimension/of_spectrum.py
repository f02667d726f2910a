"""Formulas of a spectrum alone, σ_1 ≥ σ_2 ≥ … ≥ 0 or λ_k = σ_k², or of neurons' mean activities.

None sees the scale of the numbers given.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.numbers.arrays import Array, Vector

#: Offset of RankMe and LiDAR, added to every share p_k; see `exponential_entropy`.
RANKME_OFFSET = 1e-7

#: Share of the nuclear norm that srank leaves out.
SRANK_DELTA = 0.01

#: First and last index k of the eigenvalues to which a power law is fitted.
DECAY_RANGE = (6, 100)

#: Share of the layer's mean activity up to which a neuron counts as dormant.
DORMANT = 0.025

#: Fewest eigenvalues that a power law is fitted to.
_FEWEST = 3


def stable_share(spectrum: Vector) -> float:
    """Return  Σ λ_k / λ_1 = ‖A‖_F² / ‖A‖₂²,  between 1 and the rank; 0 for zero features.

    Source: Rudelson, Vershynin, "Sampling from large matrices", J. ACM 54 (2007).
    """
    shares = _shares(spectrum, float(spectrum[0]))
    return 0.0 if shares is None else float(shares.sum())


def participation(spectrum: Vector) -> float:
    """Return  (Σ λ_k)² / Σ λ_k²,  between 1 and the rank; 0 for zero features.

    Source: Gao et al., "A theory of multineuronal dimensionality, dynamics and measurement" (2017).
    """
    shares = _shares(spectrum, float(spectrum.max()))
    return 0.0 if shares is None else float(shares.sum() ** 2 / (shares @ shares))


def exponential_entropy(weights: Vector, offset: float = 0.0) -> float:
    """Return  exp(−Σ p_k log p_k)  with p_k = weights_k / Σ weights + offset; 0 for zero weights.

    Of singular values this is the effective rank, with the offset 1e-7 RankMe; of
    eigenvalues the exponential of the spectral (von Neumann) entropy. Without an offset it lies
    between 1 and the number of non-zero weights.

    Source: Roy, Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO
    2007. Garrido, Balestriero, Najman, LeCun, "RankMe", ICML 2023, eq. 1.
    """
    shares = _shares(weights, float(weights.max()))
    if shares is None:
        return 0.0
    p = shares / shares.sum() + offset
    p = p[p > 0]
    return float(np.exp(-np.sum(p * np.log(p))))


def leading(weights: Vector, delta: float) -> int:
    """Return  min{k : Σ_{i≤k} w_i ≥ (1 − δ) Σ_i w_i}  of descending weights; 0 for zero weights.

    Source: Kumar, Agarwal, Ghosh, Levine, "Implicit under-parameterization inhibits data-efficient
    deep reinforcement learning", ICLR 2021, eq. 3.2 (of singular values, δ = 0.01).
    """
    shares = _shares(weights, float(weights.max()))
    if shares is None:
        return 0
    # Sums from below: what is left out is compared with δ, and small numbers are added first.
    left = np.cumsum(shares[::-1])[::-1]
    out = np.append(left[1:], 0.0)
    return 1 + int(np.argmax(out <= delta * left[0]))


def decay(
    spectrum: Vector, first: int, last: int, *, weighted: bool = True, error: float = 0.0
) -> float | None:
    """Return α of the best fit  log λ_k ≈ c − α log k,  k = first … last, with weights 1/k or 1.

    Eigenvalues that are not above `error`, or above rounding, are left out together with all behind
    them; None where fewer than three are left.

    Source: Agrawal, Mondal, Ghosh, Richards, "α-ReQ", NeurIPS 2022; the weights are those of
    Stringer et al., "High-dimensional geometry of population responses in visual cortex" (2019).
    """
    noise = max(error, float(spectrum[0]) * np.finfo(np.float64).eps * len(spectrum))
    known = int(np.sum(spectrum > noise))
    k = np.arange(first, min(last, known) + 1, dtype=np.float64)
    if len(k) < _FEWEST:
        return None
    w = 1 / k if weighted else np.ones_like(k)
    x, y = np.log(k), np.log(spectrum[first - 1 : first - 1 + len(k)])
    x, y = x - (w @ x) / w.sum(), y - (w @ y) / w.sum()
    return -float((w * x) @ y / ((w * x) @ x))


def normalised_entropy(weights: Vector) -> float:
    """Return  −Σ p_k log p_k / log m  of m weights, in [0, 1]; 0 for one weight or zeros."""
    found = exponential_entropy(weights)
    return math.log(found) / math.log(len(weights)) if found > 1 and len(weights) > 1 else 0.0


def dormant_mask(sizes: Vector, tau: float) -> NDArray[np.bool_]:
    """Return which a_j ≤ τ · mean_i a_i, for a_j or any multiple of them."""
    return np.asarray(sizes <= tau * float(np.mean(sizes)))


def dormant_fraction(mean_abs: Vector, tau: float) -> float:
    """Return the share of τ-dormant neurons; with τ = 0 those that are zero at every sample."""
    return float(np.mean(dormant_mask(mean_abs, tau)))


def _shares(weights: Array, largest: float) -> Array | None:
    """Return weights / largest, whose squares neither overflow nor vanish; None for zeros."""
    return None if largest == 0 else weights / largest
