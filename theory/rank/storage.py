"""How far stored features may be from those that were rounded to them (C2)."""

from __future__ import annotations

import math

from epsrank.theory.numbers.dtypes import float_type
from epsrank.theory.numbers.rounding import UNDERFLOW, upward
from epsrank.theory.numbers.scaled import times_power_of_two


def storage_move(
    dtype: str, entries: int, energy: float, largest_root: float, shift: int = 0
) -> float:
    """Bound ‖A − A′‖_F over all A′ whose entries round to those of A in their dtype.

    A has as many entries, the features times 2^s and roots of weights up to the largest, and
    ‖A‖_F² ≤ energy.
    """
    stored = float_type(dtype)
    if stored is None:  # integers are stored as they are
        return 0.0
    # Subnormal entries are off by half of the smallest number, scaled as the features were.
    smallest = times_power_of_two(stored.smallest * math.sqrt(entries), shift)
    relative = 1.01 * stored.unit_roundoff * math.sqrt(energy)
    return upward(relative + smallest * largest_root + UNDERFLOW)
