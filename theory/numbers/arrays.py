"""Array-likes and tensors as NumPy arrays of real, finite numbers, without losing a bit."""

from __future__ import annotations

import math
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.errors import InputError
from epsrank.theory.numbers.dtypes import FLOAT_TYPES, WHOLE_TYPES

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

# Kind V to NumPy, registered by ml_dtypes; float32 holds all of their numbers.
_REGISTERED = frozenset({"bfloat16"} | {name for name in FLOAT_TYPES if "float8" in name})


@cache
def _name_of(dtype: np.dtype[Any]) -> str:
    """Return dtype.name, which NumPy puts together anew every time."""
    return str(dtype.name)


def to_numpy(array: Any, name: str) -> tuple[NDArray[Any], str]:
    """Return an array-like as a NumPy array together with the name of its own dtype.

    Torch tensors on any device and bfloat16 arrays are accepted without importing their packages.
    """
    # What most callers pass; the questions below take longer than a small matrix does.
    if type(array) is np.ndarray and array.dtype.kind in "fiub":
        return array, _name_of(array.dtype)
    if hasattr(array, "detach") and hasattr(array, "cpu"):
        return _from_tensor(array, name)
    if hasattr(array, "toarray") and hasattr(array, "nnz"):
        raise InputError(name, "is a sparse matrix", f"pass {name}.toarray()")
    rows = array if isinstance(array, (list, tuple)) else [array]
    if any(isinstance(row, np.ma.MaskedArray) for row in rows):
        raise InputError(name, "is a masked array", "drop or fill the masked entries first")
    try:
        values = np.asarray(array)
    except (ValueError, TypeError, RuntimeError, NotImplementedError, OverflowError) as error:
        cause = (str(error).splitlines() or [type(error).__name__])[0]
        raise InputError(
            name, f"is not an array of numbers ({cause})", "pass rows of equal length"
        ) from None
    dtype = values.dtype.name
    if values.dtype.kind == "V" and dtype in _REGISTERED:
        return values.astype(np.float32), dtype
    if values.dtype.kind not in "fiub":
        raise InputError(name, f"has dtype {dtype}{_columns(array)}", _REAL)
    if rows is array and values.dtype.kind == "f":
        _refuse_rounded_integers(array, values, name)
    return values, dtype


_REAL = "pass real numbers (float or integer)"


def refuse_tensors_without_numbers(array: Any, name: str) -> None:
    """Say of the kinds of tensors of PyTorch that have no plain numbers what they are."""
    dtype = str(array.dtype).removeprefix("torch.")
    if getattr(array, "is_nested", False):
        raise InputError(name, "is a nested tensor", f"pass torch.cat({name}.unbind())")
    if "strided" not in str(getattr(array, "layout", "strided")):
        raise InputError(name, "is a sparse tensor", f"pass {name}.to_dense()")
    if getattr(array, "is_quantized", False):
        # qint8, quint8 … hold integers that are not the numbers they stand for.
        raise InputError(name, f"is quantised, dtype {dtype}", f"pass {name}.dequantize()")
    if str(getattr(array, "device", "")).startswith("meta"):
        raise InputError(name, "is on the meta device, without numbers", "move it to the CPU first")


def _from_tensor(array: Any, name: str) -> tuple[NDArray[Any], str]:
    """Read a tensor of PyTorch."""
    dtype = str(array.dtype).removeprefix("torch.")
    refuse_tensors_without_numbers(array, name)
    if dtype not in FLOAT_TYPES and dtype not in WHOLE_TYPES:
        raise InputError(name, f"has dtype {dtype}", _REAL)
    try:
        tensor = array.detach().cpu()
        if dtype == "bfloat16" or dtype.startswith("float8"):
            tensor = tensor.float()  # exact: float32 holds every bfloat16
        # NumPy knows nothing of PyTorch's lazy negative bit: numpy() refuses tensors that have it.
        return np.asarray(tensor.resolve_neg().numpy()), dtype
    except (RuntimeError, TypeError, NotImplementedError) as error:
        cause = (str(error).splitlines() or [""])[0]
        raise InputError(
            name,
            f"is a {type(array).__name__} without numbers to read ({cause})",
            "pass a plain tensor, outside vmap, grad and torch.compile",
        ) from None


def _columns(table: Any) -> str:
    """Name the columns of a data frame that are no numbers."""
    dtypes: Any = getattr(table, "dtypes", None)
    if not hasattr(dtypes, "items"):
        return ""
    bad = [repr(column) for column, dtype in dtypes.items() if str(dtype) == "object"]
    return f" in column {', '.join(bad[:3])}" if bad else ""


def _refuse_rounded_integers(given: Any, values: NDArray[Any], name: str) -> None:
    """Refuse Python integers that NumPy rounded, because a list held them beside other numbers."""
    if not values.size or not bool((np.abs(values) >= _EXACT_INTEGER).any()):
        return
    # Python compares integers with its own floats exactly; NumPy would round them first.
    pairs = zip(
        np.asarray(given, dtype=object).ravel().tolist(), values.ravel().tolist(), strict=True
    )
    if any(isinstance(entry, int) and entry != number for entry, number in pairs):
        raise _beyond(name)


def _beyond(name: str) -> InputError:
    return InputError(name, "has integers beyond 2^53, which float64 cannot hold", "rescale them")


def refuse_non_finite(values: NDArray[Any], name: str) -> None:
    """Raise an error that counts and locates NaN and infinite entries."""
    # The sum of the squares is finite for almost every sane array, and costs one pass without a
    # temporary; so does the sum, which BLAS does not do in half of the time.
    with np.errstate(over="ignore", invalid="ignore"):
        if values.dtype == np.float64 and values.flags.c_contiguous:
            flat = values.reshape(-1)
            if math.isfinite(np.dot(flat, flat)):
                return
        if math.isfinite(values.sum(dtype=np.float64)):
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
    if values.dtype == np.float64:  # in the byte order of this machine
        return values, True
    with np.errstate(over="ignore"):
        converted = values.astype(np.float64, copy=False)
    # Narrower integers have at most 32 bits. As Python integers, −low does not overflow.
    if values.dtype.kind in "iu" and values.dtype.itemsize == 8 and values.size:
        low, high = int(values.min()), int(values.max())
        if max(high, -low) <= _EXACT_INTEGER:
            return converted, True
        # Python compares integers with its own floats exactly.
        pairs = zip(values.ravel().tolist(), converted.ravel().tolist(), strict=True)
        return converted, all(given == number for given, number in pairs)
    # NumPy's long double.
    if values.dtype.kind == "f" and values.dtype.itemsize > 8:
        same = (converted == values) | np.isnan(values)
        if not bool(same.all()):
            raise InputError(
                name,
                f"has {values.dtype.name} entries that float64 cannot hold",
                "round them",
            )
    return converted, True


def real_array(array: Any, name: str) -> Array:
    """Return an array-like of any shape as float64, equal to what was given; NaN and ∞ may be."""
    given, _ = to_numpy(array, name)
    values, exact = to_float64(given, name)
    if not exact:
        raise _beyond(name)
    return values


def real_number(value: Any, name: str, remedy: str) -> float:
    """Return one real number, possibly infinite, as float64, equal to what was given.

    Of Python, NumPy or PyTorch, but no text, no truth value and no NaN.
    """
    if getattr(value, "ndim", None) == 0 and not isinstance(value, np.generic):
        value = to_numpy(value, name)[0][()]
    kinds = (int, float, Fraction, Decimal, np.integer, np.floating)
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, kinds):
        raise InputError(name, f"is {value!r}", remedy)
    whole = int(value) if isinstance(value, np.integer) else value
    try:
        number = float(whole)
    except (OverflowError, ValueError):  # beyond float64; a signalling NaN
        raise InputError(name, f"is {value!r}", remedy) from None
    if math.isnan(number):
        raise InputError(name, "is nan", remedy)
    if number != whole:  # Python compares integers and fractions with floats exactly
        raise InputError(name, f"is {value!r}, which float64 cannot hold", f"{remedy}, rounded")
    return number
