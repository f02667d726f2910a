"""One feature matrix and counts alone: no more samples and no more digits than a count takes."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.data.weighted import far_apart, weight_roots
from epsrank.theory.numbers.arrays import Array, Square, Vector
from epsrank.theory.numbers.dyadic import float_above, float_below, power_of_two
from epsrank.theory.numbers.rounding import gram_factor, squared_frobenius, upward
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.enclosure import SpectrumEnclosure
from epsrank.theory.rank.interval import scaled_float
from epsrank.theory.rank.problem import Thresholds, gap_reason
from epsrank.theory.rank.routes.factorised import factorised_count
from epsrank.theory.rank.routes.foresight import Foresight, eigenvalues_near
from epsrank.theory.rank.routes.gram_float32 import (
    PREVIEW,
    NarrowSizes,
    errors_of_chunks,
    form_gram_float32,
    narrow_sizes,
)
from epsrank.theory.rank.routes.parts import (
    Audible,
    full_on_some_samples,
    gram_of_rows,
    look,
    without_silent,
)
from epsrank.theory.rank.routes.projection import projected_enclosure
from epsrank.theory.words import plural

# Widths and samples from which the shortcuts pay: a float64 Gram matrix of 2048 × 512 takes 20 ms,
# so that there is little to gain below.
_WIDE_ENOUGH = 256
_LONG_ENOUGH = 2048

# Share of the threshold that float32 products may be off by, and the number of eigenvalues that
# may be expected so close to it from a quarter of the neurons.
_SHARE = 1 / 2
_NEAR = 0.25

# The number that may be seen so close to it in the products of a part of the samples, the share of
# the threshold that these are wanted to be off by at most, and the samples per neuron from which
# the part is small enough.
_SEEN = 1.0
_WANTED = 1 / 4
_MANY = 2 * PREVIEW

# Chunks at least, for some of them to be a part.
_PARTS = 4


class CountProblem:
    """Certified counts #{k : λ_k(G) > ε} where nothing else of the spectrum is wanted.

    What `RankProblem` does not do, because it leaves no float64 Gram matrix behind: full rank from
    some of the samples, a few directions that hold nearly everything, a Gram matrix of float32
    products, and neurons left out that are silent.
    What this does not decide stays an open interval, for `RankProblem` to decide.
    """

    def __init__(self, features: Features, measure: Measure) -> None:
        self.features = features
        self._roots, shift = weight_roots(measure)
        self._scale = power_of_two(-2 * shift) / measure.normaliser

    def decide(self, thresholds: Thresholds) -> list[Decision]:
        """Decide several thresholds; where both ends differ, the usual routes have to."""
        n = self.features.n_features
        unknown = Decision(0, n, "", "left to the float64 Gram matrix")
        # As floats: scaled ones may leave the range.
        thetas = [Fraction(value) / self._scale for value in thresholds.eps]
        least, most = float_below(min(thetas)), float_above(max(thetas))
        usable = (
            n >= _WIDE_ENOUGH
            and self.features.n_samples >= _LONG_ENOUGH
            and self.features.exact  # integers beyond 2^53 are not what float64 sees
            and not thresholds.relative  # ε·λ_1 would need λ_1
            and not far_apart(self._roots)
            and least > 0
            and most < np.inf
        )
        if not usable:
            return [unknown] * len(thetas)
        audible = without_silent(self.features.given, self._roots, least)
        counting = _Counting(self.features.given, self._roots, least, audible)
        return [counting.decide(theta) or unknown for theta in thetas]

    @property
    def noise_floor(self) -> float:
        """Rounding bound that the float64 Gram matrix would have, in the units of G."""
        square = squared_frobenius(self.features.given, self._roots)
        g = gram_factor(self.features.n_samples, self._roots is not None)
        return scaled_float(upward(g / (1 - g) * square), self._scale)


class _Counting:
    """The neurons that count at some thresholds, and what is made once for all of these."""

    def __init__(
        self,
        matrix: NDArray[Any],
        roots: Vector | None,
        least: float,
        audible: Audible | None,
    ) -> None:
        self._matrix = matrix if audible is None else audible.matrix
        self._roots = roots
        # The smallest threshold: the scale on which the spectrum is wanted.
        self._least = least
        self._audible = audible
        self._gram: tuple[Square, float] | None = None
        self._looked = False

    def decide(self, theta: Fraction) -> Decision | None:
        """Count the eigenvalues beyond θ, the energy of silent neurons included."""
        if self._audible is None:
            return self._decide(theta, theta)
        # For A = [A_a A_s] with silent A_s, λ_k(A_a A_aᵀ) ≤ λ_k(AAᵀ) ≤ λ_k(A_a A_aᵀ) + τ (M7): the
        # count beyond θ lies between those of A_a beyond θ and beyond θ − τ.
        found = self._decide(Fraction(self._audible.lowered(float_below(theta))), theta)
        if found is None:
            return None
        reason = f"{found.reason}; {self._audible.left_out} silent neurons add nothing"
        return replace(found, reason=reason)

    def _decide(self, below: Fraction, above: Fraction) -> Decision | None:
        """Count the eigenvalues of the matrix beyond a threshold in an interval."""
        n = self._matrix.shape[1]
        if n == 0:
            return Decision(0, 0, "silent", "all neurons together have less than ε")
        # In order of cost: some samples, a few directions, float32 products, float64 products.
        used = full_on_some_samples(self._matrix, self._roots, float_above(above), self._outlook)
        if used is not None:
            reason = (
                f"{used} of the {plural(len(self._matrix), 'sample')} "
                "suffice for G ≻ εI, rounding included"
            )
            return Decision(n, n, "samples", reason)
        if self._projected is not None:
            lower, upper = self._projected.count(below, above)
            if lower == upper:
                reason = gap_reason(self._projected, lower, below)
                return Decision(lower, upper, "projection", reason)
        gram = self._float32_gram(float_below(below))
        found = None if gram is None else factorised_count(*gram, below, above)
        if found is not None:
            reason = f"{found.route} of float32 products: {found.reason}"
            return replace(found, route="gram-float32", reason=reason)
        if self._audible is None:
            return None
        # Without silent neurons this Gram matrix is the one that RankProblem forms anyway.
        found = factorised_count(*self._float64_gram, below, above)
        return None if found is None else replace(found, route="gram")

    @cached_property
    def _projected(self) -> SpectrumEnclosure | None:
        """Enclosure by way of a few directions, where these are enough."""
        return projected_enclosure(self._matrix, self._roots, self._least, self._outlook)

    @cached_property
    def _float64_gram(self) -> tuple[Square, float]:
        """H̃ of float64 products of what is left, with its error."""
        return gram_of_rows(self._matrix, self._roots)

    def _float32_gram(self, theta: float) -> tuple[Square, float] | None:
        """Return H̃ of float32 products with its error, where that is likely to decide."""
        # A matrix made for another threshold serves where it is accurate enough for this one.
        if self._gram is not None and self._gram[1] <= _SHARE * theta:
            matrix, error = self._gram
            clear = self._outlook.near(theta, error) <= _NEAR or (
                eigenvalues_near(matrix, theta, error) <= _SEEN
            )
            return self._gram if clear else None
        if self._sizes is None:
            return None
        n_samples, n_features = self._matrix.shape
        possible = [
            (chunk, error)
            for chunk, error in errors_of_chunks(self._sizes, n_samples)
            if error <= _SHARE * theta
        ]
        for chunk, error in possible:
            if self._outlook.near(theta, error) <= _NEAR:
                self._gram = form_gram_float32(self._matrix, self._roots, self._sizes, chunk)
                return self._gram
        if self._looked or n_samples < _MANY * n_features or not self._outlook.blind():
            return None
        parts = [(chunk, error) for chunk, error in possible if _PARTS * chunk <= n_samples]
        if not parts:
            return None
        # Some neurons do not show a gap that all of them have. Some samples do.
        self._looked = True
        chunk, error = next((pair for pair in parts if pair[1] <= _WANTED * theta), parts[-1])

        def crowded(part: Array, seen: int) -> bool:
            """Whether a part of the samples shows eigenvalues within E of θ."""
            # H of a part is about that share of H; θ and the error go with it.
            share = seen / n_samples
            return eigenvalues_near(part, share * theta, share * error) > _SEEN

        self._gram = form_gram_float32(self._matrix, self._roots, self._sizes, chunk, crowded)
        return self._gram

    @cached_property
    def _outlook(self) -> Foresight:
        """What to expect of the spectrum."""
        return look(self._matrix, self._roots, self._least)

    @cached_property
    def _sizes(self) -> NarrowSizes | None:
        """What float32 products would cost in accuracy."""
        return narrow_sizes(self._matrix, self._roots)
