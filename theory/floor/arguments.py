"""What floors take beside features: a bias of the output layer, and a norm or coefficients."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal

import numpy as np

from epsrank.theory.data.inputs import Features, as_coefficients
from epsrank.theory.errors import InputError
from epsrank.theory.numbers.arrays import Array, Matrix, Vector

BiasName = Literal["feature", "fixed"]


def with_bias(
    features: Features,
    target: Matrix,
    coefficients: Matrix | None,
    bias: BiasName | None,
    bias_value: Any,
    constant: Vector | None = None,
) -> tuple[Features, Array, Array | None]:
    """Rewrite φ·W + 1·b ≈ u* without a bias.

    ``"feature"``: (φ, 1)·(W; b) ≈ u*, so the constant takes part in the ε-rank and b in the norm.
    ``"fixed"``: φ·W ≈ u* − b, so neither does.

    `constant` is what the constant function is at the samples, where that is not 1: its image under
    the operator of a PINN (L1).
    """
    if bias not in (None, "feature", "fixed"):
        raise InputError("bias", f"is {bias!r}", "choose None, 'feature' or 'fixed'")
    if bias is None:
        if bias_value is not None:
            raise InputError(
                "bias_value", "is given without bias", "pass bias='feature' or bias='fixed' as well"
            )
        return features, target, coefficients
    value = None if bias_value is None else as_bias(bias_value, target.shape[1])
    if bias == "fixed":
        if value is None:
            raise InputError("bias_value", "is missing", "pass the bias that is held fixed")
        shift = value if constant is None else np.outer(constant, value)
        return features, target - shift, coefficients
    ones = np.ones(features.n_samples) if constant is None else constant
    widened = with_columns(features, ones.reshape(-1, 1))
    if coefficients is None:
        if value is not None:
            raise InputError(
                "bias_value", "is given with a norm", "leave it out: the norm includes the bias"
            )
        return widened, target, None
    if value is None:
        raise InputError("bias_value", "is missing", "pass the bias that belongs to coefficients")
    return widened, target, np.vstack([coefficients, value[None, :]])


def as_bias(bias_value: Any, n_outputs: int) -> Array:
    """Return b as an array of shape (k,)."""
    if np.ndim(bias_value) == 0 and n_outputs == 1:
        bias_value = [bias_value]
    return as_coefficients(bias_value, n_outputs, name="bias_value").reshape(-1)


def with_columns(features: Features, columns: Matrix) -> Features:
    """Append columns to the features, such as the constant function that a bias multiplies."""
    if features.exact:
        return replace(features, given=np.hstack([features.values, columns]))
    # Integers beyond 2^53 stay integers: beside a float column they would be rounded.
    return replace(
        features, given=np.hstack([features.given, columns.astype(features.given.dtype)])
    )


def refuse_unless_one(norm: Any, coefficients: Any) -> None:
    """Refuse anything but a norm alone, or coefficients, which have one, alone."""
    if (norm is None) == (coefficients is None):
        given = "neither" if norm is None else "both"
        raise InputError(
            "norm", f"and coefficients: {given} of them given", "pass exactly one of the two"
        )
