"""Frequency errors Δ(γ) = |F[T](γ) − F[y](γ)|/|F[y](γ)| of a network T beside its target y."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from epsrank.numerics.monitor.quantity.contract import QuantityData
from epsrank.numerics.monitor.quantity.given import blamed, through
from epsrank.numerics.phenomena.derivatives import beside_training, whole
from epsrank.theory.data.inputs import as_whole
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector, real_array, refuse_non_finite
from epsrank.theory.numbers.rounding import UNIT_ROUNDOFF, unit_roundoff
from epsrank.theory.words import plural

Method = Literal["grid", "least-squares", "principal"]
METHODS: tuple[Method, ...] = ("grid", "least-squares", "principal")

# Grids may be off by rounding of float32 points.
_EVEN = 1e-4


def frequency_errors(
    x: Any,
    target: Any,
    outputs: Any,
    frequencies: Sequence[float],
    *,
    method: Method = "grid",
) -> Vector:
    """Relative errors Δ(γ) = ‖F[T](γ) − F[y](γ)‖/‖F[y](γ)‖ at given frequencies.

    Parameters
    ----------
    x : array_like, shape (N,) or (N, d)
        Inputs.
    target, outputs : array_like, shape (N,) or (N, k)
        y and T at the inputs; of k outputs the norm is over them.
    frequencies : sequence of float
        γ, in the unit of the method.
    method : {"grid", "least-squares", "principal"}
        ``"grid"``: x equispaced in one dimension, γ whole numbers, the bins of the discrete Fourier
        transform: γ periods on the N points. ``"least-squares"``: the coefficients of sin γx and
        cos γx, fitted for all frequencies and a constant together, so that γ need not lie in a
        bin. ``"principal"``: F(γ) = (1/N) Σ_j y_j exp(−2πi p_j γ), with p_j the inputs along their
        first principal component, from 0 to 1.

    Returns
    -------
    Vector
        Δ; where the target has no more at a frequency than its rounding leaves (of the coarser
        dtype of `x` and `target`), ∞, and NaN where the outputs have no more either.

    Raises
    ------
    InputError
        If shapes or method do not fit, points are not equispaced, or a frequency is none of a grid.

    References
    ----------
    Xu, Zhang, Xiao, Training behavior of deep neural network in frequency domain, arXiv:1807.01251.

    Examples
    --------
    >>> x = np.arange(8) / 8
    >>> y = np.sin(2 * np.pi * x) + np.sin(6 * np.pi * x)
    >>> frequency_errors(x, y, np.sin(2 * np.pi * x), [1, 3]).round(6).tolist()
    [0.0, 1.0]
    """
    if method not in METHODS:
        raise InputError("method", f"is {method!r}", f"choose one of {', '.join(METHODS)}")
    points, y, t = _matrix(x, "x"), _matrix(target, "target"), _matrix(outputs, "outputs")
    if t.shape != y.shape or len(y) != len(points):
        shapes = f"has shape {t.shape}, the target {y.shape}, x {points.shape}"
        raise InputError("outputs", shapes, "pass as many rows and columns")
    gamma = _matrix(frequencies, "frequencies").reshape(-1)
    if method != "principal" and points.shape[1] != 1:
        problem = f"has {plural(points.shape[1], 'column')}, and {method!r} is of one"
        raise InputError("x", problem, "choose method='principal'")
    transform = {"grid": _grid, "least-squares": _fitted, "principal": _principal}[method]
    goal, own = transform(points, y, gamma), transform(points, t, gamma)
    size = np.linalg.norm(goal, axis=-1)
    # A ratio of what rounding leaves says nothing.
    of_goal, of_own = _spread(points, (y, t), gamma, method)
    coarse = max(_unit(x), _unit(target))
    lacking = size <= coarse * of_goal
    silent = np.linalg.norm(own, axis=-1) <= max(coarse, _unit(outputs)) * of_own
    with np.errstate(divide="ignore", invalid="ignore"):
        found: Vector = np.linalg.norm(own - goal, axis=-1) / size
    return np.where(lacking, np.where(silent, np.nan, np.inf), found)


def _unit(values: Any) -> float:
    """Return the spacing of numbers near 1 in which values were given; whole ones are exact."""
    dtype = values.dtype if isinstance(values, Tensor) else np.asarray(values).dtype
    return 2 * (unit_roundoff(dtype) or UNIT_ROUNDOFF["float64"])


def _spread(x: Matrix, values: Sequence[Matrix], gamma: Vector, method: Method) -> Matrix:
    """Return how much of γ a unit of rounding in x, in each y and in the transform may make."""
    size = np.array([[np.linalg.norm(np.abs(y).sum(axis=0))] for y in values])
    if method == "grid":
        return np.repeat((8 + math.log2(len(x))) * size, len(gamma), axis=1)
    if method == "principal":
        return np.asarray((16 + 2 * math.pi * abs(gamma)) * size / len(x))
    rows = np.abs(np.linalg.pinv(_waves(x, gamma))[1:]).max(axis=1).reshape(len(gamma), 2)
    return np.asarray(16 * (1 + abs(gamma) * np.abs(x).max()) * rows.max(axis=1) * size)


def _matrix(values: Any, name: str) -> Matrix:
    array = real_array(values, name)
    if array.ndim == 0 or not len(array):
        raise InputError(name, "is empty or one number", "pass one row per sample")
    refuse_non_finite(array, name)
    return array.reshape(len(array), -1)


def _grid(x: Matrix, y: Matrix, gamma: Vector) -> NDArray[np.complex128]:
    steps = np.diff(x[:, 0])
    if len(steps) and not (abs(steps - steps.mean()) < _EVEN * abs(steps.mean())).all():
        raise InputError("x", "is not equispaced", "choose method='least-squares'")
    bins = gamma.astype(int)
    most = len(y) // 2
    if (bins != gamma).any() or (abs(bins) > most).any():
        remedy = f"pass whole numbers up to {most}, or choose method='least-squares'"
        raise InputError("frequencies", f"are {gamma.tolist()}", remedy)
    found: NDArray[np.complex128] = np.fft.fft(y, axis=0)[bins]
    return found


def _fitted(x: Matrix, y: Matrix, gamma: Vector) -> Array:
    """Return the coefficients of sine and cosine side by side, one row per frequency."""
    if 2 * len(gamma) + 1 > len(x):
        problem = f"are {len(gamma)}, which is more than {plural(len(x), 'point')} can tell apart"
        raise InputError("frequencies", problem, f"pass at most {(len(x) - 1) // 2}")
    found = np.linalg.lstsq(_waves(x, gamma), y, rcond=None)[0][1:]
    return np.asarray(found.reshape(len(gamma), -1), dtype=np.float64)


def _waves(x: Matrix, gamma: Vector) -> Matrix:
    """Return the columns 1, sin γx, cos γx, … of all γ."""
    columns = [np.ones(len(x))]
    for each in gamma:
        columns += [np.sin(each * x[:, 0]), np.cos(each * x[:, 0])]
    return np.stack(columns, axis=1)


def principal_coordinates(x: Any) -> Vector:
    """Place inputs along their first principal component, moved and scaled to [0, 1].

    The sign of a component is arbitrary: its largest entry is made positive.

    Parameters
    ----------
    x : array_like, shape (N, d)
        Inputs.

    Returns
    -------
    Vector
        One number per sample.

    Raises
    ------
    InputError
        If all inputs are equal.

    Examples
    --------
    >>> principal_coordinates([[0.0, 0.0], [1.0, 1.0], [4.0, 4.0]]).round(6).tolist()
    [0.0, 0.25, 1.0]
    """
    points = _matrix(x, "x")
    centred = points - points.mean(axis=0)
    vector = np.linalg.eigh(centred.T @ centred)[1][:, -1]
    vector = vector * np.sign(vector[np.argmax(abs(vector))])
    along = centred @ vector
    span = float(along.max() - along.min())
    if not span > 0:
        raise InputError("x", "has no principal component", "pass inputs that differ")
    found: Vector = (along - along.min()) / span
    return found


def _principal(x: Matrix, y: Matrix, gamma: Vector) -> NDArray[np.complex128]:
    waves = np.exp(-2j * math.pi * np.outer(gamma, principal_coordinates(x)))
    found: NDArray[np.complex128] = waves @ y / len(y)
    return found


class FrequencyError:
    """Δ(γ) of a model's outputs on the samples, as a quantity; see `frequency_errors`.

    Targets that are labels count as unit vectors e_y, and outputs beside them as the probabilities
    of their softmax.

    Parameters
    ----------
    frequency : float
        γ.
    method : {"grid", "least-squares", "principal"}
        As there.
    among : sequence of float, optional
        Frequencies that are fitted together with γ by ``"least-squares"``.

    Raises
    ------
    InputError
        If the method is unknown; when called, if targets are missing, or have no more of the
        frequency than rounding leaves: Δ is infinite there.

    Examples
    --------
    >>> x = torch.linspace(-1, 1, 20)[:, None]
    >>> quantity = FrequencyError(3.0, method="least-squares")
    >>> model = nn.Linear(1, 1)
    >>> _ = nn.init.zeros_(model.weight)
    >>> round(quantity(model, None, QuantityData(x, torch.sin(3 * x))), 6)
    1.0
    """

    def __init__(
        self, frequency: float, *, method: Method = "grid", among: Sequence[float] = ()
    ) -> None:
        if method not in METHODS:
            raise InputError("method", f"is {method!r}", f"choose one of {', '.join(METHODS)}")
        self.frequency, self.method = float(frequency), method
        self.among = tuple(float(other) for other in among if other != frequency)

    def __call__(self, model: nn.Module, loss: Any, data: QuantityData, /) -> float:
        """Return Δ(γ)."""
        data = whole(data)
        target = data.targets
        if not isinstance(target, Tensor):
            kind = "are missing" if target is None else f"are a {type(target).__name__}"
            raise InputError("targets", kind, "pass a tensor, with one target per sample")
        with beside_training(model), torch.no_grad(), through(model, data.inputs):
            outputs = data.outputs(model)
        if not isinstance(outputs, Tensor):
            kind = type(outputs).__name__
            raise InputError("model", f"gives a {kind}", "pass one that gives a tensor")
        if not bool(torch.isfinite(outputs).all()):
            raise blamed(model, data, math.nan)
        if not target.is_floating_point():
            classes = as_whole(outputs.shape[-1], "outputs")
            if bool(((target < 0) | (target >= classes)).any()):
                problem = f"hold labels from {int(target.min())} to {int(target.max())}"
                raise InputError("targets", problem, f"pass labels from 0 to {classes - 1}")
            target = F.one_hot(target.long(), classes)
            outputs = outputs.softmax(dim=-1)
        x = data.inputs[0] if isinstance(data.inputs, tuple) else data.inputs
        every = [self.frequency, *self.among]
        found = float(frequency_errors(x, target, outputs, every, method=self.method)[0])
        if not math.isfinite(found):
            problem = f"is {self.frequency:g}, of which the targets have nothing beyond rounding"
            raise InputError("frequency", problem, "choose one that they have")
        return found
