"""One feature matrix, its thresholds, and the routes that are tried on it in order of cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from functools import cached_property

import numpy as np

from epsrank.theory.data.exact_gram import ExactGram, exact_gram
from epsrank.theory.data.inputs import Features
from epsrank.theory.data.measure import Measure
from epsrank.theory.data.weighted import WeightedFeatures, far_apart, weighted_features
from epsrank.theory.numbers.arrays import Array
from epsrank.theory.numbers.dyadic import float_above, float_below
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.enclosure import SpectrumEnclosure, intersect
from epsrank.theory.rank.interval import SpectrumSource, scaled_float
from epsrank.theory.rank.problem import Thresholds, beyond_largest, gap_reason
from epsrank.theory.rank.routes.exact import AUTO_BUDGET, integer_count, whole_largest
from epsrank.theory.rank.routes.factorised import factorised_count, foresee_gram
from epsrank.theory.rank.routes.foresight import Foresight
from epsrank.theory.rank.routes.gram import form_gram, gram_enclosure, in_range
from epsrank.theory.rank.routes.parts import look
from epsrank.theory.rank.routes.projection import projected_enclosure
from epsrank.theory.rank.routes.shortcuts import FULL, all_above, low_rank_enclosure
from epsrank.theory.rank.routes.svd import right_singular_vectors, svd_enclosure
from epsrank.theory.rank.storage import storage_move

# From this width on, and up to this many thresholds, factorisations spare the eigenvalues where a
# count is all that is asked: one set of eigenvalues serves any number of thresholds.
_WIDE_ENOUGH_FOR_COUNTS = 256
_FEW_THRESHOLDS = 2


class RankProblem:
    """Certified counts #{k : λ_k(G) > ε} for one feature matrix, each costly part made once."""

    def __init__(self, features: Features, measure: Measure, exact: bool = False) -> None:
        self.features = features
        self.measure = measure
        self.exact = exact
        # ε in units of H, which every route asks for.
        self._thetas: dict[float, Fraction] = {}
        # Unscaled first, which spares two passes: what over- or underflows shows in the trace of G.
        self.weighted: WeightedFeatures = weighted_features(features, measure, rescale=False)
        with np.errstate(over="ignore", invalid="ignore"):
            self.gram, self.formed = form_gram(self.weighted)
            self._trace = float(self.gram.trace())
        if far_apart(self.weighted.roots) or not in_range(self._trace):
            self.weighted = weighted_features(features, measure, rescale=True)
            self.gram, self.formed = form_gram(self.weighted)
            self._trace = float(self.gram.trace())

    @cached_property
    def fast(self) -> SpectrumEnclosure:
        """Enclosure of the Gram route."""
        return gram_enclosure(self.gram, self.formed)

    @property
    def has_eigenvalues(self) -> bool:
        """Whether the eigenvalues are there already, so that nothing is won by going without."""
        return "fast" in self.__dict__

    @cached_property
    def accurate(self) -> SpectrumEnclosure:
        """Enclosure of the SVD route within that of the Gram route."""
        enclosure = svd_enclosure(self.weighted)
        return self.fast if enclosure is None else intersect(self.fast, enclosure)

    @cached_property
    def integers(self) -> ExactGram:
        """The exact Gram matrix."""
        return exact_gram(self.features, self.measure)

    @cached_property
    def _vectors(self) -> Array | None:
        """Directions in which the integer routes begin, columns by descending singular value."""
        return right_singular_vectors(self.weighted.weighted())

    def _integer_seconds(self) -> float:
        """Estimate integer arithmetic: forming the matrix, and then one count by balls."""
        n_samples, n = self.features.n_samples, self.features.n_features
        forming = n_samples * n * (1e-6 + 7e-9 * n)
        return forming + 0.2 * (n / 200) ** 3

    def threshold(
        self, eps: float, relative: bool, best: SpectrumEnclosure | None = None
    ) -> tuple[Fraction, Fraction]:
        """Enclose the threshold in units of H = G/scale; both ends agree unless it is relative."""
        if not relative:
            theta = self._thetas.get(eps)
            if theta is None:
                theta = self._thetas[eps] = Fraction(eps) / self.weighted.scale
            return theta, theta
        return (best or self.accurate).threshold(eps, self.weighted.scale, relative)

    def decide(self, thresholds: Thresholds) -> list[Decision]:
        """Decide several thresholds, trying the routes in order of cost until both ends agree."""
        counting = _Counting(self, thresholds)
        return [
            beyond_largest(eps, thresholds.relative) or counting.decide(eps)
            for eps in thresholds.eps
        ]

    def by_integers(self, eps: float, relative: bool, lower: int, upper: int) -> Decision:
        """Count in integer or ball arithmetic what floating point leaves open."""
        below, above = self.threshold(eps, relative)
        gram = self.integers
        unit = self.weighted.scale / gram.scale
        if relative:
            best = self.accurate
            least, most = best.count_above(eps, (below, above), relative)
            lower, upper = max(lower, least), min(upper, most)
            low, high = (end * unit for end in best.largest)
            largest = whole_largest(gram, low, high, lambda: self._vectors)
            if largest is not None:
                below = above = Fraction(eps) * largest / unit
        # Beyond the upper end of θ the count bounds r from below, beyond the lower one from above.
        counts = [
            integer_count(gram, theta * unit, lambda: self._vectors, exact=self.exact)
            for theta in ((above, below) if above != below else (below,))
        ]
        if counts[0].lower is not None:
            lower = max(lower, counts[0].lower)
        if counts[-1].upper is not None:
            upper = min(upper, counts[-1].upper)
        route = "+".join(sorted({count.route for count in counts}))
        if lower == upper:
            return Decision(lower, upper, route, "counted in integer or ball arithmetic")
        if any(count.lower != count.upper for count in counts):
            reason = (
                f"eigenvalues {lower + 1} to {upper} agree with the threshold to 64 binary digits "
                "or more without being equal to it"
            )
            if any(count.open_to_exact for count in counts):
                reason += "; exact=True computes the characteristic polynomial"
        else:
            reason = "an eigenvalue lies within the enclosure of ε·λ₁"
        return Decision(lower, upper, route, reason)

    @property
    def integers_affordable(self) -> bool:
        """Whether integers may decide: where they were asked for, else in reasonable time."""
        return self.exact or self._integer_seconds() <= AUTO_BUDGET

    @property
    def noise_floor(self) -> float:
        """Rounding bound of the float64 Gram matrix in the units of G."""
        return scaled_float(self.formed, self.weighted.scale)

    def source(self) -> SpectrumSource:
        """Return what the spectrum is computed from, with the best enclosure made so far."""
        made = self.__dict__
        known = made.get("accurate", made.get("fast"))
        return SpectrumSource(
            scale=self.weighted.scale,
            gram=self.gram if known is None else None,
            formed=self.formed,
            known=known,
            move=self._storage_move(),
        )

    def _storage_move(self) -> float:
        """Bound ‖A − A′‖_F over all A′ whose entries round to those of A in their dtype."""
        roots, weights = self.weighted.roots, self.measure.weights
        if roots is None and weights is not None:  # multiplied into the features
            roots = np.sqrt(weights)
        return storage_move(
            self.features.dtype,
            self.features.given.size,
            self._trace + self.formed,
            1.0 if roots is None else float(roots.max()),
            self.weighted.shift,
        )


class _Counting:
    """One matrix and its thresholds: what is made once for all, on the scale of the smallest."""

    def __init__(self, problem: RankProblem, thresholds: Thresholds) -> None:
        self.problem = problem
        self.relative = thresholds.relative
        self.few = len(thresholds.eps) <= _FEW_THRESHOLDS
        # λ_1 of the Gram matrix is near enough for a scale; the accurate one may not be needed.
        best = problem.fast if self.relative else None
        self.smallest = float_below(problem.threshold(thresholds.smallest, self.relative, best)[0])

    def decide(self, eps: float) -> Decision:
        """Try the routes in order of cost until both ends agree."""
        problem = self.problem
        lower, upper, route = 0, problem.features.n_features, "gram"
        if not problem.exact:
            spared = None if self.relative else self._without_eigenvalues(eps)
            if spared is not None:
                return spared
            for route, enclosure in self._enclosures():
                ends = problem.threshold(eps, self.relative, enclosure)
                least, most = enclosure.count_above(eps, ends, self.relative)
                # Every enclosure holds, so what is known from the ones before is kept.
                lower, upper = max(lower, least), min(upper, most)
                if lower == upper:
                    reason = gap_reason(enclosure, lower, ends[0], self.relative)
                    return Decision(lower, upper, route, reason)
        if problem.integers_affordable:
            return problem.by_integers(eps, self.relative, lower, upper)
        return Decision(
            lower,
            upper,
            route,
            f"eigenvalues {lower + 1} to {upper} lie within rounding error of the threshold, and "
            "integer arithmetic on this size takes minutes: ask with exact=True",
        )

    def _enclosures(self) -> Iterator[tuple[str, SpectrumEnclosure]]:
        """Enclose the spectrum in floating point, again where the last enclosure left it open."""
        # Eigenvalues of a Gram matrix whose rounding exceeds the threshold come second.
        blind = not self.relative and self.problem.formed > self.smallest > 0
        if not blind:
            yield "gram", self.problem.fast
        if self._projected is not None:
            yield "projection", self._projected
        if blind:
            yield "gram", self.problem.fast
        yield "svd", self.problem.accurate

    def _without_eigenvalues(self, eps: float) -> Decision | None:
        """Decide a wide layer by factorisations alone; None where that fails or does not pay."""
        problem, n = self.problem, self.problem.features.n_features
        if n < _WIDE_ENOUGH_FOR_COUNTS or problem.has_eigenvalues:
            return None
        below, above = problem.threshold(eps, relative=False)
        if self.few:
            found = factorised_count(problem.gram, problem.formed, below, above)
            return None if found is None else replace(found, route="gram")
        high = float_above(above)
        if self._outlook.full(high) and all_above(problem.gram, problem.formed, high):
            return Decision(n, n, "gram", FULL)
        if self._low_rank is not None:
            lower, upper = self._low_rank.count(below, above)
            if lower == upper:
                return Decision(lower, upper, "gram", gap_reason(self._low_rank, lower, below))
        return None

    @cached_property
    def _projected(self) -> SpectrumEnclosure | None:
        """Enclosure by way of a few directions, on the scale of the smallest threshold."""
        a, n = self.problem.weighted, self.problem.features.n_features
        # The bounds of the projection take the entries of Φ as exact.
        if n < _WIDE_ENOUGH_FOR_COUNTS or a.entry_error or not self.smallest:
            return None
        outlook = look(a.matrix, a.roots, self.smallest)
        return projected_enclosure(a.matrix, a.roots, self.smallest, outlook)

    @cached_property
    def _outlook(self) -> Foresight:
        """What to expect of the spectrum."""
        return foresee_gram(self.problem.gram, self.smallest)

    @cached_property
    def _low_rank(self) -> SpectrumEnclosure | None:
        """Enclosure by way of a few columns, on the scale of the smallest threshold."""
        if not self._outlook.low(0.5):  # beyond which `low_rank_enclosure` gives up
            return None
        return low_rank_enclosure(self.problem.gram, self.problem.formed, self.smallest)
