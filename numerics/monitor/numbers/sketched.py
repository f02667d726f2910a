"""What a sketch says of a wide layer: its counts, and its effective dimensions as intervals.

For weights x_k ≥ 0 (σ_k or λ_k) with p = x/Σx, let the first j be a group of total A and the tail
one of total T, and w = T/(A + T). The entropy is  H = h(w) + (1 − w)·H_A + w·H_T  with entropies
H_A, H_T inside of the groups and h(w) = −w log w − (1 − w) log(1 − w): concave in w. So H is at
least the smaller value at the ends of w with the smallest H_A and H_T, and at most the value at
w = e^(H_T)/(e^(H_A) + e^(H_T)), or the end next to it, with the largest ones.

Of m weights in the tail H_T ≤ log m; and H_T ≥ log(T/b) where none is above b, and H_T is at least
log(T²/Σx²), the Rényi entropy of order 2. With the sums s = Σ λ and q² = Σ λ² over the tail, which
trace and Frobenius norm leave, and no λ above c,  max(s/√c, s^(3/2)/q) ≤ Σ √λ ≤ √(ms)  (Hölder).
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from epsrank.numerics.monitor.numbers.quantities import Quantities, condition_bound
from epsrank.numerics.monitor.numbers.sketch import Sketch
from epsrank.theory.dimension.of_spectrum import DORMANT, RANKME_OFFSET, dormant_fraction
from epsrank.theory.numbers.arrays import Array, Vector
from epsrank.theory.numbers.dyadic import float_above, float_below
from epsrank.theory.rank.bounds import Decision
from epsrank.theory.rank.interval import scaled, scaled_float
from epsrank.theory.rank.of_gram import GramProblem
from epsrank.theory.rank.problem import Thresholds, gap_reason
from epsrank.theory.rank.routes.inertia import inertia_bounds
from epsrank.theory.rank.routes.shortcuts import all_above
from epsrank.theory.words import plural

# Relative width up to which an interval stands for its middle.
_NARROW = 0.05

# Covers the rounding of the sums and logarithms below.
_SLACK = 1e-9


def sketched_quantities(
    sketch: Sketch, mean_abs: Vector, scale: Fraction = Fraction(1)
) -> Quantities:
    """Return every quantity of one layer from a sketch of its spectrum."""
    enclosure, n = sketch.enclosure, len(sketch.enclosure.values)
    low, high = float(enclosure.lower[0]), float(enclosure.upper[0])
    trace = sum(sketch.trace) / 2
    squares = sum(sketch.squares) / 2
    largest = float(enclosure.values[0])
    ends = {
        "effective_rank": _exponential(entropy_interval(sketch, roots=True)),
        "entropy_rank": _exponential(entropy_interval(sketch, roots=False)),
    }
    ends["rankme"] = with_offset(ends["effective_rank"], n)
    zero = not mean_abs.any()
    fields: dict[str, float | None] = {}
    for name, (lower, upper) in ends.items():
        if zero:
            lower = upper = 0.0
        narrow = upper - lower <= _NARROW * upper
        fields[name] = math.sqrt(lower * upper) if narrow else None
        fields[f"{name}_lower"], fields[f"{name}_upper"] = lower, upper
    return Quantities(
        largest=float(scaled(enclosure.values[:1], scale)[0]),
        trace=float(scaled(np.array([trace]), scale)[0]),
        stable_rank=trace / largest if largest > 0 else 0.0,
        participation_ratio=trace**2 / squares if squares > 0 else 0.0,
        condition=None,
        # Known to be at least 1, and not more where λ_1 is open.
        condition_lower=None
        if zero
        else condition_bound(low, float(enclosure.upper[-1]), 0.0) or 1.0,
        dormant=dormant_fraction(mean_abs, DORMANT),
        dead=dormant_fraction(mean_abs, 0.0),
        spectrum_error=scaled_float(max(high - largest, largest - low), scale),
        sketched=float(sketch.ritz),
        **fields,
    )


def entropy_interval(sketch: Sketch, *, roots: bool) -> tuple[float, float]:
    """Enclose the entropy of p_k = x_k/Σx with x = σ or λ in [0, log n], by several groups."""
    n, k = len(sketch.enclosure.values), sketch.ritz
    best = (0.0, math.log(n))
    # Every cut encloses the entropy; which does it best depends on the spectrum.
    for first in sorted({k, 3 * k // 4, k // 2, k // 4, k // 8} - {0}):
        lower, upper = _grouped(sketch, first, roots)
        best = (max(best[0], lower), min(best[1], upper))
    return best


def _grouped(sketch: Sketch, first: int, roots: bool) -> tuple[float, float]:
    """Enclose the entropy with the first j eigenvalues as one group; trivially if they are open."""
    below, above = sketch.enclosure.lower[:first], sketch.enclosure.upper[:first]
    m, c = len(sketch.enclosure.values) - first, float(sketch.enclosure.upper[first])
    sums = (
        max(0.0, sketch.trace[0] - float(above.sum()) * (1 + _SLACK)),
        min(max(0.0, sketch.trace[1] - float(below.sum()) * (1 - _SLACK)), m * c),
    )
    # Above the rounding of Σ λ², which the sketch counts in.
    q = math.sqrt(max(0.0, sketch.squares[1] - float(below @ below) * (1 - _SLACK)))
    total, largest = sums, c
    if roots:
        below, above, largest = np.sqrt(below), np.sqrt(above), math.sqrt(c)
        total = (max(_ratio(sums[0], largest), _ratio(sums[0] ** 1.5, q)), math.sqrt(m * sums[1]))
        total = (min(total), total[1])
    head = (float(below.sum()) * (1 - _SLACK), float(above.sum()) * (1 + _SLACK))
    if not head[0] > 0:
        return 0.0, math.inf
    share = (total[0] / (total[0] + head[1]), total[1] / (total[1] + head[0]))
    inside = _entropy_of_intervals(below, above)
    few = max(_ratio(total[0], largest), _ratio(total[0], math.sqrt(sums[1]) if roots else q) ** 2)
    tail = (math.log(max(1.0, few)), math.log(m))
    lower = min(_mixed(w, inside[0], tail[0]) for w in share)
    # Differences of entropies are bounded, so that their exponentials do not overflow.
    peak = 1 / (1 + math.exp(inside[1] - tail[1]))
    upper = _mixed(min(max(peak, share[0]), share[1]), inside[1], tail[1])
    return max(0.0, lower - _SLACK), upper + _SLACK


def _ratio(part: float, whole: float) -> float:
    """Return part/whole, and 0 where the whole is 0."""
    return part / whole if whole > 0 else 0.0


def _mixed(w: float, head: float, tail: float) -> float:
    """Return h(w) + (1 − w)·H_A + w·H_T."""
    mixing = -sum(p * math.log(p) for p in (w, 1 - w) if p > 0)
    return mixing + (1 - w) * head + w * tail


def _entropy_of_intervals(below: Vector, above: Vector) -> tuple[float, float]:
    """Enclose −Σ p log p for weights in intervals, p their shares of the sum."""
    least = below / (below + (above.sum() - above)) if above.sum() > 0 else below
    most = above / (above + np.maximum(below.sum() - below, 0.0))
    terms = _term(least), _term(most)
    lower = float(np.minimum(*terms).sum())
    # −p log p is largest at 1/e.
    peaked = (least < math.exp(-1)) & (most > math.exp(-1))
    upper = float(np.where(peaked, math.exp(-1), np.maximum(*terms)).sum())
    return max(0.0, lower), max(0.0, min(upper, math.log(len(below))))


def _term(p: Array) -> Array:
    return np.asarray(-p * np.log(np.where(p > 0, p, 1.0)))


def _exponential(entropy: tuple[float, float]) -> tuple[float, float]:
    return math.exp(entropy[0]), math.exp(entropy[1])


def with_offset(ends: tuple[float, float], n: int) -> tuple[float, float]:
    """Return the ends with δ added to every p_k.

    f(p) = −p log p is concave with f(0) = 0, so f(p + δ) ≤ f(p) + f(δ); and f′ ≥ −1 − δ.
    """
    delta = RANKME_OFFSET
    return (
        ends[0] * math.exp(-n * delta * (1 + delta) * (1 + _SLACK)),
        ends[1] * math.exp(-n * delta * math.log(delta) * (1 + _SLACK)),
    )


class SketchedProblem:
    """Certified counts from a sketch and, where that leaves one open, by factorisations."""

    def __init__(self, problem: GramProblem, sketch: Sketch) -> None:
        self.problem = problem
        self.sketch = sketch

    def decide(self, thresholds: Thresholds) -> list[Decision]:
        """Decide several thresholds."""
        return [self._decided(eps, thresholds.relative) for eps in thresholds.eps]

    def _decided(self, eps: float, relative: bool) -> Decision:
        """Decide one threshold."""
        problem, best, ritz = self.problem, self.sketch.enclosure, self.sketch.ritz
        below, above = best.threshold(eps, problem.scale, relative)
        lower, upper = best.count_above(eps, (below, above), relative)
        if lower == upper:
            reason = (
                f"sketch of {plural(ritz, 'eigenvalue')}: "
                f"{gap_reason(best, lower, below, relative)}"
            )
            return Decision(lower, upper, "sketch", reason)
        low, high = float_below(below), float_above(above)
        if 0 < low <= high < math.inf and math.isfinite(problem.error):
            if upper == problem.n_features and all_above(problem.matrix, problem.error, high):
                n = problem.n_features
                return Decision(n, n, "cholesky", "G − εI is positive definite, rounding included")
            found = inertia_bounds(problem.matrix, problem.error, low, high)
            if found is not None:
                lower, upper = max(lower, found[0]), min(upper, found[1])
                if lower == upper:
                    reason = "inertia of G − εI by LDLᵀ, rounding included"
                    return Decision(lower, upper, "inertia", reason)
        reason = f"a sketch of {plural(ritz, 'eigenvalue')} and LDLᵀ leave {lower} to {upper} open"
        return Decision(lower, upper, "sketch+inertia", reason)
