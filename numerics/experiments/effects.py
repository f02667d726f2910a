"""Effect sizes over seeds: paired differences between arms, with intervals of their medians."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from epsrank.numerics.experiments.analysis import Effect
from epsrank.theory.order_statistics import median_interval


def effect(
    name: str,
    values: Sequence[float],
    *,
    null: float = 0.0,
    unit: str = "",
    coverage: float = 0.95,
) -> Effect | None:
    """Return the median of observations with its interval.

    Parameters
    ----------
    name : str
        What is compared.
    values : sequence of float
        One number per seed; NaN is left out.
    null : float
        Value of no effect.
    unit : str
        Unit.
    coverage : float
        Coverage asked for.

    Returns
    -------
    Effect or None
        None where there is no observation.
    """
    known = [float(value) for value in values if not math.isnan(value)]
    if not known:
        return None
    return Effect(name, median_interval(known, coverage), null, unit)


def paired(
    name: str,
    values: Mapping[int, float],
    others: Mapping[int, float],
    *,
    unit: str = "",
    coverage: float = 0.95,
) -> Effect | None:
    """Return the median of a_s − b_s over the seeds s that both arms have.

    Parameters
    ----------
    name : str
        What is compared.
    values, others : mapping of int to float
        a_s and b_s by seed.
    unit : str
        Unit.
    coverage : float
        Coverage asked for.

    Returns
    -------
    Effect or None
        None where no seed has both.
    """
    common = sorted(set(values) & set(others))
    differences = [values[seed] - others[seed] for seed in common]
    return effect(name, differences, unit=unit, coverage=coverage)


def sign(item: Effect, least: float = 0.95) -> int:
    """Return what an effect establishes about its median.

    Parameters
    ----------
    item : Effect
        Median and interval.
    least : float
        Coverage that the interval must have; with fewer seeds nothing is established.

    Returns
    -------
    int
        1 if the interval lies above no effect, −1 if below, 0 otherwise.
    """
    interval = item.interval
    if interval.coverage < least:
        return 0
    return int(interval.low > item.null) - int(interval.high < item.null)
