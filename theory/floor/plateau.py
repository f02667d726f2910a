"""F6 from data: the reading of a head on its features, the same for every entry of the package."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from epsrank.theory.data.inputs import (
    Features,
    as_coefficients,
    as_features,
    as_norm,
    as_size,
    as_target,
    as_whole,
)
from epsrank.theory.data.measure import Measure, as_measure
from epsrank.theory.errors import InputError
from epsrank.theory.floor.arguments import refuse_unless_one, with_columns
from epsrank.theory.floor.decomposed.centring import centred_problem
from epsrank.theory.floor.decomposed.curve import SquaresCurve
from epsrank.theory.floor.decomposed.decomposition import decompose
from epsrank.theory.floor.decomposed.weighting import residual_norm, weighted_problem
from epsrank.theory.floor.reading import CAP, Curve, Reading, ReadingBias, read_curve
from epsrank.theory.numbers.arrays import Matrix, Vector, to_numpy
from epsrank.theory.numbers.rounding import gamma, upward
from epsrank.theory.numbers.scaled import frobenius, norm_error
from epsrank.theory.words import plural

if TYPE_CHECKING:
    from epsrank.theory.floor.convex.losses import ConvexLoss

# Norms up to the cap at which a curve is enclosed to its tolerance before it is drawn.
_SUPPORTS = 6

#: Names of the squared error.
SQUARES = ("squared", "mse")


@dataclass(frozen=True, eq=False)
class Plateau:
    """u = φ·W + D b + o against u*: what a reading is asked about, checked."""

    features: Features
    #: u* for the squared error; labels or targets as given otherwise.
    target: Any
    measure: Measure
    #: D, None for the constant 1.
    constant: Matrix | None
    #: o at the samples.
    offset: Matrix | None
    bias: ReadingBias | None


def read_plateau(
    features: Any,
    target: Any,
    *,
    loss: Any = "squared",
    norm: float | None = None,
    loss_value: float | None = None,
    coefficients: Any = None,
    bias: ReadingBias | None = "free",
    bias_value: Any = None,
    constant: Any = None,
    offset: Any = None,
    weights: Any = None,
    measure: Any = "mean",
    loss_error: float = 0.0,
    start: Any = None,
    tolerance: float = 1e-2,
    iterations: int = 200,
) -> Reading:
    """Say whether features, norm or optimiser hold a loss up (F6).

    With V(B) = min_{‖W‖_F ≤ B, b} loss(φ·W + b) and B½ = min{B′ : V(B′) ≤ loss/2}, the reading is
    *optimiser-limited* for V(B) ≤ loss/2; for loss ≤ 1.25 V(B) it is *norm-limited* where B½ < ∞
    and *feature-limited* where no norm up to 10⁴·max(B, ‖u* − ū*‖/√λ_1) halves the loss; otherwise
    it is *between*. It is *undetermined* where the enclosures leave it open, or the loss is 0.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        φ, what enters the head at the samples.
    target : array_like or tensor, shape (N,) or (N, k)
        u*; labels or distributions for the cross-entropy.
    loss : {"squared", "cross_entropy", "huber", "absolute"} or ConvexLoss
        ``"squared"`` (or ``"mse"``) is ‖u − u*‖² in the measure, summed over outputs; the others
        are means over the samples.
    norm, loss_value : float, optional
        B = ‖W‖_F and the loss of the head, where they are known. Without `loss_value` nothing is
        read, and V(B) is enclosed all the same.
    coefficients : array_like, shape (n,) or (n, k), optional
        W instead, which gives norm and loss.
    bias : {"free", "feature", "fixed", None}
        The bias of the head: unpenalised (shifts of the target then change nothing), one more
        feature and part of the norm, or held at `bias_value`. None for a head without one.
    bias_value : array_like, shape () or (k,), optional
        b; needed with `coefficients`, and for ``"fixed"``.
    constant : array_like, shape (N,) or (N, m), optional
        What the bias multiplies at the samples, where that is not 1: D of u = D(x)(φW + b).
    offset : array_like, shape (N,) or (N, k), optional
        What is added to the output: r of u = φW + b + r(x).
    weights : array_like, shape (N,), optional
        Sample weights w_i ≥ 0.
    measure : {"mean", "raw", "volume"} or Measure
        Of the loss; other losses than the squared error know ``"mean"`` alone.
    loss_error : float
        How far `loss_value` may be off.
    start : array_like, shape (n, k), optional
        Where the solver of other losses begins.
    tolerance : float
        Relative gap at which that solver stops.
    iterations : int
        Most steps of one minimisation; enclosures hold however few.

    Returns
    -------
    Reading
        The word, loss/V(B) with its enclosure, B½ and B½/B.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)
    >>> features = np.tanh(np.outer(x, np.arange(1, 6)))
    >>> reading = read_plateau(features, np.sin(3 * x), coefficients=np.zeros(5), bias_value=0.0)
    >>> reading.name, reading.norm
    ('norm-limited', 0.0)
    """
    found = asked(
        features, target, loss=loss, norm=norm, loss_value=loss_value, coefficients=coefficients,
        bias=bias, bias_value=bias_value, constant=constant, offset=offset, weights=weights,
        measure=measure, loss_error=loss_error, start=start, tolerance=tolerance,
        iterations=iterations,
    )  # fmt: skip
    return found.reading


def plateau_curve(
    features: Any, target: Any, *, n_norms: int = 81, **arguments: Any
) -> PlateauCurve:
    """Return B ↦ V(B) on both sides of a head's norm, with its reading: the picture behind F6.

    Parameters
    ----------
    features : array_like or tensor, shape (N, n)
        φ.
    target : array_like or tensor
        u*.
    n_norms : int
        Norms at which V is enclosed, evenly spaced on a logarithmic axis up to the cap.
    **arguments
        Those of `read_plateau`.

    Returns
    -------
    PlateauCurve
        Norms, the enclosure of V there, and the reading.

    Raises
    ------
    InputError
        If an argument cannot be used.

    Examples
    --------
    >>> import numpy as np
    >>> x = np.linspace(-1, 1, 200)
    >>> features = np.tanh(np.outer(x, np.arange(1, 6)))
    >>> curve = plateau_curve(features, np.sin(3 * x), coefficients=np.ones(5), bias_value=0.0)
    >>> bool((curve.lower <= curve.upper).all())
    True
    """
    return asked(features, target, **arguments).curve(as_whole(n_norms, "n_norms"))


@dataclass(frozen=True, eq=False)
class PlateauCurve:
    """V(B) along B, enclosed, and the reading of one head on it."""

    #: B, and V(B) between both.
    norms: Vector
    lower: Vector
    upper: Vector
    #: Of the head.
    reading: Reading
    #: Of V.
    measure: str


@dataclass(frozen=True, eq=False)
class Asked:
    """A curve with the place of a head on it."""

    known: Curve
    loss: float | None
    norm: float
    error: float
    bias: ReadingBias | None
    measure: str

    @cached_property
    def reading(self) -> Reading:
        """The reading of F6."""
        return read_curve(self.known, self.loss, self.norm, error=self.error, bias=self.bias)

    def curve(self, count: int) -> PlateauCurve:
        """Return V at `count` norms."""
        # First, since it refines a curve where it matters.
        reading = self.reading
        scale = max(self.norm, self.known.natural_norm) or 1.0
        norms = np.geomspace(1e-3 * scale, CAP * scale, count)
        for norm in np.geomspace(scale, CAP * scale, _SUPPORTS):
            self.known.bounds(float(norm))
        ends = np.array([self.known.sketch(float(norm)) for norm in norms])
        return PlateauCurve(norms, ends[:, 0], ends[:, 1], reading, self.measure)


def asked(
    features: Any,
    target: Any,
    *,
    loss: Any = "squared",
    norm: float | None = None,
    loss_value: float | None = None,
    coefficients: Any = None,
    bias: ReadingBias | None = "free",
    bias_value: Any = None,
    constant: Any = None,
    offset: Any = None,
    weights: Any = None,
    measure: Any = "mean",
    loss_error: float = 0.0,
    start: Any = None,
    tolerance: float = 1e-2,
    iterations: int = 200,
) -> Asked:
    """Check what `read_plateau` is asked, and set up the curve."""
    refuse_unless_one(norm, coefficients)
    if bias not in (None, "free", "feature", "fixed"):
        raise InputError("bias", f"is {bias!r}", "choose 'free', 'feature', 'fixed' or None")
    checked = as_features(features)
    law = as_measure(measure, weights, checked.n_samples)
    columns = None if constant is None else as_target(constant, checked.n_samples, name="constant")
    shift = None if offset is None else as_target(offset, checked.n_samples, name="offset")
    plateau = Plateau(checked, target, law, columns, shift, bias)
    matrix = None if coefficients is None else as_coefficients(coefficients, checked.n_features)
    size = None if norm is None else as_norm(norm)
    loss_value = None if loss_value is None else as_size(loss_value, "loss_value")
    loss_error = as_size(loss_error, "loss_error")
    if isinstance(loss, str) and loss.replace("-", "_") in SQUARES:
        return _squares(plateau, size, loss_value, matrix, bias_value, loss_error)
    return _convex(
        plateau, loss, size, loss_value, matrix, bias_value, loss_error,
        start=start, tolerance=tolerance, iterations=iterations,
    )  # fmt: skip


def _squares(
    plateau: Plateau,
    norm: float | None,
    loss: float | None,
    matrix: Matrix | None,
    bias_value: Any,
    error: float,
) -> Asked:
    """Set up the curve of the squared error."""
    checked, law = plateau.features, plateau.measure
    goal = as_target(plateau.target, checked.n_samples)
    k = goal.shape[1]
    if plateau.offset is not None:
        goal = goal - _fitting(plateau.offset, k)
    columns = plateau.constant
    ones = np.ones((checked.n_samples, 1)) if columns is None else columns
    value = None if plateau.bias is None else _bias(bias_value, ones.shape[1], k)
    if matrix is not None:
        if matrix.shape[1] != k:
            raise InputError(
                "coefficients",
                f"have {plural(matrix.shape[1], 'output')}, but the target has {k}",
                "pass one column per output",
            )
        if value is None and plateau.bias is not None:
            raise InputError("bias_value", "is missing", "pass the bias that belongs to W")
        wide, full = checked, matrix
        if value is not None:
            wide, full = with_columns(checked, ones), np.vstack([matrix, value])
        problem = weighted_problem(wide, goal, law)
        root = residual_norm(problem, full)
        slack = _residual_error(problem.matrix.size, k, wide.n_features) * (
            float(np.ldexp(frobenius(problem.matrix), problem.feature_exponent)) * frobenius(full)
            + float(np.ldexp(frobenius(problem.target), problem.target_exponent))
        )
        loss = root * root
        error = upward((2 * root + slack) * slack)
        norm = frobenius(full if plateau.bias == "feature" else matrix)
    assert norm is not None
    if plateau.bias == "free":
        data = decompose(centred_problem(checked, goal, law, columns))
    elif plateau.bias == "feature":
        data = decompose(weighted_problem(with_columns(checked, ones), goal, law))
    else:
        if plateau.bias == "fixed":
            if value is None:
                raise InputError("bias_value", "is missing", "pass the bias that is held fixed")
            goal = goal - ones @ value
        data = decompose(weighted_problem(checked, goal, law))
    return Asked(SquaresCurve(data), loss, norm, error, plateau.bias, law.name)


def _convex(
    plateau: Plateau,
    loss_name: str | ConvexLoss,
    norm: float | None,
    loss: float | None,
    matrix: Matrix | None,
    bias_value: Any,
    error: float,
    *,
    start: Any,
    tolerance: float,
    iterations: int,
) -> Asked:
    """Set up the curve of the mean of another convex loss."""
    # Here, since a monitor of the squared error has no use for them.
    from epsrank.theory.floor.convex.curve import ConvexCurve
    from epsrank.theory.floor.convex.evaluation import evaluation_error
    from epsrank.theory.floor.convex.named import as_convex_loss
    from epsrank.theory.floor.convex.penalised import PenalisedProblem
    from epsrank.theory.floor.convex.problem import mean_shares

    law = as_convex_loss(loss_name)
    checked, bias = plateau.features, plateau.bias
    if plateau.measure.name != "mean":
        raise InputError(
            "measure", f"is {plateau.measure.name!r} with {law.name}", "take 'mean' (L2)"
        )
    size = checked.n_samples
    goal = law.targets(plateau.target, size, None if matrix is None else matrix.shape[1])
    k = goal.shape[1]
    ones = np.ones((size, 1)) if plateau.constant is None else plateau.constant
    offset = None if plateau.offset is None else _fitting(plateau.offset, k)
    value = None if bias is None else _bias(bias_value, ones.shape[1], k)
    if value is None and (bias == "fixed" or (matrix is not None and bias is not None)):
        raise InputError("bias_value", "is missing", "pass the bias that belongs to W")
    phi = checked.values
    own = np.zeros((0, k))
    free = None
    if bias == "feature":
        phi = np.hstack([phi, ones])
        matrix = None if matrix is None or value is None else np.vstack([matrix, value])
    elif bias == "fixed":
        assert value is not None
        offset = ones @ value if offset is None else offset + ones @ value
    elif bias == "free":
        free, own = ones, np.zeros((ones.shape[1], k)) if value is None else value
    weights = mean_shares(plateau.measure, law, goal)
    problem = PenalisedProblem(
        law, phi, goal, weights, free, offset, tolerance=tolerance, iterations=iterations
    )
    curve = ConvexCurve(problem, tolerance)
    if matrix is not None:
        outputs = phi @ matrix + (0.0 if free is None else free @ own)
        outputs = outputs if offset is None else outputs + offset
        with np.errstate(over="ignore", invalid="ignore"):
            loss = float(weights @ law.evaluate(outputs, goal)[0])
        if not math.isfinite(loss):
            raise InputError("features", "give outputs beyond float64", "rescale them")
        norm = frobenius(matrix)
        error = evaluation_error(law, phi, goal, norm, outputs - phi @ matrix, float(weights.sum()))
        curve.add(matrix, own)
    if start is not None:
        begin = as_coefficients(start, phi.shape[1], name="start")
        if begin.shape == (phi.shape[1], k):
            curve.add(begin, own)
    assert norm is not None
    if not math.isfinite(norm):
        raise InputError("norm", f"is {norm:g}", "pass a finite norm")
    return Asked(curve, loss, norm, error, bias, "mean")


def _bias(value: Any, columns: int, outputs: int) -> Matrix | None:
    """Return the bias as a matrix, one row per column of D."""
    if value is None:
        return None
    given = np.asarray(to_numpy(value, "bias_value")[0], dtype=np.float64)
    if given.size != columns * outputs:
        raise InputError(
            "bias_value", f"has {given.size} numbers", f"pass {columns * outputs}: one per output"
        )
    if not np.isfinite(given).all():
        raise InputError("bias_value", "has NaN or infinite entries", "fix the training")
    return given.reshape(columns, outputs)


def _fitting(offset: Matrix, outputs: int) -> Matrix:
    """Return what is added to the outputs, one column per output."""
    if offset.shape[1] not in (1, outputs):
        raise InputError(
            "offset",
            f"has {plural(offset.shape[1], 'column')}",
            f"pass one column per output: {outputs}",
        )
    return np.broadcast_to(offset, (len(offset), outputs))


def _residual_error(size: int, n_outputs: int, n_features: int) -> float:
    """Return the rounding of ‖A W − y‖ relative to ‖A‖_F ‖W‖_F + ‖y‖."""
    return gamma(n_features * (n_outputs + 1) + 10) + norm_error(size)
