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

    Attributes
    ----------
    largest : float
        λ_1.
    trace : float
        tr G = Σ λ_k = ∫ ‖φ‖² dμ.
    stable_rank : float
        tr G / λ_1.
    participation_ratio : float
        (Σ λ_k)² / Σ λ_k².
    effective_rank : float or None
        exp(−Σ p_k log p_k), p_k = σ_k / Σ σ.
    rankme : float or None
        exp(−Σ p_k log p_k), p_k = σ_k / Σ σ + 1e-7.
    entropy_rank : float or None
        exp(−Σ q_k log q_k), q_k = λ_k / Σ λ.
    condition : float or None
        λ_1/λ_n of G (the square of the condition number of A); None where λ_n is not resolved.
    condition_lower : float or None
        Certified: λ_1/λ_n is at least this (∞ included); None for zero features.
    dormant : float
        Share of neurons with a_j ≤ 0.025 · mean_i a_i.
    dead : float
        Share of neurons that are zero at every sample.
    spectrum_error : float or None
        Every λ_k used above is known to within this; of a sketch, λ_1 is.
    sketched : float or None
        Eigenvalues that a sketch of a wide layer has enclosed one by one (`sketch`); None where all
        were computed.
    effective_rank_lower, effective_rank_upper : float or None
        Of a sketch: certified ends. The quantity itself is then their geometric mean where they
        are within 5 % of each other, else None.
    rankme_lower, rankme_upper, entropy_rank_lower, entropy_rank_upper : float or None
        The same.
    """

    largest: float
    trace: float
    stable_rank: float
    participation_ratio: float
    effective_rank: float | None
    rankme: float | None
    entropy_rank: float | None
    condition: float | None
    condition_lower: float | None
    dormant: float
    dead: float
    spectrum_error: float | None
    sketched: float | None = None
    effective_rank_lower: float | None = None
    effective_rank_upper: float | None = None
    rankme_lower: float | None = None
    rankme_upper: float | None = None
    entropy_rank_lower: float | None = None
    entropy_rank_upper: float | None = None

    def to_json(self) -> dict[str, float | None]:
        """Return the numbers, with None for what is not finite.

        Returns
        -------
        dict
            One entry per attribute.
        """
        return {
            name: value if value is None or math.isfinite(value) else None
            for name, value in asdict(self).items()
        }


#: Names of the quantities, in the order of tables.
QUANTITY_NAMES = tuple(field.name for field in fields(Quantities))


def quantities(spectrum: Vector, spectrum_error: float, mean_abs: Vector) -> Quantities:
    """Return every quantity of one layer from its spectrum and its neurons' mean activity.

    Parameters
    ----------
    spectrum : ndarray of float64, shape (n,)
        λ_1 ≥ … ≥ λ_n ≥ 0.
    spectrum_error : float
        Bound on the error of each.
    mean_abs : ndarray of float64, shape (n,)
        a_j = ∫ |φ_j| dμ.

    Returns
    -------
    Quantities
        The summaries.
    """
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

    Parameters
    ----------
    spectrum : ndarray of float64, shape (n,)
        λ_1 ≥ … ≥ λ_n ≥ 0.

    Returns
    -------
    float
        The stable rank.

    References
    ----------
    .. [1] Rudelson, Vershynin, "Sampling from large matrices", J. ACM 54 (2007).
    """
    shares = _shares(spectrum, float(spectrum[0]))
    return 0.0 if shares is None else float(shares.sum())


def participation_ratio(spectrum: Vector) -> float:
    """Return  (Σ λ_k)² / Σ λ_k²,  between 1 and the rank; 0 for zero features.

    Parameters
    ----------
    spectrum : ndarray of float64, shape (n,)
        λ_k ≥ 0.

    Returns
    -------
    float
        The participation ratio.

    References
    ----------
    .. [1] Gao et al., "A theory of multineuronal dimensionality, dynamics and measurement" (2017).
    """
    shares = _shares(spectrum, float(spectrum.max()))
    return 0.0 if shares is None else float(shares.sum() ** 2 / (shares @ shares))


def exponential_entropy(weights: Vector, offset: float = 0.0) -> float:
    """Return  exp(−Σ p_k log p_k)  with p_k = weights_k / Σ weights + offset; 0 for zero weights.

    Of singular values this is the effective rank [1]_, with the offset 1e-7 RankMe [2]_; of
    eigenvalues the exponential of the spectral (von Neumann) entropy. Without an offset it lies
    between 1 and the number of non-zero weights.

    Parameters
    ----------
    weights : ndarray of float64, shape (n,)
        Numbers ≥ 0.
    offset : float
        Added to every p_k.

    Returns
    -------
    float
        The effective number of weights.

    References
    ----------
    .. [1] Roy, Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.
    .. [2] Garrido, Balestriero, Najman, LeCun, "RankMe", ICML 2023, eq. 1.
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

    Parameters
    ----------
    mean_abs : ndarray of float64, shape (n,)
        a_j ≥ 0.
    tau : float
        τ ≥ 0.

    Returns
    -------
    float
        A number in [0, 1].

    References
    ----------
    .. [1] Sokar, Agarwal, Castro, Evci, "The dormant neuron phenomenon in deep reinforcement
       learning", ICML 2023, Def. 3.1.
    """
    return float(np.mean(mean_abs <= tau * float(np.mean(mean_abs))))


def _shares(weights: Array, largest: float) -> Array | None:
    """Return weights / largest, whose squares neither overflow nor vanish; None for zeros."""
    return None if largest == 0 else weights / largest


def condition_bound(largest: float, smallest: float, error: float) -> float | None:
    """Return a certified lower bound of λ_1/λ_n.

    Parameters
    ----------
    largest, smallest : float
        λ_1 and λ_n as computed.
    error : float
        Bound on the error of each.

    Returns
    -------
    float or None
        The bound; ∞ where λ_n is 0, None where λ_1 is 0.
    """
    least, most = (largest - error) * (1 - 1e-15), (smallest + error) * (1 + 1e-15)
    if largest == 0:
        return None
    if most == 0:
        return math.inf
    return max(1.0, least / most)
