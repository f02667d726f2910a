"""Ranks and dimensions of features by the definition that is named."""

from __future__ import annotations

import math
from typing import Any

from epsrank.theory.data.inputs import as_share, as_whole
from epsrank.theory.dimension.conventions import (
    ALPHA_REQ,
    EFFECTIVE_RANK,
    RANKME,
    SRANK,
    STABLE_RANK,
    chosen,
)
from epsrank.theory.dimension.moments import FeatureMoments, as_samples
from epsrank.theory.dimension.of_spectrum import DECAY_RANGE, SRANK_DELTA
from epsrank.theory.errors import InputError
from epsrank.theory.rank import epsilon_rank
from epsrank.theory.rank.interval import RankInterval

#: Threshold of the feature rank on singular values.
FEATURE_RANK_THRESHOLD = 0.01


def effective_rank(features: Any, *, definition: str = "paper") -> float:
    """Effective rank  exp(−Σ p_k log p_k),  p_k = σ_k / Σ σ,  between 1 and the rank.

    Scaling, rotating and permuting neurons or samples changes nothing. 0 for features that are all
    zero.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Φ, one row per sample, or its sums.
    definition : {"paper", "centred", "eigenvalues", "covariance", "normalised"}
        ``"paper"``: σ are the singular values of Φ. ``"centred"``: of Φ less the mean sample.
        ``"eigenvalues"``: p_k = λ_k/Σλ with λ = σ², the exponential of the von Neumann entropy.
        ``"covariance"``: both. ``"normalised"``: −Σ p log p / log min(N, n), in [0, 1]. With
        logarithms to another base, of which that is the power, the number is the same; the entropy
        in bits is log2 of it.

    Returns
    -------
    float
        The effective rank.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Roy, Vetterli, "The effective rank: a measure of effective dimensionality", EUSIPCO 2007.

    Examples
    --------
    >>> import numpy as np
    >>> round(effective_rank(np.eye(4)), 6)
    4.0
    """
    return float(chosen(EFFECTIVE_RANK, definition).of(as_samples(features)))


def rankme(features: Any, *, definition: str = "paper") -> float:
    """RankMe  exp(−Σ p_k log p_k),  p_k = σ_k / Σ σ + 1e-7,  k = 1 … min(N, n).

    Up to its offset this is `effective_rank`, and with it slightly more than the rank is possible.
    0 for features that are all zero.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Embeddings, one row per sample, or their sums. The paper takes 25 600 samples.
    definition : {"paper", "offset-1e-5", "centred", "eigenvalues"}
        ``"paper"``: as above, of the features as they are. ``"offset-1e-5"``: with 1e-5 in the
        place of 1e-7. ``"centred"``: that, of features less the mean sample. ``"eigenvalues"``:
        p_k = λ_k/Σλ + 1e-7 of the covariance matrix; this is another quantity, and much smaller.

    Returns
    -------
    float
        RankMe.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Garrido, Balestriero, Najman, LeCun, "RankMe", ICML 2023, arXiv 2210.02885, eq. 1.

    Examples
    --------
    >>> import numpy as np
    >>> f"{rankme(np.eye(4)):.4f}"
    '4.0000'
    """
    return float(chosen(RANKME, definition).of(as_samples(features)))


def stable_rank(features: Any, *, definition: str = "paper") -> float:
    """Stable rank  ‖Φ‖_F² / ‖Φ‖₂² = Σ λ / λ_1,  between 1 and the rank; 0 for zero features.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Φ, or its sums.
    definition : {"paper", "centred"}
        Of the features as they are, or less their mean over the samples.

    Returns
    -------
    float
        The stable rank.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Rudelson, Vershynin, "Sampling from large matrices", J. ACM 54 (2007).

    Examples
    --------
    >>> stable_rank([[2.0, 0.0], [0.0, 1.0]])
    1.25
    """
    return float(chosen(STABLE_RANK, definition).of(as_samples(features)))


def srank(features: Any, delta: float = SRANK_DELTA, *, definition: str = "paper") -> int:
    """Fewest directions with a share 1 − δ:  min{k : Σ_{i≤k} σ_i ≥ (1 − δ) Σ_i σ_i}.

    Scaling, rotating and permuting changes nothing. 0 for features that are all zero.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Φ, or its sums.
    delta : float
        δ in (0, 1), a share.
    definition : {"paper", "eigenvalues", "covariance"}
        ``"paper"``: of singular values. ``"eigenvalues"``: of their squares. ``"covariance"``: of
        the squares for features less their mean: principal components that explain 1 − δ.

    Returns
    -------
    int
        From 1 to the rank.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Kumar, Agarwal, Ghosh, Levine, "Implicit under-parameterization inhibits data-efficient
       deep reinforcement learning", ICLR 2021, arXiv 2010.14498, eq. 3.2 (δ = 0.01).

    Examples
    --------
    >>> import numpy as np
    >>> srank(np.diag([10.0, 1.0, 0.01]))
    2
    """
    share = as_share(delta, "delta")
    return int(chosen(SRANK, definition).of(as_samples(features), share))


def feature_rank(
    features: Any, threshold: float = FEATURE_RANK_THRESHOLD, *, definition: str = "paper"
) -> RankInterval:
    """Feature rank  #{k : σ_k(Φ)/√N > t}:  the ε-rank in ``mean`` measure at ε = t².

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Φ, or its sums.
    threshold : float
        t > 0, in the units of the features.
    definition : {"paper", "unscaled"}
        ``"paper"``: with 1/√N, so that it has a limit as samples are added. ``"unscaled"``:
        #{k : σ_k(Φ) > t}, as often computed; it grows with N.

    Returns
    -------
    RankInterval
        Certified for the float t·t; ``int()`` gives the number where both ends agree.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Lyle, Rowland, Dabney, "Understanding and preventing capacity loss in reinforcement
       learning", ICLR 2022, arXiv 2204.09560 (t = 0.01).

    Examples
    --------
    >>> import numpy as np
    >>> features = np.diag([1.0, 0.015])
    >>> int(feature_rank(features)), int(feature_rank(features, definition="unscaled"))
    (2, 2)
    >>> features = np.repeat(np.diag([1.0, 0.008]), 4, axis=0)
    >>> int(feature_rank(features)), int(feature_rank(features, definition="unscaled"))
    (1, 2)
    """
    number = isinstance(threshold, (int, float)) and not isinstance(threshold, bool)
    if not (number and math.isfinite(threshold) and threshold > 0 and threshold * threshold > 0):
        raise InputError("threshold", f"is {threshold!r}", "pass a number > 0, such as 0.01")
    if definition not in ("paper", "unscaled"):
        remedy = "choose one of 'paper', 'unscaled'"
        raise InputError("definition", f"is {definition!r}", remedy)
    eps = float(threshold) * float(threshold)
    if isinstance(features, FeatureMoments):
        return features.rank(eps if definition == "paper" else eps / features.n_samples)
    return epsilon_rank(features, eps, measure="mean" if definition == "paper" else "raw")


def alpha_req(
    features: Any, *, fit: tuple[int, int] = DECAY_RANGE, definition: str = "paper"
) -> float | None:
    """α-ReQ: the exponent α of  λ_k ∝ k^(−α)  over a range of k, by least squares in logarithms.

    Scaling, rotating and permuting changes nothing. Adding samples changes the tail of the
    spectrum and so α: compare at one N, well above the last k.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n), or FeatureMoments
        Φ, or its sums.
    fit : (int, int)
        First and last k of the fit, counted from 1; what is beyond min(N, n), or not above
        rounding, is left out.
    definition : {"paper", "unweighted", "gram"}
        ``"paper"``: eigenvalues of the covariance, weights 1/k. ``"unweighted"``: weights 1.
        ``"gram"``: weights 1/k, features not centred.

    Returns
    -------
    float or None
        α; None where fewer than three eigenvalues are left.

    Raises
    ------
    InputError
        If an argument cannot be used.

    References
    ----------
    .. [1] Agrawal, Mondal, Ghosh, Richards, "α-ReQ: Assessing representation quality in
       self-supervised learning by measuring eigenspectrum decay", NeurIPS 2022.

    Examples
    --------
    >>> import numpy as np
    >>> k = np.arange(1, 51)
    >>> features = np.diag(k**-0.75)  # λ_k ∝ k^(−1.5)
    >>> round(alpha_req(features, definition="gram"), 6)
    1.5
    """
    try:
        first, last = fit
    except (TypeError, ValueError):
        raise InputError("fit", f"is {fit!r}", "pass (first, last), such as (6, 100)") from None
    first = as_whole(first, "fit")
    last = as_whole(last, "fit", least=first + 2, remedy="pass last ≥ first + 2")
    found = chosen(ALPHA_REQ, definition).of(as_samples(features), first, last)
    return None if found is None else float(found)
