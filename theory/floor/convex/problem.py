"""min Σ w_i ℓ(φ_i·C + o_i, y_i) over ‖C‖_F ≤ B, with or without a bias: solved, certified."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.data.measure import Measure, exact_sum
from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.certificate import audited_bound, certified_bound
from epsrank.theory.floor.convex.evaluation import evaluation_error
from epsrank.theory.floor.convex.losses import ConvexLoss, Entrywise
from epsrank.theory.floor.convex.solver import Minimum, Objective, minimise_on_ball
from epsrank.theory.floor.convex.targets import ClassTargets, entries
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

# Corners of a loss are rounded over a width that shrinks by this factor, until the gap is closed or
# the width is this share of the first one.
_NARROWER = 1 / 4
_NARROWEST = 1e-7

# exp(−800) is 0 in float64.
_FAR_BELOW = 800.0


@dataclass(frozen=True, eq=False)
class Solution:
    """What was found: a point, its loss, and where its certificate is taken."""

    #: C, and below it the free bias where there is one.
    point: Matrix
    #: Its loss.
    value: float
    #: Certified lower bound of V.
    bound: float
    #: Outputs at which slopes were taken.
    outputs: Matrix
    #: Steps taken, and whether the gap fell below the tolerance.
    iterations: int
    converged: bool


@dataclass(frozen=True, eq=False)
class HeadProblem:
    """One set of features, targets and weights."""

    #: ℓ.
    law: ConvexLoss
    #: φ.
    features: Matrix
    #: y, checked by the loss.
    goal: Any
    #: w, with Σ w c = 1 for what the samples count.
    shares: Vector
    #: o, shape (k,) or (N, k).
    offset: Array | None = None
    #: Whether a bias in no ball is added.
    free: bool = False

    @property
    def k(self) -> int:
        """Number of outputs."""
        return int(self.goal.shape[1])

    def outputs_at(self, point: Matrix) -> Matrix:
        """Return φ·C + b + o."""
        n = self.features.shape[1]
        outputs = self.features @ point[:n]
        if self.free:
            outputs += point[n]
        if self.offset is not None:
            outputs += self.offset
        return np.asarray(outputs)

    def objective(self, law: ConvexLoss) -> Objective:
        """Return f and its gradient for a loss."""

        def evaluate(point: Array) -> tuple[float, Array]:
            values, slopes = law.evaluate(self.outputs_at(point), self.goal)
            slopes *= self.shares[:, None]
            gradient = self.features.T @ slopes
            if self.free:
                gradient = np.vstack([gradient, slopes.sum(axis=0)])
            return float(self.shares @ values), gradient

        return evaluate

    def loss_at(self, point: Matrix) -> float:
        """Return f."""
        return float(self.shares @ self.law.evaluate(self.outputs_at(point), self.goal)[0])

    def bound_at(self, law: ConvexLoss, outputs: Matrix, radius: float) -> float:
        """Certify a lower bound of V(B) by the slopes of a loss at some outputs."""
        dual = (
            law.balanced(outputs, self.goal, self.shares)
            if self.free
            else law.dual(outputs, self.goal)
        )
        return certified_bound(self.features, dual, self.shares, radius, self.offset)

    def audited(self, law: ConvexLoss, outputs: Matrix, radius: float) -> float:
        """Certify it in ball arithmetic."""
        return audited_bound(
            law, self.features, outputs, self.goal, self.shares, radius, self.offset
        )[0]

    def solve(
        self,
        begin: Matrix,
        inner: float,
        outer: float,
        *,
        tolerance: float,
        iterations: int,
        audit: bool = False,
    ) -> Solution:
        """Find a point with ‖C‖_F ≤ `inner`, and a bound for all of ‖C‖_F ≤ `outer`."""
        fewer = self._of_present_classes()
        if fewer is not None:
            problem, present = fewer
            solved = problem.solve(
                begin[:, present], inner, outer, tolerance=tolerance, iterations=iterations
            )
            return self._with_absent_classes(solved, present)
        centred, point = self._centred(begin)
        best: Solution | None = None
        width, left = self._first_width(begin), iterations
        first, aim = width, tolerance
        while True:
            law = self.law.smoothed(width) or self.law
            found = minimise_on_ball(
                centred.objective(law),
                point,
                inner,
                free=int(self.free),
                tolerance=aim if law is self.law else tolerance / 2,
                iterations=left,
            )
            left -= found.iterations
            point = found.point
            stage = self._stage(centred, law, found, outer, audit)
            best = stage if best is None else _better(best, stage)
            closed = best.value - max(best.bound, 0.0) <= tolerance * abs(best.value)
            # A free bias is balanced after the solver, which may cost more than it foresaw.
            again = law is not self.law or (self.free and found.converged and found.iterations > 0)
            if closed or not again or left <= 0 or width <= _NARROWEST * first:
                converged = closed if again else found.converged
                return Solution(
                    best.point, best.value, best.bound, best.outputs, iterations - left, converged
                )
            width *= _NARROWER
            aim *= _NARROWER

    def _of_present_classes(self) -> tuple[HeadProblem, NDArray[np.intp]] | None:
        """Leave out the classes that no sample has: a free bias of −∞ does, at no cost."""
        goal = self.goal
        if not (self.free and isinstance(goal, ClassTargets) and goal.shared is None):
            return None
        present = np.unique(goal.labels[goal.kept])
        if len(present) == self.k:
            return None
        # Samples that are left out have a label of no matter.
        labels = np.searchsorted(present, np.where(goal.kept, goal.labels, present[0]))
        fewer = replace(goal, labels=labels, n_classes=len(present))
        offset = None if self.offset is None else self.offset[..., present]
        return replace(self, goal=fewer, offset=offset), present

    def _with_absent_classes(self, found: Solution, present: NDArray[np.intp]) -> Solution:
        """Give the other classes outputs whose exponentials are 0 in float64."""
        n = self.features.shape[1]
        largest = 0.0 if self.offset is None else float(self.offset.max())
        low = float(found.outputs.min()) - largest - _FAR_BELOW
        point = np.zeros((n + 1, self.k))
        point[n] = low
        point[:, present] = found.point
        outputs = np.full((len(found.outputs), self.k), low)
        outputs[:, present] = found.outputs
        return replace(found, point=point, outputs=outputs)

    def _stage(
        self, centred: HeadProblem, law: ConvexLoss, found: Minimum, outer: float, audit: bool
    ) -> Solution:
        """Take the loss at the point that was found, and the certificate that goes with it."""
        point = self._uncentred(found.point)
        value = found.value if law is self.law and not self.free else self.loss_at(point)
        places = [found.dual_point]
        if self.free and found.dual_point is not found.point:
            places.append(found.point)  # the estimate of a free bias may have misled
        chosen: tuple[float, Matrix] | None = None
        for place in places:
            outputs = centred.outputs_at(place)
            if not np.isfinite(outputs).all():
                raise InputError("features", "give outputs beyond float64", "rescale them")
            bound = (self.audited if audit else self.bound_at)(law, outputs, outer)
            if chosen is None or bound > chosen[0]:
                chosen = bound, outputs
        assert chosen is not None
        return Solution(point, value, chosen[0], chosen[1], found.iterations, found.converged)

    def _first_width(self, begin: Matrix) -> float:
        """Return the width over which corners are rounded at first: the size of the residuals."""
        if self.law.smoothed(1.0) is None:
            return 1.0
        value = self.loss_at(begin) / self.k
        return value if 0 < value < math.inf else 1.0

    @property
    def _middle(self) -> Vector:
        """Σ w φ / Σ w."""
        return np.asarray(self.shares @ self.features / self.shares.sum())

    def _centred(self, begin: Matrix) -> tuple[HeadProblem, Matrix]:
        """Move φ by its mean, which a free bias takes up: the steps of the solver are longer."""
        if not self.free:
            return self, begin
        n = self.features.shape[1]
        point = self._with_mean_residual(begin)
        point[n] += self._middle @ begin[:n]
        centred = HeadProblem(
            self.law, self.features - self._middle, self.goal, self.shares, self.offset, True
        )
        return centred, point

    def _with_mean_residual(self, begin: Matrix) -> Matrix:
        """Move the bias by the mean residual where that helps: slopes know nothing of distances."""
        moved = begin.copy()
        if isinstance(self.law, Entrywise):
            residual = entries(self.goal)[0] - self.outputs_at(begin)
            moved[-1] += self.shares @ residual / float(self.shares.sum())
        return moved if self.loss_at(moved) < self.loss_at(begin) else begin.copy()

    def _uncentred(self, point: Matrix) -> Matrix:
        """Return a point of the centred problem in the features as given."""
        if not self.free:
            return point
        n = self.features.shape[1]
        moved = point.copy()
        moved[n] -= self._middle @ point[:n]
        return moved

    def evaluation_error(self, radius: float, bias: Matrix | None) -> float:
        """Return a bound on the rounding of f for ‖C‖_F ≤ B, and biases as large as those."""
        shift = 0.0 if self.offset is None else float(np.abs(self.offset).max())
        shift += 0.0 if bias is None else float(np.abs(bias).max())
        mass = float(self.shares.sum())
        return evaluation_error(self.law, self.features, self.goal, radius, np.array(shift), mass)


def _better(first: Solution, second: Solution) -> Solution:
    """Return the lower point together with the higher bound."""
    low, high = min(first, second, key=_value), max(first, second, key=_bound)
    return Solution(low.point, low.value, high.bound, high.outputs, 0, False)


def _value(solution: Solution) -> float:
    return solution.value


def _bound(solution: Solution) -> float:
    return solution.bound


def mean_shares(measure: Measure, law: ConvexLoss, goal: Any) -> Vector:
    """Return w_i / Σ w c, each to a few u, for what the samples count."""
    given = measure.weights
    counts = law.counts(goal)
    scaled = np.ones(measure.n_samples) if given is None else given
    # A power of two, so that no sum overflows; what underflows is 10^300 times below the largest.
    scaled = np.ldexp(scaled, -int(np.frexp(scaled.max())[1]))
    part = scaled if counts is None else scaled * (counts / counts.max())
    total = float(exact_sum(part)) * (1.0 if counts is None else float(counts.max()))
    if not total > 0:
        raise InputError("weights", "leave no sample that counts", "pass a positive weight")
    return np.asarray(scaled / total)


def norm_ends(matrix: Matrix) -> tuple[float, float]:
    """Return numbers just below and just above ‖W‖_F.

    Points are sought in the lower ball and certified for the upper one, so that no rounding of a
    norm that was computed here makes a loss look reachable, or a bound hold, by itself.
    """
    exponent = int(np.frexp(np.abs(matrix).max())[1])
    scaled = np.ldexp(matrix, -exponent).ravel()
    # Squares round by u, their sum by u; a root halves that and rounds once more.
    root = math.sqrt(math.fsum(np.square(scaled)))
    return math.ldexp(root * (1 - 2.0**-50), exponent), math.ldexp(root * (1 + 2.0**-50), exponent)
