"""Confidence interval of the population ε-rank by relative matrix concentration (C4)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import (
    Features,
    as_box,
    as_eps,
    as_features,
    as_positive,
    as_share,
)
from epsrank.theory.dense.network import DenseNetwork
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.rounding import downward, gamma, unit_roundoff, upward
from epsrank.theory.rank import epsilon_ranks
from epsrank.theory.sampling.domain import largest_leverage
from epsrank.theory.sampling.leverage import Halves, certified_leverage, cut_in_halves, truncated
from epsrank.theory.sampling.plain import PlainInterval, bootstrap_interval, plain_deviation
from epsrank.theory.sampling.result import LeverageSource, PopulationRank
from epsrank.theory.sampling.thresholds import Relative, relative, separating_samples
from epsrank.theory.sampling.whitening import whitening
from epsrank.theory.words import plural

# Share of δ spent on the leverage; the two tails share the rest evenly.
_LEVERAGE_SHARE = 0.2

# Features as given are taken to agree with the network to 2⁻⁴⁰, or to this many units of roundoff.
_AGREEMENT, _ROUNDING_UNITS = 2.0**-40, 2.0**7

#: τ/ε: κ grows slowly as τ falls while the thresholds move by η(ε + τ).
RIDGE_RATIO = 0.25


def population_rank(
    features: Any,
    eps: float,
    *,
    confidence: float = 0.95,
    network: DenseNetwork | None = None,
    domain: Any = None,
    leverage: float | None = None,
    envelope: float | None = None,
    ridge: float | None = None,
    resamples: int = 200,
    seed: int = 0,
) -> PopulationRank:
    """Bound r_ε(E φφᵀ) from N independent samples φ(x_1) … φ(x_N).

    With κ ≥ sup_x φᵀ(G+τI)⁻¹φ the relative deviation of Ĝ + τI from G + τI is at most η₊ and η₋
    (``epsrank.theory.sampling.tails``), so with probability 1 − δ

        #{λ̂_k > ε + η₊(ε+τ)}  ≤  r_ε(G)  ≤  #{λ̂_k > ε − η₋(ε+τ)}.

    κ is certified over `domain` for a known `network` (a fifth of δ pays for G being unknown),
    `leverage` as given, or else the largest of the sample, which makes an estimate only. The lower
    end `certain_lower` needs none of these. No upper end can do without: a direction that the
    population takes with probability 1/(10N) is not in the sample, and may carry any eigenvalue.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        Φ, one row per independent draw, N ≥ 4.
    eps : float
        ε > 0.
    confidence : float
        1 − δ.
    network : DenseNetwork, optional
        The network whose features these are, each entry to 2⁻⁴⁰ (float32: to 2⁻¹⁷).
    domain : sequence of (float, float), optional
        A box that holds every x of the population.
    leverage : float, optional
        A known κ for the ridge τ.
    envelope : float, optional
        A known M² ≥ sup ‖φ‖², for the plain interval.
    ridge : float, optional
        τ; ε/4 by default. It must not be chosen by looking at the sample.
    resamples : int
        Resamples of the bootstrap; 0 for none.
    seed : int
        Seed of the bootstrap.

    Returns
    -------
    PopulationRank
        The interval and what it rests on.

    Raises
    ------
    InputError
        If the arguments do not fit together.

    Notes
    -----
    C4 in the project's numbering; the derivation is in docs/sampling.md.
    """
    checked = as_features(features)
    threshold = as_eps(eps)
    tau = RIDGE_RATIO * threshold if ridge is None else as_eps(ridge, name="ridge")
    delta = 1 - as_share(confidence, "confidence")
    values = checked.values
    _check_arguments(checked, network, domain, leverage)
    halves = cut_in_halves(values, tau)
    rest = (1 - _LEVERAGE_SHARE) * delta
    source: LeverageSource
    if network is not None:
        source, share = "domain", rest / 2
        slip = max(_AGREEMENT, _ROUNDING_UNITS * unit_roundoff(checked.dtype))
        kappa = certified_leverage(halves, network, domain, delta - rest, slip)
    elif leverage is not None:
        source, share, kappa = "given", delta / 2, as_positive(leverage, "leverage")
    else:
        source, share = "data", delta / 2
        kappa = float(whitening(values, tau).leverage(values).max())
    found = relative(threshold, tau, checked.n_samples, checked.n_features, kappa, share)
    sample, lower, upper, spectrum = _count(checked, threshold, found)
    certain = _certain_lower(halves, threshold, tau, delta)
    if source == "given":
        _refuse_contradicted(kappa, certain, upper, threshold, tau)
    return PopulationRank(
        eps=threshold,
        lower=lower,
        upper=upper,
        confidence=float(confidence),
        guaranteed=source != "data",
        certain_lower=certain,
        sample_lower=sample[0],
        sample_upper=sample[1],
        ridge=tau,
        leverage=kappa,
        leverage_source=source,
        deviation_upper=found.eta_upper,
        deviation_lower=found.eta_lower,
        threshold_lower=found.above,
        threshold_upper=found.below,
        separating_samples=separating_samples(
            spectrum, threshold, tau, kappa, share, rank=sample[0]
        ),
        plain=_plain(checked, threshold, delta, spectrum, network, domain, envelope),
        bootstrap=bootstrap_interval(values, threshold, float(confidence), resamples, seed)
        if resamples > 0
        else None,
        n_samples=checked.n_samples,
        n_features=checked.n_features,
        dtype=checked.dtype,
    )


def _count(
    features: Features, eps: float, found: Relative
) -> tuple[tuple[int, int], int, int, Array]:
    """Count sample eigenvalues above ε and above both thresholds, certified against rounding.

    The answer is the sample's ε-rank, the ends for the population, and the sample's spectrum.
    """
    # An infinite threshold counts nothing; one that is not positive leaves n as the upper end.
    wanted = [eps]
    wanted += [found.above] if math.isfinite(found.above) else []
    wanted += [found.below] if found.below > 0 else []
    ranks = epsilon_ranks(features, wanted)
    at_eps = ranks[0]
    lower = ranks[1].lower if math.isfinite(found.above) else 0
    upper = ranks[-1].upper if found.below > 0 else features.n_features
    return (at_eps.lower, at_eps.upper), lower, upper, at_eps.spectrum


def _certain_lower(halves: Halves, eps: float, ridge: float, delta: float) -> int:
    """Return a lower end that holds whatever the leverage of the population is."""
    kept, kappa = truncated(halves, _LEVERAGE_SHARE * delta)
    rest = (1 - _LEVERAGE_SHARE) * delta
    found = relative(eps, ridge, len(kept), kept.shape[1], kappa, rest)
    if not math.isfinite(found.above):
        return 0
    return epsilon_ranks(kept, [found.above])[0].lower


def _plain(
    features: Features,
    eps: float,
    delta: float,
    spectrum: Array,
    network: DenseNetwork | None,
    domain: Any,
    envelope: float | None,
) -> PlainInterval:
    """Return the plain matrix Bernstein interval."""
    known = envelope is not None or network is not None
    if envelope is not None:
        square = _as_envelope(envelope, features)
    elif network is not None:
        square = upward(largest_leverage(network, domain, max_boxes=4000).upper * (1 + 2.0**-20))
    else:
        square = float((features.values**2).sum(axis=1).max())
    n_samples, n = features.n_samples, features.n_features
    shift = plain_deviation(square, upward(float(spectrum[0])), n_samples, n, delta)
    lower = epsilon_ranks(features, [upward(eps + shift)])[0].lower
    upper = n
    if eps > shift:
        upper = epsilon_ranks(features, [downward(eps - shift)])[0].upper
    return PlainInterval(lower, upper, shift, square, known, shift >= eps)


def _check_arguments(
    features: Features, network: DenseNetwork | None, domain: Any, leverage: float | None
) -> None:
    if features.n_samples < 4:
        raise InputError(
            "features", f"have {plural(features.n_samples, 'row')}", "pass 4 samples or more"
        )
    if (network is None) != (domain is None):
        given, missing = ("network", "domain") if domain is None else ("domain", "network")
        raise InputError(given, f"is given without a {missing}", "pass both or neither")
    if network is not None:
        if leverage is not None:
            raise InputError("leverage", "is given beside a domain", "pass one of them")
        if network.n_features != features.n_features:
            raise InputError(
                "network",
                f"has {plural(network.n_features, 'neuron')}, but the "
                f"features have {features.n_features}",
                "pass the network that made them",
            )
        as_box(domain, n_inputs=network.n_inputs)
    if leverage is not None:
        as_positive(leverage, "leverage")


def _as_envelope(envelope: Any, features: Features) -> float:
    """Check M² ≥ sup ‖φ‖², which every sample bounds from below."""
    square = as_positive(envelope, "envelope")
    rows = np.einsum("ij,ij->i", features.values, features.values)
    # γ of the sum of squares, so that only a row that is longer for certain contradicts.
    largest = float(rows.max()) / (1 + gamma(features.n_features + 2))
    if square < largest:
        raise InputError(
            "envelope",
            f"is {square:g}, but a sample has ‖φ‖² = {largest:.6g}",
            "pass M² ≥ sup ‖φ‖²",
        )
    return square


def _refuse_contradicted(kappa: float, certain: int, upper: int, eps: float, ridge: float) -> None:
    """Refuse a leverage κ that cannot be the population's, so that nothing rests on it.

    κ is at least its own mean tr G(G + τI)⁻¹, which is at least r ε/(ε + τ) for r eigenvalues above
    ε; and two ends that cross cannot both hold.
    """
    least = certain * eps / (eps + ridge)
    shown = f"but the sample itself shows an ε-rank of {certain} or more"
    remedy = "pass a bound of sup_x φᵀ(G + τI)⁻¹φ, or leave it out for an estimate"
    if kappa < least:
        problem = f"is {kappa:g}, {shown}, whose leverage is {least:.4g} or more"
        raise InputError("leverage", problem, remedy)
    if certain > upper:
        problem = f"is {kappa:g}, which allows an ε-rank of {upper} at most, {shown}"
        raise InputError("leverage", problem, remedy)
