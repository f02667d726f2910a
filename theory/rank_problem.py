"""One feature matrix, its thresholds, and the routes that are tried on it in order of cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np

from theory.enclosure import SpectrumEnclosure, intersect
from theory.exact_gram import ExactGram, exact_gram
from theory.inputs import Array, Features
from theory.measure import Measure
from theory.rounding import UNDERFLOW, unit_roundoff, upward
from theory.routes.ball import ball_count
from theory.routes.exact import exact_cost, exact_count
from theory.routes.gram import gram_enclosure
from theory.routes.svd import right_singular_vectors, svd_enclosure
from theory.weighted import WeightedFeatures, weighted_features

# Below this width the characteristic polynomial is quicker than anything cleverer.
_SMALL = 64

# Seconds of one core that `auto` may spend on integers, and that exact=True may spend on the
# characteristic polynomial before it tries balls first.
_AUTO_BUDGET = 20.0
_EXACT_BUDGET = 60.0

# Smallest positive number of the dtypes: the absolute rounding of a stored subnormal is half of it.
_SMALLEST = {
    "float64": 2.0**-1074,
    "float32": 2.0**-149,
    "float16": 2.0**-24,
    "bfloat16": 2.0**-133,
}


@dataclass(frozen=True)
class Decision:
    """What was found for one threshold.

    Attributes
    ----------
    lower, upper : int
        Certified bounds of the count.
    route : str
        Routes that contributed, joined by ``+``.
    reason : str
        Why the ends agree or not.
    """

    lower: int
    upper: int
    route: str
    reason: str


class RankProblem:
    """Certified counts #{k : λ_k(G) > ε} for one feature matrix, each costly part made once.

    Parameters
    ----------
    features : Features
        Φ.
    measure : Measure
        The measure of G.
    exact : bool
        Decide by integer arithmetic even where floating point would do.
    """

    def __init__(self, features: Features, measure: Measure, exact: bool = False) -> None:
        self.features = features
        self.measure = measure
        self.exact = exact
        self.weighted: WeightedFeatures = weighted_features(features, measure)
        self.fast, self._noise = gram_enclosure(self.weighted)
        self._best = self.fast

    @cached_property
    def accurate(self) -> SpectrumEnclosure | None:
        """Enclosure of the SVD route, None where it does not converge."""
        enclosure = svd_enclosure(self.weighted)
        if enclosure is not None:
            self._best = intersect(self.fast, enclosure)
        return enclosure

    @cached_property
    def integers(self) -> ExactGram:
        """The exact Gram matrix."""
        return exact_gram(self.features, self.measure)

    @cached_property
    def _vectors(self) -> Array | None:
        return right_singular_vectors(self.weighted.weighted())

    def _integer_seconds(self) -> float:
        n_samples, n = self.features.n_samples, self.features.n_features
        forming = n_samples * n * (1e-6 + 7e-9 * n)
        return forming + 0.2 * (n / 200) ** 3

    def thresholds(self, eps: float, relative: bool) -> tuple[Fraction, Fraction]:
        """Return the enclosure of the threshold in units of H = G / scale.

        Parameters
        ----------
        eps : float
            ε.
        relative : bool
            Whether the threshold is ε·λ_1.

        Returns
        -------
        tuple of (Fraction, Fraction)
            Ends; equal for an absolute threshold.
        """
        if not relative:
            theta = Fraction(eps) / self.weighted.scale
            return theta, theta
        best = self._best
        # A relative threshold is only as sharp as λ_1; the SVD route knows it to ten digits more.
        if self.accurate is not None:
            best = self._best
        return Fraction(eps) * Fraction(best.lower[0]), Fraction(eps) * Fraction(best.upper[0])

    def decide(self, eps: float, relative: bool = False) -> Decision:
        """Try the routes in order of cost until both ends agree.

        Parameters
        ----------
        eps : float
            ε.
        relative : bool
            Whether the threshold is ε·λ_1.

        Returns
        -------
        Decision
            The certified interval with its reasons.
        """
        below, above = self.thresholds(eps, relative)
        lower, upper = self.fast.count(below, above)
        if lower == upper and not self.exact:
            return Decision(lower, upper, "gram", self._gap(self.fast, lower, below))
        route = "gram"
        if not self.exact and self.accurate is not None:
            least, most = self._best.count(below, above)
            lower, upper, route = max(lower, least), min(upper, most), "svd"
            if lower == upper:
                return Decision(lower, upper, route, self._gap(self._best, lower, below))
        if self.exact or self._integer_seconds() <= _AUTO_BUDGET:
            return self._by_integers(below, above, lower, upper)
        return Decision(
            lower,
            upper,
            route,
            f"eigenvalues {lower + 1} to {upper} lie within rounding error of the threshold, and "
            "integer arithmetic on this size takes minutes: ask with exact=True",
        )

    def _by_integers(self, below: Fraction, above: Fraction, lower: int, upper: int) -> Decision:
        gram = self.integers
        unit = self.weighted.scale / gram.scale
        ends, routes = [], []
        for theta in (above, below) if above != below else (below,):
            count, route = self._count(gram, theta * unit)
            routes.append(route)
            ends.append(count)
        if ends[0] is not None:
            lower = ends[0]
        if ends[-1] is not None:
            upper = ends[-1]
        route = "+".join(sorted(set(routes)))
        if lower == upper:
            return Decision(lower, upper, route, "counted in integer or ball arithmetic")
        if None in ends:
            reason = (
                f"an eigenvalue agrees with the threshold to {4096} binary digits, and the "
                "characteristic polynomial of this width is out of reach"
            )
        else:
            reason = "an eigenvalue lies within the enclosure of ε·λ₁"
        return Decision(lower, upper, route, reason)

    def _count(self, gram: ExactGram, theta: Fraction) -> tuple[int | None, str]:
        """Count above θ exactly, by the quicker of the two exact routes and then the other.

        Parameters
        ----------
        gram : ExactGram
            M.
        theta : Fraction
            θ.

        Returns
        -------
        tuple of (int or None, str)
            The count and its route.
        """
        cost = exact_cost(gram)
        if gram.n_features <= _SMALL or (self.exact and cost <= _EXACT_BUDGET):
            return exact_count(gram, theta), "exact"
        count, _ = ball_count(gram, theta, self._vectors)
        if count is None and cost <= (math.inf if self.exact else _AUTO_BUDGET):
            return exact_count(gram, theta), "exact"
        return count, "ball"

    def _gap(self, enclosure: SpectrumEnclosure, rank: int, threshold: Fraction) -> str:
        """Say how far the neighbouring eigenvalues are from the threshold.

        Parameters
        ----------
        enclosure : SpectrumEnclosure
            What decided.
        rank : int
            The count.
        threshold : Fraction
            θ.

        Returns
        -------
        str
            One clause.
        """
        unit = float(threshold) if threshold and math.isfinite(_as_float(threshold)) else 1.0
        parts = []
        if rank:
            parts.append(f"λ_{rank} ≥ {_ratio(enclosure.lower[rank - 1], unit)}·ε")
        if rank < len(enclosure.values):
            parts.append(f"λ_{rank + 1} ≤ {_ratio(enclosure.upper[rank], unit)}·ε")
        return " and ".join(parts) + ", rounding included"

    @cached_property
    def _scale(self) -> tuple[float, int]:
        mantissa, exponent = math.frexp(1.0)
        scale = self.weighted.scale
        shift = scale.numerator.bit_length() - scale.denominator.bit_length()
        rest = scale / (Fraction(2) ** shift)
        return float(rest) * mantissa * 2, shift + exponent - 1

    def to_measure(self, values: Array) -> Array:
        """Return eigenvalues of H in the units of G, cut at the largest float64.

        Parameters
        ----------
        values : ndarray of float64
            Numbers ≥ 0.

        Returns
        -------
        ndarray of float64
            The scaled numbers.
        """
        factor, shift = self._scale
        with np.errstate(over="ignore", under="ignore"):
            scaled = np.ldexp(values * factor, shift)
        return np.asarray(np.minimum(scaled, np.finfo(np.float64).max))

    @property
    def noise_floor(self) -> float:
        """Rounding bound of the float64 Gram route in the units of G."""
        return float(self.to_measure(np.array(self._noise * (1 + 1e-12))))

    @property
    def spectrum(self) -> tuple[Array, float]:
        """Best computed eigenvalues in the units of G, and a bound on their error."""
        error = upward(self._best.error * (1 + 1e-12))
        values = self.to_measure(self._best.values)
        rounding = 4 * unit_roundoff("float64") * float(values[0])
        return values, float(self.to_measure(np.array(error))) * (1 + 1e-12) + rounding

    def storage(self, decision: Decision, eps: float, relative: bool) -> tuple[int, int]:
        """Return the interval of the count over all matrices that round to Φ (C2).

        |σ_k(A) − σ_k(A′)| ≤ ‖A − A′‖_F ≤ u‖A‖_F, with u of the dtype that the features came in.

        Parameters
        ----------
        decision : Decision
            Count for the numbers given.
        eps : float
            ε.
        relative : bool
            Whether the threshold is ε·λ_1.

        Returns
        -------
        tuple of (int, int)
            Ends.
        """
        dtype = self.features.dtype
        u = unit_roundoff(dtype)
        if u == 0:
            return decision.lower, decision.upper
        smallest = _SMALLEST.get(dtype, 0.0) * math.sqrt(self.features.values.size)
        largest_root = 1.0 if self.weighted.roots is None else float(self.weighted.roots.max())
        move = upward(1.01 * u * self.weighted.frobenius + smallest * largest_root + UNDERFLOW)
        best = self._best
        lower = np.maximum(np.sqrt(best.lower) * (1 - 1e-15) - move, 0.0) ** 2 * (1 - 1e-15)
        upper = (np.sqrt(best.upper) * (1 + 1e-15) + move) ** 2 * (1 + 1e-15)
        below, above = self.thresholds(eps, relative)
        if relative:
            below = Fraction(eps) * Fraction(float(lower[0]))
            above = Fraction(eps) * Fraction(float(upper[0]))
        least, most = SpectrumEnclosure(best.values, lower, upper).count(below, above)
        return min(least, decision.lower), max(most, decision.upper)


def _as_float(value: Fraction) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf


def _ratio(value: float, unit: float) -> str:
    return f"{float(value) / unit:.4g}" if unit > 0 else "∞"
