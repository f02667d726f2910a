"""How much better steps describe a series than a curve whose speed has fewer modes does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.ndimage import median_filter, uniform_filter1d

from epsrank.numerics.staircase.modes import Curves, fewest_modes
from epsrank.numerics.staircase.noise import Noise, fit_noise, roughness
from epsrank.numerics.staircase.outliers import local_scale, spread
from epsrank.numerics.staircase.pieces import parallel_plateaus
from epsrank.numerics.staircase.shape import Drop, drops, least_fall
from epsrank.theory.numbers.arrays import Vector

# What a curve misses by this share of the range is no evidence of anything; ours.
_FLOOR = 4e-3
# Least innovation that is believed, in local standard deviations.
_UNIT = 0.5
# Residuals count up to so many of their median deviations, upwards and downwards, where what is far
# may be a step that was missed. So no mode has to explain a spike; but what a curve misses over a
# stretch, as the median of so many residuals does, counts in full.
_MOST_UP, _MOST_DOWN, _STRETCH = 2.5, 10.0, 7
# Price of a mode: a constant, as it is searched for, and a share of the length, so that the same
# curve measured half as often has the same modes; ours.
_MODE, _MODE_SHARE = 12.0, 0.4
# Price of a fitted number of plateaus in units of log n, as change points are searched, and what ρ
# adds: noise that wanders has more of them by chance; ours.
_PRICE, _PRICE_RHO = 0.6, 0.4
# Curves may jump where one of so few plateaus begins, or jumps alone would speak for plateaus.
_FEW = 4
# Descriptions that cost so much more than the null are not read; ours.
_HOPELESS = 100.0
# Of a series without such steps. Finite, as JSON has no −∞, and below every statistic.
NOTHING = -1e6


@dataclass(frozen=True)
class Evidence:
    """E_k = max over descriptions with k steps or more of  −2·log L(k − 1 modes) − (…) − price."""

    #: E_1 and E_2.
    statistics: tuple[float, float]
    #: Steps of the description of each maximum.
    steps: tuple[tuple[Drop, ...], tuple[Drop, ...]]
    #: What the best curve of no mode and of at most one leaves.
    noise: tuple[Noise, Noise]
    #: ρ beside the description of each maximum (beside the null where there is none). Unlike what
    #: the null leaves it has no steps in it, which look like noise that wanders.
    correlations: tuple[float, float]
    #: Median of the local standard deviations that its unit is.
    scale: float


class _Best(NamedTuple):
    """E_k, and the steps and ρ of the description that has it."""

    statistic: float = NOTHING
    steps: tuple[Drop, ...] = ()
    correlation: float | None = None


@dataclass
class _Described:
    """One description: its curve, its deviance with its price, and its steps once they are read."""

    curve: Vector
    cost: float
    correlation: float
    #: What a step of the null costs more than one of this description.
    dearer: float = 0.0
    steps: tuple[Drop, ...] | None = None


def evidence(time: Vector, values: Vector, resolution: float = 0.0) -> Evidence | None:
    """Return the evidence for one step or more, and for two or more; None of a constant.

    The null of E_1 are curves whose speed of descent has no mode, that of E_2 those with one mode
    at most. Against them stand curves of more modes, and parallel plateaus between jumps, which
    say more where falls are short or there is much noise. All have noise e_i = ρ e_{i−1} + η_i in
    proportion to a local scale, each with the ρ and variance of its own maximum.

    `resolution`: Distance of neighbouring values that the series can have; rounding to it is noise.
    """
    size = spread(values)
    if size == 0:
        return None
    scale = _scale(values, _FLOOR * size, resolution)
    plateaus = parallel_plateaus(time, values, scale, _PRICE)
    few = frozenset(at for p in plateaus if len(p.ramps) < _FEW for ramp in p.ramps for at in ramp)
    curves = Curves(time, values, scale, few)
    found = fewest_modes(curves)
    rough, least = roughness(values / scale), least_fall(size, resolution)
    noise = {k: _noise(curves.residual(signs), rough) for k, signs in found.items()}
    price = _MODE + _MODE_SHARE * values.size
    described = [
        _Described(curves.curve(signs), noise[k].deviance + price * k, noise[k].correlation)
        for k, signs in found.items()
        if k
    ]
    for pieces in plateaus:
        left = _noise((values - pieces.curve) / scale, rough)
        each = (_PRICE + _PRICE_RHO * left.correlation) * float(np.log(values.size))
        cost = left.deviance + each * pieces.parameters
        described.append(_Described(pieces.curve, cost, left.correlation, price - 2 * each))
    nulls = (noise[0], noise.get(1, noise[0]))
    best = [
        # The null of two steps has a mode too.
        _best(time, described, nulls[count - 1].deviance + price * (count - 1), count, least)
        for count in (1, 2)
    ]
    one, two = (
        b.correlation if b.correlation is not None else null.correlation
        for b, null in zip(best, nulls, strict=True)
    )
    return Evidence(
        (best[0].statistic, best[1].statistic),
        (best[0].steps, best[1].steps),
        nulls,
        (one, two),
        float(np.median(scale)),
    )


def _best(
    time: Vector, described: list[_Described], null: float, count: int, least: float
) -> _Best:
    """Return E_count and its steps: of the cheapest description that has so many.

    Against it stands the cheapest one that has fewer: of few modes, or of more that are no steps.
    """
    costs = [d.cost + (count - 1) * d.dearer for d in described]
    found: _Described | None = None
    best = np.inf
    for k in sorted(range(len(costs)), key=costs.__getitem__):
        d = described[k]
        # What costs more than both that were found changes neither, and what costs far more than
        # the null speaks for nothing.
        if costs[k] >= null and (best < np.inf or costs[k] > null + _HOPELESS):
            break
        if d.steps is None:
            d.steps = tuple(drops(time, d.curve, least))
        if len(d.steps) < count:
            null = min(null, costs[k])
        elif found is None:
            best, found = costs[k], d
    if found is None or found.steps is None:
        return _Best()
    return _Best(float(null - best), found.steps, found.correlation)


def _scale(values: Vector, floor: float, resolution: float) -> Vector:
    """Return local standard deviations: of the noise, of rounding, and of what is no matter."""
    near = local_scale(values)
    # Averaged, so that its own edges are none of the series.
    smooth = uniform_filter1d(near, max(3, min(21, values.size // 3)), mode="nearest")
    return np.asarray(np.sqrt(smooth**2 + floor**2 + resolution**2 / 12))


def _noise(residual: Vector, rough: float) -> Noise:
    """Fit the noise to residuals of which those that stand out count as less far."""
    usual = max(1.4826 * float(np.median(np.abs(residual))), _UNIT)
    missed = median_filter(residual, _STRETCH, mode="nearest")
    low, high = np.minimum(missed, -_MOST_DOWN * usual), np.maximum(missed, _MOST_UP * usual)
    return fit_noise(np.clip(residual, low, high), _UNIT, rough)
