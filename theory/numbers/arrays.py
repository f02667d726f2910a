"""Array-likes and tensors as NumPy arrays of real, finite numbers, without losing a bit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.errors import InputError

#: Float64 numbers of any shape.
Array = NDArray[np.float64]
#: Shape (n,).
Vector = NDArray[np.float64]
#: Shape (N, n): samples by neurons where both are meant.
Matrix = NDArray[np.float64]
#: Shape (n, n), as a Gram matrix has it.
Square = NDArray[np.float64]

# Integers up to this size are float64 numbers; beyond it only the exact route sees them as given.
_EXACT_INTEGER = 2**53


def to_numpy(array: Any, name: str) -> tuple[NDArray[Any], str]:
    """Return an array-like as a NumPy array together with the name of its own dtype.

    Torch tensors on any device and bfloat16 arrays are accepted without importing their packages.
    """
    if hasattr(array, "detach") and hasattr(array, "cpu"):
        tensor = array.detach().cpu()
        dtype = str(tensor.dtype).removeprefix("torch.")
        # Quantised dtypes (qint8, quint8 …) hold integers that are not the numbers they stand for.
        if "complex" in dtype or "q" in dtype:
            raise InputError(name, f"has dtype {dtype}", "pass real numbers")
        if dtype == "bfloat16" or dtype.startswith("float8"):
            tensor = tensor.float()  # exact: float32 holds every bfloat16
        # NumPy knows nothing of PyTorch's lazy negative bit: numpy() refuses tensors that have it.
        return np.asarray(tensor.resolve_neg().numpy()), dtype
    if hasattr(array, "toarray") and hasattr(array, "nnz"):
        raise InputError(name, "is a sparse matrix", "pass features.toarray()")
    if isinstance(array, np.ma.MaskedArray):
        raise InputError(name, "is a masked array", "drop or fill the masked entries first")
    try:
        values = np.asarray(array)
    except (ValueError, TypeError) as error:
        raise InputError(
            name, f"is not an array of numbers ({error})", "pass rows of equal length"
        ) from None
    dtype = values.dtype.name
    # ml_dtypes registers its types as kind V; float32 holds all of their numbers.
    if values.dtype.kind == "V" and dtype in {"bfloat16", "float8_e4m3fn", "float8_e5m2"}:
        return values.astype(np.float32), dtype
    if values.dtype.kind not in "fiub":
        raise InputError(name, f"has dtype {dtype}", "pass real numbers (float or integer)")
    return values, dtype


def refuse_non_finite(values: NDArray[Any], name: str) -> None:
    """Raise an error that counts and locates NaN and infinite entries."""
    # The sum is finite for almost every sane array and costs one pass without a temporary.
    with np.errstate(over="ignore", invalid="ignore"):
        if math.isfinite(float(np.sum(values, dtype=np.float64))):
            return
    bad = ~np.isfinite(values)
    count = int(bad.sum())
    if count == 0:  # finite entries whose sum overflows
        return
    where = tuple(int(index) for index in np.argwhere(bad)[0])
    what = "NaN" if math.isnan(values[where]) else str(values[where])
    raise InputError(
        name,
        f"has {count} non-finite {'entry' if count == 1 else 'entries'}, the first {what} at "
        f"index {where}",
        "drop those samples or fix the layer that made them",
    )


def to_float64(values: NDArray[Any], name: str) -> tuple[Array, bool]:
    """Return the numbers as float64 and whether that was exact."""
    with np.errstate(over="ignore"):
        converted = values.astype(np.float64, copy=False)
    # Narrower integers have at most 32 bits. As Python integers, −low does not overflow.
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size:
        low, high = int(values.min()), int(values.max())
        return converted, max(high, -low) <= _EXACT_INTEGER
    # NumPy's long double.
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        same = (converted == values) | np.isnan(values)
        if not bool(same.all()):
            raise InputError(
                name, f"has {values.dtype.name} entries that float64 cannot hold", "round them"
            )
    return converted, True
