"""One quantity, several public definitions: each with its formula and its source."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from epsrank.theory.dimension.moments import FeatureMoments, singular_values
from epsrank.theory.dimension.of_spectrum import (
    DECAY_RANGE,
    RANKME_OFFSET,
    SRANK_DELTA,
    decay,
    exponential_entropy,
    leading,
    normalised_entropy,
    stable_share,
)
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Matrix, Vector

Value = float | int | None


@dataclass(frozen=True)
class Convention:
    """One definition: a function of the singular values of Φ, or of Φ less its mean."""

    #: Formula in the notation of the pages: σ of Φ, σ⁰ of Φ − mean, λ = σ²/N.
    formula: str
    #: Who computes it so.
    source: str
    #: From σ_k/σ_1, k = 1 … min(N, n), and the parameters of the quantity.
    compute: Callable[..., Value]
    #: Whether the mean over samples is taken off first.
    centred: bool = False

    def of(self, samples: Matrix | FeatureMoments, *parameters: Any) -> Any:
        """Return the value for features or their sums."""
        sigma = singular_values(samples, centred=self.centred)
        # No definition here sees the scale, and the squares of numbers up to 1 do not overflow.
        return self.compute(sigma / (float(sigma.max()) or 1.0), *parameters)


def chosen(conventions: Mapping[str, Convention], definition: str) -> Convention:
    """Return a convention by its name."""
    if definition not in conventions:
        named = ", ".join(repr(name) for name in conventions)
        raise InputError("definition", f"is {definition!r}", f"choose one of {named}")
    return conventions[definition]


def _entropy_of(power: int, offset: float = 0.0) -> Callable[[Vector], float]:
    return lambda sigma: exponential_entropy(sigma**power, offset)


_ROY = "Roy, Vetterli 2007"
_GARRIDO = "Garrido et al. 2023 (arXiv 2210.02885), eq. 1"
_KUMAR = "Kumar et al. 2021 (arXiv 2010.14498), eq. 3.2"

RANKME = {
    "paper": Convention(
        "exp(−Σ p log p), p = σ/Σσ + 1e-7", _GARRIDO, _entropy_of(1, RANKME_OFFSET)
    ),
    "offset-1e-5": Convention(
        "exp(−Σ p log p), p = σ/Σσ + 1e-5",
        "stable-pretraining",
        _entropy_of(1, 1e-5),
    ),
    "centred": Convention(
        "exp(−Σ p log p), p = σ⁰/Σσ⁰ + 1e-5",
        "stable-pretraining, in some versions",
        _entropy_of(1, 1e-5),
        centred=True,
    ),
    "eigenvalues": Convention(
        "exp(−Σ p log p), p = λ⁰/Σλ⁰ + 1e-7",
        "reptrix: eigenvalues in the place of singular values",
        _entropy_of(2, RANKME_OFFSET),
        centred=True,
    ),
}

EFFECTIVE_RANK = {
    "paper": Convention("exp(−Σ p log p), p = σ/Σσ", _ROY, _entropy_of(1)),
    "centred": Convention(
        "exp(−Σ p log p), p = σ⁰/Σσ⁰", "of centred features", _entropy_of(1), True
    ),
    "eigenvalues": Convention(
        "exp(−Σ p log p), p = λ/Σλ", "von Neumann entropy of G/tr G", _entropy_of(2)
    ),
    "covariance": Convention(
        "exp(−Σ p log p), p = λ⁰/Σλ⁰", "von Neumann entropy of C/tr C", _entropy_of(2), True
    ),
    "normalised": Convention(
        "−Σ p log p / log min(N, n), p = σ/Σσ", "a share in [0, 1], no rank", normalised_entropy
    ),
}

STABLE_RANK = {
    "paper": Convention(
        "Σλ/λ₁ = ‖Φ‖_F²/‖Φ‖₂²", "Rudelson, Vershynin 2007", lambda s: stable_share(s**2)
    ),
    "centred": Convention(
        "Σλ⁰/λ⁰₁", "of the covariance", lambda s: stable_share(s**2), centred=True
    ),
}

SRANK = {
    "paper": Convention(f"min k: Σ_{{i≤k}} σ ≥ (1 − δ) Σσ, δ = {SRANK_DELTA}", _KUMAR, leading),
    "eigenvalues": Convention(
        f"min k: Σ_{{i≤k}} λ ≥ (1 − δ) Σλ, δ = {SRANK_DELTA}",
        "Yang et al. 2020 (arXiv 1909.12255), approximate rank",
        lambda s, delta: leading(s**2, delta),
    ),
    "covariance": Convention(
        f"min k: Σ_{{i≤k}} λ⁰ ≥ (1 − δ) Σλ⁰, δ = {SRANK_DELTA}",
        "components that explain a share of the variance (PCA)",
        lambda s, delta: leading(s**2, delta),
        centred=True,
    ),
}

_RANGE = "k = {}…{}".format(*DECAY_RANGE)

ALPHA_REQ = {
    "paper": Convention(
        f"λ⁰_k ∝ k^(−α), least squares in logarithms with weights 1/k, {_RANGE}",
        "Agrawal et al. 2022; weights and range as in reptrix",
        lambda s, first, last: decay(s**2, first, last),
        centred=True,
    ),
    "unweighted": Convention(
        f"λ⁰_k ∝ k^(−α), plain least squares in logarithms, {_RANGE}",
        "hand-written",
        lambda s, first, last: decay(s**2, first, last, weighted=False),
        centred=True,
    ),
    "gram": Convention(
        f"λ_k ∝ k^(−α), least squares in logarithms with weights 1/k, {_RANGE}",
        "the monitor, whose Gram matrices are not centred",
        lambda s, first, last: decay(s**2, first, last),
    ),
}
