"""JSON has neither NaN nor ∞: what becomes of them, and the texts that files and digests hold."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from typing import Any


def nulled(value: Any) -> Any:
    """Return plain Python values with None for NaN and ±∞: what commands print."""
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): nulled(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [nulled(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def worded(value: Any) -> Any:
    """Return plain Python values with words for NaN and ±∞: what ledgers and findings hold.

    Numbers, strings, arrays, mappings, sequences and objects with ``to_json`` become plain data;
    all else, such as a fraction "p/q", becomes its text.
    """
    if value is None or isinstance(value, (str, bool, int)):
        return value
    if hasattr(value, "tolist"):  # an array or a number of NumPy, which is a float as well
        return worded(value.tolist())
    if isinstance(value, float):
        # A word survives every parser.
        return value if math.isfinite(value) else str(value)
    if isinstance(value, Mapping):
        return {str(key): worded(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [worded(item) for item in value]
    if hasattr(value, "to_json"):
        return worded(value.to_json())
    return str(value)


def round_trip(value: Any) -> Any:
    """Return what a JSON file gives back of a value; NaN and ±∞ are refused by their place."""
    bad = _first_non_finite(value)
    if bad is not None:
        raise ValueError(f"{bad} is not finite; None stands for it")
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except TypeError as error:
        raise ValueError(str(error)) from None


def _first_non_finite(value: Any, name: str = "the result") -> str | None:
    """Name the first entry that is NaN or infinite."""
    if isinstance(value, float):
        return None if math.isfinite(value) else name
    entries: Iterable[tuple[Any, Any]] = ()
    if isinstance(value, Mapping):
        entries = value.items()
    elif isinstance(value, (list, tuple)):
        entries = enumerate(value)
    found = (_first_non_finite(entry, f"{name}[{key!r}]") for key, entry in entries)
    return next((bad for bad in found if bad is not None), None)


def canonical(value: Any, *, sort: bool = True) -> str:
    """Return the one text of a value that digests are taken of, and records compared by."""
    return json.dumps(value, sort_keys=sort, separators=(",", ":"), allow_nan=False)


def document(value: Any) -> str:
    """Return the text of a file for people and programs; NaN and ±∞ are an error of the caller."""
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
