"""Measurements that went wrong: spikes, single outliers of either sign, and a first fall."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import percentile_filter

from epsrank.theory.numbers.arrays import Vector

# Longest excursion that is one, in measurements: training recovers from a spike within a few.
_UPWARD, _DOWNWARD = 6, 3
# What counts as far: standard deviations of the noise, as differences of neighbours have it.
_FAR = 7.0
# Scales are measured over this many measurements.
_WINDOW = 41
# Least scale that is believed, as a share of the range: a series without noise has no outliers of
# the size of its rounding.
_FLOOR = 4e-3
# A first fall takes two measurements at most, and is this many times what so many next ones fall.
_FIRST, _AFTER, _FASTER = 2, 5, 3.0


def local_scale(values: Vector, share: float = 0.5) -> Vector:
    """Return the standard deviation of white noise that third differences show around each entry.

    Trends have small third differences. `share`: the quantile of their sizes that is taken: less
    than a half where spikes may be as many as other entries.
    """
    normal = {0.3: 0.3853, 0.5: 0.6745}[share]  # quantiles of |N(0, 1)|
    # (1, −3, 3, −1) has squares that add up to 20.
    rough = np.abs(np.diff(values, 3)) / np.sqrt(20)
    rough = np.concatenate([rough[:1], rough, rough[-1:], rough[-1:]])
    window = min(_WINDOW, 2 * (values.size // 2) - 1)
    near = percentile_filter(rough, 100 * share, window, mode="reflect")
    # A stretch that happens to be calm is no reason to believe in much less noise there.
    return np.asarray(np.maximum(near, 0.3 * np.quantile(rough, share)) / normal)


def spread(values: Vector) -> float:
    """Return the range, single entries and the first two left out."""
    middle = np.median(np.lib.stride_tricks.sliding_window_view(values, 3), axis=1)
    return float(np.ptp(middle[1:]))


def outliers(values: Vector) -> NDArray[np.bool_]:
    """Tell which entries belong to a short excursion, upwards or downwards, from which y returns.

    An opening, max over windows of their min, cuts upward peaks that are narrower than its window,
    and leaves monotone series and every edge of a step as they are; a closing cuts downward ones.
    """
    found = np.zeros(values.size, dtype=bool)
    for _ in range(2):  # once more, as large ones hide smaller ones
        for sign, most in ((-1.0, _DOWNWARD), (1.0, _UPWARD)):
            at = np.flatnonzero(~found)
            if at.size <= 2 * most + 6:
                return found
            y = sign * values[at]
            far = _FAR * local_scale(y, 0.3) + _FLOOR * spread(y)
            # A rise at the very end is a spike that has not returned yet; a fall there may last.
            after = -np.inf if sign > 0 else float(y[-1])
            found[at] |= y - _opened(y, most + 1, after) > far
    # The first entry has nothing before it that it could depart from.
    found[0] = False
    return found


def _opened(values: Vector, window: int, after: float) -> Vector:
    """Return the opening of a series that goes on with `after`."""
    n = values.size
    padded = np.concatenate([np.full(window, values[0]), values, np.full(window, after)])
    least = np.lib.stride_tricks.sliding_window_view(padded, window).min(axis=1)
    most = np.lib.stride_tricks.sliding_window_view(least, window).max(axis=1)
    return np.asarray(most[1 : 1 + n])


def first_fall(values: Vector) -> int:
    """Return how many entries at the start belong to a fall of one or two measurements.

    Nearly every training begins with one. It has no plateau before it, and is no step.
    """
    if values.size < _FIRST + 2 * _AFTER:
        return 0
    near, next_ = (
        float(np.median(values[_FIRST + k * _AFTER : _FIRST + (k + 1) * _AFTER])) for k in (0, 1)
    )
    noise = float(local_scale(values)[_FIRST])
    if values[0] - near <= max(_FAR * noise, _FASTER * abs(near - next_)):
        return 0
    # The second entry belongs to it as well unless it is where those after it are.
    return 1 + int(values[1] - near > max(_FAR / 2 * noise, abs(near - next_)))
