"""The trend of a short noisy series, with a confidence interval that assumes no distribution."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from theory.inputs import Array


@dataclass(frozen=True)
class Trend:
    """Change of a series from the first to the last of its times.

    Attributes
    ----------
    change : float
        Theil–Sen estimate: the median of all pairwise slopes, times the span of time.
    low, high : float
        Confidence interval for independent noise of any one distribution.
    """

    change: float
    low: float
    high: float


def trend(times: Array, values: Array, level: float) -> Trend:
    """Return the Theil–Sen change of a series and its interval from Kendall's statistic.

    Parameters
    ----------
    times : ndarray of float64, shape (m,)
        Ascending, distinct.
    values : ndarray of float64, shape (m,)
        The series, m ≥ 2.
    level : float
        Probability that the interval misses the true change, both sides together.

    Returns
    -------
    Trend
        Estimate and interval (all of the pairwise slopes where m is too small for the level).

    References
    ----------
    .. [1] Sen, "Estimates of the regression coefficient based on Kendall's tau", J. Amer. Statist.
       Assoc. 63 (1968) 1379–1389.
    """
    count = len(values)
    first, second = _pairs(count)
    slopes = np.sort((values[second] - values[first]) / (times[second] - times[first]))
    span = float(times[-1] - times[0])
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    reach = _quantile(1 - level / 2) * spread
    below = max(0, math.floor((len(slopes) - reach) / 2))
    above = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    return Trend(
        float(np.median(slopes)) * span, float(slopes[below]) * span, float(slopes[above]) * span
    )


@cache
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of all pairs i < j."""
    first, second = np.triu_indices(count, 1)
    return first, second


@cache
def _quantile(probability: float) -> float:
    """Return a quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)
