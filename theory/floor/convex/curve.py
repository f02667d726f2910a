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

from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.certificate import dual_line
from epsrank.theory.floor.convex.evaluation import evaluation_error
from epsrank.theory.floor.convex.free_bias import balanced
from epsrank.theory.floor.convex.losses import AbsoluteError, ConvexLoss, SmoothedAbsolute
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

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

    law: ConvexLoss
    #: φ and y.
    features: Matrix
    target: Matrix
    #: w_i / Σ w.
    weights: Vector
    #: D, whose coefficients are free; None for a head without a free bias.
    free: Matrix | None
    #: o.
    offset: Matrix | None = None
    #: Relative gap at which a value is good enough, and most steps of a minimisation.
    tolerance: float = 1e-2
    iterations: int = 200
    #: What is known.
    points: list[CurvePoint] = field(default_factory=list)

    def __post_init__(self) -> None:
        # A D of ones is told apart: the cross-entropy mixes its shares then, for any k.
        self._ones = self.free is not None and bool((self.free == 1).all())
        self._columns = np.zeros((len(self.features), 0)) if self.free is None else self.free
        rows = self.features
        if self._ones:
            # Shifted features have the same curve, and a bias that hardly interacts with them.
            mean = self.weights @ rows / float(self.weights.sum())
            rows = rows - mean
        with np.errstate(over="ignore", invalid="ignore"):
            size = float(np.square(rows).sum())
        if not math.isfinite(size):
            raise InputError("features", "are beyond float64 when squared", "rescale them")
        self._rows = rows
        self._largest = float(self._eigenpairs(rows, self.weights)[0].max(initial=0.0))

    @property
    def natural_norm(self) -> float:
        """‖y − ȳ‖/√λ_1, with labels as unit vectors."""
        mean = 0.0 if self.free is None else self.weights @ self.target
        size = float(np.sqrt(self.weights @ np.square(self.target - mean).sum(axis=1)))
        return size / math.sqrt(self._largest) if self._largest > 0 else 0.0

    def add(
        self, coefficients: Matrix, bias: Matrix, penalty: float = 0.0, *, solved: bool = False
    ) -> CurvePoint:
        """Take a head for a point of the curve."""
        outputs = self._outputs(self.features, coefficients, bias)
        with np.errstate(over="ignore", invalid="ignore"):
            values = self.law.evaluate(outputs, self.target)[0]
            mean = float(self.weights @ values)
        norm = float(np.linalg.norm(coefficients)) * (1 + 1e-12)
        shift = outputs - self.features @ coefficients
        error = evaluation_error(self.law, self.features, self.target, norm, shift)
        intercept, slope = -math.inf, 0.0
        if math.isfinite(mean):
            law, columns = self._smooth(mean), None if self._ones else self._columns
            dual = (
                law.dual(outputs, self.target)
                if self.free is None
                else balanced(law, outputs, self.target, self.weights, columns)
            )
            if dual is not None:
                intercept, slope = dual_line(self.features, dual, self.weights, self.offset)
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
        n, k = self.features.shape[1], self.target.shape[1]
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
        outputs = self._outputs(self.features, point.coefficients, point.bias)
        slopes = self.law.evaluate(outputs, self.target)[1]
        return np.asarray(self._rows.T @ (slopes * self.weights[:, None]))

    def _at_zero(self, n: int, k: int) -> None:
        """Add the point C = 0 with its best bias."""
        zero = np.zeros((n, k))
        bias = np.zeros((self._columns.shape[1], k))
        if bias.size:
            bias = self._minimise(0.0, zero, bias, frozen=True)[1]
        self.add(zero, bias, math.inf, solved=True)

    def _solve(self, penalty: float, *, precise: bool = False) -> CurvePoint:
        """Add the solution of one penalised problem, from the best point known for it."""
        near = min(self.points, key=lambda p: p.value + penalty / 2 * p.norm**2)
        coefficients, bias = self._minimise(penalty, near.coefficients, near.bias, precise=precise)
        return self.add(coefficients, bias, penalty, solved=True)

    def _minimise(
        self,
        penalty: float,
        coefficients: Matrix,
        bias: Matrix,
        *,
        frozen: bool = False,
        precise: bool = False,
    ) -> tuple[Matrix, Matrix]:
        """Minimise f(C, b) + μ/2 ‖C‖² by L-BFGS in the eigenbasis, scaled by 1/√(hλ + μ)."""
        # Here, since only readings of other losses need it, and it takes long to import.
        from scipy.optimize import minimize

        shape, wide = coefficients.shape, self._columns.shape[1]
        rows = self._rows if not frozen else self._rows[:, :0]
        # Shifted features move the bias: φC + b = (φ − m)C + (b + mC).
        means = (self.features - self._rows)[0] if self._ones else np.zeros(shape[0])
        start = bias + means @ coefficients if self._ones else bias
        known = min((p.value for p in self.points if math.isfinite(p.value)), default=1.0)
        law = self._smooth(known)
        curved = self.weights * self._curvature(law, coefficients, bias)
        size = 0 if frozen else shape[0]
        spectrum, vectors = self._eigenpairs(rows, curved)
        scale = 1.0 / np.sqrt(spectrum + penalty + 1e-300)
        basis = vectors * scale
        images = rows @ basis
        sizes = np.sqrt(curved @ np.square(self._columns))
        back = np.where(sizes > 0, sizes, 1.0)
        columns, back = self._columns / back, back[:, None]

        def objective(flat: Vector) -> tuple[float, Vector]:
            """Return the penalised loss and its gradient."""
            inner = flat[: size * shape[1]].reshape(size, shape[1])
            own = flat[size * shape[1] :].reshape(wide, shape[1])
            outputs = images @ inner + columns @ own
            if self.offset is not None:
                outputs = outputs + self.offset
            with np.errstate(over="ignore", invalid="ignore"):
                values, slopes = law.evaluate(outputs, self.target)
                weighted = slopes * self.weights[:, None]
                stretched = scale[:size, None] * inner
                value = float(self.weights @ values) + penalty / 2 * float(
                    np.square(stretched).sum()
                )
                gradient = images.T @ weighted + penalty * scale[:size, None] * stretched
            flat_gradient = np.concatenate([gradient.ravel(), (columns.T @ weighted).ravel()])
            if not math.isfinite(value):
                return 1e300, np.zeros_like(flat_gradient)
            return value, flat_gradient

        inner = (vectors.T @ coefficients[:size]) / scale[:, None]
        begin = np.concatenate([inner.ravel(), (start * back).ravel()])
        # A gradient this small costs a bound at the cap of a reading, 10⁴ B, no tenth of the loss.
        reach = 1.0 + float(np.linalg.norm(coefficients)) * math.sqrt(self._largest)
        small = max(1e-12, (1e-9 if precise else 1e-6) * known / reach)
        found = minimize(
            objective, begin, jac=True, method="L-BFGS-B",
            options={
                "maxiter": self.iterations, "maxcor": 20,
                "ftol": 0.0 if precise else 1e-10, "gtol": small,
            },
        )  # fmt: skip
        flat: Vector = np.asarray(found.x)
        own = flat[size * shape[1] :].reshape(wide, shape[1]) / back
        if frozen:
            return coefficients, own - (means @ coefficients if self._ones else 0.0)
        moved = basis @ flat[: size * shape[1]].reshape(shape)
        return moved, own - (means @ moved if self._ones else 0.0)

    def _curvature(self, law: ConvexLoss, coefficients: Matrix, bias: Matrix) -> Vector:
        """Return how curved ℓ is at every sample, by a difference of slopes along ±1."""
        outputs = self._outputs(self.features, coefficients, bias)
        step = 1e-3 * (1.0 + np.abs(outputs).max(axis=1, keepdims=True))
        # Alternating signs: the cross-entropy is flat along the vector of ones.
        signs = np.where(np.arange(outputs.shape[1]) % 2 == 0, 1.0, -1.0) * step
        with np.errstate(over="ignore", invalid="ignore"):
            rise = law.evaluate(outputs + signs, self.target)[1]
            rise = rise - law.evaluate(outputs, self.target)[1]
            own = (rise * signs).sum(axis=1) / (outputs.shape[1] * step[:, 0] ** 2)
        own = np.where(np.isfinite(own), np.maximum(own, 0.0), 0.0)
        # Samples without curvature here may have some at the next point.
        return np.asarray(own + max(1e-3 * float(self.weights @ own), 1e-12))

    @staticmethod
    def _eigenpairs(rows: Matrix, weights: Vector) -> tuple[Vector, Matrix]:
        """Return eigenvalues ≥ 0 and eigenvectors of Σ w φφᵀ."""
        values, vectors = np.linalg.eigh((rows * weights[:, None]).T @ rows)
        return np.maximum(values, 0.0), vectors

    def _smooth(self, value: float) -> ConvexLoss:
        """Return a smooth loss with dual points of ℓ; ℓ itself where it is smooth."""
        if isinstance(self.law, AbsoluteError):
            # Within a quarter of the gap that is wanted, at the size of the loss found so far.
            return SmoothedAbsolute(delta=max(0.5 * self.tolerance * value, 1e-300))
        return self.law

    def _outputs(self, rows: Array, coefficients: Matrix, bias: Matrix) -> Array:
        """Return φC + D b + o."""
        outputs = rows @ coefficients + self._columns @ bias
        return np.asarray(outputs if self.offset is None else outputs + self.offset)
