"""The one table of the types that numbers are stored and summed in, by the names PyTorch uses."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import Any

import numpy as np

from epsrank.theory.errors import InputError


@dataclass(frozen=True)
class FloatType:
    """A floating-point type: relative rounding of its normal numbers, and where they end."""

    #: As NumPy and PyTorch call it.
    name: str
    #: Half the distance from 1 to the next number.
    unit_roundoff: float
    #: The least positive number, subnormal.
    smallest: float
    #: The least positive number of full relative precision.
    smallest_normal: float
    #: The largest finite number.
    largest: float
    #: What one product may lose to underflow: hardware may flush float32 and bfloat16 to zero; it
    #: keeps the subnormal numbers of float16 and float64.
    product_underflow: float
    #: Whether Gram matrices are summed in it.
    sums: bool = True


def _float(name: str, bits: int, low: int, largest: float, **options: Any) -> FloatType:
    """Return a type of `bits` significant bits (the hidden one included), least normal 2^low."""
    smallest = 2.0 ** (low - bits + 1)
    lost = 2.0**low if options.pop("flushes", False) else smallest
    return FloatType(name, 2.0**-bits, smallest, 2.0**low, largest, lost, **options)


#: Every floating-point type that features may have.
FLOAT_TYPES: dict[str, FloatType] = {
    entry.name: entry
    for entry in (
        _float("float64", 53, -1022, (2 - 2.0**-52) * 2.0**1023),
        _float("float32", 24, -126, (2 - 2.0**-23) * 2.0**127, flushes=True),
        _float("float16", 11, -14, 65504.0),
        _float("bfloat16", 8, -126, (2 - 2.0**-7) * 2.0**127, flushes=True),
        _float("float8_e4m3fn", 4, -6, 448.0, sums=False),
        _float("float8_e4m3fnuz", 4, -7, 240.0, sums=False),
        _float("float8_e5m2", 3, -14, 57344.0, sums=False),
        _float("float8_e5m2fnuz", 3, -15, 57344.0, sums=False),
    )
}

#: NumPy's long double under its names by platform: taken where float64 holds the very numbers, and
#: from then on as float64.
LONG_DOUBLES = frozenset({"longdouble", "float80", "float96", "float128"})

#: Types without rounding.
WHOLE_TYPES = frozenset({"bool"} | {f"{sign}int{bits}" for sign in ("", "u")
                                    for bits in (8, 16, 32, 64)})  # fmt: skip

#: What a sum over batches of several types, or of a type without a name here, says of its type.
SEVERAL_TYPES = frozenset({"mixed", "another"})

#: The types that Gram matrices are summed in.
SUM_TYPES = tuple(name for name, entry in FLOAT_TYPES.items() if entry.sums)


def dtype_name(dtype: Any, argument: str = "dtype") -> str:
    """Return the name of a type given as text, or as a dtype of NumPy or PyTorch.

    >>> dtype_name(np.float32), dtype_name("torch.bfloat16")
    ('float32', 'bfloat16')
    """
    if isinstance(dtype, str):
        return dtype.removeprefix("torch.")
    if type(dtype).__module__ == "torch":
        return str(dtype).removeprefix("torch.")
    if dtype is not None:  # which NumPy takes for float64
        try:
            return str(np.dtype(dtype).name)
        except TypeError:
            pass
    raise InputError(argument, f"is {dtype!r}", f"choose one of {', '.join(FLOAT_TYPES)}")


def float_type(dtype: Any, argument: str = "dtype") -> FloatType | None:
    """Return the floating-point type of that name; None for whole numbers, which do not round."""
    name = dtype_name(dtype, argument)
    if name in WHOLE_TYPES:
        return None
    entry = FLOAT_TYPES.get("float64" if name in LONG_DOUBLES else name)
    if entry is None:
        raise _unknown(name, argument, tuple(FLOAT_TYPES))
    return entry


def sum_type(dtype: Any, argument: str = "accumulated_in") -> FloatType:
    """Return the type that a Gram matrix was summed in."""
    name = dtype_name(dtype, argument)
    if name not in SUM_TYPES:
        raise _unknown(name, argument, SUM_TYPES)
    return FLOAT_TYPES[name]


def dtype_label(dtype: Any, argument: str = "dtype") -> str:
    """Check a type that is only reported: one of the table, or several of them."""
    name = dtype_name(dtype, argument)
    if name not in SEVERAL_TYPES:
        float_type(name, argument)
    return name


def _unknown(name: str, argument: str, known: tuple[str, ...]) -> InputError:
    near = difflib.get_close_matches(name, known, n=1)
    remedy = f"did you mean {near[0]!r}?" if near else f"choose one of {', '.join(known)}"
    return InputError(argument, f"is {name!r}", remedy)
