"""The ε-rank of a spectrum whose entries are known to within an error bound (D1)."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Literal

import numpy as np

from epsrank.theory.enclosure import SpectrumEnclosure, from_error
from epsrank.theory.errors import InputError
from epsrank.theory.inputs import as_eps, to_numpy
from epsrank.theory.rank_interval import RankInterval
from epsrank.theory.spectrum_source import SpectrumSource


def interval_of_enclosure(
    enclosure: SpectrumEnclosure,
    eps: float,
    decision: tuple[int, int, str, str],
    *,
    noise_floor: float,
    labels: tuple[str, str, int, bool],
    scale: Fraction = Fraction(1),
) -> RankInterval:
    """Wrap a decision that was made without features, in the units of scale · H.

    Parameters
    ----------
    enclosure : SpectrumEnclosure
        Spectrum of H.
    eps : float
        ε as given.
    decision : tuple of (int, int, str, str)
        Lower end, upper end, route, reason.
    noise_floor : float
        Error bound of the eigenvalues, in the units of λ.
    labels : tuple of (str, str, int, bool)
        Measure, dtype, number of samples (0 if unknown), whether the threshold is relative.
    scale : Fraction
        G = scale · H.

    Returns
    -------
    RankInterval
        The result.
    """
    lower, upper, route, reason = decision
    measure, dtype, n_samples, relative = labels
    return RankInterval(
        eps=eps,
        lower=lower,
        upper=upper,
        route=route,
        reason=reason,
        noise_floor=noise_floor,
        measure=measure,
        dtype=dtype,
        n_samples=n_samples,
        n_features=len(enclosure.values),
        relative=relative,
        source=SpectrumSource(scale, known=enclosure),
    )


def epsilon_rank_from_spectrum(
    spectrum: Any,
    eps: float,
    *,
    error: float = 0.0,
    measure: Literal["mean", "raw", "volume"] = "raw",
    dtype: str = "float64",
    relative: bool = False,
) -> RankInterval:
    """ε-rank of a spectrum  λ_1, …, λ_n  whose entries are known to within `error`  (D1).

    Parameters
    ----------
    spectrum : array_like, shape (n,)
        Eigenvalues of the Gram matrix, in any order (squares of singular values of A, not the
        singular values themselves).
    eps : float
        ε > 0.
    error : float
        |entry − λ_k| ≤ error for each k; 0 takes the numbers as exact.
    measure : {"mean", "raw", "volume"}
        Measure of the spectrum; a label.
    dtype : str
        Dtype of the features; a label.
    relative : bool
        Threshold ε·λ_1.

    Returns
    -------
    RankInterval
        The interval.

    Raises
    ------
    InputError
        If the spectrum is not a non-empty vector of finite numbers ≥ −error.
    """
    threshold = as_eps(eps)
    given, _ = to_numpy(spectrum, "spectrum")
    values = given.astype(np.float64)
    if values.ndim != 1 or values.size == 0:
        raise InputError("spectrum", f"has shape {values.shape}", "pass a vector of eigenvalues")
    if not np.isfinite(values).all():
        raise InputError("spectrum", "has NaN or infinite entries", "drop or recompute them")
    if not error >= 0:
        raise InputError("error", f"is {error!r}", "pass a bound ≥ 0 on each eigenvalue's error")
    if float(values.min()) < -error:
        raise InputError(
            "spectrum",
            f"has the negative eigenvalue {float(values.min()):.3g}",
            "pass the eigenvalues of a Gram matrix, or their error bound",
        )
    if error == 0:
        descending = np.sort(values)[::-1]
        enclosure = SpectrumEnclosure(descending, descending, descending)
    else:
        enclosure = from_error(values, float(error))
    below = above = Fraction(threshold)
    if relative:
        below, above = below * Fraction(enclosure.lower[0]), above * Fraction(enclosure.upper[0])
        # λ_k > ελ_1 compares rationals where the entries are exact.
    lower, upper = _count_rational(enclosure, below, above)
    reason = (
        "counted in the spectrum given"
        if lower == upper
        else f"eigenvalues {lower + 1} to {upper} lie within {error:.3g} of the threshold"
    )
    return interval_of_enclosure(
        enclosure,
        threshold,
        (lower, upper, "spectrum", reason),
        noise_floor=float(error),
        labels=(measure, dtype, 0, relative),
    )


def _count_rational(
    enclosure: SpectrumEnclosure, below: Fraction, above: Fraction
) -> tuple[int, int]:
    lower = sum(Fraction(value) > above for value in enclosure.lower.tolist())
    upper = sum(Fraction(value) > below for value in enclosure.upper.tolist())
    return lower, upper
