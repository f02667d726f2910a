"""L2 for fixed features: a certified lower bound of what any output layer of a norm can reach."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from epsrank.theory.data.inputs import (
    as_coefficients,
    as_error,
    as_features,
    as_norm,
    as_whole,
)
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import BiasName, refuse_unless_one, with_bias
from epsrank.theory.floor.convex.certificate import audited_bound, certified_bound
from epsrank.theory.floor.convex.losses import (
    AbsoluteError,
    ConvexLoss,
    CrossEntropy,
    Huber,
    SquaredError,
)
from epsrank.theory.floor.convex.solver import minimise_on_ball
from epsrank.theory.floor.reading import Reading, read_ratio
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, frobenius, gamma, upward
from epsrank.theory.shown import Shown

_U = UNIT_ROUNDOFF["float64"]

_LOSSES: dict[str, type[CrossEntropy | AbsoluteError | Huber | SquaredError]] = {
    "cross_entropy": CrossEntropy,
    "absolute": AbsoluteError,
    "huber": Huber,
    "mse": SquaredError,
}


@dataclass(frozen=True, eq=False)
class ConvexFloor(Shown):
    """The chain  reachable ≤ V(B) = min_{‖C‖_F ≤ B} mean ℓ(φ·C, y) ≤ attained  (L2).

    Attributes
    ----------
    loss_name : str
        ℓ.
    loss : float or None
        mean ℓ(φ·W, y) of the coefficients given; None where only a norm was given.
    reachable : float
        Certified: no C with ‖C‖_F ≤ B has a smaller mean loss. At least 0.
    attained : float
        Mean loss of the best C found, computed in float64: an upper bound of V(B), never reported
        as a lower one.
    norm : float
        B = ‖W‖_F (the bias included where it is a feature).
    evaluation_error : float
        Bound on the rounding of `loss` and `attained`.
    verdict : Reading
        F6, with loss/V between loss/attained and loss/reachable.
    lipschitz : float
        L of ℓ in ‖·‖₂.
    iterations : int
        Steps of the solver.
    converged : bool
        Whether it closed the gap to its tolerance.
    bias : {None, "feature", "fixed"}
        How an output bias entered.
    measure : str
        Always ``"mean"``: L2 needs mass 1.
    dtype : str
        Type of the features as given.
    n_samples, n_features, n_outputs : int
        N, n (with the constant feature, if any) and k.
    point : ndarray of float64, shape (n, k)
        The C that attains `attained`; a start for the next call.
    outputs : ndarray of float64, shape (N, k)
        Where the slopes of the certificate were taken.
    """

    loss_name: str
    loss: float | None
    reachable: float
    attained: float
    norm: float
    evaluation_error: float
    verdict: Reading
    lipschitz: float
    iterations: int
    converged: bool
    bias: str | None
    measure: str
    dtype: str
    n_samples: int
    n_features: int
    n_outputs: int
    point: Matrix = field(repr=False)
    outputs: Matrix = field(repr=False)

    @property
    def gap(self) -> float:
        """Return attained − reachable ≥ V(B) − reachable: what the certificate leaves open."""
        return self.attained - self.reachable

    @property
    def reading(self) -> str:
        """The name of the reading (F6)."""
        return self.verdict.name

    def __str__(self) -> str:
        loss = "" if self.loss is None else f"loss {self.loss:.6g} ≥ "
        return (
            f"{loss}reachable {self.reachable:.6g} (attained {self.attained:.6g}) at B = "
            f"{self.norm:.6g}, {self.loss_name}, {self.n_samples} samples × {self.n_features} "
            f"features, {self.dtype}; {self.verdict}"
        )

    def to_json(self) -> dict[str, Any]:
        """Return the numbers as plain data.

        Returns
        -------
        dict
            Keys ``loss_name``, ``loss``, ``reachable``, ``attained``, ``gap``, ``norm``,
            ``evaluation_error``, ``reading``, ``reason``, ``bias``, ``measure``, ``dtype``,
            ``n_samples``, ``n_features``, ``n_outputs``, ``iterations``, ``converged``.
        """
        names = (
            "loss_name", "loss", "reachable", "attained", "gap", "norm", "evaluation_error",
            "reading", "bias", "measure", "dtype", "n_samples", "n_features", "n_outputs",
            "iterations", "converged",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | {"reason": self.verdict.reason}


def as_convex_loss(loss: str | ConvexLoss) -> ConvexLoss:
    """Return a loss by name, or the loss itself."""
    if not isinstance(loss, str):
        return loss
    if loss not in _LOSSES:
        raise InputError("loss", f"is {loss!r}", f"choose one of {', '.join(_LOSSES)}")
    return _LOSSES[loss]()


def convex_floor(
    features: Any,
    target: Any,
    *,
    loss: str | ConvexLoss = "cross_entropy",
    norm: float | None = None,
    coefficients: Any = None,
    n_outputs: int | None = None,
    weights: Any = None,
    bias: BiasName | None = None,
    bias_value: Any = None,
    start: Any = None,
    tolerance: float = 1e-3,
    iterations: int = 500,
    audit: bool = False,
) -> ConvexFloor:
    """Bound  V(B) = min_{‖C‖_F ≤ B} mean ℓ(φ·C, y)  from below, and from above by a point (L2).

    A convex problem: any point C₀ certifies f(C₀) − ⟨∇f(C₀), C₀⟩ − B‖∇f(C₀)‖_F ≤ V(B), evaluated
    against rounding, and a good C₀ comes from projected gradients. With ``bias="feature"`` the
    constant 1 joins the features and the bias the norm, so that both lie in one ball (a bias
    without bound would leave no linear lower bound); with ``bias="fixed"`` it stays what it is.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        φ.
    target : array_like or tensor
        Labels of shape (N,) or rows of class weights (N, k) for the cross-entropy; real numbers of
        shape (N,) or (N, k) otherwise.
    loss : {"cross_entropy", "absolute", "huber", "mse"} or ConvexLoss
        ℓ.
    norm : float, optional
        B ≥ 0, finite. Exactly one of `norm` and `coefficients` is needed.
    coefficients : array_like, shape (n,) or (n, k), optional
        W; gives the loss and the norm.
    n_outputs : int, optional
        k, where labels and a norm alone do not say.
    weights : array_like, shape (N,), optional
        w_i ≥ 0, divided by their sum.
    bias : {None, "feature", "fixed"}
        What an output bias is taken for.
    bias_value : array_like, shape () or (k,), optional
        The bias.
    start : array_like, shape (n, k), optional
        Where the solver begins; W by default, else 0.
    tolerance : float
        Relative gap at which it stops.
    iterations : int
        Most steps; the bound holds however few.
    audit : bool
        Evaluate the certificate in ball arithmetic, which trusts no library function; for small
        data.

    Returns
    -------
    ConvexFloor
        The chain and the reading of F6.

    Raises
    ------
    InputError
        If an argument cannot be used, or outputs overflow float64.
    """
    law = as_convex_loss(loss)
    tolerance = as_error(tolerance, "tolerance", "the relative gap")
    iterations = as_whole(iterations, "iterations", least=0)
    n_outputs = None if n_outputs is None else as_whole(n_outputs, "n_outputs")
    refuse_unless_one(norm, coefficients)
    checked = as_features(features)
    matrix = None if coefficients is None else as_coefficients(coefficients, checked.n_features)
    outputs = n_outputs if matrix is None else matrix.shape[1]
    goal = law.targets(target, checked.n_samples, outputs)
    shares = _shares(weights, checked.n_samples)
    k = goal.shape[1]
    checked, _, matrix = with_bias(
        checked, np.zeros((checked.n_samples, k)), matrix, bias, bias_value
    )
    offset = None
    if bias == "fixed":
        offset = np.broadcast_to(np.asarray(bias_value, dtype=np.float64).reshape(-1), (k,))
    phi = checked.values
    radius = as_norm(norm) if matrix is None else frobenius(matrix)
    if not math.isfinite(radius):
        raise InputError("norm", f"is {radius:g}", "pass a finite norm: without one there is no V")

    def outputs_at(point: Array) -> Array:
        """Return φ·C + b."""
        return phi @ point if offset is None else phi @ point + offset

    def objective(point: Array) -> tuple[float, Array]:
        """Return f and its gradient."""
        values, slopes = law.evaluate(outputs_at(point), goal)
        return float(shares @ values), phi.T @ (slopes * shares[:, None])

    begin = _start(start, matrix, (checked.n_features, k))
    with np.errstate(over="ignore", invalid="ignore"):
        own = None if matrix is None else objective(matrix)[0]
        found = minimise_on_ball(
            objective, begin, radius, tolerance=tolerance, iterations=iterations
        )
        z = outputs_at(found.dual_point)
    if not math.isfinite(found.value) or (own is not None and not math.isfinite(own)):
        raise InputError("features", "give outputs beyond float64", "rescale them")
    # A norm that was computed here is rounded; one that was given is exact.
    outer = radius if matrix is None else radius * (1 + 1e-12)
    if audit:
        bound = audited_bound(law, phi, z, goal, shares, outer, offset)[0]
    else:
        bound = certified_bound(phi, law.dual(z, goal), shares, outer, offset)
    error = _evaluation_error(law, phi, goal, radius, offset)
    # W itself is a point of the ball.
    attained = found.value if own is None else min(found.value, own)
    reachable = max(bound, 0.0)  # ℓ ≥ 0
    verdict = read_ratio(own, reachable, attained, error)
    return ConvexFloor(
        loss_name=law.name,
        loss=own,
        reachable=reachable,
        attained=attained,
        norm=radius,
        evaluation_error=error,
        verdict=verdict,
        lipschitz=law.lipschitz(goal),
        iterations=found.iterations,
        converged=found.converged,
        bias=bias,
        measure="mean",
        dtype=checked.dtype,
        n_samples=checked.n_samples,
        n_features=checked.n_features,
        n_outputs=k,
        point=found.point,
        outputs=z,
    )


def _shares(weights: Any, n_samples: int) -> Array:
    """Return w_i / Σ w, each to at most 4 u."""
    law = as_measure("mean", weights, n_samples)
    if law.weights is None:
        return np.full(n_samples, 1.0 / n_samples)
    return np.asarray(law.weights / float(law.weight_sum))


def _start(start: Any, matrix: Array | None, shape: tuple[int, int]) -> Array:
    """Return where the solver begins."""
    if start is not None:
        begin = as_coefficients(start, shape[0], name="start")
        if begin.shape != shape:
            raise InputError("start", f"has shape {begin.shape}", f"pass {shape}")
        return begin
    return np.zeros(shape) if matrix is None else matrix


def _evaluation_error(
    law: ConvexLoss, phi: Array, goal: Array, radius: float, offset: Array | None
) -> float:
    """Return a bound on the rounding of mean ℓ(φ·C, y) for ‖C‖_F ≤ B.

    Outputs are off by γ_{n+1} ‖φ_i‖ B, which ℓ takes to at most L times as much (twice the size of
    outputs and targets for the squared error), and ℓ itself by a few u of its intermediate sizes.
    """
    n, k = phi.shape[1], goal.shape[1]
    # A sum of n squares is off by γ_n, which passes 1e-12 beyond some 9000 neurons.
    rows = np.sqrt(np.einsum("ij,ij->i", phi, phi)) * (1 + max(1e-12, gamma(n + 2)))
    shift = 0.0 if offset is None else float(np.abs(offset).max())
    size = rows * radius + shift + np.abs(goal).max(axis=1) + math.log(k)
    slope = law.lipschitz(goal)
    steepness = np.full_like(size, slope) if math.isfinite(slope) else 4 * math.sqrt(k) * size
    moved = gamma(n + 2) * steepness * (rows * radius + shift)
    rounded = gamma(8 * k + 32) * (steepness + 1) * size * k
    return (
        upward(float(np.mean(moved + rounded)) if len(size) else 0.0)
        + gamma(len(size)) * float(np.max(steepness * size)) * 1.01
    )
