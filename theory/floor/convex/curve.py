"""The curve B ↦ V(B) = min_{‖C‖_F ≤ B, b} mean ℓ(φC + D b + o, y) of a convex loss (L2, L3, F6).

The penalised problems  min f(C, b) + μ/2 ‖C‖²  trace it: a solution of norm B_μ has V(B_μ) as its
value, and the line through it with slope −μB_μ lies below V everywhere. Nothing is assumed of the
solver: points bound V from above, also on the chords between them, since f is convex; their slopes
bound it from below by weak duality, evaluated against rounding.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np

from epsrank.theory.floor.convex.certificate import dual_line
from epsrank.theory.floor.convex.evaluation import evaluation_error
from epsrank.theory.floor.convex.free_bias import balanced
from epsrank.theory.floor.convex.penalised import PenalisedProblem
from epsrank.theory.floor.convex.targets import spread
from epsrank.theory.numbers.arrays import Matrix

# Minimisations for one value of V, and for the search of B½.
_MOST_SOLVES = 12
_MOST_STEPS = 24
# Factor between penalties of that search, and how finely it is refined.
_STRIDE = 10.0
_REFINED = 0.05
# A penalty this small against the loss costs less than rounding.
_SMALLEST_PENALTY = 1e-18


@dataclass(frozen=True, eq=False)
class CurvePoint:
    """A head (C, b) with its loss, and the line below V that its slopes give."""

    #: C and b.
    coefficients: Matrix
    bias: Matrix
    #: Penalty μ it was found with.
    penalty: float
    #: ‖C‖_F, rounded up.
    norm: float
    #: mean ℓ, rounded up.
    value: float
    #: V(B) ≥ intercept − slope · B for all B ≥ 0.
    intercept: float
    slope: float
    #: Whether it solves a penalised problem; the head C = 0 with its best bias is that of μ = ∞.
    solved: bool = True

    def line(self, norm: float) -> float:
        """Return the lower bound of V at a norm."""
        if self.slope == 0:
            return self.intercept
        bound = self.intercept - self.slope * norm
        # The product and the difference round.
        return bound - 4e-16 * (abs(self.intercept) + self.slope * norm)


@dataclass(eq=False)
class ConvexCurve:
    """V of a convex loss, refined where it is asked for."""

    problem: PenalisedProblem
    #: Relative gap at which a value is good enough.
    tolerance: float = 1e-2
    #: What is known.
    points: list[CurvePoint] = field(default_factory=list)

    @property
    def natural_norm(self) -> float:
        """‖y − ȳ‖/√λ_1, with labels as unit vectors."""
        problem = self.problem
        size = spread(problem.target, problem.weights, centred=problem.free is not None)
        return size / math.sqrt(self.problem.largest) if self.problem.largest > 0 else 0.0

    def add(
        self, coefficients: Matrix, bias: Matrix, penalty: float = 0.0, *, solved: bool = False
    ) -> CurvePoint:
        """Take a head for a point of the curve."""
        problem = self.problem
        outputs, target, weights = (
            problem.outputs(coefficients, bias),
            problem.target,
            problem.weights,
        )
        with np.errstate(over="ignore", invalid="ignore"):
            mean = float(weights @ problem.law.evaluate(outputs, target)[0])
        norm = float(np.linalg.norm(coefficients)) * (1 + 1e-12)
        shift = outputs - problem.features @ coefficients
        error = evaluation_error(problem.law, problem.features, target, norm, shift, problem.mass)
        intercept, slope = -math.inf, 0.0
        if math.isfinite(mean):
            law, columns = problem.smooth(mean), None if problem.ones else problem.columns
            dual = (
                law.dual(outputs, target)
                if problem.free is None
                else balanced(law, outputs, target, weights, columns)
            )
            if dual is not None:
                intercept, slope = dual_line(problem.features, dual, weights, problem.offset)
        point = CurvePoint(
            coefficients, bias, penalty, norm,
            mean + error if math.isfinite(mean) else math.inf, intercept, slope, solved,
        )  # fmt: skip
        self.points.append(point)
        return point

    def bounds(self, norm: float) -> tuple[float, float, float]:
        """Return a lower bound of V(B), the best loss found there, and that with its rounding."""
        self._refine(norm)
        low, high = self._known(norm)
        return low, high, high

    def half_norm(self, least: float, most: float, cap: float) -> float | None:
        """Return a norm with V at most the level, from smaller and smaller penalties."""
        for _ in range(_MOST_STEPS):
            enough = [point for point in self.points if point.value <= least]
            best = min(enough, key=lambda point: point.norm, default=None)
            if best is not None:
                return self._refined_norm(least, best, cap)
            if max(point.line(cap) for point in self.points) > most:
                return math.inf
            if max(point.norm for point in self.points) > cap:
                return None
            penalty = min(p.penalty for p in self.points if p.solved)
            if math.isinf(penalty):
                penalty = self._first_penalty(cap)
            if penalty <= _SMALLEST_PENALTY:
                return None
            penalty /= _STRIDE
            # Where the penalty hardly matters any more, only its line can tell that B½ = ∞.
            farthest = max(point.norm for point in self.points)
            self._solve(penalty, precise=penalty * farthest**2 < 1e-2 * least)
        return None

    def sketch(self, norm: float) -> tuple[float, float]:
        """Return what the points say of V(B)."""
        return self._known(norm)

    def _refined_norm(self, level: float, best: CurvePoint, cap: float) -> float | None:
        """Return the least norm with V ≤ level, between a point above it and one below."""
        for _ in range(_MOST_SOLVES):
            below = max(
                (p for p in self.points if p.solved and p.norm < best.norm and p.value > level),
                key=lambda p: p.norm,
                default=None,
            )
            if below is None:
                break
            # On the chord the level is met before the better end.
            share = (below.value - level) / (below.value - best.value)
            chord = below.norm + share * (best.norm - below.norm)
            if chord - below.norm <= _REFINED * chord:
                break
            end = max(best.penalty, _SMALLEST_PENALTY)
            wanted = end * _STRIDE if math.isinf(below.penalty) else math.sqrt(below.penalty * end)
            found = self._solve(wanted)
            if not below.norm < found.norm < best.norm:
                break
            if found.value <= level:
                best = found
        known = [p for p in self.points if p.value > level and p.norm < best.norm]
        if known:
            below = max(known, key=lambda p: p.norm)
            share = min(1.0, (below.value - level) / (below.value - best.value) * (1 + 1e-9))
            norm = below.norm + share * (best.norm - below.norm)
        else:
            norm = best.norm
        return norm if norm <= cap else None

    def _known(self, norm: float) -> tuple[float, float]:
        """Return what the points say of V(B)."""
        # ℓ ≥ 0.
        low = max([0.0, *(point.line(norm) for point in self.points)])
        inside = [point for point in self.points if point.norm <= norm]
        high = min((point.value for point in inside), default=math.inf)
        for left in inside:
            for right in self.points:
                if right.norm > norm and right.value < left.value:
                    share = (norm - left.norm) / (right.norm - left.norm)
                    chord = left.value + share * (right.value - left.value)
                    high = min(high, chord + 1e-15 * left.value)
        return low, max(low, high)

    def _refine(self, norm: float) -> None:
        """Minimise until V(B) is enclosed to the tolerance, or no step helps."""
        n, k = self.problem.features.shape[1], self.problem.target.shape[1]
        if not any(point.solved for point in self.points):
            self._at_zero(n, k)
        for _ in range(_MOST_SOLVES if norm > 0 else 0):
            low, high = self._known(norm)
            if high - low <= self.tolerance * high:
                return
            penalty = self._next_penalty(norm)
            if penalty is None:
                return
            self._solve(penalty)

    def _next_penalty(self, norm: float) -> float | None:
        """Return the μ whose solution should have the norm B, by its logarithm over that of B."""
        solved = sorted((p for p in self.points if p.solved and p.norm > 0), key=lambda p: p.norm)
        if not solved:
            return self._first_penalty(norm)
        # Smaller penalties make no difference any more.
        floor = max(_SMALLEST_PENALTY, 0.01 * self.tolerance * self._known(norm)[1] / norm**2)
        left = [p for p in solved if p.norm <= norm]
        right = [p for p in solved if p.norm > norm]
        if left and right:
            a, b = left[-1], right[0]
            if a.penalty <= b.penalty * (1 + 1e-6) or b.norm <= a.norm * (1 + 1e-9):
                return None
            if a.norm == 0:
                return math.sqrt(a.penalty * b.penalty)
            share = math.log(norm / a.norm) / math.log(b.norm / a.norm)
            # Never right beside an end, where the next step would learn nothing.
            share = min(max(share, 0.05), 0.95)
            return math.exp((1 - share) * math.log(a.penalty) + share * math.log(b.penalty))
        if left:
            last = left[-1]
            if last.penalty <= floor:
                return None
            ratio = (norm / last.norm) ** 2 if last.norm > 0 else 1e3
            return max(floor, last.penalty / min(max(2.0 * ratio, 4.0), 1e4))
        first = right[0]
        return first.penalty * min(max(2.0 * first.norm / norm, 2.0), 1e4)

    def _first_penalty(self, norm: float) -> float:
        """Return ‖∇f‖/B at C = 0: what a penalty must balance at a norm that small."""
        given = [p for p in self.points if not p.solved and 0 < p.norm <= norm]
        if given:
            # A trained head nearly solves some penalised problem: ∇f = −μC.
            guess = max(given, key=lambda p: p.norm)
            pull = -float(np.vdot(self._gradient(guess), guess.coefficients)) / guess.norm**2
            if pull > 0:
                return max(pull, _SMALLEST_PENALTY)
        slope = float(np.linalg.norm(self._gradient(self._zero())))
        return max(slope / norm, _SMALLEST_PENALTY)

    def _zero(self) -> CurvePoint:
        """Return the point C = 0."""
        return next(point for point in self.points if math.isinf(point.penalty))

    def _gradient(self, point: CurvePoint) -> Matrix:
        """Return ∇_C f at a point."""
        outputs = self.problem.outputs(point.coefficients, point.bias)
        slopes = self.problem.law.evaluate(outputs, self.problem.target)[1]
        return np.asarray(self.problem.rows.T @ (slopes * self.problem.weights[:, None]))

    def _at_zero(self, n: int, k: int) -> None:
        """Add the point C = 0 with its best bias."""
        zero = np.zeros((n, k))
        bias = np.zeros((self.problem.columns.shape[1], k))
        if bias.size:
            bias = self.problem.minimise(0.0, zero, bias, known=1.0, frozen=True)[1]
        self.add(zero, bias, math.inf, solved=True)

    def _solve(self, penalty: float, *, precise: bool = False) -> CurvePoint:
        """Add the solution of one penalised problem, from the best point known for it."""
        near = min(self.points, key=lambda p: p.value + penalty / 2 * p.norm**2)
        known = min(p.value for p in self.points)
        coefficients, bias = self.problem.minimise(
            penalty, near.coefficients, near.bias, known=known, precise=precise
        )
        return self.add(coefficients, bias, penalty, solved=True)
