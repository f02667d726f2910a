"""What callers hand in, checked once: features, targets, coefficients, weights, thresholds."""

from __future__ import annotations

import math
import operator
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import (
    Array,
    Matrix,
    Square,
    Vector,
    real_array,
    real_number,
    refuse_non_finite,
    to_float64,
    to_numpy,
)
from epsrank.theory.words import plural

__all__ = [
    "Array",
    "Features",
    "as_coefficients",
    "as_eps",
    "as_error",
    "as_features",
    "as_matrix_argument",
    "as_norm",
    "as_positive",
    "as_share",
    "as_target",
    "as_weights",
    "as_whole",
    "to_numpy",
]


# Kept as given: float64 holds all of their numbers, and whoever does without it saves memory.
_NARROW_FLOATS = (np.dtype(np.float32), np.dtype(np.float16))


@dataclass(frozen=True)
class Features:
    """Feature matrix Φ ∈ R^{N×n}, Φ_ij = φ_j(x_i), as checked input."""

    #: The numbers as given.
    given: NDArray[Any]
    #: Type of the numbers as given: ``"float64"``, ``"float32"``, ``"bfloat16"``, ``"int64"`` …
    dtype: str
    #: Whether float64 holds them (integers beyond 2⁵³ it does not).
    exact: bool = True

    @cached_property
    def values(self) -> Array:
        """Φ in float64, equal to what was given unless `rounded`."""
        return to_float64(self.given, "features")[0]

    @property
    def integers(self) -> NDArray[Any] | None:
        """The numbers as given where float64 cannot hold them, else None."""
        return None if self.exact else self.given

    @property
    def rounded(self) -> bool:
        """Whether `values` differ from the numbers given (by at most one half ulp each)."""
        return not self.exact

    @property
    def n_samples(self) -> int:
        """Number of samples N."""
        return int(self.given.shape[0])

    @property
    def n_features(self) -> int:
        """Number of neurons n."""
        return int(self.given.shape[1])


def as_features(features: Any, *, name: str = "features") -> Features:
    """Check a feature matrix Φ ∈ R^{N×n} and keep its numbers exactly.

    One row per sample, one column per neuron; floats of any width, integers (taken exactly) and
    booleans.
    """
    if isinstance(features, Features):  # checked before
        return features
    given, dtype = to_numpy(features, name)
    if given.ndim != 2:
        remedy = (
            "for one neuron pass features.reshape(-1, 1)"
            if given.ndim == 1
            else "flatten it to samples × neurons (channels are neurons, positions are samples)"
        )
        raise InputError(
            name, f"has {plural(given.ndim, 'dimension')}, shape {given.shape}", remedy
        )
    if given.size == 0:
        raise InputError(
            name, f"is empty, shape {given.shape}", "pass at least one sample and one neuron"
        )
    if given.dtype in _NARROW_FLOATS:
        refuse_non_finite(given, name)
        return Features(given, dtype)
    values, exact = to_float64(given, name)
    refuse_non_finite(values, name)
    return Features(values if exact else given, dtype, exact)


def as_target(target: Any, n_samples: int, *, name: str = "target") -> Matrix:
    """Check target values u* at the samples."""
    values = real_array(target, name)
    if values.ndim not in (1, 2) or values.size == 0:
        raise InputError(
            name, f"has shape {values.shape}", f"pass ({n_samples},) or ({n_samples}, k)"
        )
    if values.shape[0] != n_samples:
        raise InputError(
            name,
            f"has {plural(values.shape[0], 'row')}, but the features "
            f"have {plural(n_samples, 'sample')}",
            "pass one target row per sample",
        )
    refuse_non_finite(values, name)
    return values.reshape(n_samples, -1)


def as_coefficients(coefficients: Any, n_features: int, *, name: str = "coefficients") -> Matrix:
    """Check output coefficients β ∈ R^n or W ∈ R^{n×k}.

    One row per neuron, the transpose of a torch ``Linear.weight``.
    """
    values = real_array(coefficients, name)
    if values.ndim not in (1, 2) or values.size == 0 or values.shape[0] != n_features:
        raise InputError(
            name,
            f"has shape {values.shape}, but there are {plural(n_features, 'neuron')}",
            f"pass ({n_features},) or ({n_features}, k): one row per neuron",
        )
    refuse_non_finite(values, name)
    return values.reshape(n_features, -1)


def as_weights(weights: Any, n_samples: int, *, name: str = "weights") -> Vector:
    """Check sample weights w_i ≥ 0 of a data measure Σ w_i δ_{x_i}."""
    values = real_array(weights, name)
    if values.shape not in {(n_samples,), (n_samples, 1)}:
        raise InputError(
            name,
            f"has shape {values.shape}, but the features have {plural(n_samples, 'sample')}",
            f"pass ({n_samples},): one weight per sample",
        )
    values = values.reshape(n_samples)
    refuse_non_finite(values, name)
    if float(values.min()) < 0:
        index = int(values.argmin())
        raise InputError(
            name, f"has a negative entry, {values[index]:g} at index {index}", "pass w ≥ 0"
        )
    if float(values.max()) == 0:
        raise InputError(name, "are all zero", "give at least one sample a positive weight")
    return values


def as_whole(
    value: Any, name: str, *, least: int = 1, most: int | None = None, remedy: str | None = None
) -> int:
    """Check a whole number from `least` to `most`: of Python, NumPy or PyTorch, but no truth value.

    >>> as_whole(3, "width")
    3
    """
    try:
        number = operator.index(value)  # refuses floats, 2.0 among them
    except TypeError:
        number = least - 1
    # To Python True is the integer 1; here it is a slip.
    if isinstance(value, bool) or number < least or (most is not None and number > most):
        span = f"≥ {least}" if most is None else f"from {least} to {most}"
        raise InputError(name, f"is {value!r}", remedy or f"pass a whole number {span}")
    return number


def as_share(value: Any, name: str) -> float:
    """Check a number strictly between 0 and 1, such as a probability."""
    share = real_number(value, name, "pass a number such as 0.95")
    if not 0 < share < 1:
        raise InputError(name, f"is {share:g}", "pass a number between 0 and 1")
    return share


def several(values: Any) -> tuple[Any, ...]:
    """Return the values of a sequence; a number or a text alone is a sequence of one."""
    # Arrays and tensors of one number have an iterator, which refuses.
    scalar = isinstance(values, str) or getattr(values, "ndim", None) == 0
    alone = scalar or not isinstance(values, Iterable)
    return (values,) if alone else tuple(values)


def as_eps(eps: Any, *, name: str = "eps") -> float:
    """Check a threshold ε > 0."""
    value = real_number(eps, name, "pass one positive number such as 1e-6")
    if not math.isfinite(value) or value <= 0:
        remedy = "pass a positive number such as 1e-6"
        if value == 0:
            remedy += ", or ask epsrank.algebraic_rank for the rank itself (ε = 0)"
        raise InputError(name, f"is {value:g}", remedy)
    return value


def as_norm(norm: Any, *, name: str = "norm") -> float:
    """Check a bound B ≥ 0 on the coefficient norm (+∞ means no bound)."""
    value = real_number(norm, name, "pass one number ≥ 0")
    if value < 0:
        raise InputError(name, f"is {value:g}", "pass a number ≥ 0 (inf for no bound)")
    return value


def as_error(error: Any, name: str, of: str) -> float:
    """Check a bound ≥ 0 on an error; an infinite one says nothing."""
    remedy = f"pass a finite bound ≥ 0 on {of}"
    value = real_number(error, name, remedy)
    if not 0 <= value < math.inf:
        raise InputError(name, f"is {value:g}", remedy)
    return value


def as_size(value: Any, name: str) -> float:
    """Check a finite number ≥ 0, such as a loss or the norm of a head."""
    number = real_number(value, name, "pass a finite number ≥ 0")
    if not 0 <= number < math.inf:
        raise InputError(name, f"is {number:g}", "pass a finite number ≥ 0")
    return number


def as_positive(value: Any, name: str, remedy: str = "pass a positive number") -> float:
    """Check a positive finite number."""
    number = real_number(value, name, remedy)
    if not 0 < number < math.inf:
        raise InputError(name, f"is {number:g}", remedy)
    return number


def as_matrix_argument(array: ArrayLike, name: str) -> Square:
    """Check a square real matrix such as a Gram matrix."""
    values = real_array(array, name)
    if values.ndim != 2 or values.shape[0] != values.shape[1] or values.size == 0:
        raise InputError(name, f"has shape {values.shape}", "pass a square matrix n × n")
    refuse_non_finite(values, name)
    return values


def as_box(domain: Any, *, n_inputs: int | None = None, name: str = "domain") -> Matrix:
    """Check a bounded box of positive size; one interval (a, b) may stand for all `n_inputs`.

    >>> as_box((-1, 1)).tolist()
    [[-1.0, 1.0]]
    """
    remedy = "pass (a, b), or one pair per input"
    if isinstance(domain, (list, tuple)):
        # Entry by entry, since NumPy has no fractions; what is no number is refused below.
        sides = np.array(domain, dtype=object)
        if any(isinstance(end, Fraction) for end in sides.flat):
            exact = [real_number(end, name, remedy) for end in sides.flat]
            domain = np.array(exact).reshape(sides.shape)
    box = np.atleast_2d(real_array(domain, name))
    if box.ndim != 2 or box.shape[1] != 2 or len(box) == 0:
        raise InputError(name, f"has shape {box.shape}", remedy)
    with np.errstate(over="ignore", invalid="ignore"):
        lengths = box[:, 1] - box[:, 0]
    if not (np.isfinite(box).all() and np.isfinite(lengths).all() and (lengths > 0).all()):
        raise InputError(name, f"is degenerate, {box.tolist()}", "pass finite a < b")
    if n_inputs is not None and len(box) == 1:
        box = np.repeat(box, n_inputs, axis=0)
    if n_inputs not in (None, len(box)):
        raise InputError(
            name,
            f"has {plural(len(box), 'side')}, but the network takes {plural(n_inputs, 'input')}",
            "pass one each",
        )
    return box
