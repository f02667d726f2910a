"""The ε-rank as a result: an interval with its reasons, one number only when both ends agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Square
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, upward
from epsrank.theory.numbers.scaled import times_power_of_two
from epsrank.theory.rank.bounds import DecidedRank
from epsrank.theory.rank.enclosure import SpectrumEnclosure
from epsrank.theory.rank.routes.gram import gram_enclosure
from epsrank.theory.shown import Explained

_LARGEST = float(np.finfo(np.float64).max)


@dataclass(frozen=True, eq=False)
class SpectrumSource:
    """Eigenvalues of G = scale · H, from H̃ with ‖H̃ − H‖ ≤ formed, or already enclosed."""

    #: Positive; brings H to the units of the measure.
    scale: Fraction
    #: H̃; None where `known` is given.
    gram: Square | None = None
    #: Rounding bound of H̃.
    formed: float = 0.0
    #: Enclosure of the spectrum of H, where one was made.
    known: SpectrumEnclosure | None = None
    #: ‖A − A′‖_F ≤ move for every A′ whose entries round to those of A in their dtype.
    move: float = 0.0

    @cached_property
    def enclosure(self) -> SpectrumEnclosure:
        """Enclosure of the spectrum of H."""
        if self.known is not None:
            return self.known
        assert self.gram is not None
        return gram_enclosure(self.gram, self.formed)

    @cached_property
    def values(self) -> Array:
        """λ_1 ≥ … ≥ λ_n of G, as computed."""
        return scaled(self.enclosure.values, self.scale)

    @cached_property
    def error(self) -> float:
        """Bound on |values_k − λ_k| for every k, conversion to the measure's units included."""
        error = float(scaled(np.array([self.enclosure.error]), self.scale)[0])
        return upward(error + 8 * UNIT_ROUNDOFF["float64"] * float(self.values[0]))

    def storage(self, eps: float, relative: bool, found: tuple[int, int]) -> tuple[int, int]:
        """Return the interval of the count over all matrices that round to the one given (C2).

        |σ_k(A) − σ_k(A′)| ≤ ‖A − A′‖_F. The ends enclose `found`.
        """
        if self.move == 0:
            return found
        best = self.enclosure
        # 1e-15 is nine units of roundoff: more than the root, the sum and the square take.
        lower = np.maximum(np.sqrt(best.lower) * (1 - 1e-15) - self.move, 0.0) ** 2 * (1 - 1e-15)
        upper = (np.sqrt(best.upper) * (1 + 1e-15) + self.move) ** 2 * (1 + 1e-15)
        moved = SpectrumEnclosure(best.values, lower, upper)
        least, most = moved.count_above(eps, moved.threshold(eps, self.scale, relative), relative)
        # The matrix given is one of them.
        return min(least, found[0]), max(most, found[1])


def scaled(values: Array, scale: Fraction) -> Array:
    """Return values · scale, cut at the largest float64 instead of overflowing."""
    factor, shift = _apart(scale)
    with np.errstate(over="ignore", under="ignore"):
        product = np.ldexp(np.asarray(values, dtype=np.float64) * factor, shift)
    return np.asarray(np.minimum(product, _LARGEST))


def scaled_float(value: float, scale: Fraction) -> float:
    """Return value · scale rounded upward, cut at the largest float64."""
    factor, shift = _apart(scale)
    return min(upward(times_power_of_two(value * factor, shift)), _LARGEST)


def _apart(scale: Fraction) -> tuple[float, int]:
    """Return f and s with scale = f·2^s to rounding, for the scale may be beyond float64."""
    numerator, denominator = scale.numerator, scale.denominator
    shift = numerator.bit_length() - denominator.bit_length()
    # Whole numbers divide with one rounding, as their fraction would be rounded.
    return (numerator << max(-shift, 0)) / (denominator << max(shift, 0)), shift


@dataclass(frozen=True, eq=False)
class RankInterval(Explained, DecidedRank):
    """Certified enclosure  lower ≤ r_ε(G) ≤ upper  of r_ε(G) = #{k : λ_k(G) > ε}  (D1).

    Attributes
    ----------
    eps : float
        Threshold as given; relative to λ_1 when `relative`.
    lower, upper : int
        The ε-rank of the numbers given lies between them, ends included.
    route : str
        What decided: ``"gram"``, ``"projection"``, ``"svd"``, ``"exact"``, ``"ball"``,
        ``"spectrum"``, and where only a count was asked for also ``"samples"``, ``"silent"`` (all
        neurons together have less than ε) and ``"gram-float32"``; joined by ``+`` where several
        routes contributed.
    reason : str
        One sentence: why the ends agree, or why they do not.
    noise_floor : float
        Rounding bound ‖G̃ − G‖₂ of the float64 Gram matrix, in the units of λ: below it the Gram
        route alone resolves no ε (C2).
    measure : str
        ``"mean"``, ``"raw"`` or ``"volume"``.
    dtype : str
        Type of the features as given.
    n_samples, n_features : int
        N and n (N is 0 where only a Gram matrix or a spectrum was given).
    relative : bool
        Whether the threshold is ε·λ_1.
    source : SpectrumSource or None
        What `spectrum`, `spectrum_error` and `storage` are computed from when asked for; None where
        only a count was asked for, and they raise an `InputError`.
    """

    noise_floor: float
    measure: str
    dtype: str
    n_samples: int
    n_features: int
    relative: bool = False
    source: SpectrumSource | None = field(kw_only=True, repr=False)

    # Where exact=True would decide more, the reason says so.
    _REMEDY = "; use .lower and .upper"

    @property
    def spectrum(self) -> Array:
        """λ_1 ≥ … ≥ λ_n in the measure, float64 of shape (n,), as computed on first use."""
        return self._known_source().values

    @property
    def spectrum_error(self) -> float:
        """|computed λ_k − λ_k| ≤ spectrum_error for every k, rounding included."""
        return self._known_source().error

    @property
    def storage(self) -> tuple[int, int]:
        """Interval of the ε-rank over *every* real matrix that rounds to the features given (C2).

        `lower` and `upper` speak of the stored numbers. Where this interval is wider, a float32 (or
        bfloat16) copy of the features cannot say what rank they had before they were rounded.
        """
        return self._known_source().storage(self.eps, self.relative, (self.lower, self.upper))

    def _known_source(self) -> SpectrumSource:
        if self.source is None:
            raise InputError(
                "counts_only", "left no spectrum", "ask again without counts_only=True"
            )
        return self.source

    def __str__(self) -> str:
        eps = f"{self.eps:g}·λ₁" if self.relative else f"{self.eps:g}"
        return (
            f"ε-rank {self.ends} of {self.n_features} at ε = {eps} ({self.measure} measure, "
            f"{self.dtype}, route {self.route}, float64 Gram noise floor {self.noise_floor:.1e})"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the entry of ``"ranks"`` in the contract of ``epsrank rank --json``.

        Returns
        -------
        dict
            Keys ``eps``, ``lower``, ``upper``, ``route``, ``reason``, ``relative``, ``storage``
            (None where only a count was asked for).
        """
        return {
            "eps": self.eps,
            "lower": self.lower,
            "upper": self.upper,
            "route": self.route,
            "reason": self.reason,
            "relative": self.relative,
            "storage": None if self.source is None else list(self.storage),
        }
