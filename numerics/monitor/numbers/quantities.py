"""What one spectrum says about a layer: its effective dimensions, conditioning and idle neurons.

All are read off the eigenvalues λ_1 ≥ … ≥ λ_n of G = ∫ φφᵀ dμ, whose roots σ_k are the singular
values of A = diag(√w)Φ, and off the mean activity a_j = ∫ |φ_j| dμ of each neuron.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np

from epsrank.theory.numbers.arrays import Array, Vector

#: Offset of RankMe inside the logarithm's argument, as in its paper.
RANKME_OFFSET = 1e-7

#: Share of the layer's mean activity up to which a neuron counts as dormant.
DORMANT = 0.025

#: Widest layer whose spectrum is computed unasked: a second or less.
WIDE = 1024


@dataclass(frozen=True, slots=True)
class Quantities:
    """Scalar summaries of one layer's Gram matrix.

    A layer whose features are all zero has no direction: every effective dimension is 0 then, and
    the condition number is undefined.
    """

    #: λ_1.
    largest: float
    #: tr G = Σ λ_k = ∫ ‖φ‖² dμ.
    trace: float
    #: tr G / λ_1.
    stable_rank: float
    #: (Σ λ_k)² / Σ λ_k².
    participation_ratio: float
    #: exp(−Σ p_k log p_k), p_k = σ_k / Σ σ.
    effective_rank: float | None
    #: exp(−Σ p_k log p_k), p_k = σ_k / Σ σ + 1e-7.
    rankme: float | None
    #: exp(−Σ q_k log q_k), q_k = λ_k / Σ λ.
    entropy_rank: float | None
    #: λ_1/λ_n of G (the square of the condition number of A); None where λ_n is not resolved.
    condition: float | None
    #: Certified: λ_1/λ_n is at least this (∞ included); None for zero features.
    condition_lower: float | None
    #: Share of neurons with a_j ≤ 0.025 · mean_i a_i.
    dormant: float
    #: Share of neurons that are zero at every sample.
    dead: float
    #: Every λ_k used above is known to within this; of a sketch, λ_1 is.
    spectrum_error: float | None
    #: Eigenvalues that a sketch of a wide layer has enclosed one by one (`sketch`); None where all
    #: were computed.
    sketched: float | None = None
    #: Of a sketch: certified ends. The quantity itself is then their geometric mean where they are
    #: within 5 % of each other, else None.
    effective_rank_lower: float | None = None
    effective_rank_upper: float | None = None
    #: The same.
    rankme_lower: float | None = None
    rankme_upper: float | None = None
    entropy_rank_lower: float | None = None
    entropy_rank_upper: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Return the numbers, with None for what is not finite."""
        return {
            name: value if value is None or math.isfinite(value) else None
            for name, value in asdict(self).items()
        }


#: Names of the quantities, in the order of tables.
QUANTITY_NAMES = tuple(field.name for field in fields(Quantities))


def quantities(spectrum: Vector, spectrum_error: float, mean_abs: Vector) -> Quantities:
    """Return every quantity of one layer from its spectrum and its neurons' mean activity."""
    largest, smallest = float(spectrum[0]), float(spectrum[-1])
    roots = np.sqrt(spectrum)
    resolved = smallest > spectrum_error
    return Quantities(
        largest=largest,
        trace=float(spectrum.sum()),
        stable_rank=stable_rank(spectrum),
        participation_ratio=participation_ratio(spectrum),
        effective_rank=exponential_entropy(roots),
        rankme=exponential_entropy(roots, RANKME_OFFSET),
        entropy_rank=exponential_entropy(spectrum),
        condition=largest / smallest if resolved else None,
        condition_lower=condition_bound(largest, smallest, spectrum_error),
        dormant=dormant_fraction(mean_abs, DORMANT),
        dead=dormant_fraction(mean_abs, 0.0),
        spectrum_error=spectrum_error,
    )


def stable_rank(spectrum: Vector) -> float:
    """Return  tr G / λ_1 = ‖A‖_F² / ‖A‖₂²,  between 1 and the rank; 0 for zero features.

    Source: Rudelson, Vershynin, "Sampling from large matrices", J. ACM 54 (2007).
    """
    shares = _shares(spectrum, float(spectrum[0]))
    return 0.0 if shares is None else float(shares.sum())


def participation_ratio(spectrum: Vector) -> float:
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


def dormant_fraction(mean_abs: Vector, tau: float) -> float:
    """Return the share of τ-dormant neurons, a_j ≤ τ · mean_i a_i with a_j = ∫ |φ_j| dμ.

    With τ = 0 those are the neurons that are zero at every sample. All are dormant in a layer of
    zeros.

    Source: Sokar, Agarwal, Castro, Evci, "The dormant neuron phenomenon in deep reinforcement
    learning", ICML 2023, Def. 3.1.
    """
    return float(np.mean(mean_abs <= tau * float(np.mean(mean_abs))))


def _shares(weights: Array, largest: float) -> Array | None:
    """Return weights / largest, whose squares neither overflow nor vanish; None for zeros."""
    return None if largest == 0 else weights / largest


def condition_bound(largest: float, smallest: float, error: float) -> float | None:
    """Return a certified lower bound of λ_1/λ_n: ∞ where λ_n is 0, None where λ_1 is 0."""
    # The factors cover the two roundings of each end, and that of the quotient.
    least, most = (largest - error) * (1 - 1e-15), (smallest + error) * (1 + 1e-15)
    if largest == 0:
        return None
    if most == 0:
        return math.inf
    return max(1.0, least / most)
