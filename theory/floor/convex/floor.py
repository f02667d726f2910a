"""L2 for fixed features: a certified lower bound of what any output layer of a norm can reach."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
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
from epsrank.theory.floor.convex.evaluation import evaluation_error
from epsrank.theory.floor.convex.losses import ConvexLoss
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.floor.convex.solver import minimise_on_ball
from epsrank.theory.floor.plateau import read_plateau, shares_of
from epsrank.theory.floor.reading import NO_LOSS, Reading, no_reading
from epsrank.theory.numbers.arrays import Array, Matrix
from epsrank.theory.numbers.rounding import frobenius
from epsrank.theory.shown import Shown

# Relative gap to which V is enclosed for a reading: its thresholds are a fifth and a half.
_READ_TO = 1e-2


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
    question : callable
        What `verdict` asks when it is first looked at; it takes longer than the bounds.
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
    question: Callable[[], Reading] = field(repr=False)
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

    @cached_property
    def verdict(self) -> Reading:
        """F6, with a free bias wherever the head has one, and its own enclosure of V."""
        return self.question()

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
            ``n_samples``, ``n_features``, ``n_outputs``, ``iterations``, ``converged``, and the
            numbers of the reading, as in `Reading.to_json`.
        """
        names = (
            "loss_name", "loss", "reachable", "attained", "gap", "norm", "evaluation_error",
            "bias", "measure", "dtype", "n_samples", "n_features", "n_outputs",
            "iterations", "converged",
        )  # fmt: skip
        return {name: getattr(self, name) for name in names} | self.verdict.to_json()


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
    measure = as_measure("mean", weights, checked.n_samples)
    shares = shares_of(measure)
    k = goal.shape[1]
    given = checked
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
    error = evaluation_error(law, phi, goal, radius, offset)
    # W itself is a point of the ball.
    attained = found.value if own is None else min(found.value, own)
    reachable = max(bound, 0.0)  # ℓ ≥ 0
    question = partial(no_reading, NO_LOSS, bias=None if bias is None else "free")
    if own is not None:
        question = partial(
            read_plateau, given, target, loss=law, coefficients=coefficients, measure=measure,
            bias=None if bias is None else "free", bias_value=bias_value,
            start=found.point if bias is None else None, tolerance=max(tolerance, _READ_TO),
        )  # fmt: skip
    return ConvexFloor(
        loss_name=law.name,
        loss=own,
        reachable=reachable,
        attained=attained,
        norm=radius,
        evaluation_error=error,
        question=question,
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


def _start(start: Any, matrix: Array | None, shape: tuple[int, int]) -> Array:
    """Return where the solver begins."""
    if start is not None:
        begin = as_coefficients(start, shape[0], name="start")
        if begin.shape != shape:
            raise InputError("start", f"has shape {begin.shape}", f"pass {shape}")
        return begin
    return np.zeros(shape) if matrix is None else matrix
