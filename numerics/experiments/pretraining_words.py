"""How findings on pre-training put their numbers into words."""

from __future__ import annotations

import math
from collections.abc import Sequence

from epsrank.numerics.experiments.analysis import Effect

# Comparisons of one kind that a statement names.
_NAMED = 6


def listed(names: Sequence[str]) -> str:
    """Name the first few comparisons; all are among the effects.

    Parameters
    ----------
    names : sequence of str
        What to name.

    Returns
    -------
    str
        The first six, and how many more there are.
    """
    rest = len(names) - _NAMED
    return "; ".join(names[:_NAMED]) + (f"; and {rest} more" if rest > 0 else "")


def plus(item: Effect, form: str = "g") -> str:
    """Write a difference with its interval.

    Parameters
    ----------
    item : Effect
        The difference.
    form : str
        Format of its numbers.

    Returns
    -------
    str
        Such as ``"+19, +18 to +20"``.
    """
    interval = item.interval
    return f"{interval.value:+{form}}, {interval.low:+{form}} to {interval.high:+{form}}"


def times(item: Effect) -> str:
    """Write a ratio with its interval.

    Parameters
    ----------
    item : Effect
        Its logarithm to base 10.

    Returns
    -------
    str
        Such as ``"×0.5, 0.4 to 0.7"``.
    """
    interval = item.interval
    return f"×{power(interval.value)}, {power(interval.low)} to {power(interval.high)}"


def power(value: float) -> str:
    """Write 10^x.

    Parameters
    ----------
    value : float
        x; ±∞ is allowed.

    Returns
    -------
    str
        Two digits, ``"∞"`` or ``"0"``.
    """
    return f"{10**value:.2g}" if math.isfinite(value) else ("∞" if value > 0 else "0")
