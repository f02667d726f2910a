"""The trend of a short noisy series, with an interval for noise of any one distribution.

Successive measurements of a training are correlated: noise that stays up or down for a while looks
like a trend. For stationary noise with correlation ρ^|i−j| (an AR(1) process) the variance of an
estimated trend, relative to that of independent noise with the same residuals, is

    f(ρ)² = (m − 2) · (cᵀRc / cᵀc) / tr(MR),   R_ij = ρ^|i−j|,

with the weights c of the least-squares slope and M = I − X(XᵀX)⁻¹Xᵀ for X = (1, t): the numerator
is the variance of the slope, the denominator what is left in the residuals. `trend` stretches its
interval by f(ρ̄), where ρ̄ is an upper bound of ρ at `SPREADS` standard errors: a correlation that is
underestimated raises false alarms, and from two dozen values it is.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cache
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from epsrank.theory.numbers.arrays import Array, Vector

#: Standard errors that the bound on the correlation lies above its estimate.
SPREADS = 2.5

# Largest correlation that is allowed for: beyond it noise and trend are the same.
_MOST = 0.98

# Steps of the table of f.
_STEPS = 98


@dataclass(frozen=True)
class Trend:
    """Change of a series from the first to the last of its times."""

    #: Theil–Sen estimate: the median of all pairwise slopes, times the span of time.
    change: float
    #: Confidence interval.
    low: float
    high: float
    #: ρ̄, the bound on the correlation from one value to the next that the interval allows for.
    correlation: float


def trend(times: Vector, values: Vector, level: float, *, spreads: float = SPREADS) -> Trend:
    """Return the Theil–Sen change of a series and its interval from Kendall's statistic.

    The bound on the correlation is `spreads` standard errors above its estimate; −∞ takes the noise
    for independent.

    Source: Sen, "Estimates of the regression coefficient based on Kendall's tau", J. Amer. Statist.
    Assoc. 63 (1968) 1379–1389. Hamed, Rao, "A modified Mann–Kendall trend test for autocorrelated
    data", J. Hydrology 204 (1998) 182–196.
    """
    count = len(values)
    first, second = _pairs(count)
    slopes = np.sort((values[second] - values[first]) / (times[second] - times[first]))
    span = float(times[-1] - times[0])
    # Standard deviation of Kendall's statistic, signs of all pairs added up, without a trend.
    spread = math.sqrt(count * (count - 1) * (2 * count + 5) / 18)
    reach = _quantile(1 - level / 2) * spread
    # Places of the ends among the sorted slopes, rounded outward.
    below = max(0, math.floor((len(slopes) - reach) / 2))
    above = min(len(slopes) - 1, math.ceil((len(slopes) + reach) / 2))
    half = len(slopes) // 2
    middle = float(slopes[half] if len(slopes) % 2 else (slopes[half - 1] + slopes[half]) / 2)
    correlation = correlation_bound(values, spreads)
    wider = stretch(count, correlation)
    return Trend(
        change=middle * span,
        low=(middle - wider * (middle - float(slopes[below]))) * span,
        high=(middle + wider * (float(slopes[above]) - middle)) * span,
        correlation=correlation,
    )


def correlation_bound(values: Vector, spreads: float) -> float:
    """Return an upper bound of the correlation of neighbours around a straight line.

    The estimate r from residuals is too small by (2 + 4ρ)/m on average; its standard error is
    √((1 − ρ²)/m).

    Source: Marriott, Pope, "Bias in the estimation of autocorrelations", Biometrika 41 (1954)
    390–402; Kendall, ibid. 403–404.
    """
    count = len(values)
    if count < 8 or spreads == -math.inf:
        return 0.0
    residuals = _residual_maker(count) @ values
    squares = float(residuals @ residuals)
    if not squares > 0:
        return 0.0
    raw = float(residuals[1:] @ residuals[:-1]) / squares
    # r = ρ − (2 + 4ρ)/m, solved for ρ.
    unbiased = min(max((count * raw + 2) / (count - 4), 0.0), _MOST)
    bound = unbiased + spreads * math.sqrt((1 - unbiased**2) / count)
    return min(max(bound, 0.0), _MOST)


def stretch(count: int, correlation: float) -> float:
    """Return f(ρ) for a series of m values; 1 for independent noise."""
    return float(np.interp(correlation, *_stretches(count))) if correlation else 1.0


@cache
def _stretches(count: int) -> tuple[Array, Array]:
    """Return a grid of ρ and f there, both ascending."""
    weights = np.arange(count) - (count - 1) / 2
    maker = _residual_maker(count)
    lags = np.abs(np.subtract.outer(np.arange(count), np.arange(count)))
    grid = np.linspace(0.0, _MOST, _STEPS + 1)
    factors = []
    for rho in grid:
        correlations = rho**lags
        slope = float(weights @ correlations @ weights / (weights @ weights))
        left = float(np.einsum("ij,ji->", maker, correlations)) / (count - 2)
        factors.append(math.sqrt(slope / left))
    return grid, np.array(factors)


@cache
def _residual_maker(count: int) -> Array:
    """Return M, which takes a series to its residuals around the least-squares line."""
    design = np.stack([np.ones(count), np.arange(count) - (count - 1) / 2], axis=1)
    return np.asarray(np.eye(count) - design @ np.linalg.pinv(design))


@cache
def _pairs(count: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the indices of all pairs i < j."""
    first, second = np.triu_indices(count, 1)
    return first, second


@cache
def _quantile(probability: float) -> float:
    """Return a quantile of the standard normal distribution."""
    return NormalDist().inv_cdf(probability)
