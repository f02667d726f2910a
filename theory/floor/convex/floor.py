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
    as_target,
    as_whole,
)
from epsrank.theory.data.measure import as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import as_bias, refuse_unless_one, with_bias
from epsrank.theory.floor.convex.losses import ConvexLoss
from epsrank.theory.floor.convex.named import as_convex_loss
from epsrank.theory.floor.convex.problem import HeadProblem, mean_shares, norm_ends
from epsrank.theory.floor.plateau import read_plateau
from epsrank.theory.floor.reading import NO_LOSS, Reading, ReadingBias, no_reading
from epsrank.theory.numbers.arrays import Array, Matrix, Vector
from epsrank.theory.shown import Shown, ordered
from epsrank.theory.words import plural

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
    bias : {None, "feature", "fixed", "free"}
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
    intercept : ndarray of float64, shape (k,), or None
        The bias that goes with `point`, where it is free.
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
    intercept: Vector | None = field(default=None, repr=False)

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
        chain = [("reachable", self.reachable)]
        if self.loss is not None:
            chain.insert(0, ("loss", self.loss))
        return (
            f"{ordered(chain)} (attained {self.attained:.6g}) at B = "
            f"{self.norm:.6g}, {self.loss_name}, {plural(self.n_samples, 'sample')} "
            f"× {plural(self.n_features, 'feature')}, {self.dtype}; {self.verdict}"
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
    bias: ReadingBias | None = None,
    bias_value: Any = None,
    offset: Any = None,
    start: Any = None,
    tolerance: float = 1e-3,
    iterations: int = 500,
    audit: bool = False,
) -> ConvexFloor:
    """Bound  V(B) = min_{‖C‖_F ≤ B} mean ℓ(φ·C + o, y)  from below, and above by a point (L2, L3).

    A convex problem: slopes g_i in the domain of the conjugate, such as those of any point C₀,
    certify  Σ w_i {−ℓ*(g_i, y_i) + g_i·o_i} − B‖Σ w_i φ_i g_iᵀ‖_F ≤ V(B),  evaluated against
    rounding, and a good C₀ comes from projected gradients. With ``bias="feature"`` the constant 1
    joins the features and the bias the norm, so that both lie in one ball; with ``bias="fixed"`` it
    stays what it is; with ``bias="free"`` it costs no norm, and slopes are moved until
    Σ w_i g_i = 0, so that no bias changes the bound.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        φ.
    target : array_like or tensor
        Integer labels of shape (N,), or rows of shares (N, k) that sum to 1, for the cross-entropy;
        numbers from 0 to 1 of shape (N,) or (N, k) for ``"bce"``; real numbers of shape (N,) or
        (N, k) otherwise. Labels are never spread into rows: memory is N·k + n·k numbers.
    loss : str or ConvexLoss
        ``"cross_entropy"``, ``"bce"``, ``"huber"``, ``"smooth_l1"``, ``"absolute"`` (or ``"l1"``),
        ``"mse"``, or a loss of `epsrank.losses` with its settings. Losses of real targets are sums
        over outputs.
    norm : float, optional
        B ≥ 0, finite. Exactly one of `norm` and `coefficients` is needed.
    coefficients : array_like, shape (n,) or (n, k), optional
        W; gives the loss and the norm.
    n_outputs : int, optional
        k, where labels and a norm alone do not say.
    weights : array_like, shape (N,), optional
        w_i ≥ 0, divided by their sum.
    bias : {None, "feature", "fixed", "free"}
        What an output bias is taken for.
    bias_value : array_like, shape () or (k,), optional
        The bias.
    offset : array_like, shape (N,) or (N, k), optional
        o, added to the outputs of each sample: what of the output is not the head's.
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

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 50)
    >>> features = np.stack([x, x**2], axis=1)
    >>> found = convex_floor(features, (x > 0).astype(int), norm=3.0, bias="free")
    >>> bool(0.99 * found.attained < found.reachable <= found.attained)
    True
    """
    law = as_convex_loss(loss)
    tolerance = as_error(tolerance, "tolerance", "the relative gap")
    iterations = as_whole(iterations, "iterations", least=0)
    outputs = None if n_outputs is None else as_whole(n_outputs, "n_outputs")
    refuse_unless_one(norm, coefficients)
    given = as_features(features)
    if given.rounded:
        raise InputError("features", "have integers beyond 2^53", "rescale them")
    head = None if coefficients is None else as_coefficients(coefficients, given.n_features)
    outputs = outputs if head is None else head.shape[1]
    goal = law.targets(target, given.n_samples, outputs)
    k = goal.shape[1]
    value = _bias_value(bias, bias_value, k, with_layer=head is not None)
    checked, matrix = given, head
    if bias == "feature":
        checked, _, matrix = with_bias(given, np.empty((0, k)), head, bias, value)
    measure = as_measure("mean", weights, given.n_samples)
    shift = _offset(offset, given.n_samples, k)
    problem = HeadProblem(
        law,
        checked.values,
        goal,
        mean_shares(measure, law, goal),
        _sum_of(shift, value if bias == "fixed" else None),
        free=bias == "free",
    )
    inner, outer = (as_norm(norm),) * 2 if matrix is None else norm_ends(matrix)
    if not math.isfinite(outer):
        raise InputError("norm", f"is {outer:g}", "pass a finite norm: without one there is no V")
    if audit and problem.free:
        raise InputError("audit", "is True with a free bias", "hold the bias fixed for an audit")
    n = checked.n_features
    whole = matrix
    if matrix is not None and problem.free:
        assert value is not None
        whole = np.vstack([matrix, value])
    begin = _start(start, whole, (n, k), problem.free)
    with np.errstate(over="ignore", invalid="ignore"):
        own = None if whole is None else problem.loss_at(whole)
        if own is not None and not math.isfinite(own):
            raise InputError("features", "give outputs beyond float64", "rescale them")
        found = problem.solve(
            begin, inner, outer, tolerance=tolerance, iterations=iterations, audit=audit
        )
    if not math.isfinite(found.value):
        raise InputError("features", "give outputs beyond float64", "rescale them")
    biases = [point[n:] for point in (found.point, whole) if point is not None and problem.free]
    error = problem.evaluation_error(outer, np.vstack(biases) if biases else None)
    # W itself is a point of the ball.
    attained = found.value if own is None else min(found.value, own)
    reachable = max(found.bound, 0.0)  # ℓ ≥ 0
    question = partial(no_reading, NO_LOSS, bias=None if bias is None else "free")
    if own is not None:
        question = partial(
            read_plateau, given, goal, loss=law, coefficients=head, measure=measure, offset=shift,
            bias=None if bias is None else "free", bias_value=bias_value,
            start=found.point[:n] if bias in (None, "free") else None,
            tolerance=max(tolerance, _READ_TO),
        )  # fmt: skip
    return ConvexFloor(
        loss_name=law.name,
        loss=own,
        reachable=reachable,
        attained=attained,
        norm=outer,
        evaluation_error=error,
        question=question,
        lipschitz=law.lipschitz(goal),
        iterations=found.iterations,
        converged=found.converged,
        bias=bias,
        measure="mean",
        dtype=checked.dtype,
        n_samples=checked.n_samples,
        n_features=n,
        n_outputs=k,
        point=found.point[:n],
        outputs=found.outputs,
        intercept=found.point[n] if problem.free else None,
    )


def _bias_value(bias: Any, bias_value: Any, k: int, *, with_layer: bool) -> Array | None:
    """Check how a bias is taken, and its value."""
    if bias not in (None, "feature", "fixed", "free"):
        raise InputError("bias", f"is {bias!r}", "choose None, 'feature', 'fixed' or 'free'")
    if bias_value is None:
        if bias == "fixed" or (bias is not None and with_layer):
            raise InputError("bias_value", "is missing", "pass the bias that belongs to the layer")
        return None
    if bias is None:
        raise InputError("bias_value", "is given without bias", "pass bias= as well")
    if bias != "fixed" and not with_layer:
        raise InputError(
            "bias_value", "is given with a norm", "leave it out: such a bias is found, not given"
        )
    return as_bias(bias_value, k)


def _offset(offset: Any, n_samples: int, k: int) -> Array | None:
    """Check what is added to the outputs of each sample."""
    if offset is None:
        return None
    rows = as_target(offset, n_samples, name="offset")
    if rows.shape[1] != k:
        raise InputError(
            "offset", f"has {plural(rows.shape[1], 'column')}", f"pass one per output, {k}"
        )
    return rows


def _sum_of(offset: Array | None, bias: Array | None) -> Array | None:
    """Return o + b."""
    if offset is None or bias is None:
        return bias if offset is None else offset
    return np.asarray(offset + bias)


def _start(start: Any, whole: Array | None, shape: tuple[int, int], free: bool) -> Array:
    """Return where the solver begins; below it the bias, where that is free."""
    if start is None:
        return np.zeros((shape[0] + free, shape[1])) if whole is None else whole
    begin = as_coefficients(start, shape[0], name="start")
    if begin.shape != shape:
        raise InputError("start", f"has shape {begin.shape}", f"pass {shape}")
    if not free:
        return begin
    return np.vstack([begin, np.zeros((1, shape[1])) if whole is None else whole[shape[0] :]])
