"""min f(C, b) + μ/2 ‖C‖²  for the mean f of a convex loss of φC + D b + o, with b unpenalised.

Solved by L-BFGS, in coordinates in which the Hessian is near 1: the eigenbasis of the Gram matrix
weighted by how curved the loss is at every sample. The solver is trusted with nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from epsrank.theory.errors import InputError
from epsrank.theory.floor.convex.losses import ConvexLoss
from epsrank.theory.floor.convex.targets import Targets
from epsrank.theory.numbers.arrays import Array, Matrix, Vector


@dataclass(eq=False)
class PenalisedProblem:
    """The data of f, and its minimisation."""

    law: ConvexLoss
    #: φ and y.
    features: Matrix
    target: Targets
    #: w_i / Σ w.
    weights: Vector
    #: D, whose coefficients are free; None for a head without a free bias.
    free: Matrix | None
    #: o.
    offset: Matrix | None = None
    #: Relative gap of the curve that is wanted, and most steps of a minimisation.
    tolerance: float = 1e-2
    iterations: int = 200

    def __post_init__(self) -> None:
        # A D of ones is told apart: the cross-entropy mixes its shares then, for any k.
        self.ones = self.free is not None and bool((self.free == 1).all())
        self.columns = np.zeros((len(self.features), 0)) if self.free is None else self.free
        rows = self.features
        if self.ones:
            # Shifted features have the same curve, and a bias that hardly interacts with them.
            mean = self.weights @ rows / float(self.weights.sum())
            rows = rows - mean
        with np.errstate(over="ignore", invalid="ignore"):
            size = float(np.square(rows).sum())
        if not math.isfinite(size):
            raise InputError("features", "are beyond float64 when squared", "rescale them")
        self.rows = rows
        #: Σ w, which is 1 unless samples count for different amounts.
        self.mass = float(self.weights.sum())
        #: λ_1, of the centred features where the bias is free.
        self.largest = float(self._eigenpairs(rows, self.weights)[0].max(initial=0.0))

    def minimise(
        self,
        penalty: float,
        coefficients: Matrix,
        bias: Matrix,
        *,
        known: float,
        frozen: bool = False,
        precise: bool = False,
    ) -> tuple[Matrix, Matrix]:
        """Minimise f(C, b) + μ/2 ‖C‖² by L-BFGS in the eigenbasis, scaled by 1/√(hλ + μ)."""
        # Here, since only readings of other losses need it, and it takes long to import.
        from scipy.optimize import minimize

        shape, wide = coefficients.shape, self.columns.shape[1]
        rows = self.rows if not frozen else self.rows[:, :0]
        # Shifted features move the bias: φC + b = (φ − m)C + (b + mC).
        means = (self.features - self.rows)[0] if self.ones else np.zeros(shape[0])
        start = bias + means @ coefficients if self.ones else bias
        # The size of the loss, as far as it is known.
        known = known if math.isfinite(known) else 1.0
        law = self.smooth(known)
        curved = self.weights * self._curvature(law, coefficients, bias)
        size = 0 if frozen else shape[0]
        spectrum, vectors = self._eigenpairs(rows, curved)
        scale = 1.0 / np.sqrt(spectrum + penalty + 1e-300)
        basis = vectors * scale
        images = rows @ basis
        sizes = np.sqrt(curved @ np.square(self.columns))
        back = np.where(sizes > 0, sizes, 1.0)
        columns, back = self.columns / back, back[:, None]

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
        reach = 1.0 + float(np.linalg.norm(coefficients)) * math.sqrt(self.largest)
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
            return coefficients, own - (means @ coefficients if self.ones else 0.0)
        moved = basis @ flat[: size * shape[1]].reshape(shape)
        return moved, own - (means @ moved if self.ones else 0.0)

    def outputs(self, coefficients: Matrix, bias: Matrix) -> Array:
        """Return φC + D b + o."""
        outputs = self.features @ coefficients + self.columns @ bias
        return np.asarray(outputs if self.offset is None else outputs + self.offset)

    def _curvature(self, law: ConvexLoss, coefficients: Matrix, bias: Matrix) -> Vector:
        """Return how curved ℓ is at every sample, by a difference of slopes along ±1."""
        outputs = self.outputs(coefficients, bias)
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

    def smooth(self, value: float) -> ConvexLoss:
        """Return a smooth loss with dual points of ℓ; ℓ itself where it is smooth."""
        # Within a quarter of the gap that is wanted, at the size of the loss found so far.
        return self.law.smoothed(max(0.5 * self.tolerance * value, 1e-300)) or self.law
