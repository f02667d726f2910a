"""What one spectrum says about a layer: its effective dimensions, conditioning and idle neurons.

All are read off the eigenvalues λ_1 ≥ … ≥ λ_n of G = ∫ φφᵀ dμ, whose roots σ_k are the singular
values of A = diag(√w)Φ, and off the mean activity a_j = ∫ |φ_j| dμ of each neuron.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, fields

import numpy as np

from epsrank.theory.dimension.of_spectrum import (
    DECAY_RANGE,
    DORMANT,
    RANKME_OFFSET,
    SRANK_DELTA,
    decay,
    dormant_fraction,
    exponential_entropy,
    leading,
    participation,
    stable_share,
)
from epsrank.theory.numbers.arrays import Vector

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
    #: min{k : Σ_{i≤k} σ_i ≥ 0.99 Σ σ_i} (Kumar et al.); None of a sketch.
    srank: float | None = None
    #: α of λ_k ∝ k^(−α), fitted to k = 6 … 100 with weights 1/k (α-ReQ, of G); None of a sketch,
    #: and where fewer than three of these eigenvalues are resolved.
    alpha_req: float | None = None

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
        stable_rank=stable_share(spectrum),
        participation_ratio=participation(spectrum),
        effective_rank=exponential_entropy(roots),
        rankme=exponential_entropy(roots, RANKME_OFFSET),
        entropy_rank=exponential_entropy(spectrum),
        condition=largest / smallest if resolved else None,
        condition_lower=condition_bound(largest, smallest, spectrum_error),
        dormant=dormant_fraction(mean_abs, DORMANT),
        dead=dormant_fraction(mean_abs, 0.0),
        spectrum_error=spectrum_error,
        srank=float(leading(roots, SRANK_DELTA)),
        alpha_req=decay(spectrum, *DECAY_RANGE, error=spectrum_error),
    )


def condition_bound(largest: float, smallest: float, error: float) -> float | None:
    """Return a certified lower bound of λ_1/λ_n: ∞ where λ_n is 0, None where λ_1 is 0."""
    # The factors cover the two roundings of each end, and that of the quotient.
    least, most = (largest - error) * (1 - 1e-15), (smallest + error) * (1 + 1e-15)
    if largest == 0:
        return None
    if most == 0:
        return math.inf
    return max(1.0, least / most)
